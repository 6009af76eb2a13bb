"""Stage `featurize`: declared features, local time, the project's own function, and only the days that are new."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel import files
from flywheel.errors import ConfigError, DataError
from flywheel.features.days import read_features
from flywheel.features.settings import Calendar, Features
from flywheel.features.table import calendar
from flywheel.params import parse
from flywheel.stages.featurize import FeaturizeParams, main
from tests.planted import ON_DISK, at, contents, day, feedback, furnish, prediction, settings, write_valid


@pytest.fixture(autouse=True)
def _in_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)


def featurize(as_of: int = 9, **changes: Any) -> str:
    """Run the stage with the clock on a day of the month."""
    return main(settings(FeaturizeParams, clock={"as_of": day(as_of).isoformat()}, **changes))


def features(number: int) -> pd.DataFrame:
    return files.read_parquet(files.FEATURES / f"{day(number)}.parquet")


def three_days() -> None:
    """Three days with a prediction in the north, each with an outcome of 1 two hours later."""
    write_valid(
        {n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)},
        {n: [feedback(f"f{n}", f"p{n}", f"0{n}T12")] for n in (1, 2, 3)},
    )


def test_the_declared_features_are_the_columns() -> None:
    """Identity, numeric, categorical, calendar and history, in the order in which conf declares them."""
    three_days()
    featurize()
    history = ["place_rate_3h", "place_count_3h", "place_rate_2d", "place_count_2d"]
    expected = ["prediction_id", "served_at", "served_score", "size", "place", "served_hour", *history]
    assert expected == list(features(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"numeric": ["size", "label"]},
        {"numeric": ["size", "served_at"]},
        {"categorical": ["champion_score"]},
        {"numeric": ["size", "served_hour"]},
        {"numeric": ["size", "place_rate_3h"]},
        {"numeric": ["size", "size"]},
    ],
)
def test_a_feature_may_not_be_called_as_another_or_as_a_column_of_the_loop_s_own(changes: dict[str, Any]) -> None:
    """Else one would be taken for the other, far from here."""
    whole = {
        "numeric": ["size"], "categorical": ["place"], "calendar": {"timezone": "UTC", "parts": ["hour"]},
        "history": [{"key": ["place"], "windows": ["3h"]}],
    }  # fmt: skip
    assert parse(Features, whole).columns == ["size", "place", "served_hour", "place_rate_3h", "place_count_3h"]
    with pytest.raises(ConfigError, match=r"^features: found \w+, each .* Give the input another name"):
        parse(Features, whole | changes)


def test_the_settings_know_the_names_of_the_declared_features() -> None:
    """Before anything is computed: a name in conf is checked against them."""
    three_days()
    featurize()
    assert settings(FeaturizeParams).features.columns == list(features(1))[3:]


def test_inputs_are_taken_over_without_their_prefix() -> None:
    """Size, place and the served score are those of the prediction; a null stays null."""
    write_valid({1: [prediction("p1", "01T10", score=None, error="timeout", in_size=None, in_place="south")]}, {})
    featurize()
    row = features(1).iloc[0]
    assert ("p1", "south", 10.0) == (row["prediction_id"], row["place"], row["served_hour"])
    assert (True, True) == (pd.isna(row["size"]), pd.isna(row["served_score"]))


def test_history_counts_what_was_known_before_the_prediction_was_served() -> None:
    """In the north one of two labels was 1; what the south, the future or a day too long ago says does not count."""
    write_valid(
        {
            1: [prediction("old", "01T01")],
            3: [
                prediction("yes", "03T01"),
                prediction("no", "03T02"),
                prediction("south", "03T03", in_place="south"),
                prediction("late", "03T04"),
                prediction("asked", "03T12"),
            ],
        },
        {
            1: [feedback("f0", "old", "01T02")],
            3: [
                feedback("f1", "yes", "03T08"),
                feedback("f2", "no", "03T10", value=0.0),
                feedback("f3", "south", "03T11"),
                feedback("f4", "late", "03T13"),
            ],
        },
    )
    featurize()
    found = features(3).set_index("prediction_id").loc["asked"].to_dict()
    expected = {"place_rate_3h": 0 / 1, "place_count_3h": 1, "place_rate_2d": 1 / 2, "place_count_2d": 2}
    assert expected == {name: found[name] for name in expected}


def test_history_without_any_label_is_null_with_a_count_of_zero() -> None:
    """The very first prediction has nothing to look back on."""
    write_valid({1: [prediction("p1", "01T10")]}, {})
    featurize()
    row = features(1).iloc[0]
    assert (True, 0) == (pd.isna(row["place_rate_2d"]), row["place_count_2d"])


@pytest.mark.parametrize(
    ("utc", "hour", "weekday", "month"),
    [
        ("2013-01-01T03:00", 22, 0, 12),  # still New Year's Eve, a Monday
        ("2013-03-10T06:30", 1, 6, 3),  # the last hour of winter time
        ("2013-03-10T07:30", 3, 6, 3),  # the clock has jumped from 2 to 3
        ("2013-11-03T05:30", 1, 6, 11),  # the last hour of summer time
        ("2013-11-03T06:30", 1, 6, 11),  # the same hour again
        ("2013-07-01T03:30", 23, 6, 6),
    ],
)
def test_the_calendar_is_in_local_time(utc: str, hour: int, weekday: int, month: int) -> None:
    """In New York it is five hours earlier in winter and four in summer."""
    params = Calendar(timezone="America/New_York", parts=("hour", "weekday", "month"))
    found = calendar(pd.Series([pd.Timestamp(utc, tz="UTC")]), params)
    assert {"served_hour": hour, "served_weekday": weekday, "served_month": month} == found.iloc[0].to_dict()


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "America", "../etc", ""])
def test_an_unknown_time_zone_is_a_mistake_in_conf(timezone: str) -> None:
    """The message says which key, what was found and what is allowed."""
    three_days()
    with pytest.raises(ConfigError, match=r"features\.calendar\.timezone: found .* such as America/New_York"):
        featurize(features={"calendar": {"timezone": timezone}})


def double(predictions: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"double_size": 2 * predictions["in_size"]}, index=predictions.index)


def one_row_less(predictions: pd.DataFrame) -> pd.DataFrame:
    return double(predictions).iloc[1:]


def another_index(predictions: pd.DataFrame) -> pd.DataFrame:
    return double(predictions).set_axis(predictions["prediction_id"])


def not_a_frame(predictions: pd.DataFrame) -> pd.Series:
    return 2 * predictions["in_size"]


def a_name_that_is_taken(predictions: pd.DataFrame) -> pd.DataFrame:
    return double(predictions).rename(columns={"double_size": "size"})


def a_word(predictions: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"season": "winter"}, index=predictions.index)


def test_the_project_adds_columns_of_its_own() -> None:
    """What the function of the project returns stands behind the declared features."""
    three_days()
    featurize(project={"derive": f"{__name__}:double"})
    assert [2 * 3.0] == features(1)["double_size"].tolist()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("one_row_less", "must return one row for each prediction, on the same index"),
        ("another_index", "must return one row for each prediction, on the same index"),
        ("not_a_frame", "must return one row for each prediction, on the same index"),
        ("a_name_that_is_taken", "returns columns that already exist: size"),
        ("a_word", "season"),
        ("nothing_of_that_name", "has no function 'nothing_of_that_name'"),
    ],
)
def test_a_project_function_that_does_not_keep_its_promise_is_named(function: str, said: str) -> None:
    """One row a prediction, on the same index, numbers, in columns with new names; and it must exist."""
    three_days()
    with pytest.raises(ConfigError, match=rf"^project\.derive: .*{said}"):
        featurize(project={"derive": f"{__name__}:{function}"})
    assert [] == list(files.FEATURES.glob("*.parquet"))


def test_a_project_module_that_is_not_there_is_named() -> None:
    """A misspelt module is a mistake in conf."""
    three_days()
    with pytest.raises(ConfigError, match=r"project\.derive: no module 'nowhere'.*package\.module:function"):
        featurize(project={"derive": "nowhere:derive"})


def test_days_from_the_clock_on_are_not_computed() -> None:
    """With the clock on the third day there are features of two days."""
    three_days()
    assert "2 new days of 2" == featurize(as_of=3)
    assert ["2030-01-01.parquet", "2030-01-02.parquet", "ledger.json"] == list(contents(files.FEATURES))


def test_a_later_run_computes_new_days_only() -> None:
    """An old day's file is left alone: it is not even written again."""
    three_days()
    featurize(as_of=3)
    before = (files.FEATURES / "2030-01-01.parquet").stat().st_mtime_ns
    assert "1 new days of 3" == featurize(as_of=4)
    assert before == (files.FEATURES / "2030-01-01.parquet").stat().st_mtime_ns


def test_a_day_that_was_changed_or_lost_is_computed_again() -> None:
    """Features that are not what was computed do not reach a model."""
    three_days()
    featurize(as_of=4)
    before = contents(files.FEATURES)
    files.write_parquet(files.FEATURES / "2030-01-01.parquet", features(1).assign(size=99.0))
    (files.FEATURES / "2030-01-02.parquet").unlink()
    assert "2 new days of 3" == featurize(as_of=4)
    assert before == contents(files.FEATURES)


def in_full(as_of: int = 6) -> dict[str, bytes]:
    """The bytes of a run that starts from nothing."""
    shutil.rmtree(files.FEATURES)
    featurize(as_of)
    return contents(files.FEATURES)


def five_days(**third: Any) -> tuple[dict[int, Any], dict[int, Any]]:
    """A prediction a day and its outcome two hours later; `third` changes the outcome of the third day."""
    return (
        {n: [prediction(f"p{n}", f"0{n}T10")] for n in range(1, 6)},
        {n: [feedback(f"f{n}", f"p{n}", f"0{n}T12", **(third if n == 3 else {}))] for n in range(1, 6)},
    )


def test_features_are_made_again_from_the_first_changed_prediction_on() -> None:
    """The third day's place is another one now: its features, and the history of the days after it."""
    predictions, said = five_days()
    write_valid(predictions, said)
    featurize(as_of=6)
    write_valid(predictions | {3: [prediction("p3", "03T10", in_place="south")]}, said)
    assert "3 new days of 5" == featurize(as_of=6)
    assert ("south", 1.0) == (features(3)["place"].item(), features(5)["place_count_2d"].item())
    assert contents(files.FEATURES) == in_full()


@pytest.mark.parametrize(
    "third",
    [
        pytest.param({"value": 0.0}, id="the outcome was another"),
        pytest.param({"received_at": at("03T20")}, id="it came later"),
        pytest.param({"channel": "rating"}, id="there was none"),
    ],
)
def test_features_are_made_again_from_the_first_changed_label_on(third: dict[str, Any]) -> None:
    """The label of the third day changed: the days from the third on, which may know of it, and no day before."""
    write_valid(*five_days())
    featurize(as_of=6)
    write_valid(*five_days(**third))
    assert "3 new days of 5" == featurize(as_of=6)
    assert contents(files.FEATURES) == in_full()


def test_a_label_that_ends_earlier_than_it_did_makes_the_features_again() -> None:
    """Two reports settle a label on the first day; a tie takes it back on the second, and then already on the first."""
    predictions, _ = five_days()
    two = [feedback(f"f{n}", "p1", "01T12", channel="report", source_id=f"user {n}") for n in (1, 2)]
    write_valid(
        predictions, {1: two, 2: [feedback("f3", "p1", "02T12", channel="report", source_id="user 2", value=0.0)]}
    )
    featurize(as_of=6)
    assert 1.0 == features(2)["place_count_2d"].item()
    write_valid(
        predictions, {1: [*two, feedback("f3", "p1", "01T13", channel="report", source_id="user 2", value=0.0)]}
    )
    assert "4 new days of 5" == featurize(as_of=6)  # the fifth day looks back to the third
    assert 0.0 == features(2)["place_count_2d"].item()
    assert contents(files.FEATURES) == in_full()


def test_the_place_of_a_prediction_whose_label_came_much_later_changes_the_days_after_that_label() -> None:
    """Corrected is the first day; its own features change, and those of the days that look back on the label: 8 to 10."""
    predictions = {n: [prediction(f"p{n}", f"{n:02}T10")] for n in range(1, 13)}
    said = {8: [feedback("f1", "p1", "08T08")]}
    write_valid(predictions, said)
    featurize(as_of=13)
    written = times()
    write_valid(predictions | {1: [prediction("p1", "01T10", in_place="south")]}, said)
    assert "4 new days of 12" == featurize(as_of=13)
    assert {day(n).isoformat() for n in (1, 8, 9, 10)} == {name for name, at in times().items() if at != written[name]}
    assert [0.0, 0.0] == [features(n)["place_count_2d"].item() for n in (8, 9)]
    assert contents(files.FEATURES) == in_full(13)


def times() -> dict[str, int]:
    """When each day of features was written."""
    return {path.stem: path.stat().st_mtime_ns for path in files.FEATURES.glob("*.parquet")}


@st.composite
def corrections(draw: st.DrawFn) -> tuple[tuple[Any, Any], tuple[Any, Any], set[int]]:
    """A fortnight with some predictions a day and feedback that may come days later; the same after a day was corrected;
    and the days whose predictions, or whose news about labels, were touched.
    """
    predictions: dict[int, list[dict[str, Any]]] = {n: [] for n in range(1, 15)}
    said: dict[int, list[dict[str, Any]]] = {n: [] for n in range(1, 15)}
    for n in range(1, 15):
        for k in range(draw(st.integers(0, 2))):
            name, hour = f"p{n}-{k}", draw(st.integers(0, 22))
            predictions[n].append(
                prediction(name, f"{n:02}T{hour:02}", in_place=draw(st.sampled_from(["north", "south"])))
            )
            for vote in range(draw(st.integers(0, 3))):
                on = min(n + draw(st.integers(0, 6)), 14)
                voice = {"channel": draw(st.sampled_from(["outcome", "report"])), "source_id": f"user {vote}"}
                value = float(draw(st.integers(0, 1)))
                said[on].append(feedback(f"f{name}-{vote}", name, f"{on:02}T23:{vote:02}", value=value, **voice))
    wrong = draw(st.integers(1, 14))
    after = dict(predictions), dict(said)
    if draw(st.booleans()):
        about = {row["prediction_id"] for row in said[wrong]}
        after[1][wrong] = [row | {"value": 1 - row["value"]} for row in said[wrong] if draw(st.booleans())]
    else:
        about = {row["prediction_id"] for row in predictions[wrong]}
        after[0][wrong] = [row | {"in_place": draw(st.sampled_from(["north", "south"]))} for row in predictions[wrong]]
    news = {n for n, rows in said.items() if any(row["prediction_id"] in about for row in rows)}
    return (predictions, said), after, news | {wrong}


@pytest.mark.slow
@ON_DISK
@given(corrections())
def test_after_a_correction_the_features_are_those_of_a_full_run_and_no_other_day_is_written(
    drawn: tuple[tuple[Any, Any], tuple[Any, Any], set[int]],
) -> None:
    """Byte for byte. Histories look back two days: so what is more than two days after all that was touched is left alone."""
    before, after, touched = drawn
    shutil.rmtree(files.FEATURES, ignore_errors=True)
    write_valid(*before)
    featurize(as_of=15)
    written = times()
    write_valid(*after)
    featurize(as_of=15)
    again = {name for name, at in times().items() if at != written[name]}
    assert again <= {day(n + k).isoformat() for n in touched for k in (0, 1, 2)}
    assert contents(files.FEATURES) == in_full(15)


def test_feedback_of_a_new_day_about_an_old_prediction_leaves_the_past_alone() -> None:
    """The outcome that comes on the fourth day overturns a label of the first: only the new day is computed."""
    predictions, said = five_days()
    write_valid({n: predictions[n] for n in (1, 2, 3)}, {n: said[n] for n in (1, 2, 3)})
    featurize(as_of=4)
    late = feedback("f9", "p1", "04T08", value=0.0)
    write_valid({n: predictions[n] for n in (1, 2, 3, 4)}, {n: said[n] for n in (1, 2, 3)} | {4: [late]})
    assert "1 new days of 4" == featurize(as_of=5)


@pytest.mark.parametrize("name", ["notes.parquet", "2013-13-45.parquet"])
def test_a_file_that_is_no_days_is_named_and_nothing_is_written(name: str) -> None:
    """A stray Parquet file stops the run with a sentence, here and where features are read."""
    three_days()
    featurize(as_of=3)
    (files.FEATURES / name).write_bytes(b"notes")
    before = contents(files.FEATURES)
    for call in (lambda: featurize(as_of=4), lambda: read_features(day(1), day(3))):
        with pytest.raises(DataError, match=rf"^{files.FEATURES / name} is not the file of a day"):
            call()
    assert before == contents(files.FEATURES)


def test_nothing_is_emptied_before_the_features_are_computed() -> None:
    """Changed settings compute all days again; where that fails, what was there stays."""
    three_days()
    featurize()
    before = contents(files.FEATURES)
    with pytest.raises(ConfigError, match="no module 'nowhere'"):
        featurize(project={"derive": "nowhere:derive"})
    assert before == contents(files.FEATURES)


def test_day_by_day_gives_the_same_bytes_as_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three runs with a moving clock and one run to the same clock write the same files."""
    three_days()
    for as_of in (2, 3, 4):
        featurize(as_of)
    step_by_step = contents(files.FEATURES)
    (tmp_path / "again").mkdir()
    furnish(tmp_path / "again")
    monkeypatch.chdir(tmp_path / "again")
    three_days()
    featurize(as_of=4)
    assert contents(files.FEATURES) == step_by_step


@pytest.mark.parametrize(
    "changes",
    [
        {"features": {"history": [{"key": ["place"], "windows": ["3h"]}]}},
        {"features": {"calendar": {"timezone": "Europe/Berlin"}}},
        {"project": {"derive": f"{__name__}:double"}},
    ],
)
def test_changed_settings_compute_all_days_again(changes: dict[str, Any]) -> None:
    """Old and new features of different definitions never lie side by side."""
    three_days()
    featurize()
    assert "3 new days of 3" == featurize(**changes)


def test_changed_labels_compute_all_days_again() -> None:
    """Labels that were concluded by other rules (another fingerprint) make other history."""
    three_days()
    featurize()
    files.write_parquet(files.LABELS, files.read_parquet(files.LABELS), {"fingerprint": "other"})
    assert "3 new days of 3" == featurize()


@pytest.mark.parametrize("clocks", [[9], [2, 3, 9]])
def test_an_empty_day_gives_a_file_without_rows(clocks: list[int]) -> None:
    """A day without predictions has no features, whether it is computed alone or with others."""
    write_valid({1: [prediction("p1", "01T10")], 2: [], 3: [prediction("p3", "03T10")]}, {})
    for as_of in clocks:
        featurize(as_of)
    assert [1, 0, 1] == [len(features(n)) for n in (1, 2, 3)]


def test_features_without_any_history_are_allowed() -> None:
    """A project may declare no history at all."""
    three_days()
    featurize(features={"history": []})
    assert "served_hour" == list(features(1))[-1]
