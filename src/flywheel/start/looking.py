"""Which column of two tables is what: a first look, in which a person may have a say."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from flywheel.data.columns import OPTIONAL
from flywheel.data.sources import mapping
from flywheel.errors import ConfigError, DataError
from flywheel.labels.claims import VOTES
from flywheel.start import guess, joining
from flywheel.start.guess import Ask
from flywheel.start.labelled import KNOWN, LABEL, NAMED, SERVED, labels_from, labels_of, rows_of, said_at
from flywheel.start.profile import NUMERIC, Column, Profile

FEW_EARLY = 0.02
LIKE_A_SCORE = re.compile(r"(?i)score|prob(?!lem)|\bpred(?!ecessor)|confidence")
NO_COLUMN = "none of them"
NEARLY_THE_LABEL = 0.99
OUTCOMES = ("outcome", "actual", "truth", "groundtruth")  # columns that say what happened, whoever wrote it down


@dataclass
class Answers:
    """What a person has said already: names of columns, the time zone, the word for 1, and how a CSV is written."""

    id: str | None = None
    time: str | None = None
    label: str | None = None
    known_at: str | None = None
    timezone: str | None = None
    positive: str | None = None
    # How a CSV is written: encoding, delimiter and decimal.
    written: dict[str, str] = field(default_factory=dict)


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
    one_voice: bool  # most predictions have one voter only
    said: list[tuple[str, str]]

    @property
    def scale(self) -> float:
        """How many rows of the table one of the rows that were looked at stands for."""
        return self.served.rows / max(len(self.rows), 1)


def look(served: Profile, said: Profile | None, answers: Answers, ask: Ask) -> Looked:
    """Which column is what, and the labelled rows."""
    at = guess.find_time(served, "served_at", answers.time, ask, "--time")
    ids = joining.find_id(served, at.name, said, joining.id_said(answers.id)[0])
    zone = answers.timezone or "UTC"
    columns: dict[str, Any] = {"prediction_id": ids[0] if len(ids) == 1 else ids, "served_at": at.name}
    known_at = answers.known_at or _known_at(served, at) if said is None else answers.known_at
    label = {answers.label} if said is None and answers.label else set()
    roles = _roles(served, {*ids, at.name, *label, *([known_at] if known_at else [])}, OPTIONAL["predictions"])
    score_said: list[tuple[str, str]] = []
    if "score" not in roles:
        score, score_said = _score(served, {*ids, at.name, *label, *roles.values()}, ask)
        roles |= {"score": score} if score is not None else {}
    columns |= roles
    guesses = [
        ("served_at", f"{at.name}{written(at)}"),
        ("prediction_id", " + ".join(ids) + (": together they name each row" if len(ids) > 1 else "")),
        *roles.items(),
        *score_said,
    ]
    repeats = served.columns[ids[0]].repeats if len(ids) == 1 else 0
    if repeats:
        guesses.append(("careful", f"{ids[0]}: {joining.in_repeats(repeats, served.rows)}"))
    for where in (one.where for one in (served, said) if one is not None):
        if where.encoding not in ("utf-8", answers.written.get("encoding")):
            guesses.append(("encoding", f"{where.encoding}, of {where.path}; if letters are wrong, say --encoding"))
    if not at.has_offset and answers.timezone is None:
        guesses.append(("time zone", f"UTC: {at.name} does not say its own; give --timezone if it is a local time"))
    # What is a part of the id may be an input as well.
    taken = {at.name, *roles.values(), *(ids if len(ids) == 1 else [])}
    options: dict[str, Any] = {"predictions": _written(served, columns, at, zone)}
    rows = rows_of(served, ids, at, zone)
    one_voice = False
    if said is None:
        outcome, value = _outcome(served, at, answers, known_at, taken)
        options["outcome"] = outcome
        words, channels = outcome.get("values", {}), ["outcome"]
        taken |= {outcome["value"], *([outcome["known_at"]] if "known_at" in outcome else [])}
        guesses.append(
            ("outcome", f"{value.name}, known {outcome.get('known_at') or 'after ' + outcome['known_after']}")
        )
        labelled = labels_of(rows, outcome)
    else:
        table, value, channels, why = _feedback(served, said, ids, rows, answers, ask)
        options["feedback"] = [table]
        words = table.get("values", {})
        guesses += why
        labelled = labels_from(rows, said, table)
        one_voice = "outcome" not in channels and len(labelled) > 0 and labelled.groupby(NAMED).size().median() == 1
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
            "learned from them. "
            + (
                f"Does {value.name} say what happened? If another column does: --label COLUMN"
                if said is None
                else "Are the ids those of the other table? Say which column names a prediction: --id COLUMN"
            )
        )
    guesses += early(labelled)
    guesses += knowing(labelled, roles.get("score"))
    return Looked(
        served, at, ids, zone, columns, options, channels, words, value, rows, labelled, taken, one_voice, guesses
    )


def _known_at(served: Profile, at: Column) -> str | None:
    """The column of the predictions that says when the outcome was known; None where none, or more than one, may be it."""
    others = [one.name for one in served.columns.values() if one.kind == "time" and one.name != at.name]
    return guess.named("received_at", others) or (others[0] if len(others) == 1 else None)


def _score(table: Profile, taken: set[str], ask: Ask) -> tuple[str | None, list[tuple[str, str]]]:
    """The column of the score that was served, whose name only contains what it is, if a person says so; and what is to say."""
    free = [one for one in table.columns.values() if one.name not in taken and one.kind in NUMERIC]
    likely = [one.name for one in free if LIKE_A_SCORE.search(one.name) and one.low >= 0 and one.high <= 1]
    if not likely:
        return None, [("served score", "none: no column is called score or probability, so no report compares with it")]
    answer = ask("Which column is the score that was served?", [*likely, NO_COLUMN], likely[0])
    if answer in likely:
        return answer, []
    may_be = (
        "" if answer is not None else f"; if {likely[0]} is it, name it as score under columns, and not as an input"
    )
    return None, [("served score", f"none{may_be}")]


def knowing(labelled: pd.DataFrame, score: str | None) -> list[tuple[str, str]]:
    """A warning, where the score that was served is nearly always the label itself."""
    if score is None or labelled.empty:
        return []
    said = pd.to_numeric(labelled[score], errors="coerce")
    same = float((said == labelled[LABEL])[said.notna()].mean()) if said.notna().any() else 0.0
    if same < NEARLY_THE_LABEL:
        return []
    return [
        (
            "careful",
            f"{score} is the label itself in {same:.1%} of the rows that have both: was it written when the label was known? "
            "Then it is no score that was served, and reports that compare with it mislead",
        )
    ]


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


def written(at: Column) -> str:
    """How a column writes its times, for a person to see; nothing where that is as ISO 8601 has it."""
    if at.time == "iso":
        return ""
    return f", {at.time} since 1970" if at.time in mapping.UNITS else f", written as {at.time}"


def _times(at: Column, zone: str) -> dict[str, str]:
    said = {"time": at.time} if at.time != "iso" else {}
    return said | ({"timezone": zone} if zone != "UTC" and not at.has_offset else {})


def _outcome(
    served: Profile, at: Column, answers: Answers, known_at: str | None, taken: set[str]
) -> tuple[dict[str, Any], Column]:
    """Outcomes in the table of predictions."""
    value = guess.find_value(served, answers.label, taken | ({known_at} if known_at else set()))
    words, _ = guess.words_of(value, answers.positive, may_rate=False)
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
    served: Profile, said: Profile, ids: list[str], rows: pd.DataFrame, answers: Answers, ask: Ask
) -> tuple[dict[str, Any], Column, list[str], list[tuple[str, str]]]:
    """Where the columns of the table of feedback are, its column of values, its channels, and why."""
    at = guess.find_time(said, "received_at", answers.known_at, ask, "--known-at")

    def early_by(about: str) -> float:
        claims = said_at(said, about, at, answers.timezone or "UTC")
        joined = rows[[NAMED, SERVED]].merge(claims.dropna(subset=[NAMED]), on=NAMED)
        return float((joined[KNOWN] < joined[SERVED]).mean()) if len(joined) else 0.0

    joined = _joined(served, said, ids, answers.id, early_by)
    about = joined.column
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
    words, why = guess.words_of(value, answers.positive, may_rate=True)
    table = _written(said, columns, at, answers.timezone or "UTC")
    how = "" if has_channels else ": no column says it"
    if has_channels and channel is not None:
        channels = sorted(said.columns[channel].counts or {})
    else:
        people = columns.get("source_id", "")
        is_rating = not words and "-1" in map(guess.plain_number, value.counts or {})
        if is_rating:
            how = f": {value.name} has -1. If -1 and 1 are what happened, say --positive 1"
        is_outcome = not people or (guess.plain(value.name) in OUTCOMES and not is_rating)
        voice = "outcome" if is_outcome else "annotation" if "annot" in people.lower() else "report"
        if people and is_outcome:  # the source of an outcome is a system, whose name is stored as it is
            del columns["source_id"]
            how = f", as {value.name} says; {people} is left out, since nobody reports an outcome"
        channels = ["rating" if is_rating else voice]
        table["channel"] = channels[0]
    if words:
        table["values"] = words
    guesses = [
        ("feedback", f"{about} names the prediction, {at.name} says when it was known{written(at)}; {joined.text}"),
        ("channel", ", ".join(channels) + how),
        ("value", f"{value.name}, {why}"),
    ]
    if not joined.is_likely:
        guesses.append(("careful", f"{about} is the id, as you said, but {joined.text}"))
    return table, value, channels, guesses


def _joined(
    served: Profile, said: Profile, ids: list[str], given: str | None, early_by: Callable[[str], float]
) -> joining.Join:
    """The column of the feedback that names a prediction. ConfigError where hardly a row does, unless a person said the id."""
    found = joining.joins(served, ids, said)
    _, about = joining.id_said(given)
    wanted = about or (ids[0] if given is not None and len(ids) == 1 else None)
    by_name = next((one for one in found if one.column == wanted), None)
    if by_name is not None:
        if not by_name.is_likely:
            joining.check_pointed(served, ids, said)
        return by_name
    if about is not None:
        raise ConfigError(
            f"--id: {said.where.path} has no column {about!r} that holds ids; found: {', '.join(said.columns)}."
        )
    likely = joining.likeliest(found, ids, early_by) if found else []
    mine = " + ".join(ids)
    if not likely or not likely[0].is_likely:
        joining.check_pointed(served, ids, said)
    if not likely or not (likely[0].is_likely or given is not None):
        numbers = f"; by {likely[0].column}, the likeliest, {likely[0].text}" if likely else ""
        raise ConfigError(
            f"no column of {said.where.path} names rows of {served.where.path} by {mine}{numbers}. Say which column of "
            f"{served.where.path} is the id: --id COLUMN, or with that of {said.where.path}: --id '{'+'.join(ids)}=COLUMN'; "
            f"found in {said.where.path}: {', '.join(said.columns)}; in {served.where.path}: {', '.join(served.columns)}."
        )
    if len(likely) > 1:
        texts = "; ".join(f"by {one.column}, {one.text}" for one in likely)
        raise ConfigError(
            f"several columns of {said.where.path} could name rows of {served.where.path} by {mine}: {texts}. With the wrong "
            "one, labels go to the wrong rows. Say which one names a prediction: "
            + " or ".join(f"--id '{'+'.join(ids)}={one.column}'" for one in likely)
        )
    return likely[0]


def early(labelled: pd.DataFrame) -> list[tuple[str, str]]:
    """A warning, where many labels were known before their prediction was served."""
    ahead = labelled[SERVED] - labelled[KNOWN]
    is_early = ahead > pd.Timedelta(0)
    if labelled.empty or is_early.mean() <= FEW_EARLY:
        return []
    return [
        (
            "careful",
            f"{is_early.mean():.0%} of the labels were known before their prediction was served, by up to "
            f"{in_words(ahead.max())}: they will be rejected. Do the clocks of both tables differ, or is --timezone wrong?",
        )
    ]


def in_words(time: pd.Timedelta) -> str:
    """A length of time in the unit that fits."""
    units = {"days": "1D", "hours": "1h", "minutes": "1min", "seconds": "1s"}
    fitting = next((name for name, unit in units.items() if time >= 2 * pd.Timedelta(unit)), "seconds")
    return f"{time / pd.Timedelta(units[fitting]):.1f} {fitting}"
