"""What conf will say of two tables: each guess with its reason, and what no table can say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from flywheel.data import tables
from flywheel.errors import ConfigError
from flywheel.features.settings import is_feature_of_the_loop
from flywheel.labels.claims import VOTES
from flywheel.start import guess
from flywheel.start.guess import Ask, Usual
from flywheel.start.labelled import LABEL, MOST, SERVED, lag_of
from flywheel.start.looking import Answers, Looked, look
from flywheel.start.profile import NUMERIC, Column, Profile

FOLLOWS = {"today": "follows the calendar", "replay": "replays the days, since the data is over"}
REPORT_IS_RIGHT = 0.85  # how often a report is right, as conf/config.yaml has it: so sure is a label that rests on one
HISTORY_KEYS = 3
COHORTS = 3
RECENT = dt.timedelta(days=3)  # data that ends further back is over: the clock replays it
ROWS_OF_TINY, DAYS_OF_TINY = 20_000, 42
FEW_FAR, FAR = 0.01, pd.Timedelta("60D")  # so few rows that are so far from the others, or further, are a mistake


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
    min_confidence: float | None
    left_out: dict[str, str] = field(default_factory=dict)
    guesses: list[tuple[str, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    suspicions: dict[str, str] = field(default_factory=dict)


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
    rate = positives / labels if labels else None
    by_size = sorted(categorical, key=lambda one: one.n_values)
    keys = {named[one.name]: one.n_values for one in by_size if one.n_values <= guess.CATEGORY_VALUES}
    unknown = []
    event = guess.plain(looked.value.name)
    if not event or event in guess.NAMELESS:
        event = next(
            (word for word, number in looked.words.items() if number == 1 and word not in ("0", "1")), "positive"
        )
    said_event = ask("In a word: what does a label of 1 mean?", (), event)
    wrong = guess.base_cost(0.5 if rate is None else rate)
    said_wrong = ask("A right alert is worth 1 point. How many does a wrong one cost?", (), str(wrong))
    if said_event is None:
        unknown.append("what a 1 means (project.event)")
    if said_wrong is None:
        unknown.append("what a right, a wrong and a missed alert are worth (evaluate.costs)")
    else:
        wrong = guess.cost(said_wrong)
    history = guess.history_of(dict(list(keys.items())[:HISTORY_KEYS]), labels / days)
    parts = guess.local_hours(looked.rows[SERVED])
    n_plain = len(used) + len(parts)
    lag = lag_of(looked.labelled)
    volume = guess.Volume(
        (clock - first.date()).days, served.rows, labels, positives, n_plain + guess.n_columns(history), lag
    )
    events = guess.training_events(volume, usual["windows"]["evaluation_days"])
    if events < volume.features:  # train would stop: it wants one for each feature
        history, volume = [], replace(volume, features=n_plain)
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
        min_confidence=REPORT_IS_RIGHT
        if looked.one_voice and set(looked.channels) & set(VOTES) == {"report"}
        else None,
        left_out=left_out,
    )
    late = _late(lag, guess.evaluation_days(volume, usual["windows"]["evaluation_days"]))
    found.guesses = [
        *looked.said,
        *_said(found, looked, used, (first.date(), last.date(), days, rate)),
        *late,
        *_people(looked, usual["collect"]["hash_key_env"]),
        *_few(events, n_plain, labels),
        *_far(looked.rows[SERVED], first, last),
    ]
    odd = [one for one in looked.served.columns.values() if one.is_mixed and one.name not in looked.taken]
    found.unknown = [*unknown, *(f"what {one.name} is: not all of its values are numbers" for one in odd)]
    return found, _inputs(looked, used, renamed), looked.labelled[LABEL].to_numpy()


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
    found: Proposal, looked: Looked, used: Sequence[Column], volume: tuple[dt.date, dt.date, int, float | None]
) -> list[tuple[str, str]]:
    """What was guessed of sizes and inputs, for a person to read."""
    first, last, days, rate = volume
    positive = "none with a label" if rate is None else f"{rate:.1%} of the labelled ones positive"
    evaluation = found.sizes.get("windows", {}).get("evaluation_days", 28)
    history = "; ".join(f"{' and '.join(one['key']) or 'all'}: {', '.join(one['windows'])}" for one in found.history)
    wrong = [one for one in (*used, looked.at) if one.wrong and one.kind != "text"]
    return [
        ("clock", f"{found.clock}: the tables go from {first} to {last}; it {FOLLOWS[found.follow]}"),
        ("volume", f"{looked.served.rows:,} predictions in {days} days, {positive}"),
        ("evaluation", f"the last {evaluation} days"),
        *(
            (f"{section}.{key}", f"{value}: there are few rows or days, or labels come late")
            for section, values in found.sizes.items()
            for key, value in values.items()
            if section != "windows"
        ),
        ("inputs", f"{len(found.numeric)} numbers, {len(found.categorical)} categories"),
        ("history", history or "none: too few labels"),
        ("cohorts", ", ".join(found.cohorts) or "none: no category has 3 to 20 values with enough rows"),
        *((f"left out: {column}", why) for column, why in found.left_out.items()),
        *((one.name, f"a category: {guess.mixed(one)}") for one in used if one.kind == "text" and one.is_mixed),
        *(
            (one.name, f"{one.wrong:,} values are no {one.kind}, such as {one.wrong_example!r}: they will be rejected")
            for one in wrong
        ),
    ]


def _people(looked: Looked, env: str) -> list[tuple[str, str]]:
    """What a person must do before a run where the tables name people."""
    named = [looked.columns["user_id"]] if "user_id" in looked.columns else []
    if set(looked.channels) - {"outcome", "annotation"}:  # these come from systems and annotators, who keep their names
        named += [
            one["columns"]["source_id"] for one in looked.options.get("feedback", []) if "source_id" in one["columns"]
        ]
    if not named:
        return []
    text = f"{' and '.join(dict.fromkeys(named))} names people: set the environment variable {env} to a secret before a run"
    return [("people", f"{text}; their ids are hashed with it")]


def _few(events: float, n_features: int, labels: float) -> list[tuple[str, str]]:
    """A warning, where a run will stop at `train` for lack of rows."""
    if not labels or events >= n_features:
        return []
    return [
        (
            "careful",
            f"the training window has about {events:.0f} labels of the rarer class, and there are {n_features} features: "
            "train wants one for each, and will stop. Give tables of more rows, or take inputs out of features",
        )
    ]


def _far(served_at: pd.Series, first: pd.Timestamp, last: pd.Timestamp) -> list[tuple[str, str]]:
    """A warning, where a few rows are of other years than the rest."""
    low, high = (pd.Timestamp(served_at.quantile(share)) for share in (FEW_FAR, 1 - FEW_FAR))  # type: ignore[arg-type]
    slack = max(high - low, FAR)
    if first >= low - slack and last <= high + slack:
        return []
    odd, todo = (
        (first, f"a run makes files for each day in between; correct them, or set source.first_day to {low.date()}")
        if first < low - slack
        else (last, "the clock may stand after the end of the others; correct them")
    )
    return [
        (
            "careful",
            f"nearly all rows are of {low.date()} to {high.date()}, but there are some of {odd.date()}: {todo}, and run again",
        )
    ]


def _late(lag: int, evaluation: int) -> list[tuple[str, str]]:
    """What late labels mean for the evaluation window; nothing where they are known within a day."""
    if not lag:
        return []
    return [
        (
            "label lag",
            f"labels come {lag} {'day' if lag == 1 else 'days'} late ({MOST:.0%} of them by then), so of the {evaluation} days "
            f"of the evaluation window the first {evaluation - lag} have labels; gate.min_labelled_share and "
            "min_days ask for no more",
        )
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
    """The loop's names of inputs; where two would be the same, or one the loop's own, the second has a number."""
    found: dict[str, str] = {}
    for name in names:
        mine, n = guess.input_name(name), 2
        while mine in found.values() or is_feature_of_the_loop(mine.removeprefix("in_")):
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
