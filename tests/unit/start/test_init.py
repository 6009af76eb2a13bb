"""`flywheel init`: what is guessed of tables, what is asked, what is refused, and what is written."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from flywheel import files as store
from flywheel.data.collection import storable
from flywheel.data.contract import broken_rules, coerce
from flywheel.data.settings import Contract
from flywheel.data.sources import files, retrying
from flywheel.data.sources.files import open_source
from flywheel.errors import ConfigError, DataError, RemoteError
from flywheel.features.settings import RESERVED, Features
from flywheel.params import parse
from flywheel.start import beginning, guess, joining, replacing
from flywheel.start.looking import Answers
from flywheel.start.profile import Column, profile
from flywheel.start.propose import Proposal, propose
from flywheel.start.writing import PLACEHOLDER, as_yaml
from tests import loopback
from tests.conftest import ROOT

TODAY = dt.date(2031, 6, 1)
DAYS = 60
USUAL = {
    "windows": {"evaluation_days": 28, "current_days": 14},
    "train": {"min_events_per_feature": 10},
    "gate": {"min_labelled_share": 0.3, "min_days": 14, "min_positives": 200},
    "monitor": {"min_labelled_share": 0.3},
    "trigger": {"max_age_days": 28},
    "collect": {"hash_key_env": "SECRET"},
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def served(n_days: int = DAYS, a_day: int = 40, seed: int = 1) -> pd.DataFrame:
    """Predictions of some weeks: heavy parcels are late."""
    rng = np.random.default_rng(seed)
    n = n_days * a_day
    at = pd.Timestamp("2031-01-01", tz="UTC") + pd.to_timedelta(np.sort(rng.integers(0, n_days * 86_400, n)), unit="s")
    weight = rng.gamma(2, 5, n).round(1)
    late = rng.random(n) < 1 / (1 + np.exp(2 - weight / 8))
    return pd.DataFrame(
        {
            "id": [f"p{k}" for k in range(n)],
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "depot": np.array(["east", "north", "south"])[rng.integers(0, 3, n)],
            "weight": weight,
            "late": np.where(late, "LATE", "fine"),
            "known": (at + pd.Timedelta("5h")).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def tables(frame: pd.DataFrame | None = None, **changes: Any) -> tuple[str, str]:
    """Two CSV files: predictions, and what is known of them."""
    both = served() if frame is None else frame
    both = both.assign(**changes)
    both.drop(columns=["late", "known"]).to_csv("p.csv", index=False)
    both[["id", "known", "late"]].to_csv("f.csv", index=False)
    return "p.csv", "f.csv"


def nobody(question: str, choices: Sequence[str], likeliest: str | None) -> str | None:
    """Nobody is there to answer."""
    return None


def proposed(
    predictions: str,
    feedback: str | None = None,
    ask: guess.Ask = nobody,
    written: dict[str, str] | None = None,
    **said: str,
) -> Proposal:
    """The proposal for some tables."""
    theirs = profile(feedback, written) if feedback else None
    return propose(profile(predictions, written), theirs, "late-parcels", Answers(**said), ask, TODAY, USUAL)[0]


def test_two_tables_are_understood() -> None:
    """Columns, words, types, ranges, history, cohorts, costs and the clock: what a person would say of them."""
    found = proposed(*tables())
    assert found.options["predictions"]["columns"] == {
        "prediction_id": "id", "served_at": "time", "in_depot": "depot", "in_weight": "weight",
    }  # fmt: skip
    [said] = found.options["feedback"]
    assert (said["columns"], said["channel"], said["values"]) == (
        {"prediction_id": "id", "received_at": "known", "value": "late"}, "outcome", {"LATE": 1, "fine": 0},
    )  # fmt: skip
    assert found.contract["predictions"]["in_depot"] == {"type": "string", "allowed": ["east", "north", "south"]}
    weight = found.contract["predictions"]["in_weight"]
    assert (weight["type"], weight["min"], weight["max"] > served()["weight"].max() * 1.3) == ("number", 0, True)
    assert (found.numeric, found.categorical, found.cohorts) == (["weight"], ["depot"], ["depot"])
    assert (found.clock, found.follow, found.event) == (dt.date(2031, 3, 2), "replay", "late")
    assert found.sizes["windows"] == {"evaluation_days": 15, "current_days": 7}
    rate = (served()["late"] == "LATE").mean()
    assert found.costs["alert_wrong"] == pytest.approx(-rate / (1 - rate), rel=0.01)


@pytest.mark.parametrize(
    ("volume", "sizes"),
    [
        (guess.Volume(365, 1e6, 9e5, 2e5, 30), {}),
        (
            guess.Volume(40, 2000, 1900, 300, 20),
            {
                "windows": {"evaluation_days": 10, "current_days": 5},
                "train": {"min_events_per_feature": 9},
                "gate": {"min_days": 5, "min_positives": 37},
                "trigger": {"max_age_days": 10},
            },
        ),
        (
            guess.Volume(365, 1e6, 1e5, 5e4, 30),
            {"gate": {"min_labelled_share": 0.07}, "monitor": {"min_labelled_share": 0.07}},
        ),
        (guess.Volume(365, 1e4, 1e4, 300, 60), {"train": {"min_events_per_feature": 3}, "gate": {"min_positives": 30}}),
    ],
)
def test_sizes_fit_the_span_and_the_volume(volume: guess.Volume, sizes: dict[str, Any]) -> None:
    """Much data needs nothing of its own; few days, few labels and few positives each change what they must."""
    assert sizes == guess.sizes_of(volume, USUAL)


@pytest.mark.parametrize(("n_days", "evaluation"), [(300, 59), (180, 59), (110, 59), (102, 52)])
def test_late_labels_make_the_evaluation_window_so_long_that_it_has_some(n_days: int, evaluation: int) -> None:
    """Its first days are labelled, the gate asks for no more, and so are those of the training window before it."""
    frame = served(n_days, 20)
    known = pd.to_datetime(frame["time"]) + pd.Timedelta("44D 5h")
    found = proposed(*tables(frame, known=known.dt.strftime("%Y-%m-%dT%H:%M:%SZ")))
    assert evaluation == found.sizes["windows"]["evaluation_days"]
    share = (evaluation - 45) / evaluation
    assert (0.5 * share < found.sizes["gate"]["min_labelled_share"] < share, n_days - evaluation > 45) == (True, True)
    assert dict(found.guesses)["label lag"].startswith(
        f"labels come 45 days late (90% of them by then), so of the {evaluation} days of the evaluation window the first"
    )


def test_labels_that_come_too_late_for_the_span_are_refused() -> None:
    """With the days that are there and those that are needed; on time they would be enough."""
    known = pd.to_datetime(served()["time"]) + pd.Timedelta("44D 5h")
    with pytest.raises(
        DataError, match=r"45 days late and the tables span 60 days; at least 100 .*Give tables of more"
    ):
        proposed(*tables(known=known.dt.strftime("%Y-%m-%dT%H:%M:%SZ")))
    assert "label lag" not in dict(proposed(*tables()).guesses)


def test_one_table_with_outcomes_in_it_is_understood() -> None:
    """What happened and when that was known are no inputs."""
    served().to_parquet("one.parquet")
    found = proposed("one.parquet")
    assert found.options["outcome"] == {"value": "late", "known_at": "known", "values": {"LATE": 1, "fine": 0}}
    assert (found.numeric, found.categorical, "feedback" in found.options) == (["weight"], ["depot"], False)


def test_an_outcome_may_be_known_some_time_later() -> None:
    """Where no column says when, a person does."""
    served().drop(columns="known").to_csv("one.csv", index=False)
    with pytest.raises(ConfigError, match=r"when was late known.*--known-at 6h"):
        proposed("one.csv")
    assert proposed("one.csv", known_at="6h").options["outcome"]["known_after"] == "6h"


def test_what_is_written_opens_the_same_tables() -> None:
    """The file is YAML that the loop's own settings take, and the source gives all rows."""
    found = proposed(*tables())
    said = yaml.safe_load(as_yaml(found, "late_parcels"))
    parse(Contract, said["contract"])
    source = open_source(said["source"]["options"])
    days = pd.date_range(source.first_day, source.last_day + pd.Timedelta("1D")).date  # feedback may come a day later
    assert DAYS * 40 == sum(len(source.predictions(day)) for day in days)
    values = pd.concat([source.feedback(day)["value"] for day in days])
    assert values.mean() == pytest.approx((served()["late"] == "LATE").mean())


def _some(*values: Any) -> list[Any]:
    """Values in turn, one for each row that is served."""
    return [values[k % len(values)] for k in range(DAYS * 40)]


@pytest.mark.parametrize(
    "values",
    [
        _some(True, False),
        _some(True, None, False),
        _some(1, 2, 3),
        _some(0.5, None, 7.25),
        _some(Decimal("0.50"), Decimal("7.25")),
        _some(["a"], ["a", "b"], None),
        _some({"a": 1}, {"a": 2}),
        _some(b"gl\xfchwein", b"tea"),
        _some(dt.timedelta(hours=1), dt.timedelta(hours=2)),
        _some(dt.time(12), dt.time(13)),
        pd.Categorical(_some("x", "y", None)),
    ],
    ids=lambda values: type(values[0]).__name__ + ("?" if values[1] is None else ""),
)
def test_the_rows_that_were_looked_at_keep_the_contract(values: Any) -> None:
    """Of any type that Parquet knows: what is proposed for a column lets its own values pass, once they are stored."""
    served().assign(odd=values).to_parquet("p.parquet")
    found = proposed("p.parquet", time="time", label="late", known_at="known")
    assert "odd" in [*found.numeric, *found.categorical]
    source = open_source(found.options)
    stored = storable(source.predictions(source.first_day))
    store.write_parquet(Path("day.parquet"), stored)
    contract = parse(Contract, found.contract).predictions
    rows, broken = coerce(store.read_parquet(Path("day.parquet")), contract)
    assert (len(rows) > 0, [*broken["rule"], *broken_rules(rows, contract)["rule"]]) == (True, [])


def test_the_same_column_twice_an_id_and_a_constant_are_left_out() -> None:
    """Each with its reason; they are no inputs, and not in the contract."""
    frame = served().assign(
        copy=lambda rows: rows["weight"], country="DE", order=lambda rows: "x" + rows["id"], gone=np.nan
    )
    found = proposed(*tables(frame))
    assert found.left_out == {
        "copy": "it is the same as weight",
        "country": "it is always the same",
        "order": "nearly every row has another value: it is an id or a text",
        "gone": "it is empty",
    }
    assert set(found.contract["predictions"]) == {"prediction_id", "served_at", "in_depot", "in_weight"}


def test_columns_with_a_name_of_their_own_are_what_it_says() -> None:
    """Score, user, latency and error; a score that is none is an input."""
    frame = served().assign(user="u1", probability=0.5, latency_ms=12.0, error=pd.Series(dtype="str"), score=7.5)
    frame.loc[3, "error"] = "timeout"
    frame.loc[::7, ["user", "score"]] = ["u2", 9.5]
    columns = proposed(*tables(frame)).options["predictions"]["columns"]
    assert {
        "user_id": "user",
        "latency_ms": "latency_ms",
        "error": "error",
        "in_score": "score",
    }.items() <= columns.items()


def test_a_leak_is_asked_about_beside_the_contract() -> None:
    """A copy of the label, and a value that only one class has; the honest weight is not asked about."""
    frame = served().assign(
        minutes=lambda rows: np.where(rows["late"] == "LATE", 31.0, 2.0) + np.arange(len(rows)) % 5,
        reason=lambda rows: pd.Series(np.where(np.arange(len(rows)) % 2 == 0, "snow", "jam")).where(
            rows["late"] == "LATE"
        ),
    )
    predictions, feedback = tables(frame)
    Path("conf").symlink_to(ROOT / "conf")
    theirs = profile(feedback)
    found, inputs, label = propose(profile(predictions), theirs, "x", Answers(), nobody, TODAY, USUAL)
    found.suspicions = beginning.suspicious(inputs, label)
    assert {"minutes", "reason"} == set(found.suspicions)
    lines = [
        line for line in as_yaml(found, "x").splitlines() if "Is this known when the prediction is served?" in line
    ]
    assert ["in_minutes", "in_reason"] == [line.split(":")[0].strip() for line in lines]


@pytest.mark.parametrize(
    ("change", "said", "error"),
    [
        ({"time": "never"}, {}, "p.csv has no column with times; found: id, time, depot, weight"),
        ({"also": "2031-01-01T00:00:00Z"}, {"time": "when"}, "--time: p.csv has no column 'when'"),
        ({"late": "fine"}, {}, "late of f.csv is always 'fine'"),
        ({"late": [("a", "b", "c")[n % 3] for n in range(DAYS * 40)]}, {}, "late of f.csv has 3 values"),
        ({}, {"label": "truth"}, "--label: f.csv has no column 'truth'"),
        ({}, {"positive": "late"}, "--positive: 'late' is no value of late; found: "),
        ({}, {"id": "name"}, "--id: p.csv has no column 'name'"),
        ({"time": "2031-01-01T00:00:00Z"}, {}, "the tables span 0 days"),
    ],
)
def test_what_stands_in_the_way_is_said(change: dict[str, Any], said: dict[str, str], error: str) -> None:
    """With what was found, and the option that helps."""
    with pytest.raises((ConfigError, DataError), match=error):
        proposed(*tables(**change), **said)


def test_of_two_times_somebody_says_which() -> None:
    """By its name, by an answer, or by the option; where nobody does, both are named."""
    frame = served().rename(columns={"time": "first_seen"}).assign(second_seen=lambda rows: rows["first_seen"])
    names = tables(frame)
    with pytest.raises(ConfigError, match=r"several columns with times \(first_seen, second_seen\).*--time first_seen"):
        proposed(*names)
    assert "second_seen" == proposed(*names, time="second_seen").options["predictions"]["columns"]["served_at"]
    asked: list[str] = []

    def answer(question: str, choices: Sequence[str], likeliest: str | None) -> str | None:
        asked.append(question)
        return "first_seen" if choices else likeliest

    found = proposed(*names, ask=answer)
    assert "first_seen" == found.options["predictions"]["columns"]["served_at"]
    assert (3, []) == (len(asked), found.unknown)
    assert PLACEHOLDER not in as_yaml(found, "x")


def test_a_name_with_a_space_is_quoted_where_it_is_to_be_copied() -> None:
    """What a message says to type works as it stands."""
    frame = served().rename(columns={"time": "began at", "known": "known at", "late": "is late"})
    frame.to_csv("one.csv", index=False)
    with pytest.raises(ConfigError, match=r"--time 'began at'$"):
        proposed("one.csv")
    frame.assign(**{"is big": frame["weight"] > 9}).to_csv("one.csv", index=False)
    with pytest.raises(ConfigError, match=r"--label 'is late'$"):
        proposed("one.csv", time="began at", known_at="known at", id="id")


def test_feedback_about_other_predictions_is_refused() -> None:
    """No id of one table is in the other."""
    names = tables()
    pd.read_csv("f.csv").assign(id=lambda rows: "other" + rows["id"]).to_csv("f.csv", index=False)
    with pytest.raises(ConfigError, match=r"no column of f\.csv names rows of p\.csv by id"):
        proposed(*names)


def test_two_tables_in_another_order_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first rows of one are the last of the other; no row that was looked at first is in both."""
    from flywheel.start import profile as looked  # the module, not its function

    monkeypatch.setattr(looked, "HEAD", 100)
    monkeypatch.setattr(files, "BATCH", 100)
    predictions, feedback = tables()
    pd.read_csv(predictions).to_parquet("p.parquet")
    pd.read_csv(feedback).iloc[::-1].to_parquet("f.parquet")
    monkeypatch.setattr(guess, "IDS", 500, raising=False)  # a share of the ids is the same in both
    assert "id" == proposed("p.parquet", "f.parquet").options["feedback"][0]["columns"]["prediction_id"]


def test_feedback_of_more_days_than_the_predictions_belongs_to_them() -> None:
    """About a quarter of the feedback names a prediction, but all predictions are named."""
    names = tables()
    pd.read_csv("p.csv").head(16 * 40).to_csv("p.csv", index=False)
    why = dict(proposed(*names).guesses)["feedback"]
    assert why.startswith("id names the prediction")
    assert "100% of the predictions are named" in why


def numbered(
    share: float = 1.0, mine: str = "order_id", theirs: str = "order_id", order: str = "known"
) -> tuple[str, str]:
    """Predictions with the ids 1, 2, …; and feedback with its own ids from 1 on, in an order, and those of predictions."""
    frame = served().assign(id=np.arange(1, DAYS * 40 + 1))
    frame.drop(columns=["late", "known"]).rename(columns={"id": mine}).to_csv("p.csv", index=False)
    hours = np.random.default_rng(2).integers(1, 200, len(frame))
    known = pd.to_datetime(frame["time"]) + pd.to_timedelta(hours, unit="h")
    said = frame.assign(known=known).sample(frac=share, random_state=3).sort_values(order)
    about = pd.DataFrame({"id": np.arange(1, len(said) + 1)}).assign(**{theirs: said["id"].to_numpy()})
    about.assign(known=said["known"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").to_numpy(), late=said["late"].to_numpy()).to_csv(
        "f.csv", index=False
    )
    return "p.csv", "f.csv"


@pytest.mark.parametrize("share", [1.0, 0.6])
@pytest.mark.parametrize(("mine", "theirs"), [("order_id", "order_id"), ("id", "prediction_id")])
def test_the_number_of_a_row_of_feedback_does_not_name_a_prediction(share: float, mine: str, theirs: str) -> None:
    """All numbers are those of predictions as well; the column with a name for it is the one."""
    names = numbered(share, mine, theirs)
    assert theirs == proposed(*names).options["feedback"][0]["columns"]["prediction_id"]


def test_of_two_columns_with_other_names_the_one_with_fewer_early_labels_names_a_prediction() -> None:
    """With the wrong one, many labels were known before their prediction was served."""
    names = numbered(1.0, "number", "parcel", "weight")
    assert "parcel" == proposed(*names).options["feedback"][0]["columns"]["prediction_id"]


def test_of_two_columns_that_could_both_name_a_prediction_somebody_says_which() -> None:
    """Both are named with what to say, and that is obeyed."""
    names = numbered(0.6, "number", "parcel")
    with pytest.raises(
        ConfigError, match=r"several columns of f\.csv could .*--id 'number=id' or --id 'number=parcel'"
    ):
        proposed(*names)
    found = proposed(*names, id="number=parcel").options["feedback"][0]["columns"]
    assert ("parcel", "id") == (found["prediction_id"], found["feedback_id"])
    with pytest.raises(ConfigError, match=r"--id: f\.csv has no column 'box' that holds ids; found: id, parcel, known"):
        proposed(*names, id="number=box")


@pytest.mark.parametrize("number", ["", "index", "id"])
@pytest.mark.parametrize("theirs", ["parcel", "about"])
def test_numbers_of_rows_in_both_tables_do_not_join_them(number: str, theirs: str) -> None:
    """As pandas writes its index: some feedback is missing, so row 7 of one table is another parcel than row 7 of the other."""
    frame = served().assign(parcel=np.random.default_rng(4).permutation(DAYS * 40) + 10**6)
    said = frame.sample(frac=0.9, random_state=3).sort_values("known")
    for name, table in (
        ("p.csv", frame[["time", "parcel", "depot", "weight"]]),
        ("f.csv", said[["parcel", "known", "late"]].rename(columns={"parcel": theirs})),
    ):
        table.assign(**{number: range(len(table))}).to_csv(name, index=False)
    options = proposed("p.csv", "f.csv").options
    assert "parcel" == options["predictions"]["columns"]["prediction_id"]
    assert theirs == options["feedback"][0]["columns"]["prediction_id"]
    assert {"in_depot", "in_weight"} == {one for one in options["predictions"]["columns"] if one.startswith("in_")}


@pytest.mark.parametrize("theirs", ["prediction_id", "about"])
def test_the_id_of_a_row_of_feedback_is_not_that_of_its_prediction(theirs: str) -> None:
    """Some predictions have several rows of feedback, so more predictions have the number of a row than are spoken of."""
    frame = served().assign(id=range(1, DAYS * 40 + 1))
    some = frame.sample(frac=0.45, random_state=3)
    said = pd.concat([some, some.head(len(frame) // 6)]).sort_values("known").rename(columns={"id": theirs})
    frame.drop(columns=["late", "known"]).to_csv("p.csv", index=False)
    said.assign(id=range(1, len(said) + 1))[["id", theirs, "known", "late"]].to_csv("f.csv", index=False)
    if theirs == "about":  # no name says it, and no label is early
        with pytest.raises(ConfigError, match="--id 'id=id' or --id 'id=about'"):
            proposed("p.csv", "f.csv")
        return
    assert theirs == proposed("p.csv", "f.csv").options["feedback"][0]["columns"]["prediction_id"]


def test_a_column_of_few_values_names_no_prediction() -> None:
    """Each label, 0 or 1, is the number of a row of the predictions as well."""
    names = tables(served().assign(late=lambda rows: (rows["late"] == "LATE").astype(int)))
    pd.read_csv("p.csv").assign(serial=range(DAYS * 40))[["serial", "time", "id", "depot", "weight"]].to_csv(
        "p.csv", index=False
    )
    pd.read_csv("f.csv").rename(columns={"id": "parcel"}).to_csv("f.csv", index=False)
    options = proposed(*names).options
    assert ("id", "parcel") == (
        options["predictions"]["columns"]["prediction_id"],
        options["feedback"][0]["columns"]["prediction_id"],
    )


def test_the_number_of_a_row_names_it_where_nothing_else_does() -> None:
    """Two other columns together go before it."""
    frame = served().drop(columns=["id", "known"]).assign(time=lambda rows: rows["time"].str[:10])
    frame.to_csv("p.csv")
    assert [""] == joining.find_id(profile("p.csv"), "time", None, None)
    frame.drop_duplicates(["depot", "time"]).to_csv("p.csv")
    assert ["depot", "time"] == joining.find_id(profile("p.csv"), "time", None, None)


def test_whole_numbers_that_a_gap_made_floats_name_predictions() -> None:
    """The source reads 12.0 of a Parquet file as 12."""
    numbered()
    pd.read_csv("p.csv").to_parquet("p.parquet")
    feedback = pd.read_csv("f.csv").drop(columns="id")
    feedback.assign(order_id=feedback["order_id"].where(feedback.index != 5)).to_parquet("f.parquet")
    assert "order_id" == proposed("p.parquet", "f.parquet").options["feedback"][0]["columns"]["prediction_id"]


@pytest.mark.parametrize("said", [{}, {"id": "order_id"}])
def test_whole_numbers_with_a_point_in_a_csv_are_refused_by_name(said: dict[str, str]) -> None:
    """The source reads them as 12.0, and the predictions have 12; which column to write in another way is said."""
    names = numbered()
    feedback = pd.read_csv("f.csv").drop(columns="id")
    feedback.assign(order_id=feedback["order_id"].where(feedback.index != 5)).to_csv("f.csv", index=False)
    with pytest.raises(ConfigError, match=r"^order_id of f\.csv is written as numbers with a point, .*Int64"):
        proposed(*names, **said)


def test_an_id_with_few_repeats_is_advised_with_their_number() -> None:
    """Not two other columns together; with --id it is taken, and the number is among the guesses."""
    names = numbered()
    pd.read_csv("f.csv").drop(columns="id").to_csv("f.csv", index=False)
    frame = pd.read_csv("p.csv")
    frame.assign(order_id=frame["order_id"].where(frame.index % 800 != 7, 1)).to_csv("p.csv", index=False)
    with pytest.raises(
        ConfigError, match=r"^order_id of p\.csv is named by f\.csv, but 3 of 2,400 rows.*--id order_id$"
    ):
        proposed(*names)
    careful = dict(proposed(*names, id="order_id").guesses)["careful"]
    assert careful.startswith("order_id: 3 of 2,400 rows repeat a value that came before: validate rejects them")


def test_an_id_that_was_said_is_obeyed_with_a_warning() -> None:
    """Of few rows it is known what happened; the numbers are said."""
    names = tables()
    both = pd.read_csv("f.csv")
    both.assign(id=both["id"].where(both.index % 5 == 0, "other" + both["id"])).to_csv("f.csv", index=False)
    with pytest.raises(ConfigError, match=r"by id; by id, the likeliest, 20% of its rows name a prediction"):
        proposed(*names)
    guesses = dict(proposed(*names, id="id").guesses)
    assert guesses["careful"].startswith("id is the id, as you said, but 20% of its rows name a prediction")


def test_two_columns_that_repeat_below_the_first_rows_are_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at in all rows."""
    from flywheel.start import profile as looked  # the module, not its function

    monkeypatch.setattr(looked, "HEAD", 100)
    monkeypatch.setattr(files, "BATCH", 100)
    frame = served().drop(columns=["id", "late", "known"]).drop_duplicates(["depot", "time"]).assign(weight=1.0)
    pd.concat([frame, frame.tail(1)]).to_parquet("p.parquet")
    with pytest.raises(ConfigError, match="has no column that names each row once"):
        joining.find_id(profile("p.parquet"), "time", None, None)


@pytest.mark.parametrize(
    ("each", "has_history", "warnings"),
    [(1, True, []), (70, False, []), (100, False, ["the training window has about"])],
)
def test_few_labels_are_too_few_for_history_and_fewer_for_a_run(
    each: int, has_history: bool, warnings: list[str]
) -> None:
    """Train wants a row of the rarer class for each feature: history goes first, and then somebody must know."""
    frame = served()
    found = proposed(*tables(frame.iloc[::each]))
    assert (bool(found.history), [text[:29] for name, text in found.guesses if name == "careful"]) == (
        has_history,
        warnings,
    )


@pytest.mark.parametrize(
    ("row", "moment", "said"),
    [
        (0, "1970-01-01T00:00:00Z", "some of 1970-01-01: a run makes files for each day in between"),
        (-1, "2099-01-01T00:00:00Z", "some of 2099-01-01: the clock may stand after the end of the others"),
        (0, "2030-12-30T00:00:00Z", None),
    ],
)
def test_a_few_rows_of_another_year_are_a_warning(row: int, moment: str, said: str | None) -> None:
    """A clock that was not set, or a mistyped year."""
    frame = served()
    frame.loc[frame.index[row], "time"] = moment
    warned = [text for name, text in proposed(*tables(frame)).guesses if name == "careful" and "some of" in text]
    assert [said in text for text in warned] == [True] * (said is not None)


def test_labels_that_were_known_too_early_are_a_warning() -> None:
    """Half of the feedback is from before its prediction: a time zone, or two clocks that differ."""
    late = pd.to_datetime(served()["known"]) - pd.to_timedelta(np.where(np.arange(DAYS * 40) % 2, 9, 0), unit="h")
    found = proposed(*tables(known=late.dt.strftime("%Y-%m-%dT%H:%M:%SZ")))
    [warning] = [why for what, why in found.guesses if what == "careful"]
    assert warning.startswith("50% of the labels were known before their prediction was served, by up to 4.0 hours")
    assert [] == [what for what, _ in proposed(*tables()).guesses if what == "careful"]


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("30s", "30.0 seconds"),
        ("5min", "5.0 minutes"),
        ("90min", "90.0 minutes"),
        ("9h", "9.0 hours"),
        ("3D", "3.0 days"),
    ],
)
def test_how_much_too_early_is_said_in_a_unit_that_fits(time: str, text: str) -> None:
    """Half a minute is not 0.0 hours."""
    known = pd.to_datetime(served()["time"]) - pd.Timedelta(time)
    found = proposed(*tables(known=known.dt.strftime("%Y-%m-%dT%H:%M:%SZ")))
    assert f"was served, by up to {text}: they will be rejected" in dict(found.guesses)["careful"]


def test_feedback_without_a_row_is_not_taken_for_predictions() -> None:
    """It may be left out; predictions may not."""
    predictions, feedback = tables()
    Path(feedback).write_text("id,known,late\n")
    with pytest.raises(DataError, match=r"f\.csv has no row\. .*feedback may be left out"):
        proposed(predictions, feedback)


def test_an_outcome_with_a_person_beside_it_is_no_report() -> None:
    """Its column says that it happened; who is concerned is not stored, since an outcome's source keeps its name."""
    both = served().rename(columns={"late": "outcome"}).assign(user_id=lambda frame: np.arange(len(frame)) % 9)
    both.drop(columns=["outcome", "known"]).to_csv("p.csv", index=False)
    both[["id", "known", "outcome", "user_id"]].to_csv("f.csv", index=False)
    found = proposed("p.csv", "f.csv")
    [said] = found.options["feedback"]
    assert ("outcome", {"prediction_id", "received_at", "value"}) == (said["channel"], set(said["columns"]))
    [told] = [text for name, text in found.guesses if name == "channel"]
    assert "user_id is left out" in told


def test_a_column_with_many_values_is_not_told_to_have_one_for_each_row() -> None:
    """800 in 2,400 rows are too many for a category, and no id."""
    names = served().assign(street=lambda frame: [f"street {n % 800}" for n in range(len(frame))])
    assert (
        "it has 800 values, and a category has at most 300: it is an id or a text"
        == (proposed(*tables(names)).left_out["street"])
    )


def guessed(found: Proposal, name: str) -> list[str]:
    """What is said of one thing."""
    return [text for one, text in found.guesses if one == name]


def test_a_score_with_a_longer_name_is_asked_for() -> None:
    """A person says whether it was served; if nobody does, it is told that there is none. Nothing is guessed."""
    names = tables(served(), **{"model.score": np.linspace(0, 1, DAYS * 40), "problem": 0.5, "score_card": 700.0})
    asked = []

    def first(question: str, choices: Sequence[str], likeliest: str | None) -> str | None:
        asked.append([*choices])
        return likeliest if "score" in question else None

    assert "model.score" == proposed(*names, ask=first).options["predictions"]["columns"]["score"]
    assert ["model.score", "none of them"] in asked
    found = proposed(*names)
    assert "score" not in found.options["predictions"]["columns"]
    assert ["none; if model.score is it, name it as score under columns, and not as an input"] == guessed(
        found, "served score"
    )
    assert guessed(proposed(*tables()), "served score")[0].startswith("none: no column is called score or probability")


@pytest.mark.parametrize(("n_wrong", "is_told"), [(2, True), (200, False)])
def test_a_served_score_that_is_the_label_is_told(n_wrong: int, is_told: bool) -> None:
    """It was written afterwards: what it is compared with would look bad."""
    both = served()
    score = (both["late"] == "LATE").astype("float64")
    score[:n_wrong] = 1 - score[:n_wrong]
    found = proposed(*tables(both, score=score))
    assert is_told == any("score is the label itself in 99.9% of the rows" in one for one in guessed(found, "careful"))


def test_lone_reports_of_people_are_sure_enough_to_be_measured_on() -> None:
    """With a column for who says so they are reports; with one on each prediction nothing makes a label surer than that."""
    names = tables()
    for name, channel, sure in (("annotator", "annotation", None), ("reporter", "report", 0.85)):
        pd.read_csv("f.csv")[["id", "known", "late"]].assign(**{name: "ann"}).to_csv("f.csv", index=False)
        said = yaml.safe_load(as_yaml(proposed(*names), "x"))
        assert channel == said["source"]["options"]["feedback"][0]["channel"]
        assert sure == said["evaluate"].get("min_confidence")
    found = proposed(*names)
    assert "report" == found.options["feedback"][0]["channel"]
    assert found.contract["feedback"]["source_id"] == {"type": "string", "nullable": True}


@pytest.mark.parametrize(
    ("served_by", "said_by", "people"),
    [(None, None, None), ("user", None, "user"), (None, "annotator", None), ("user", "reporter", "user and reporter")],
)
def test_where_there_are_people_the_key_is_asked_for(
    served_by: str | None, said_by: str | None, people: str | None
) -> None:
    """Before the first run, which would stop without it; annotators keep their names."""
    p, f = tables()
    for path, name in ((p, served_by), (f, said_by)):
        if name is not None:
            pd.read_csv(path).assign(**{name: [f"u{k % 9}" for k in range(DAYS * 40)]}).to_csv(path, index=False)
    said = dict(proposed(p, f).guesses).get("people")
    start = f"{people} names people: set the environment variable SECRET to a secret"
    assert (said or "").startswith(start) if people else said is None


def test_ratings_alone_go_as_far_as_they_can_and_say_how_far() -> None:
    """No label, no history, no model: the rest of the project is written, and what is missing is said."""
    predictions, _ = tables()
    both = served()
    pd.DataFrame({"id": both["id"], "known": both["known"], "rating": np.where(both["late"] == "LATE", -1, 1)}).to_csv(
        "f.csv"
    )
    found = proposed(predictions, "f.csv")
    assert ("rating", [-1, 0, 1]) == (
        found.options["feedback"][0]["channel"],
        found.contract["feedback"]["value"]["allowed"],
    )
    assert [True] == [why.startswith("ratings and tickets say") for what, why in found.guesses if what == "no labels"]
    assert ([], {"weight"}) == (found.history, set(found.numeric))
    assert "2,400 predictions in 60 days, none with a label" == dict(found.guesses)["volume"]


@pytest.mark.parametrize(
    ("late", "fine", "positive"),
    [
        (1, 0, "0"),
        (1, 0, "1"),
        (1.0, 0.0, "0"),
        (True, False, "false"),
        (1, -1, "1"),
        (1, -1, "-1"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_numbers_mean_what_a_person_says(late: object, fine: object, positive: str, ending: str) -> None:
    """The source reads them so: as many 1 as there are rows with the value that was said; and they are no ratings."""
    both = served()
    label = np.where(both["late"] == "LATE", late, fine)
    both = both.assign(late=label)
    write = {"csv": pd.DataFrame.to_csv, "parquet": pd.DataFrame.to_parquet}[ending]
    write(both.drop(columns=["late", "known"]), f"p.{ending}", index=False)
    write(both[["id", "known", "late"]], f"f.{ending}", index=False)
    said = proposed(f"p.{ending}", f"f.{ending}", positive=positive).options
    assert "outcome" == said["feedback"][0]["channel"]
    source = open_source(said)
    days = pd.date_range(source.first_day, source.last_day + dt.timedelta(days=1)).date  # the last ones are known later
    found = pd.concat([source.feedback(day)["value"] for day in days])
    meant = late if positive in (str(late).lower(), str(late).removesuffix(".0")) else fine
    assert (label == meant).mean() == pytest.approx(found.mean())


def test_minus_one_in_the_predictions_is_an_outcome_by_its_sign() -> None:
    """There are no ratings in a table of predictions."""
    served().assign(late=np.where(served()["late"] == "LATE", 1, -1)).to_csv("one.csv", index=False)
    assert {"1": 1, "-1": 0} == proposed("one.csv").options["outcome"]["values"]


def test_feedback_of_all_channels_in_one_table_is_understood() -> None:
    """As the contract has it: 0 and 1, -1 and 1, and nothing for a ticket, which is a gap that makes the numbers floats."""
    p, _ = tables()
    frame = served()
    channel = np.resize(["outcome", "report", "rating", "ticket"], len(frame))
    late = (frame["late"] == "LATE").astype("float64")
    value = np.select([channel == "rating", channel == "ticket"], [2 * late - 1, np.nan], late)
    pd.DataFrame({"id": frame["id"], "received_at": frame["known"], "channel": channel, "value": value}).to_csv(
        "f.csv", index=False
    )
    found = proposed(p, "f.csv")
    [table] = found.options["feedback"]
    assert (table["columns"]["value"], "values" in table) == ("value", False)
    value_of = found.contract["feedback"]["value"]
    assert value_of == {"type": "number", "allowed": [-1, 0, 1], "nullable": True}
    assert found.contract["feedback"]["channel"]["allowed"] == ["outcome", "report", "rating", "ticket"]


def test_an_outcome_without_a_label_is_not_blamed_on_another_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none; another column may say what happened."""
    served().to_csv("one.csv", index=False)
    monkeypatch.setattr("flywheel.start.looking.labels_of", lambda rows, outcome: rows.assign(**{"(label)": 1}))
    with pytest.raises(DataError, match="Does late say what happened"):
        proposed("one.csv", known_at="6h")


def test_of_ratings_it_is_said_how_to_make_them_outcomes() -> None:
    """The option is in the guess."""
    found = proposed(*tables(late=np.where(served()["late"] == "LATE", -1, 1)))
    assert dict(found.guesses)["channel"] == "rating: late has -1. If -1 and 1 are what happened, say --positive 1"


def test_an_index_of_pandas_in_a_parquet_file_is_no_column() -> None:
    """It is where rows stood in somebody's memory."""
    served().iloc[::-1].to_parquet("one.parquet")
    assert "__index_level_0__" not in profile("one.parquet").columns
    assert len(proposed("one.parquet").numeric) == 1


def test_rows_that_nothing_names_are_named_by_two_columns() -> None:
    """Place and time together; one of them alone repeats."""
    frame = served(a_day=24).assign(
        time=lambda rows: pd.to_datetime(rows["time"]).dt.floor("h").dt.strftime("%Y-%m-%d %H:00")
    )
    frame = frame.drop_duplicates(["depot", "time"]).drop(columns="id").assign(known=lambda rows: rows["time"])
    frame.to_csv("one.csv", index=False)
    assert ["depot", "time"] == proposed("one.csv", time="time", known_at="2h").options["predictions"]["columns"][
        "prediction_id"
    ]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a,b\n1,x\n2,y\n", {"a": "integer", "b": "text"}),
        ("a,b\n1.5,true\n2,false\n", {"a": "number", "b": "text"}),
        ("a;b\n1,5;x\n2,0;y\n", {"a": "number", "b": "text"}),
        ("a\tb\n2031-01-01\t1\n2031-01-02\t2\n", {"a": "time", "b": "integer"}),
        ("a,when\nx,1893844800\ny,1893844900\n", {"a": "text", "when": "time"}),
        ("a,b\n31.12.2030 10:00,NA\n01.01.2031 11:00,3\n", {"a": "time", "b": "integer"}),
        ("\ufeffa,b\n1,ä\n", {"a": "integer", "b": "text"}),
    ],
)
def test_how_a_csv_is_written_is_found_out(text: str, kinds: dict[str, str]) -> None:
    """Delimiter, decimals, a mark at the beginning, words for nothing, and times in many ways."""
    Path("t.csv").write_text(text)
    assert kinds == {name: one.kind for name, one in profile("t.csv").columns.items()}


@pytest.mark.parametrize(
    "style",
    ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%y %H:%M", "%d-%m-%Y %H:%M:%S", "%m/%d/%y %I:%M %p",
     "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%d %H:%M:%S.%f UTC", "%d-%b-%Y %H:%M", "%b %d, %Y %I:%M %p",
     "%a, %d %b %Y %H:%M:%S %z"],
)  # fmt: skip
def test_how_times_are_written_is_found_out_and_told(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though in the first rows no day is above 12: the whole column decides which is the month."""
    monkeypatch.setattr("flywheel.start.profile.HEAD", 400)
    frame = served()
    for name in ("time", "known"):
        frame[name] = pd.to_datetime(frame[name]).dt.strftime(style)
    found = proposed(*tables(frame))
    source = open_source(found.options)
    assert (source.first_day, source.last_day) == (dt.date(2031, 1, 1), dt.date(2031, 3, 1))
    shown = style.replace("UTC", "%Z")
    assert f"time, written as {shown}" == dict(found.guesses)["served_at"]
    assert f"known says when it was known, written as {shown}; " in dict(found.guesses)["feedback"]
    assert ("time zone" in dict(found.guesses)) == ("UTC" not in style and "%z" not in style)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_day_may_be_a_whole_number(ending: str) -> None:
    """As warehouses have it: 20310131. In a column whose name says nothing of time it is a number."""
    frame = served()
    for name in ("time", "known"):
        frame[name] = pd.to_datetime(frame[name]).dt.strftime("%Y%m%d").astype("int64")
    names = tables(frame.assign(size=frame["time"]))
    if ending == "parquet":
        for name in names:
            pd.read_csv(name).to_parquet(f"{name[0]}.parquet")
        names = ("p.parquet", "f.parquet")
    found = proposed(*names)
    source = open_source(found.options)
    assert (source.first_day, source.last_day) == (dt.date(2031, 1, 1), dt.date(2031, 3, 1))
    assert 40 > abs(len(source.feedback(dt.date(2031, 1, 15))) - 40)
    assert ("time, written as %Y%m%d", ["weight", "size"]) == (dict(found.guesses)["served_at"], found.numeric)


@pytest.mark.parametrize("write", ["${:,.2f}", "{:.1f} %", "€ {:.2f}", "{:,.0f}", "{:.2f} EUR", "-£{:.2f}"])
def test_numbers_with_what_they_count_are_told_as_such(write: str) -> None:
    """They were called an id or a text, and left out."""
    frame = served()
    price = (frame["weight"] * 1000 + np.arange(len(frame))).map(write.format)
    found = proposed(*tables(frame.assign(price=price)))
    assert re.match(r"its values seem to be numbers, but '.*' in row 1 is none\. Write", found.left_out["price"])
    assert "what price is: not all of its values are numbers" in found.unknown


def test_latin_letters_in_one_byte_are_found_out() -> None:
    """The encoding is written into the options, so the source reads the same."""
    Path("t.csv").write_bytes("a,b\n1,ä\n".encode("latin-1"))
    found = profile("t.csv")
    assert ("latin-1", {"ä": 1}) == (found.where.encoding, found.columns["b"].counts)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_two_bytes_for_a_letter_are_found_out(encoding: str) -> None:
    """By the mark at the beginning, else by the zeros; the source reads the same."""
    predictions, feedback = tables()
    for name in (predictions, feedback):
        Path(name).write_text(Path(name).read_text(), encoding=encoding)
    options = proposed(predictions, feedback).options
    assert (encoding, encoding) == (options["predictions"]["encoding"], options["feedback"][0]["encoding"])
    source = open_source(options)
    assert {"east", "north", "south"} == set(source.predictions(source.first_day)["in_depot"])


def test_latin_letters_far_below_are_found_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of them is not in the part that is looked at first."""
    from flywheel.start import profile as looked  # the module, not its function

    monkeypatch.setattr(looked, "START", 10)
    Path("t.csv").write_bytes("a,b\n1,x\n2,y\n3,ä\n".encode("latin-1"))
    assert {"x": 1, "y": 1, "ä": 1} == profile("t.csv").columns["b"].counts


def test_what_a_person_says_of_a_csv_goes_into_its_options() -> None:
    """Letters, what is between two values, and what is before the decimals."""
    predictions, feedback = tables()
    for name in (predictions, feedback):
        frame = pd.read_csv(name, dtype="str").replace({"LATE": "später", "\\.": ","}, regex=True)
        frame.to_csv(name, index=False, sep=":", encoding="cp1252", quoting=1)
    said = {"encoding": "cp1252", "delimiter": ":", "decimal": ","}
    found = proposed(predictions, feedback, written=said)
    assert said.items() <= found.options["predictions"].items()
    assert said.items() <= found.options["feedback"][0].items()
    assert (["weight"], {"später", "fine"}) == (found.numeric, set(found.options["feedback"][0]["values"]))


def test_for_a_database_it_is_said_where_to_read_how() -> None:
    """It is no file for `init`."""
    Path("shop.db").write_bytes(b"SQLite format 3\x00")
    with pytest.raises(DataError, match=r"not a table; .* How a database is read is in docs/your-data\.md\."):
        profile("shop.db")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("postgresql://ann@host/shop", r"the address of a database.* docs/your-data\.md, under 'A database'"),
        ("sqlite:///shop.db", "the address of a database"),
        (
            "postgresql://ann:hunter2@host/shop",
            r"^postgresql://ann:\*\*\*@host/shop is the address of a database.* 'A database'",
        ),
        ("https://ann:hunter2@host/p.csv", r"^https://ann:\*\*\*@host/p.csv has a password.*path_env"),
        ("https://host/p.csv?token=hunter2", r"p.csv\?token=\*\*\* has a password or a token"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_an_address_with_a_secret_or_of_a_database_is_refused(
    tree: Path, table: str, said: str, is_first: bool
) -> None:
    """Before anything is looked at or written: conf/ is for everybody. The secret is in no message."""
    given = (table, None) if is_first else ("p.csv", table)
    with pytest.raises(ConfigError, match=said) as caught:
        beginning.look(*given, None, Answers(), nobody, TODAY, replace=False)
    assert "hunter2" not in str(caught.value)


def test_a_table_on_a_server_that_is_unwell_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each second request fails, and one is cut: the table is understood as it is."""
    monkeypatch.setattr(retrying, "PAUSE_S", 0.01)
    moods = {1: (503, None), 4: (503, None), 6: (200, 5_000)}
    frame = served()
    with loopback.served(frame.to_csv(index=False).encode(), lambda number: moods.get(number, (200, None))) as server:
        found = proposed(f"{server.address}/p.csv", label="late", known_at="known")
        assert (["weight"], DAYS * 40) == (found.numeric, len(frame))
        assert max(moods) < len(server.asked)
        monkeypatch.setattr(retrying, "TRIES", 1)
    with pytest.raises(RemoteError, match="does not answer, or went away"):
        profile(f"{server.address}/p.csv")


def test_a_name_of_a_column_may_have_two_lines() -> None:
    """In the table of others it is one name; conf and the source keep it."""
    names = tables(served().rename(columns={"weight": "weight\n(kg)"}))
    found = proposed(*names)
    assert "weight\n(kg)" == found.options["predictions"]["columns"]["in_weight_kg"]
    source = open_source(yaml.safe_load(as_yaml(found, "x"))["source"]["options"])
    assert "in_weight_kg" in source.predictions(source.first_day)


@pytest.mark.parametrize(
    ("make", "path", "written", "error"),
    [
        (lambda: None, "p.csv", {}, r"there is no such file\. Give the path of a table: flywheel init"),
        (
            lambda: Path("p.csv").write_text("a,b\n1\n"),
            "p.csv",
            {},
            r"Say what is between two values, such as --delimiter",
        ),
        (lambda: Path("p.csv").write_bytes(b"a,b\n1,\x81\n"), "p.csv", {"encoding": "cp1252"}, "such as --encoding"),
        (
            lambda: Path("p.csv").write_text("a,b\n"),
            "p.csv",
            {"encoding": "klingon"},
            "--encoding: found 'klingon'; allowed",
        ),
        (lambda: Path("p.csv").write_text("a,b\n"), "p.csv", {"delimiter": ";;"}, "delimiter: .*Correct --delimiter"),
        (
            lambda: Path("p.doc").write_text("x"),
            "p.doc",
            {},
            r"allowed endings are .*\. Move it away, or name the others",
        ),
        (
            lambda: (Path("t").mkdir(), Path("t/1.csv").write_text("a,b\n1,2\n"), Path("t/2.csv").write_text("a\n1\n")),
            "t",
            {},
            r"2\.csv has no column 'b', which .*1\.csv has\. Give all files of t the same columns",
        ),
    ],
)
def test_what_cannot_be_read_names_nothing_that_is_not_there_yet(
    make: Callable[[], object], path: str, written: dict[str, str], error: str
) -> None:
    """There is no conf file of the project; the options of the command help."""
    make()
    with pytest.raises((ConfigError, DataError), match=error) as raised:
        profile(path, written)
    assert "conf/project" not in str(raised.value)


def test_a_column_that_changes_its_type_half_way_is_told() -> None:
    """A few values that are no numbers will be rejected; the first of them is shown."""
    frame = served().astype({"weight": object})
    frame.loc[900, "weight"] = "heavy"
    found = proposed(*tables(frame))
    assert ("weight", "1 values are no number, such as 'heavy': they will be rejected") in found.guesses


def _euros(weight: pd.Series) -> pd.Series:
    return weight.astype("str").where(weight.index < 900, "EUR " + weight.astype("str"))


def _commas(weight: pd.Series) -> pd.Series:
    text = weight.round(1).astype("str")
    return text.where(weight.index % 2 == 1, text.str.replace(".", ","))


def _thousands(weight: pd.Series) -> pd.Series:
    return weight.map(lambda one: f"{one * 1000:,.2f}".translate({44: ".", 46: ","}))


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (_euros, r"38% of its values are numbers, but 'EUR \d+\.\d' in row 901 is none\. Write them all as numbers"),
        (
            _thousands,
            r"its values seem to be numbers, but '[\d.]+,00' in row 1 is none.* such as 1234\.5, and run again",
        ),
        (_commas, r"50% of its values are numbers, but '\d+,\d' in row 1 is none.* or say --decimal , if"),
    ],
)
def test_numbers_in_a_wrong_form_are_told_as_such(odd: Callable[[pd.Series], pd.Series], why: str) -> None:
    """With the share, a row and what to do; and it stays open what the column is."""
    frame = served()
    frame = frame.assign(price=odd(frame["weight"] + np.arange(len(frame)).round(1)))
    found = proposed(*tables(frame))
    assert re.match(why, found.left_out["price"])
    assert "what price is: not all of its values are numbers" in found.unknown


def test_few_numbers_in_a_wrong_form_are_a_category_that_is_told() -> None:
    """It has few values, so it may be one; but hardly on purpose."""
    frame = served()
    whole = frame["weight"].round().astype("int").astype("str")
    found = proposed(*tables(frame.assign(price=whole.where(frame.index % 2 == 0, whole + " EUR"))))
    assert dict(found.guesses)["price"].startswith("a category: 50% of its values are numbers")
    assert "what price is: not all of its values are numbers" in found.unknown


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("Größe (cm)", "in_grosse_cm"),
        ("Prénom", "in_prenom"),
        ("unit.price", "in_unit_price"),
        ("1st item", "in_1st_item"),
        ("价格", "in_价格"),
        ("がく", "in_がく"),
        ("Цена, ₽", "in_цена"),
        ("__x__", "in_x"),
        ("%", "in_column"),
    ],
)
def test_an_input_is_named_after_its_column(column: str, name: str) -> None:
    """In any alphabet: a report about `column` and `column_2` would say nothing."""
    assert name == guess.input_name(column)


def test_a_label_whose_name_has_no_latin_letter_has_a_word_for_a_1() -> None:
    """`event` is part of sentences."""
    served().rename(columns={"late": "结果"}).to_csv("p.csv", index=False)
    assert "LATE" == proposed("p.csv", time="time", label="结果", known_at="known").event


@pytest.mark.parametrize("name", [*RESERVED, "served_hour", "depot_rate_3d", "all_count_12h"])
def test_an_input_is_not_called_as_what_the_loop_makes(name: str) -> None:
    """A column with such a name has a number behind it, and the features can be declared."""
    frame = served().assign(**{name: np.resize([0.5, 7.25, 2.125, 3.0], DAYS * 40)})
    frame.to_csv("p.csv", index=False)
    found = proposed("p.csv", id="id", time="time", label="late", known_at="known")
    assert f"{name}_2" in found.numeric
    parse(Features, yaml.safe_load(as_yaml(found, "late_parcels"))["features"])


@pytest.mark.parametrize(
    ("column", "later", "kind"),
    [
        ("weight", lambda weight: weight.astype("str"), "number"),
        ("weight", lambda weight: weight.round(), "number"),
        ("id", lambda ids: ids.str[1:].astype("int64"), "text"),
        ("time", pd.to_datetime, "time"),
    ],
)
def test_a_column_may_have_another_type_in_another_file(
    column: str, later: Callable[[pd.Series], pd.Series], kind: str
) -> None:
    """And another order, as two exports have it: the files are looked at together, and what is proposed opens them."""
    Path("months").mkdir()
    first, second = served().iloc[:1000], served().iloc[1000:]
    first.to_parquet("months/1.parquet")
    second.assign(**{column: later(second[column])}).iloc[:, ::-1].to_parquet("months/2.parquet")
    assert profile("months").columns[column].kind == kind
    found = proposed("months", time="time", label="late", known_at="known")
    source = open_source(found.options)
    assert len(source.predictions(source.last_day)) > 0


def test_a_column_whose_values_begin_later_is_not_empty() -> None:
    """The first file may have none of them."""
    Path("months").mkdir()
    first, second = served().iloc[:1000], served().iloc[1000:]
    first.assign(weight=None, depot=None).to_csv("months/1.csv", index=False)
    second.to_csv("months/2.csv", index=False)
    kinds = {name: one.kind for name, one in profile("months").columns.items()}
    assert (kinds["weight"], kinds["depot"]) == ("number", "text")
    found = proposed("months", time="time", label="late", known_at="known")
    assert found.contract["predictions"]["in_depot"] == {
        "type": "string", "nullable": True, "allowed": ["east", "north", "south"],
    }  # fmt: skip


def test_a_table_is_looked_at_in_parts() -> None:
    """Counts, ranges and uniqueness are of all rows; a value that comes twice far apart is no id."""
    column = Column("x", kind="text")
    for part in (["a", "b"], ["c", "a"]):
        from flywheel.start import profile as looked  # the module, not its function

        looked.count(column, __import__("pyarrow").chunked_array([part]))
    looked.settle(column)
    assert ({"a": 2, "b": 1, "c": 1}, False, 4) == (column.counts, column.is_unique, column.rows)


# -- what is written into the tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small repository with a project of its own, the default one, which has a package that only it uses."""
    texts = {
        "conf/config.yaml": "defaults:\n  - _self_\n  - project: old\n\nevaluate:\n  min: 1\n",
        "conf/state.yaml": "clock:\n  # the clock\n  as_of: 2030-01-01\n",
        "conf/project/old.yaml": "project: {name: old, code: src/old}\n",
        "src/old/__init__.py": "import some_package\nimport numpy\n",
        "src/flywheel/x.py": "import numpy\n",
        "tests/old/test_old.py": "",
        "README.md": "# One\n[report](reports/report.md)\n[stays](conf/config.yaml) [far](https://example.com)\n",
        "reports/report.md": "old",
        "models/champion/card.json": "{}",
        "pyproject.toml": 'dependencies = [\n  "numpy>=2",\n  "some-package==1",\n]\n',
        "uv.lock": '[[package]]\nname = "numpy"\n\n[[package]]\nname = "me"\ndependencies = [\n    { name = "numpy" },\n'
        '    { name = "some-package" },\n]\n\n[[package]]\nname = "some-package"\nversion = "1"\n',
        ".gitignore": "/data/\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@x", "commit", "-qm", "start"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_project_is_replaced_with_all_that_was_made_for_it(tree: Path) -> None:
    """Its code, conf, tests, results, dependency and links go; what others use stays."""
    gone = replacing.remove("old")
    assert {"conf/project/old.yaml", "src/old", "tests/old", "reports", "models/champion"} == set(gone)
    assert "[stays](conf/config.yaml)" in Path("README.md").read_text()
    assert "report.md" not in Path("README.md").read_text()
    assert ('"numpy>=2"' in Path("pyproject.toml").read_text(), "some" in Path("pyproject.toml").read_text()) == (
        True,
        False,
    )
    lock = Path("uv.lock").read_text()
    assert ("some-package" in lock, lock.count("[[package]]")) == (False, 2)


def test_a_package_goes_without_those_whose_name_begins_like_its_own(tree: Path) -> None:
    """some-package is not some-package-extra."""
    project = Path("pyproject.toml")
    project.write_text(
        'dependencies = [\n  "some-package[x]==1",\n  "some-package-extra",\n  "some-package.more",\n]\n'
    )
    replacing.drop_dependency("some-package")
    assert 'dependencies = [\n  "some-package-extra",\n  "some-package.more",\n]\n' == project.read_text()


def test_what_cannot_be_composed_is_refused_before_anything_is_deleted(tree: Path) -> None:
    """The conf of this tree lacks most keys; the project before stays, and the new one is not there."""
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file() and ".git" not in path.parts}
    begun = beginning.Begun(proposed(*tables()), "late_parcels", "old", ("p.csv", "f.csv"))
    with pytest.raises(
        ConfigError, match=r"^conf/ with the project late-parcels would be wrong, so nothing was changed\. .*conf/"
    ):
        beginning.write(begun, replace=True)
    after = {path: path.read_bytes() for path in before if path.is_file()}
    assert (before, False) == (after, Path("conf/project/late-parcels.yaml").exists())


def test_the_default_project_and_the_clock_are_switched_and_nothing_else(tree: Path) -> None:
    """Comments and other keys stay."""
    replacing.switch("new", "2031-03-02")
    assert Path("conf/config.yaml").read_text().startswith("defaults:\n  - _self_\n  - project: new\n\nevaluate:")
    assert Path("conf/state.yaml").read_text() == "clock:\n  # the clock\n  as_of: 2031-03-02\n"


def test_a_name_that_yaml_would_misread_is_quoted(tree: Path) -> None:
    """`on` is a word here, not true."""
    replacing.switch("on", "2031-03-02")
    assert "on" == replacing.default_project()


def test_a_project_with_the_name_of_a_folder_of_the_engine_s_tests_does_not_take_them_along(tree: Path) -> None:
    """Only the project's conf and code go."""
    Path("conf/project/unit.yaml").write_text("project: {name: unit, code: src/unit}\n")
    for name in ("src/unit", "tests/unit"):
        Path(name).mkdir()
    assert ["conf/project/unit.yaml", "src/unit"] == [str(one) for one in replacing.parts_of("unit")]


@pytest.mark.project
def test_the_folders_of_the_engine_s_tests_are_all_known() -> None:
    """What is in tests/ is the engine's, or of a package in src/."""
    packages = {one.name for one in (ROOT / "src").iterdir()}
    folders = {one.parent.name for one in (ROOT / "tests").glob("*/*.py")} | {"unit"}
    assert folders - packages == set(replacing.TESTS)


def test_tables_in_the_tree_are_kept_out_of_git_unless_they_are_in_it(tree: Path) -> None:
    """They may be personal; an absolute path or another file system is no matter of this tree."""
    assert "/tables/" == replacing.ignore("tables/p.csv")
    assert None is replacing.ignore("tables/f.csv")
    assert [None, None, None] == [replacing.ignore(path) for path in ("/far/p.csv", "s3://bucket/p.csv", "README.md")]
    assert ["/data/", "/tables/"] == Path(".gitignore").read_text().split()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Rain", "--name: found 'Rain'"),
        ("3", "--name"),
        *((name, "single - between them") for name in ("a-", "a--b")),
        ("a/b", "--name"),
        ("old", "is there already"),
        ("flywheel", "a module of Python is called flywheel"),
        *((name, "a word of YAML or of Python") for name in ("null", "on", "off", "yes", "no", "true", "class")),
        *(
            (name, "a folder of this repository")
            for name in ("unit", "repo", "workflows", "behaviour", "conf", "tests")
        ),
        *((name, "a module of Python") for name in ("pandas", "sklearn", "json", "sys", "typing-extensions")),
    ],
)
def test_a_name_that_is_none_or_taken_is_refused_before_anything_is_read(tree: Path, name: str, error: str) -> None:
    """No table is looked at, and nothing is written."""
    with pytest.raises(ConfigError, match=error):
        beginning.look("nowhere.csv", None, name, Answers(), nobody, TODAY, False)


def test_a_tree_with_changes_is_not_replaced(tree: Path) -> None:
    """What is deleted must be in Git."""
    Path("README.md").write_text("mine")
    with pytest.raises(ConfigError, match=r"1 tracked files have changes, such as README.md. Commit them first"):
        beginning.look("p.csv", None, "new", Answers(), nobody, TODAY, True)


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ("data/p.csv", "data"),
        ("data/mine", "data"),
        ("data/m*/p.csv", "data"),
        ("src/../data/p.csv", "data"),
        ("link.csv", "data"),
        ("data/far.csv", "data"),
        ("reports/p.csv", "reports"),
        ("src/old/p.csv", "src/old"),
    ],
)
def test_tables_that_would_be_deleted_are_refused_before_anything_is(tree: Path, table: str, place: str) -> None:
    """A file, a folder, a glob or a link, and in either of the two tables; nothing is deleted."""
    predictions, _ = tables()
    for name in ("data/p.csv", "data/mine/p.csv", "reports/p.csv", "src/old/p.csv"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(Path(predictions).read_bytes())
    Path("link.csv").symlink_to("data/p.csv")
    Path("data/far.csv").symlink_to(Path(predictions).absolute())
    for both in ((table, None), (predictions, table)):
        with pytest.raises(ConfigError, match=rf"lies in {place}, which .* Move the table out of there"):
            beginning.look(*both, "new", Answers(), nobody, TODAY, True)


def test_replacing_deletes_no_file_that_the_loop_did_not_make(tree: Path) -> None:
    """Another file in data/ stays, and so does the cache of DVC: the only place of old versions without a remote."""
    for name in ("data/mine.csv", "data/events/part", ".dvc/cache/files/md5/ab/cd"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x")
    replacing.remove("old")
    left = [Path(name).exists() for name in ("data/mine.csv", "data/events", ".dvc/cache/files/md5/ab/cd")]
    assert [True, False, True] == left


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tables/late parcels.csv", "late-parcels"),
        ("s3://x/Rain.parquet", "rain"),
        ("tables/predictions.csv", "of-this-folder"),
    ],
)
def test_a_project_is_named_after_its_table(
    path: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that says nothing, after the folder."""
    (tmp_path / "Of this folder").mkdir()
    monkeypatch.chdir(tmp_path / "Of this folder")
    assert name == beginning.name_of(path)


def test_what_is_still_to_be_filled_in_is_named_with_its_line(tree: Path) -> None:
    """So that nobody has to search for it."""
    Path("conf/project/old.yaml").write_text(f"project:\n  event: late  {PLACEHOLDER}: a word\n")
    assert ["conf/project/old.yaml:2: event: late a word"] == beginning.placeholders()
