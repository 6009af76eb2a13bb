"""Stage `monitor`: reference window, weekly quality and service against hand arithmetic, categories never seen."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flywheel import files
from flywheel.data import tables
from flywheel.data.weeks import days_of_week, monday
from flywheel.model import artifact
from flywheel.monitoring.quality import is_enough, new_labels, quality_by_week
from flywheel.monitoring.service import latest_day, mean_rating, service_by_week
from flywheel.monitoring.windows import between, drift_windows, reference_days, unknown_categories
from flywheel.stages.monitor import MonitorParams, main
from tests.planted import (
    at,
    contents,
    day,
    feedback,
    learn,
    prediction,
    revision,
    revisions,
    settings,
    world,
    write_features,
    write_revisions,
    write_valid,
)

SMALL: dict[str, Any] = {
    "clock": {"as_of": "2030-01-31"},
    "windows": {"train_days": 16, "evaluation_days": 7, "current_days": 7},
    "monitor": {"min_labelled_share": 0.6, "min_positives": 1},
}
PARAMS = settings(MonitorParams, **SMALL)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@functools.cache
def champion() -> artifact.Model:
    """A model that learned from the first 14 days."""
    return learn(*world(range(1, 15), 40))


def with_card(**changes: Any) -> artifact.Model:
    return artifact.Model(champion().booster, champion().calibration, champion().card | changes)


def plant(features: pd.DataFrame | None = None) -> None:
    """Thirty days of features, labels and of the two tables."""
    some_features, labels = world(range(1, 31), 20, seed=2)
    write_valid(
        {n: [prediction(f"p{n}", f"{n:02}T10")] for n in range(1, 31)},
        {n: [feedback(f"f{n}", f"p{n}", f"{n:02}T12", channel="rating", value=1.0)] for n in range(1, 31)},
    )
    write_features(some_features if features is None else features)
    write_revisions(labels)


def test_the_reference_is_the_training_window_of_the_champion() -> None:
    """Where the champion learned is what the world is compared with."""
    write_features(world(range(1, 31), 1)[0])
    expected = (day(1), day(15)), "the champion's training window"
    assert expected == reference_days(champion(), PARAMS.clock.as_of, PARAMS.windows)


def test_without_a_champion_the_reference_is_the_training_window_of_this_run() -> None:
    """The clock on the 31st, 16 days to learn from, of which the seven current ones are left out; the reason is given."""
    write_features(world(range(1, 31), 1)[0])
    expected = (day(15), day(24)), "this run's training window: there is no champion yet"
    assert expected == reference_days(None, PARAMS.clock.as_of, PARAMS.windows)


def test_a_champion_from_before_the_data_gives_way_to_the_training_window_of_this_run() -> None:
    """Its training days are not here: the reason names them."""
    write_features(world(range(18, 31), 1)[0])
    old = with_card(training_window=["2029-11-01", "2029-12-01"])
    said = "this run's training window: the champion's (2029-11-01 to 2029-12-01) is not in the data"
    assert ((day(18), day(24)), said) == reference_days(old, PARAMS.clock.as_of, PARAMS.windows)


@pytest.mark.parametrize(
    ("window", "is_here"),
    [(("2030-01-01", "2030-01-10"), False), (("2030-01-01", "2030-01-11"), True), (("2030-01-30", "2030-02-05"), True)],
)
def test_one_day_of_the_training_window_in_the_data_is_enough(window: tuple[str, str], is_here: bool) -> None:
    """The data has the 10th to the 30th; the end of a window is not part of it, its start is."""
    write_features(world(range(10, 31), 1)[0])
    _, why = reference_days(with_card(training_window=list(window)), PARAMS.clock.as_of, PARAMS.windows)
    assert is_here == (why == "the champion's training window")


def test_a_week_starts_on_monday() -> None:
    """The first of January 2030 is a Tuesday; the last instant of Sunday is of the old week."""
    moments = pd.Series([at("01T00"), at("06T23:59:59"), at("07T00")])
    assert ["2029-12-31", "2029-12-31", "2030-01-07"] == monday(moments).tolist()


def two_weeks() -> list[dict[str, Any]]:
    """Four predictions in the first week and one in the second, and what was said."""
    write_valid(
        {
            1: [
                prediction("p1", "01T10", latency_ms=10.0),
                prediction("p2", "01T11", latency_ms=20.0),
                prediction("p3", "01T12", latency_ms=30.0),
                prediction("p4", "01T13", latency_ms=40.0, score=None, error="timeout"),
            ],
            7: [prediction("p5", "07T10", latency_ms=50.0)],
        },
        {
            1: [
                feedback("f1", "p1", "01T12"),
                feedback("f2", "p1", "01T13", channel="rating", value=1.0),
                feedback("f3", "p2", "01T14", channel="rating", value=1.0),
                feedback("f4", "p3", "01T15", channel="rating", value=-1.0),
            ],
            7: [feedback("f5", "p1", "07T12", channel="ticket", value=None)],
        },
    )
    return service_by_week([day(1), day(7)], day(9), 0.95)


def test_service_numbers_of_a_week_are_those_of_hand_arithmetic() -> None:
    """One error in four; the median lies between 20 and 30, the 95th percentile at 0.85 of the way from 30 to 40."""
    found = two_weeks()[0]
    assert pytest.approx((1 + 1 - 1) / 3) == found["mean_rating"]["value"]
    expected = {
        "predictions": 4,
        "error_rate": 1 / 4,
        "latency_p50_ms": (20 + 30) / 2,
        "latency_p95_ms": 30 + 0.85 * 10,
    }
    assert expected == pytest.approx({name: found[name] for name in expected})
    assert ("2029-12-31", {"outcome": 1, "rating": 3, "ticket": 0}) == (found["week"], found["feedback"])


def test_feedback_counts_in_the_week_in_which_it_arrived() -> None:
    """A ticket about a prediction of last week is of this week, in which nobody rated."""
    found = two_weeks()[1]
    assert ("2030-01-07", None, {"outcome": 0, "rating": 0, "ticket": 1}) == (
        found["week"],
        found["mean_rating"],
        found["feedback"],
    )


def test_a_week_without_any_prediction_still_shows_what_people_said() -> None:
    """The service was down for the second week, and people wrote about it: that week is on the list."""
    write_valid(
        {1: [prediction("p1", "01T10")], 8: []}, {8: [feedback("f1", "p1", "08T12", channel="ticket", value=None)]}
    )
    found = {
        one["week"]: (one["predictions"], one["feedback"]) for one in service_by_week([day(1), day(8)], day(9), 0.95)
    }
    assert {"2029-12-31": (1, {"ticket": 0}), "2030-01-07": (0, {"ticket": 1})} == found


def test_a_service_that_nobody_talks_about_has_no_rating() -> None:
    """Without any feedback there is no mean and no volume, and no crash."""
    write_valid({1: [prediction("p1", "01T10")]}, {})
    found = service_by_week([day(1)], day(2), 0.95)[0]
    assert (True, {}) == (found["mean_rating"] is None, found["feedback"])


def test_a_week_of_which_the_data_has_only_a_part_says_how_many_days() -> None:
    """The first of January is a Tuesday, and the clock stands at a Wednesday: six days, and two."""
    assert [6, 2] == [one["days"] for one in two_weeks()]


def test_a_whole_week_has_seven_days() -> None:
    """From Monday the 7th up to the clock at Monday the 14th, or later."""
    assert [7, 7] == [days_of_week("2030-01-07", day(1), day(end)) for end in (14, 20)]


def test_the_interval_of_a_mean_rating_is_wilsons() -> None:
    """Nine thumbs up and one down: Wilson's interval of 9 / 10 is 0.596 to 0.982, on the scale from -1 to 1."""
    found = mean_rating(pd.Series([1.0] * 9 + [-1.0]), 0.95)
    expected = {"value": 0.8, "low": 2 * 0.5958 - 1, "high": 2 * 0.9821 - 1}
    assert pytest.approx(expected, abs=2e-4) == found


def test_ratings_that_are_all_alike_still_leave_doubt() -> None:
    """Five thumbs up: the interval ends at 1 and does not begin there."""
    found = mean_rating(pd.Series([1.0] * 5), 0.95)
    assert found is not None
    assert (1.0, True) == (pytest.approx(found["high"]), found["low"] < 0.2)


def test_nobody_who_rated_is_no_mean() -> None:
    """Not a mean of nothing, which would be a division by zero."""
    assert mean_rating(pd.Series([], dtype="float64"), 0.95) is None


def test_a_last_day_without_predictions_has_no_error_rate() -> None:
    """Nobody asked, so nothing failed and nothing succeeded: null."""
    write_valid({1: [prediction("p1", "01T10")], 2: []}, {})
    expected = {"day": "2030-01-02", "predictions": 0, "logs_errors": True, "error_rate": None}
    assert expected == latest_day([day(1), day(2)])


def scored(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    """Features of predictions from id, moment, served score and champion's score."""
    return pd.DataFrame(
        [
            {"prediction_id": name, "served_at": at(when), "served_score": a, "champion_score": b}
            for name, when, a, b in rows
        ]
    )


WEEK = scored([("a", "15T00", 0.9, 0.1), ("b", "16T10", 0.6, 0.2), ("c", "17T10", 0.7, 0.8), ("d", "18T10", 0.2, 0.3)])
KNOWN = revisions(
    [revision("a", 1, "19T10"), revision("b", 1, "19T10"), revision("c", 0, "19T10"), revision("d", 0, "19T10")]
)


def quality(features: pd.DataFrame, known: pd.DataFrame, until: str = "2030-01-14") -> list[dict[str, Any]]:
    learned = with_card(labels_known_before=until)
    return quality_by_week(features, known, PARAMS.evaluate, PARAMS.monitor, learned)


def test_quality_of_a_week_is_measured_on_its_labelled_predictions() -> None:
    """Of four pairs the served score orders three rightly; its Brier score by hand."""
    found = quality(WEEK, KNOWN)[0]
    assert ("2030-01-14", 4, 4) == (found["week"], found["predictions"], found["labelled"])
    assert pytest.approx(3 / 4) == found["served"]["auc"]
    assert pytest.approx((0.1**2 + 0.4**2 + 0.7**2 + 0.2**2) / 4) == found["served"]["brier"]


def test_quality_of_the_champion_is_that_of_its_own_score() -> None:
    """The champion orders none of four pairs rightly."""
    assert pytest.approx(0 / 4) == quality(WEEK, KNOWN)[0]["champion"]["auc"]


def test_a_week_with_too_few_sure_labels_is_not_judged() -> None:
    """Two sure labels of four predictions, where three in five are asked for: null, and still on the list."""
    unsure = KNOWN.assign(label_confidence=[0.99, 0.5, 0.99, 0.5])
    found = quality(WEEK, unsure)[0]
    assert (2, None, None) == (found["labelled"], found["served"], found["champion"])


@pytest.mark.parametrize(
    ("labels", "predictions", "expected"),
    [
        ([1, 0, 0], 5, True),
        ([1, 0, 0], 6, False),  # a half is less than three in five
        ([1, 1, 0], 5, True),
        ([0, 0, 0], 5, False),  # no positive
        ([1, 1, 1], 5, False),  # no negative
        ([], 0, False),
    ],
)
def test_labels_are_enough_by_their_share_and_by_the_rarer_class(
    labels: list[int], predictions: int, expected: bool
) -> None:
    """Three in five of the predictions and one of each class are asked for."""
    assert expected == is_enough(pd.Series(labels, dtype="int64"), predictions, PARAMS.monitor)


@pytest.mark.parametrize(("until", "is_judged"), [("2030-01-15", True), ("2030-01-16", False), ("2030-01-31", False)])
def test_the_champion_is_judged_only_on_weeks_after_what_it_learned(until: str, is_judged: bool) -> None:
    """The week's first prediction was served as the 15th began: a champion that learned until then had not seen it."""
    assert is_judged == ("champion" in quality(WEEK, KNOWN, until)[0])


def test_predictions_that_failed_are_not_part_of_quality() -> None:
    """A prediction without a score is counted with the errors of the service, not here."""
    failed = scored([("e", "15T10", float("nan"), 0.5)])
    assert 4 == quality(pd.concat([WEEK, failed]), KNOWN)[0]["predictions"]


def test_a_week_of_one_class_is_not_judged() -> None:
    """Everything happened: there is nothing to rank, and the week is not judged."""
    assert quality(WEEK, KNOWN.assign(label=1))[0]["served"] is None


def test_labels_are_new_from_the_moment_on_at_which_the_champion_stopped_learning() -> None:
    """One became known just before the 14th, one as it began, one later; without a champion nothing is new."""
    known = revisions([revision("a", 1, "13T23:59:59"), revision("b", 1, "14T00"), revision("c", 0, "19T10")])
    assert (2, None) == (new_labels(known, with_card(labels_known_before="2030-01-14")), new_labels(known, None))


def test_the_share_of_categories_never_seen_is_by_feature() -> None:
    """One of four places is new; a missing place is not."""
    current = pd.DataFrame({"place": ["north", "south", "east", None]})
    assert {"place": 1 / 4} == unknown_categories(current, champion())


def test_known_categories_and_no_champion_leave_nothing_to_say() -> None:
    """Features without a new category are not listed."""
    current = pd.DataFrame({"place": ["north", "south"]})
    assert ({}, {}) == (unknown_categories(current, champion()), unknown_categories(current, None))


def test_an_unknown_category_is_found_and_does_not_stop_the_run() -> None:
    """A place that the champion never saw serves half of the last days."""
    features = world(range(1, 31), 20, seed=2)[0]
    is_new = (features["served_at"] >= at("24")) & (features.index % 2 == 0)
    plant(features.assign(place=features["place"].where(~is_new, "east")))
    artifact.save(champion(), files.CHAMPION)
    main(PARAMS)
    assert {"place": 1 / 2} == files.read_json(files.MONITOR)["unknown_categories"]


def test_a_planted_drift_of_the_last_days_is_found() -> None:
    """All sizes are three higher in the last seven days: size leads the list, and place has not moved."""
    features = world(range(1, 31), 60, seed=2)[0]
    plant(features.assign(size=features["size"] + 3.0 * (features["served_at"] >= at("24"))))
    artifact.save(champion(), files.CHAMPION)
    main(PARAMS)
    found = files.read_json(files.DRIFT)
    is_drifted = {one["column"]: one["is_drifted"] for one in found["by_column"]}
    assert ("size", True, False) == (found["by_column"][0]["column"], is_drifted["size"], is_drifted["place"])


def test_drift_says_what_it_compared() -> None:
    """Both windows with their rows: 14 and 7 days of 20 predictions."""
    plant()
    artifact.save(champion(), files.CHAMPION)
    main(PARAMS)
    found = files.read_json(files.DRIFT)
    reference = {"start": "2030-01-01", "end": "2030-01-15", "rows": 280, "why": "the champion's training window"}
    assert reference == found["reference"]
    assert {"start": "2030-01-24", "end": "2030-01-31", "rows": 140} == found["current"]
    assert {"size", "place", "served_score", "champion_score"} == {one["column"] for one in found["by_column"]}


def test_without_a_champion_the_service_is_still_watched() -> None:
    """There is no champion's score, and all the rest is there."""
    plant()
    main(PARAMS)
    found = files.read_json(files.MONITOR)
    assert (None, {}) == (found["champion"], found["unknown_categories"])
    assert ["2029-12-31", "2030-01-07", "2030-01-14", "2030-01-21", "2030-01-28"] == [
        one["week"] for one in found["service"]
    ]
    assert {"champion"} & set().union(*found["quality"]) == set()


def test_a_champion_whose_features_are_gone_is_not_scored() -> None:
    """It needs the place, which is no longer a feature: the run goes on without its score."""
    plant(world(range(1, 31), 20, seed=2)[0].drop(columns="place"))
    artifact.save(champion(), files.CHAMPION)
    main(PARAMS)
    assert {"size", "served_score"} == {one["column"] for one in files.read_json(files.DRIFT)["by_column"]}


def test_what_arrives_from_the_clock_on_is_not_looked_at() -> None:
    """Features and events of later days change no byte."""
    plant()
    main(PARAMS)
    before = contents(files.REPORTS)
    late = world([31], 20, seed=3)[0]
    write_features(late)
    write_valid({31: [prediction("late", "31T10", latency_ms=9999.0)]}, {31: [feedback("flate", "late", "31T12")]})
    write_revisions(world(range(1, 31), 20, seed=2)[1])
    main(PARAMS)
    assert before == contents(files.REPORTS)


@pytest.mark.parametrize("is_released", [True, False])
def test_a_window_without_any_row_does_not_stop_the_run(is_released: bool) -> None:
    """A source fell silent while the clock went on: the alert about that comes after this stage, so it must end."""
    plant()
    if is_released:
        artifact.save(champion(), files.CHAMPION)
    main(settings(MonitorParams, **SMALL | {"clock": {"as_of": "2030-02-20"}}))
    found = files.read_json(files.DRIFT)
    assert found["current"] == {"start": "2030-02-13", "end": "2030-02-20", "rows": 0}
    assert found["drifted"] == 0
    assert files.read_json(files.MONITOR)["recent"]["auc"] is None
    assert files.read_json(files.MONITOR)["quality"][-1]["week"] == "2030-01-28"


def test_the_realised_quality_of_the_window_has_an_interval_and_too_few_labels_none() -> None:
    """The AUC of the champion over the current days; with more labels asked for than there are it is not judged."""
    plant()
    main_params = settings(MonitorParams, **SMALL)
    champion_folder()
    main(main_params)
    found = files.read_json(files.MONITOR)["recent"]
    assert ("2030-01-24", "2030-01-31", 7 * 20) == (found["start"], found["end"], found["predictions"])
    assert found["auc"]["low"] <= found["auc"]["value"] <= found["auc"]["high"]
    main(settings(MonitorParams, **{**SMALL, "monitor": {"min_positives": 10_000}}))
    assert files.read_json(files.MONITOR)["recent"]["auc"] is None


def champion_folder() -> None:
    artifact.save(champion(), files.CHAMPION)


def test_windows_inside_the_training_window_are_no_evidence_of_drift() -> None:
    """Of five weeks before the 31st, only those after the champion's fourteen days count: the 17th and the 24th."""
    plant()
    champion_folder()
    main(PARAMS)
    windows = files.read_json(files.MONITOR)["drift_windows"]
    assert ["2030-01-17", "2030-01-24"] == [one["start"] for one in windows]


def test_only_drift_of_what_the_champion_uses_weighs() -> None:
    """All importance on the column that moved is a share of one; none of it there is a share of zero."""
    features, labels = world(range(1, 31), 20, seed=2)
    late = features["served_at"] >= at("24T00")
    features.loc[late, "size"] = features.loc[late, "size"] + 100
    plant(features)
    write_revisions(labels)
    for weights, share in (({"size": 1.0, "place": 0.0}, 1.0), ({"size": 0.0, "place": 1.0}, 0.0)):
        changed = with_card(importance=weights)
        artifact.save(changed, files.CHAMPION)
        main(PARAMS)
        assert share == files.read_json(files.MONITOR)["drift_windows"][-1]["weighted_share"]


def test_errors_of_the_last_day_are_not_thinned_by_the_days_before() -> None:
    """One of two predictions of the last day failed."""
    plant()
    write_valid({30: [prediction("q1", "30T10"), prediction("q2", "30T11", score=None, error="timeout")]}, {30: []})
    champion_folder()
    main(PARAMS)
    expected = {"day": "2030-01-30", "predictions": 2, "logs_errors": True, "error_rate": 0.5}
    assert expected == files.read_json(files.MONITOR)["latest_day"]


def test_the_champion_scores_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty days of twenty predictions: whatever is asked of them, each has one score."""
    plant()
    champion_folder()
    scored_rows: list[int] = []
    predict = artifact.predict_raw
    monkeypatch.setattr(artifact, "predict_raw", lambda booster, x: scored_rows.append(len(x)) or predict(booster, x))
    main(PARAMS)
    assert 30 * 20 == sum(scored_rows)


@pytest.mark.parametrize(("rows", "is_judged"), [(64, True), (63, False)])
def test_a_window_of_fewer_rows_than_its_threshold_can_tell_is_left_out(rows: int, is_judged: bool) -> None:
    """A threshold of an eighth needs 8² rows."""
    features = pd.concat([world(range(1, 15), 40)[0], world([30], rows, seed=2)[0]])
    params = PARAMS.monitor.drift.model_copy(update={"windows": 1, "threshold": 1 / 8})
    found = drift_windows(features, (day(1), day(15)), champion(), day(31), ("place",), params)
    assert is_judged == (len(found) == 1)


def test_a_window_has_its_first_instant_and_not_the_first_of_the_day_after() -> None:
    """What was served as a day began is of that day, in this window or in the next, and never in both."""
    served = pd.DataFrame({"served_at": [at("01T23:59:59"), at("02T00"), at("03T23:59:59"), at("04T00")]})
    assert [1, 2] == between(served, day(2), day(4)).index.tolist()


def test_a_window_that_begins_where_the_training_ended_counts_and_one_a_day_earlier_does_not() -> None:
    """The champion learned until the 15th, not included: windows of seven days from the 15th and from the 14th."""
    features = world(range(1, 31), 40)[0]
    params = PARAMS.monitor.drift.model_copy(update={"windows": 1})
    starts = [
        [one["start"] for one in drift_windows(features, (day(1), day(15)), champion(), day(end), ("place",), params)]
        for end in (21, 22)
    ]
    assert [[], ["2030-01-15"]] == starts


def test_what_the_tables_do_not_have_is_unknown_not_perfect() -> None:
    """Without the columns, no error rate and no latency; the table of features still drifts, without a served score."""
    write_valid({n: [prediction(f"p{n}", f"{n:02}T10")] for n in (1, 2)}, {})
    for n in (1, 2):
        path = tables.day_path(files.VALID, "predictions", day(n))
        files.write_parquet(path, files.read_parquet(path).drop(columns=["error", "latency_ms", "score"]))
    [week] = service_by_week([day(1), day(2)], day(3), 0.95)[:1]
    unknown = ("error_rate", "latency_p50_ms", "latency_p95_ms")
    assert [True] * 3 == [pd.isna(week[name]) for name in unknown]
    expected = {"day": "2030-01-02", "predictions": 1, "logs_errors": False, "error_rate": None}
    assert expected == latest_day([day(1), day(2)])


def test_a_served_score_that_never_was_is_no_drift_and_no_quality() -> None:
    """The champion is judged on all labelled rows, and the score is not listed among the columns."""
    features = world(range(1, 31), 20, seed=2)[0].assign(served_score=float("nan"))
    plant(features)
    artifact.save(champion(), files.CHAMPION)
    main(PARAMS)
    assert "served_score" not in {one["column"] for one in files.read_json(files.DRIFT)["by_column"]}
    weeks = files.read_json(files.MONITOR)["quality"]
    assert {False} == {"served" in week for week in weeks}
    assert [20 * 7, True] == [weeks[-2]["predictions"], weeks[-2]["champion"] is not None]
