"""What conf will say of two tables: each guess with its reason, and what no table can say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from flywheel.data import tables
from flywheel.data.columns import OPTIONAL
from flywheel.data.sources import mapping
from flywheel.errors import ConfigError, DataError
from flywheel.labels.conclude import VOTES
from flywheel.params import parse
from flywheel.start import guess
from flywheel.start.guess import Ask, Usual
from flywheel.start.profile import NUMERIC, Column, Profile

# What is added to the rows of a table, under names that no column has.
SERVED, KNOWN, LABEL, NAMED, SAID = "(served_at)", "(known_at)", "(label)", "(id)", "(said)"
FOLLOWS = {"today": "follows the calendar", "replay": "replays the days, since the data is over"}
FEW_EARLY = 0.02
REPORT_IS_RIGHT = 0.85  # how often a report is right, as conf/config.yaml has it: so sure is a label that rests on one
HISTORY_KEYS = 3
COHORTS = 3
RECENT = dt.timedelta(days=3)  # data that ends further back is over: the clock replays it
ROWS_OF_TINY, DAYS_OF_TINY = 20_000, 42


@dataclass
class Answers:
    """What a person has said already: names of columns, the time zone, the word for 1."""

    id: str | None = None
    time: str | None = None
    label: str | None = None
    known_at: str | None = None
    timezone: str | None = None
    positive: str | None = None


@dataclass
class Proposal:
    """What conf will say, why, and what nobody but a person knows."""

    name: str
    event: str
    options: dict[str, Any]
    contract: dict[str, dict[str, dict[str, Any]]]
    numeric: list[str]
    categorical: list[str]
    timezone: str
    parts: list[str]
    history: list[dict[str, Any]]
    cohorts: list[str]
    costs: dict[str, float]
    clock: dt.date
    follow: str
    sizes: dict[str, dict[str, Any]]
    tiny: dict[str, Any]
    min_votes: int | None
    min_confidence: float | None
    left_out: dict[str, str] = field(default_factory=dict)
    guesses: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    suspicions: dict[str, str] = field(default_factory=dict)


@dataclass
class Looked:
    """What is known of both tables after a first look."""

    served: Profile
    at: Column
    ids: list[str]
    zone: str
    columns: dict[str, Any]
    options: dict[str, Any]
    channels: list[str]
    words: dict[str, int]
    value: Column
    rows: pd.DataFrame
    labelled: pd.DataFrame
    taken: set[str]
    min_votes: int | None
    said: list[tuple[str, str]]

    @property
    def scale(self) -> float:
        """How many rows of the table one of the rows that were looked at stands for."""
        return self.served.rows / max(len(self.rows), 1)


def propose(
    served: Profile, said: Profile | None, name: str, answers: Answers, ask: Ask, today: dt.date, usual: Usual
) -> tuple[Proposal, pd.DataFrame, np.ndarray]:
    """The proposal; and, to probe for leaks, the inputs of the labelled rows with `served_at`, and their labels.

    ConfigError or DataError says what the tables lack. `ask` is asked what only a person can say: it gets a question, the
    choices, and the likeliest. `usual` is what conf says for a project with months of data.
    """
    looked = look(served, said, answers, ask)
    used, left_out = inputs_of(looked)
    renamed = _renamed([one.name for one in used])
    looked.columns |= {renamed[one.name]: one.name for one in used}
    named = {one.name: renamed[one.name].removeprefix("in_") for one in used}
    categorical = [one for one in used if one.kind in ("text", "boolean")]

    first, last = (pd.Timestamp(moment, unit="s", tz="UTC") for moment in (looked.at.low, looked.at.high))
    by_day = looked.rows[SERVED].dt.floor("D").value_counts().sort_index()
    clock = last.date() + dt.timedelta(days=1 if guess.is_whole(last, by_day) else 0)
    clock = min(clock, today) if last.date() >= today else clock
    days = max((clock - first.date()).days, 1)
    positives, labels = (looked.scale * n for n in (looked.labelled[LABEL].sum(), len(looked.labelled)))
    rate = positives / labels if labels else 0.5
    by_size = sorted(categorical, key=lambda one: one.n_values)
    keys = {named[one.name]: one.n_values for one in by_size if one.n_values <= guess.CATEGORY_VALUES}
    unknown = []
    event = guess.plain(looked.value.name)
    if event in guess.NAMELESS:
        event = next((word for word, number in looked.words.items() if number == 1), "positive")
    said_event = ask("In a word: what does a label of 1 mean?", (), event)
    wrong = guess.base_cost(rate)
    said_wrong = ask("A right alert is worth 1 point. How many does a wrong one cost?", (), str(wrong))
    if said_event is None:
        unknown.append("what a 1 means (project.event)")
    if said_wrong is None:
        unknown.append("what a right, a wrong and a missed alert are worth (evaluate.costs)")
    else:
        wrong = guess.cost(said_wrong)
    history = guess.history_of(dict(list(keys.items())[:HISTORY_KEYS]), labels / days)
    parts = guess.local_hours(looked.rows[SERVED])
    n_features = len(used) + len(parts) + 2 * sum(len(one["windows"]) for one in history)
    volume = guess.Volume((clock - first.date()).days, served.rows, labels, positives, n_features)
    found = Proposal(
        name=name,
        event=said_event or event,
        options=looked.options,
        contract=_contract(looked),
        numeric=[named[one.name] for one in used if one.kind in NUMERIC],
        categorical=[named[one.name] for one in categorical],
        timezone=looked.zone,
        parts=parts,
        history=history,
        cohorts=[named[one.name] for one in categorical if guess.cohort_of(one, served.rows)][:COHORTS],
        costs=guess.costs_of(wrong),
        clock=clock,
        follow="today" if clock >= today - RECENT else "replay",
        sizes=guess.sizes_of(volume, usual),
        tiny={
            "first_day": max(first.date(), clock - dt.timedelta(days=DAYS_OF_TINY)),
            "share": max(0.01, min(1.0, round(ROWS_OF_TINY / (served.rows * DAYS_OF_TINY / days), 2))),
        },
        min_votes=looked.min_votes,
        min_confidence=REPORT_IS_RIGHT
        if looked.min_votes and set(looked.channels) & set(VOTES) == {"report"}
        else None,
        left_out=left_out,
    )
    found.guesses = [*looked.said, *_said(found, looked, used, (first.date(), last.date(), days, rate))]
    found.unknown = unknown
    return found, _inputs(looked, used, renamed), looked.labelled[LABEL].to_numpy()


def look(served: Profile, said: Profile | None, answers: Answers, ask: Ask) -> Looked:
    """Which column is what, and the labelled rows."""
    at = guess.find_time(served, "served_at", answers.time, ask, "--time")
    ids = guess.find_id(served, at.name, said, answers.id)
    zone = answers.timezone or "UTC"
    columns: dict[str, Any] = {"prediction_id": ids[0] if len(ids) == 1 else ids, "served_at": at.name}
    known_at = answers.known_at or _known_at(served, at) if said is None else answers.known_at
    label = {answers.label} if said is None and answers.label else set()
    roles = _roles(served, {*ids, at.name, *label, *([known_at] if known_at else [])}, OPTIONAL["predictions"])
    columns |= roles
    guesses = [
        ("served_at", f"{at.name}" + (f", {at.time} since 1970" if at.time in mapping.UNITS else "")),
        ("prediction_id", " + ".join(ids) + (": together they name each row" if len(ids) > 1 else "")),
        *roles.items(),
    ]
    if not at.has_offset and answers.timezone is None:
        guesses.append(("time zone", f"UTC: {at.name} does not say its own; give --timezone if it is a local time"))
    # What is a part of the id may be an input as well.
    taken = {at.name, *roles.values(), *(ids if len(ids) == 1 else [])}
    options: dict[str, Any] = {"predictions": _written(served, columns, at, zone)}
    rows = _rows(served, ids, at, zone)
    min_votes = None
    if said is None:
        outcome, value = _outcome(served, at, answers, known_at, taken)
        options["outcome"] = outcome
        words, channels = outcome.get("values", {}), ["outcome"]
        taken |= {outcome["value"], *([outcome["known_at"]] if "known_at" in outcome else [])}
        guesses.append(
            ("outcome", f"{value.name}, known {outcome.get('known_at') or 'after ' + outcome['known_after']}")
        )
        labelled = _labels_of(rows, outcome)
    else:
        table, value, channels, why = _feedback(served, said, ids, answers, ask)
        options["feedback"] = [table]
        words = table.get("values", {})
        guesses += why
        labelled = _labels_from(rows, said, table)
        if "outcome" not in channels and len(labelled) and labelled.groupby(NAMED).size().median() == 1:
            min_votes = 1
    if words:
        guesses.append(("labels", ", ".join(f"{word!r} is {number}" for word, number in words.items())))
    if not set(channels) & set(VOTES):
        guesses.append(
            (
                "no labels",
                "ratings and tickets say what people think of the service, not what happened: a run goes as far as "
                "the features, `flywheel monitor` shows service and satisfaction, and a model needs outcomes, reports or "
                "annotations",
            )
        )
    elif len(labelled[LABEL].unique()) < 2:
        raise DataError(
            f"{len(labelled):,} labels are about rows of {served.where.path}, of fewer than two classes: nothing can be "
            "learned from them. Are the ids those of the other table? Say which column names a prediction: --id COLUMN"
        )
    guesses += early(labelled)
    return Looked(
        served, at, ids, zone, columns, options, channels, words, value, rows, labelled, taken, min_votes, guesses
    )


def _known_at(served: Profile, at: Column) -> str | None:
    """The column of the predictions that says when the outcome was known; None where none, or more than one, may be it."""
    others = [one.name for one in served.columns.values() if one.kind == "time" and one.name != at.name]
    return guess.named("received_at", others) or (others[0] if len(others) == 1 else None)


def inputs_of(looked: Looked) -> tuple[list[Column], dict[str, str]]:
    """The columns that a model may learn from; and the others, with the reason."""
    served = looked.served
    inputs = [one for one in served.columns.values() if one.name not in looked.taken]
    left_out = {one.name: why for one in inputs if (why := guess.why_no_input(one, served.rows))}
    twins = _twins(served, [one for one in inputs if one.name not in left_out])
    left_out |= {one: f"it is the same as {other}" for one, other in twins.items()}
    used = [one for one in inputs if one.name not in left_out]
    if not used:
        raise ConfigError(
            f"{served.where.path} has no column that a model could learn from. "
            + "; ".join(f"{one}: {why}" for one, why in left_out.items())
        )
    return used, left_out


def _said(
    found: Proposal, looked: Looked, used: Sequence[Column], volume: tuple[dt.date, dt.date, int, float]
) -> list[tuple[str, str]]:
    """What was guessed of sizes and inputs, for a person to read."""
    first, last, days, rate = volume
    evaluation = found.sizes.get("windows", {}).get("evaluation_days", 28)
    history = "; ".join(f"{' and '.join(one['key']) or 'all'}: {', '.join(one['windows'])}" for one in found.history)
    wrong = [one for one in (*used, looked.at) if one.wrong]
    return [
        ("clock", f"{found.clock}: the tables go from {first} to {last}; it {FOLLOWS[found.follow]}"),
        ("volume", f"{looked.served.rows:,} predictions in {days} days, {rate:.1%} of the labelled ones positive"),
        ("evaluation", f"the last {evaluation} days"),
        *(
            (f"{section}.{key}", f"{value}: there are few rows or days")
            for section, values in found.sizes.items()
            for key, value in values.items()
            if section != "windows"
        ),
        ("inputs", f"{len(found.numeric)} numbers, {len(found.categorical)} categories"),
        ("history", history or "none: too few labels"),
        ("cohorts", ", ".join(found.cohorts) or "none: no category has 3 to 20 values with enough rows"),
        *((f"left out: {column}", why) for column, why in found.left_out.items()),
        *(
            (one.name, f"{one.wrong:,} values are no {one.kind}, such as {one.wrong_example!r}: they will be rejected")
            for one in wrong
        ),
    ]


def _inputs(looked: Looked, used: Sequence[Column], renamed: dict[str, str]) -> pd.DataFrame:
    """The inputs of the labelled rows in the types of the contract, with `served_at`."""
    rows = looked.labelled
    found = {"served_at": rows[SERVED]}
    for one in used:
        values = rows[one.name]
        found[renamed[one.name].removeprefix("in_")] = (
            pd.to_numeric(values, errors="coerce") if one.kind in NUMERIC else values.astype("str")
        )
    return pd.DataFrame(found)


def _roles(table: Profile, taken: set[str], roles: Sequence[str]) -> dict[str, str]:
    """Columns whose names say what they are, and whose values do not speak against it."""
    found: dict[str, str] = {}
    for role in roles:
        name = guess.named(role, [one for one in table.columns if one not in taken | set(found.values())])
        if name is None:
            continue
        column = table.columns[name]
        if role == "score" and not (column.kind in NUMERIC and column.low >= 0 and column.high <= 1):
            continue
        if role == "latency_ms" and column.kind not in NUMERIC:
            continue
        if role in ("error", "model_version") and column.kind in NUMERIC:
            continue
        found[role] = name
    return found


def _written(table: Profile, columns: dict[str, Any], at: Column, zone: str) -> dict[str, Any]:
    """Where a table is, and how it is written; what goes without saying is left out."""
    said: dict[str, Any] = {"path": table.where.path}
    for key, usual in (("delimiter", ","), ("decimal", "."), ("encoding", "utf-8")):
        if getattr(table.where, key) != usual:
            said[key] = getattr(table.where, key)
    if table.where.nulls != type(table.where).model_fields["nulls"].default:
        said["nulls"] = list(table.where.nulls)
    return said | _times(at, zone) | {"columns": columns}


def _times(at: Column, zone: str) -> dict[str, str]:
    said = {"time": at.time} if at.time != "iso" else {}
    return said | ({"timezone": zone} if zone != "UTC" and not at.has_offset else {})


def _outcome(
    served: Profile, at: Column, answers: Answers, known_at: str | None, taken: set[str]
) -> tuple[dict[str, Any], Column]:
    """Outcomes in the table of predictions."""
    value = guess.find_value(served, answers.label, taken | ({known_at} if known_at else set()))
    words, _ = guess.words_of(value, answers.positive)
    if known_at is None:
        raise ConfigError(
            f"{served.where.path}: when was {value.name} known? Say --known-at COLUMN, or how long after {at.name} that is, "
            "such as --known-at 6h"
        )
    if known_at in served.columns:
        when: dict[str, Any] = {"known_at": known_at, **_times(served.columns[known_at], answers.timezone or "UTC")}
    elif mapping.LENGTH.fullmatch(known_at):
        when = {"known_after": known_at}
    else:
        raise ConfigError(
            f"--known-at: {known_at!r} is neither a column of {served.where.path} nor a length of time such as 6h."
        )
    return {"value": value.name, **when, **({"values": words} if words else {})}, value


def _feedback(
    served: Profile, said: Profile, ids: list[str], answers: Answers, ask: Ask
) -> tuple[dict[str, Any], Column, list[str], list[tuple[str, str]]]:
    """Where the columns of the table of feedback are, its column of values, its channels, and why."""
    about = guess.joins(served, ids, said)
    if about is None:
        raise ConfigError(
            f"no column of {said.where.path} names rows of {served.where.path} by {' + '.join(ids)}. Say which column names "
            f"a prediction: --id COLUMN; found: {', '.join(served.columns)}."
        )
    at = guess.find_time(said, "received_at", answers.known_at, ask, "--known-at")
    columns: dict[str, Any] = {"prediction_id": about, "received_at": at.name}
    taken = {about, at.name}
    channel = guess.named("channel", [one for one in said.columns if one not in taken])
    has_channels = channel is not None and guess.check_channels(said.columns[channel])
    if has_channels and channel is not None:
        columns["channel"] = channel
        taken.add(channel)
    for role in ("feedback_id", "source_id", "text"):
        name = guess.named(role, [one for one in said.columns if one not in taken])
        if name is not None and (role != "feedback_id" or said.columns[name].is_unique):
            columns[role] = name
            taken.add(name)
    value = guess.find_value(said, answers.label, taken)
    columns["value"] = value.name
    words, why = guess.words_of(value, answers.positive)
    table = _written(said, columns, at, answers.timezone or "UTC")
    if has_channels and channel is not None:
        channels = sorted(said.columns[channel].counts or {})
    else:
        people = columns.get("source_id", "")
        is_rating = bool(set(value.counts or {}) & {"-1", "-1.0"})
        voice = "annotation" if "annot" in people.lower() else "report" if people else "outcome"
        channels = ["rating" if is_rating else voice]
        table["channel"] = channels[0]
    if words:
        table["values"] = words
    guesses = [
        ("feedback", f"{about} names the prediction, {at.name} says when it was known"),
        ("channel", ", ".join(channels) + ("" if has_channels else ": no column says it")),
        ("value", f"{value.name}, {why}"),
    ]
    return table, value, channels, guesses


def _rows(served: Profile, ids: list[str], at: Column, zone: str) -> pd.DataFrame:
    """The predictions, or a share of them, each with its id and its moment; those without a moment are left out."""
    frame = served.sample(list(served.columns), ids)
    when = _moments(frame[at.name], {"time": at.time, "timezone": zone})
    return frame.assign(**{NAMED: guess.as_ids(frame, ids), SERVED: when}).dropna(subset=[SERVED])


def _labels_of(rows: pd.DataFrame, outcome: dict[str, Any]) -> pd.DataFrame:
    """The predictions that have an outcome, with their label and when it was known."""
    if "known_at" in outcome:
        known_at = _moments(rows[outcome["known_at"]], outcome)
    else:
        known_at = rows[SERVED] + mapping.length(outcome["known_after"])
    return _with_labels(rows.assign(**{KNOWN: known_at}), rows[outcome["value"]], outcome.get("values", {}))


def _labels_from(rows: pd.DataFrame, said: Profile, table: dict[str, Any]) -> pd.DataFrame:
    """The predictions of which somebody said what happened, once for each that said so."""
    columns = table["columns"]
    about, value, at = columns["prediction_id"], columns["value"], columns["received_at"]
    extra = [columns["channel"]] if "channel" in columns else []
    claims = said.sample([about, value, at, *extra], [about])
    channel = claims[extra[0]] if extra else pd.Series(table["channel"], claims.index)
    claims = claims[channel.isin(VOTES)]
    known_at = _moments(claims[at], table)
    claims = pd.DataFrame({NAMED: claims[about].astype("str"), SAID: claims[value], KNOWN: known_at})
    joined = rows.merge(claims, on=NAMED)
    return _with_labels(joined, joined[SAID], table.get("values", {}))


def early(labelled: pd.DataFrame) -> list[tuple[str, str]]:
    """A warning, where many labels were known before their prediction was served."""
    ahead = labelled[SERVED] - labelled[KNOWN]
    is_early = ahead > pd.Timedelta(0)
    if labelled.empty or is_early.mean() <= FEW_EARLY:
        return []
    longest = ahead.max() / pd.Timedelta("1h")
    return [
        (
            "careful",
            f"{is_early.mean():.0%} of the labels were known before their prediction was served, by up to {longest:.1f} hours: "
            "they will be rejected. Do the clocks of both tables differ, or is --timezone wrong?",
        )
    ]


def _moments(values: pd.Series, written: dict[str, Any]) -> pd.Series:
    """Moments in UTC; those that cannot be understood are null."""
    options = parse(mapping.Moments, {key: written[key] for key in ("time", "timezone") if key in written})
    found, _ = mapping.moments(pa.chunked_array([pa.array(values, from_pandas=True)]), options)
    style = "ISO8601" if pa.types.is_string(found.type) else None
    return pd.Series(
        pd.to_datetime(found.to_pandas(), utc=True, errors="coerce", format=style).array, index=values.index
    )


def _with_labels(frame: pd.DataFrame, came: pd.Series, words: dict[str, int]) -> pd.DataFrame:
    numbers = mapping.values(pa.chunked_array([pa.array(came, from_pandas=True)]), words)  # type: ignore[arg-type]
    label = pd.to_numeric(numbers.to_pandas(), errors="coerce")
    found = frame.assign(**{LABEL: label.to_numpy()})
    return found[found[LABEL].isin((0, 1))].astype({LABEL: "int64"}).reset_index(drop=True)


def _twins(table: Profile, columns: list[Column]) -> dict[str, str]:
    """Columns that are the same as an earlier one, in the rows that were looked at."""
    found: dict[str, str] = {}
    seen: dict[int, str] = {}
    for one in columns:
        mark = int(pd.util.hash_pandas_object(table.head[one.name].astype("str"), index=False).sum())
        if mark in seen and table.head[one.name].astype("str").equals(table.head[seen[mark]].astype("str")):
            found[one.name] = seen[mark]
        seen.setdefault(mark, one.name)
    return found


def _renamed(names: Sequence[str]) -> dict[str, str]:
    """The loop's names of inputs; where two would be the same, the second has a number."""
    found: dict[str, str] = {}
    for name in names:
        mine, n = guess.input_name(name), 2
        while mine in found.values():
            mine, n = f"{guess.input_name(name)}_{n}", n + 1
        found[name] = mine
    return found


def _contract(looked: Looked) -> dict[str, dict[str, dict[str, Any]]]:
    """Types, ranges and allowed values of both tables."""
    kinds: dict[str, dict[str, Any]] = {
        "prediction_id": {"type": "string", "unique": True},
        "served_at": {"type": "datetime"},
        "score": {"type": "number", "nullable": True, "min": 0, "max": 1},
        "latency_ms": {"type": "number", "nullable": True, "min": 0},
        **{
            name: {"type": "string", "nullable": True}
            for name in ("user_id", "model_version", "error", "source_id", "text")
        },
    }
    predictions = {
        name: kinds[name] if name in kinds else guess.limits(looked.served.columns[there])
        for name, there in looked.columns.items()
    }
    feedback: dict[str, dict[str, Any]] = {
        "feedback_id": {"type": "string", "unique": True},
        "prediction_id": {"type": "string"},
        "received_at": {"type": "datetime"},
        "channel": {"type": "string", "allowed": [one for one in tables.CHANNELS if one in looked.channels]},
        "value": {"type": "number", "allowed": [-1, 0, 1] if "rating" in looked.channels else [0, 1]},
    }
    if "ticket" in looked.channels:
        feedback["value"]["nullable"] = True
    for table in looked.options.get("feedback", []):
        feedback |= {name: kinds[name] for name in ("source_id", "text") if name in table["columns"]}
    return {"predictions": predictions, "feedback": feedback}
