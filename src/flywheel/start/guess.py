"""Guesses about two tables: which column is what, what its limits are, and which sizes fit so many rows."""

from __future__ import annotations

import math
import re
import shlex
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data.tables import CHANNELS
from flywheel.errors import ConfigError, DataError
from flywheel.start.profile import NUMERIC, Column, Profile

# Names that people give to columns, the likeliest first. They are compared in lower case, without what is not a letter.
NAMES = {
    "prediction_id": ("predictionid", "id", "requestid", "rowid", "key", "uuid"),
    "served_at": ("servedat", "predictedat", "scoredat", "requestedat", "timestamp", "time", "datetime", "createdat",
                  "date", "ts"),
    "user_id": ("userid", "user", "customerid", "customer", "clientid", "accountid", "memberid"),
    "score": ("score", "probability", "proba", "prob", "prediction", "predicted", "pred", "yhat", "servedscore", "p"),
    "model_version": ("modelversion", "model", "modelid", "version"),
    "latency_ms": ("latencyms", "latency", "durationms", "elapsedms"),
    "error": ("error", "exception", "errormessage", "failure"),
    "received_at": ("receivedat", "knownat", "labeledat", "labelledat", "reportedat", "resolvedat", "observedat", "timestamp",
                    "time", "createdat", "date", "ts"),
    "value": ("value", "label", "outcome", "target", "truth", "actual", "result", "class", "y", "claim", "rating"),
    "channel": ("channel", "kind", "type", "source"),
    "source_id": ("sourceid", "annotator", "annotatorid", "reporter", "reporterid", "userid", "user", "who", "author"),
    "feedback_id": ("feedbackid", "eventid", "id"),
    "text": ("text", "comment", "message", "note", "body"),
}  # fmt: skip
POSITIVE = ("1", "1.0", "true", "yes", "y", "t", "up", "positive", "pos", "late", "bad", "fail", "failed", "fraud", "spam",
            "churn", "churned", "default", "delayed", "cancelled", "click", "clicked", "bought", "sick", "ill",
            "broken")  # fmt: skip
NEGATIVE = ("0", "0.0", "-1", "false", "no", "n", "f", "down", "negative", "neg", "ontime", "good", "ok", "pass", "passed",
            "none")  # fmt: skip
# Names of labels that say nothing of what a 1 means.
NAMELESS = (*NAMES["value"], "is", "flag", "event")
COHORT_VALUES = (3, 20)
ALLOWED_VALUES = 30
CATEGORY_VALUES = 300
NEARLY_ALL = 0.9  # of the rows
FEW_NUMBERS = 0.05  # of a column's values: what is wrong is how all of them are written
HISTORY_WINDOWS = ("3h", "12h", "24h", "3d", "7d", "28d")
Usual = Mapping[str, Mapping[str, Any]]  # what conf/config.yaml says for a project with months of data
SHORTEST = 15  # days
LABELLED, LABELLED_WELL = 5, 14  # days with labels that a window needs at least, and should have
ENOUGH = 10  # labels that a window of history should hold, on average

# A question, the choices (none: any word), and the likeliest; None where nobody is there to answer.
Ask = Callable[[str, Sequence[str], str | None], str | None]


def plain(name: str) -> str:
    """A name in lower case, without anything that is not a letter or a digit."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def named(role: str, names: Sequence[str]) -> str | None:
    """The column whose name says that it has a role, the likeliest first; None if there is none."""
    by_plain = {plain(name): name for name in reversed(names)}
    return next((by_plain[one] for one in NAMES[role] if one in by_plain), None)


def input_name(column: str) -> str:
    """The loop's name of an input: in_ and the column's own, in small letters, of any alphabet, without accents."""
    parts = unicodedata.normalize("NFKD", column.casefold())
    letters = unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", parts))
    return "in_" + (re.sub(r"[\W_]+", "_", letters).strip("_") or "column")


def find_time(table: Profile, role: str, given: str | None, ask: Ask, option: str) -> Column:
    """The column with the moments of a table. ConfigError where there is none, or nobody says which of several."""
    times = [one for one in table.columns.values() if one.kind == "time"]
    if given is not None:
        if given not in table.columns:
            raise ConfigError(
                f"{option}: {table.where.path} has no column {given!r}; found: {', '.join(table.columns)}."
            )
        if table.columns[given].kind != "time":
            raise ConfigError(
                f"{option}: {given!r} of {table.where.path} holds no times, such as 2030-01-31T12:00:00Z."
            )
        return table.columns[given]
    if not times:
        raise ConfigError(
            f"{table.where.path} has no column with times; found: {', '.join(table.columns)}. Each row needs the time when it "
            f"{'was served' if role == 'served_at' else 'was known'}, such as 2030-01-31T12:00:00Z."
        )
    names = [one.name for one in times]
    best = named(role, names)
    if len(times) == 1:
        return times[0]
    question = (
        f"Which column of {table.where.path} says when it {'was served' if role == 'served_at' else 'was known'}?"
    )
    said = ask(question, names, best) or best
    if said is None or said not in names:
        raise ConfigError(
            f"{table.where.path} has several columns with times ({', '.join(names)}). Say which one it is: {option} "
            + shlex.quote(names[0])
        )
    return table.columns[said]


def find_value(table: Profile, given: str | None, taken: set[str], option: str = "--label") -> Column:
    """The column with the labels. ConfigError where there is none, or it has one value, or more than two."""
    if given is not None and given not in table.columns:
        raise ConfigError(f"{option}: {table.where.path} has no column {given!r}; found: {', '.join(table.columns)}.")
    free = [name for name in table.columns if name not in taken]
    two = [name for name in free if table.columns[name].n_values == 2 and table.columns[name].kind != "time"]
    by_name = named("value", [one for one in free if table.columns[one].n_values <= 3])
    likely = [*([by_name] if by_name else []), *(two if len(two) == 1 else []), *(free if len(free) == 1 else [])]
    name = given or next(iter(likely), None)
    if name is None:
        raise ConfigError(
            f"{table.where.path}: no column says what happened ({'several have' if two else 'none has'} two values). "
            f"Say which one does: {option} {shlex.quote((two or free or ['COLUMN'])[0])}"
        )
    column = table.columns[name]
    values = sorted(column.counts or {})
    if column.n_values == 1:
        raise ConfigError(
            f"{name} of {table.where.path} is always {values[0]!r}: a model has nothing to learn from one class."
        )
    if column.n_values > 2 and set(map(plain_number, values)) != {"-1", "0", "1"}:
        shown = ", ".join(repr(one) for one in values[:4]) or "many values"
        raise ConfigError(
            f"{name} of {table.where.path} has {column.n_values} values ({shown}…); a label has two. Make it two in the table, "
            f"or say which other column it is: {option} COLUMN"
        )
    return column


def words_of(column: Column, positive: str | None, may_rate: bool) -> tuple[dict[str, int], str]:
    """What each word of a label means, and why; no word where the values say it themselves.

    -1 and 1 are ratings in a table of feedback, unless a person says which of them means 1. ConfigError where it is none of
    two values.
    """
    counts = column.counts or {}
    words = list(counts)
    numbers = {plain_number(word) for word in words}
    if positive is None and (numbers <= {"0", "1"} or (may_rate and numbers <= {"0", "1", "-1"})):
        return {}, "it is 0 and 1 already" if numbers <= {"0", "1"} else "ratings from -1 to 1"
    if len(words) > 2:
        raise ConfigError(
            f"{column.name} has {len(words)} values ({', '.join(words)}), as ratings do; a label has two. Make it two in "
            "the table, or say which other column it is: --label COLUMN"
        )
    low = {plain(word): word for word in words}
    if positive is not None:
        one = next((word for word in words if plain_number(word) == plain_number(positive)), None)
        if one is None:
            raise ConfigError(f"--positive: {positive!r} is no value of {column.name}; found: {', '.join(words)}.")
        why = "as you said"
    elif numbers == {"-1", "1"}:
        one, why = next(word for word in words if plain_number(word) == "1"), "by its sign"
    elif any(word in low for word in POSITIVE):
        one, why = low[next(word for word in POSITIVE if word in low)], "by its name"
    elif any(word in low for word in NEGATIVE):
        zero = low[next(word for word in NEGATIVE if word in low)]
        one, why = next(word for word in words if word != zero), f"because {zero!r} says no"
    else:
        one, why = (
            min(words, key=lambda word: (counts[word], word)),
            "because it is the rarer one; say --positive if not",
        )
    zero = next(word for word in words if word != one)
    if column.kind == "boolean":  # the sources read true as 1
        one, zero = plain_number(one), plain_number(zero)
    return {one: 1, zero: 0}, why


def plain_number(word: str) -> str:
    """1.0 and 1 are the same number; true and false are words that need no meaning."""
    text = {"true": "1", "false": "0"}.get(word.lower(), word)
    return text[:-2] if text.endswith(".0") else text


def rounded(value: float) -> float | int:
    """Three significant digits are enough for a limit."""
    if value == 0 or not math.isfinite(value):
        return 0
    digits = 2 - math.floor(math.log10(abs(value)))
    found = round(value, digits)
    return int(found) if float(found).is_integer() else found


def limits(column: Column) -> dict[str, Any]:
    """What the contract says of an input: its type, whether it may be missing, and its range with slack."""
    said: dict[str, Any] = {"type": column.kind if column.kind in NUMERIC else "string"}
    if column.nulls:
        said["nullable"] = True
    if column.kind in NUMERIC:
        span = column.high - column.low
        slack = max(span / 2, abs(column.high) / 20, 0.5)
        low = 0 if 0 <= column.low <= span / 20 else rounded(column.low - slack)
        said |= {"min": low, "max": rounded(column.high + slack)}
    elif column.kind == "boolean":
        said["allowed"] = sorted(column.counts or {})
    elif column.counts is not None and len(column.counts) <= ALLOWED_VALUES:
        said["allowed"] = sorted(column.counts)
    return said


def why_no_input(column: Column, rows: int) -> str | None:
    """Why a column is no input of a model; None if it may be one."""
    if column.nulls == rows or column.kind == "empty":
        return "it is empty"
    if column.n_values == 1:
        return "it is always the same"
    if column.kind == "time":
        return "it is a time; the calendar has served_at"
    if column.kind == "text" and (column.is_unique or column.n_values > CATEGORY_VALUES):
        return mixed(column) if column.is_mixed else many(column)
    if column.numbers_rows or (column.kind == "integer" and column.is_unique and column.name.lower().endswith("id")):
        return "it numbers the rows of the file" if column.numbers_rows else "it is an id"
    return None


def many(column: Column) -> str:
    """Why a column of texts with many values is no category."""
    there = column.rows - column.nulls
    n = there - column.repeats
    if n > NEARLY_ALL * there:
        return "nearly every row has another value: it is an id or a text"
    return f"it has {n:,} values, and a category has at most {CATEGORY_VALUES}: it is an id or a text"


def mixed(column: Column) -> str:
    """What is wrong with a column that is half of numbers, and what to do."""
    share = 1 - column.wrong / max(column.rows - column.nulls, 1)
    help_ = (
        ", or say --decimal , if a comma is before decimals"
        if re.fullmatch(r"[+-]?\d+,\d+", column.wrong_example)
        else ""
    )
    found = (
        f"{share:.0%} of its values are numbers, but" if share >= FEW_NUMBERS else "its values seem to be numbers, but"
    )
    return (
        f"{found} {column.wrong_example!r} in row {column.wrong_row:,} is none. Write "
        f"them all as numbers such as 1234.5{help_}, and run again"
    )


def cohort_of(column: Column, rows: int) -> bool:
    """Whether the values of a column are groups to be watched: few of them, and each large enough."""
    low, high = COHORT_VALUES
    counts = column.counts or {}
    return (
        column.kind == "text"
        and low <= len(counts) <= high
        and min(counts.values(), default=0) >= max(100, 0.02 * rows)
    )


def history_of(keys: Mapping[str, int], labels_a_day: float) -> list[dict[str, Any]]:
    """History features of each key, and of all rows: windows that hold enough labels, the shortest two or three of them."""

    def windows(values: int) -> list[str]:
        days = {one: int(one[:-1]) / (1 if one.endswith("d") else 24) for one in HISTORY_WINDOWS}
        enough = [one for one in HISTORY_WINDOWS if labels_a_day * days[one] / values >= ENOUGH]
        return enough[:3]

    found = [{"key": [name], "windows": windows(n)} for name, n in keys.items() if windows(n)]
    overall = windows(1)[:2]
    return [*found, *([{"key": [], "windows": overall}] if overall else [])]


@dataclass(frozen=True)
class Volume:
    """How much there is: days, predictions, labels and how many of them are positive; and how many features will be made.

    `lag` is the days after which most labels are known; 0 where that is less than a day.
    """

    days: int
    predictions: float
    labels: float
    positives: float
    features: int
    lag: int = 0

    @property
    def rarer(self) -> float:
        """Rows of the rarer class."""
        return min(self.positives, self.labels - self.positives)


def n_columns(history: Sequence[Mapping[str, Any]]) -> int:
    """How many features history makes: a rate and a count for each key and window."""
    return 2 * sum(len(one["windows"]) for one in history)


def training_events(volume: Volume, usual: int) -> float:
    """How many rows of the rarer class the training window will have, if they are the same each day."""
    training = volume.days - evaluation_days(volume, usual) - volume.lag
    return volume.rarer * training / max(volume.days, 1)


def evaluation_days(volume: Volume, usual: int) -> int:
    """Days of the evaluation window: usual ones, or more where labels come late, so that its first part is labelled.

    As of its first day, the training window before it must have labels as well. DataError when the span is too short.
    """
    days, lag = volume.days, volume.lag
    if days < SHORTEST:
        raise DataError(f"the tables span {days} days; at least {SHORTEST} are needed to train and to evaluate.")
    found = usual if days >= 4 * usual else max(7, days // 4)
    if not lag:
        return found
    least = lag + LABELLED
    if days < 2 * least:
        raise DataError(
            f"labels come {lag} days late and the tables span {days} days; at least {2 * least} are needed: {least} to train, "
            f"and {least} to evaluate, each with {LABELLED} days of labels. Give tables of more days, or say with --label and "
            "--known-at what is known sooner."
        )
    return max(found, min(lag + LABELLED_WELL, days - max(math.ceil(days / 3), least)))


def sizes_of(volume: Volume, usual: Usual) -> dict[str, dict[str, Any]]:
    """Windows, minimum rows and ages that fit the span, the volume and how late labels come, where the usual ones do not.

    DataError when the span is too short to train and to evaluate.
    """
    days = volume.days
    windows, train, gate = usual["windows"], usual["train"], usual["gate"]
    evaluation = evaluation_days(volume, windows["evaluation_days"])
    training = days - evaluation - volume.lag
    labelled = evaluation - volume.lag
    share = 0.7 * volume.labels / max(volume.predictions, 1)
    sizes: dict[str, dict[str, Any]] = {
        "windows": {
            "evaluation_days": evaluation,
            "current_days": min(windows["current_days"], max(3, evaluation // 2)),
        },
        "train": {
            "min_events_per_feature": min(
                train["min_events_per_feature"],
                max(1, int(0.8 * volume.rarer * training / days / max(volume.features, 1))),
            ),
        },
        "gate": {
            "min_labelled_share": min(gate["min_labelled_share"], round(share * labelled / evaluation, 3)),
            "min_days": min(gate["min_days"], max(5, labelled // 2)),
            "min_positives": min(gate["min_positives"], max(30, int(volume.rarer * labelled / days / 2))),
        },
        "monitor": {"min_labelled_share": min(usual["monitor"]["min_labelled_share"], round(share, 3))},
        "trigger": {"max_age_days": min(usual["trigger"]["max_age_days"], evaluation)},
    }
    others = {
        section: {key: value for key, value in values.items() if value != usual[section][key]}
        for section, values in sizes.items()
    }
    return {section: values for section, values in others.items() if values}


def costs_of(wrong: float) -> dict[str, float]:
    """A cost table in which a right alert is worth 1 point, and a wrong one costs `wrong`."""
    return {"alert_right": 1.0, "alert_wrong": -wrong, "missed": 0.0, "quiet_right": 0.0}


def cost(word: str) -> float:
    """A cost as a person writes it. ConfigError unless it is a number above 0."""
    try:
        found = float(word)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise ConfigError(f"a wrong alert: found {word!r}; allowed is a number above 0, such as 0.5.")
    return found


def base_cost(rate: float) -> float:
    """What a wrong alert costs if the threshold is to be the base rate: what one knows without a model."""
    rate = min(max(rate, 0.02), 0.98)
    return float(rounded(rate / (1 - rate)))


def local_hours(served_at: pd.Series) -> list[str]:
    """Parts of the calendar that can say something: the hour if it varies, the weekday after weeks, the month after a year."""
    span = (served_at.max() - served_at.min()).days
    parts = ["hour"] if len(served_at.dt.hour.unique()) > 1 else []
    return parts + (["weekday"] if span >= 14 else []) + (["month"] if span >= 400 else [])


def is_whole(last: pd.Timestamp, rows_by_day: pd.Series) -> bool:
    """Whether the last day of a table seems to be over: it goes on into the evening, or has about as many rows as others."""
    usual = rows_by_day.iloc[:-1].median() if len(rows_by_day) > 1 else np.nan
    return bool(last.hour >= 22 or (np.isfinite(usual) and rows_by_day.iloc[-1] >= 0.9 * usual))


def check_channels(column: Column) -> bool:
    """Whether the values of a column are channels of feedback."""
    return bool(column.counts) and set(column.counts or {}) <= set(CHANNELS)
