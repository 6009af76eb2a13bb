"""Nothing leaks from the future into a feature: properties of random small worlds, through the real functions.

A world is a handful of predictions and of feedback about them, with many equal moments, changed minds and ties.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from flywheel import files
from flywheel.features.table import featurize
from flywheel.labels.conclude import conclude
from flywheel.labels.revisions import spans
from flywheel.stages import featurize as featurize_stage
from flywheel.stages import label as label_stage
from flywheel.stages import validate as validate_stage
from flywheel.stages.featurize import FeaturizeParams
from flywheel.stages.label import LabelParams
from flywheel.stages.validate import ValidateParams
from tests.planted import (
    at,
    day,
    feedback,
    furnish,
    prediction,
    settings,
    table,
    typed,
    write_events,
)

Rows = list[dict[str, Any]]
START = at("10")
CALENDAR = {"timezone": "UTC", "parts": ["hour"]}
HISTORY = [{"key": ["place"], "windows": ["3h", "1d"]}, {"key": ["place", "size"], "windows": ["7d"]}]
FEATURES = settings(FeaturizeParams, features={"calendar": CALENDAR, "history": HISTORY}).features
LABEL = settings(LabelParams, label={"min_votes": 2, "prior_by": ["place"], "revisit_days": [1, 2]}).label
MANY = hypothesis_settings(max_examples=35, deadline=None, derandomize=True)


def known_labels(served: Rows, said: Rows) -> pd.DataFrame:
    """All revisions of all labels."""
    found = typed("feedback", table("feedback", said))
    end = found["received_at"].max().date() + dt.timedelta(days=3) if len(found) else START.date()
    return conclude(found, typed("predictions", table("predictions", served)), LABEL, end).revisions


def features(predictions: Rows, said: Rows) -> pd.DataFrame:
    """The features of all predictions, by their id, as `featurize` computes them from what `label` concludes."""
    frame = typed("predictions", table("predictions", predictions))
    held = spans(known_labels(predictions, said))
    known = held.merge(frame[["prediction_id", "in_place", "in_size"]], on="prediction_id")
    known = known.rename(columns={"in_place": "place", "in_size": "size"})
    return featurize(frame, known, FEATURES).set_index("prediction_id").sort_index()


# Full hours in two days: so few that moments coincide, and that some fall on the edge of a window.
HOURS = st.integers(0, 48)


@st.composite
def some_predictions(draw: st.DrawFn, prefix: str) -> Rows:
    """Up to six predictions at two places."""
    drawn = draw(st.lists(st.tuples(HOURS, st.sampled_from(["north", "south"]), st.integers(1, 2)), max_size=6))
    return [
        prediction(f"{prefix}{n}", "01", served_at=START + pd.Timedelta(hours=hour), in_place=place, in_size=size)
        for n, (hour, place, size) in enumerate(drawn)
    ]


@st.composite
def some_feedback(draw: st.DrawFn, prefix: str, predictions: Rows) -> Rows:
    """Up to twelve outcomes, reports and annotations about the predictions, none before its prediction was served."""
    if not predictions:
        return []
    one = st.tuples(
        st.sampled_from(predictions),
        st.integers(0, 4) | HOURS,
        st.sampled_from(["outcome", "report", "report", "annotation"]),
        st.sampled_from(["ann", "bob", "cid"]),
        st.sampled_from([0.0, 1.0]),
    )
    return [
        feedback(
            f"{prefix}{n}",
            about["prediction_id"],
            "01",
            received_at=about["served_at"] + pd.Timedelta(hours=delay),
            channel=channel,
            source_id=source,
            value=value,
        )
        for n, (about, delay, channel, source, value) in enumerate(draw(st.lists(one, max_size=12)))
    ]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """A world: predictions, and feedback about them."""
    predictions = draw(some_predictions("p"))
    return predictions, draw(some_feedback("f", predictions))


@st.composite
def two_futures(draw: st.DrawFn) -> tuple[pd.Timestamp, tuple[Rows, Rows], tuple[Rows, Rows]]:
    """A moment, and two worlds that are the same up to it and have nothing in common after it.

    The same are the predictions served up to the moment and the feedback received before it.
    """
    moment = START + pd.Timedelta(hours=draw(HOURS))
    predictions, said = draw(worlds())
    past = [row for row in predictions if row["served_at"] <= moment]
    futures = []
    for name in ("a", "b"):
        later = [row for row in draw(some_predictions(f"later-{name}")) if row["served_at"] > moment]
        heard = draw(some_feedback(f"later-{name}", [*past, *later]))
        old = [row for row in said if row["received_at"] < moment]
        futures.append(([*past, *later], [*old, *(row for row in heard if row["received_at"] >= moment)]))
    return moment, futures[0], futures[1]


@pytest.mark.slow
@MANY
@given(two_futures())
def test_what_arrives_after_a_prediction_was_served_changes_none_of_its_features(
    futures: tuple[pd.Timestamp, tuple[Rows, Rows], tuple[Rows, Rows]],
) -> None:
    """Two worlds with the same past and different futures give the predictions of the past the same features."""
    moment, one, other = futures
    found = [features(*world) for world in (one, other)]
    past, same = (frame[frame["served_at"] <= moment] for frame in found)
    pd.testing.assert_frame_equal(past, same)


@pytest.mark.slow
@MANY
@given(worlds())
def test_a_feature_is_what_could_be_computed_when_the_prediction_was_served(world: tuple[Rows, Rows]) -> None:
    """For each prediction: the whole world, and the world that ended just before it was served, give the same features."""
    predictions, said = world
    everything = features(predictions, said)
    for asked in predictions:
        heard = [row for row in said if row["received_at"] < asked["served_at"]]
        then = features([row for row in predictions if row["served_at"] <= asked["served_at"]], heard)
        name = [asked["prediction_id"]]
        pd.testing.assert_frame_equal(everything.loc[name], then.loc[name])


@pytest.mark.slow
@MANY
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_label_and_no_feature(world: tuple[Rows, Rows], shuffle: Any) -> None:
    """Shuffled predictions and shuffled feedback, equal moments included, give the same labels and features."""
    predictions, said = world
    mixed_predictions, mixed = predictions.copy(), said.copy()
    shuffle.shuffle(mixed_predictions)
    shuffle.shuffle(mixed)
    pd.testing.assert_frame_equal(known_labels(predictions, said), known_labels(mixed_predictions, mixed))
    pd.testing.assert_frame_equal(features(predictions, said), features(mixed_predictions, mixed))


@pytest.mark.parametrize("channel", ["outcome", "report"])
def test_of_contradictions_at_one_moment_the_same_one_counts_in_every_order(channel: str) -> None:
    """One source says yes and no at the same moment, another says yes: the order of the rows does not decide."""
    said = [
        feedback("f1", "p", "10T12", channel=channel, source_id="ann", value=1.0),
        feedback("f2", "p", "10T12", channel=channel, source_id="ann", value=0.0),
        feedback("f3", "p", "10T11", channel="report", source_id="bob", value=1.0),
    ]
    served = [prediction("p", "10T01")]
    pd.testing.assert_frame_equal(known_labels(served, said), known_labels(served, said[::-1]))


@pytest.mark.slow
@MANY
@given(worlds(), st.integers(-400, 400))
def test_a_shift_of_all_times_by_whole_days_changes_no_feature(world: tuple[Rows, Rows], n_days: int) -> None:
    """The same world some days earlier or later has the same history and hours (in UTC, without weekdays)."""
    predictions, said = world
    shift = pd.Timedelta(days=n_days)
    moved = features(
        [row | {"served_at": row["served_at"] + shift} for row in predictions],
        [row | {"received_at": row["received_at"] + shift} for row in said],
    )
    pd.testing.assert_frame_equal(
        features(predictions, said).drop(columns="served_at"), moved.drop(columns="served_at")
    )


@pytest.mark.slow
@MANY
@given(st.integers(-5, 5 * 60))
def test_a_label_counts_from_its_arrival_until_its_window_is_over(minutes: int) -> None:
    """An outcome that arrived so many minutes before the prediction was served: counted if that is 1 to 180."""
    told = [feedback("f", "old", "01", received_at=START + pd.Timedelta(hours=20) - pd.Timedelta(minutes=minutes))]
    asked = prediction("asked", "01", served_at=START + pd.Timedelta(hours=20))
    old = prediction("old", "01", served_at=START)
    assert float(0 < minutes <= 180) == features([old, asked], told).loc["asked", "place_count_3h"]


@pytest.mark.parametrize(
    ("asked_at", "count", "rate"),
    [
        ("10T12:00", 0, None),  # one report is no label yet
        ("10T13:00", 0, None),  # the second report arrives at this very moment
        ("10T13:15", 1, 1 / 1),  # two reports say yes
        ("10T14:15", 1, 0 / 1),  # the outcome says no, and is right
        ("10T17:15", 0, None),  # three hours later the window is over
    ],
)
def test_history_follows_what_was_believed_at_the_time(asked_at: str, count: int, rate: float | None) -> None:
    """Two reports say yes, at 11 and 13 o'clock; an hour later the outcome says no."""
    said = [
        feedback("f1", "old", "10T11", channel="report", source_id="ann"),
        feedback("f2", "old", "10T13", channel="report", source_id="bob"),
        feedback("f3", "old", "10T14", value=0.0),
    ]
    row = features([prediction("old", "10T09"), prediction("asked", asked_at)], said).loc["asked"]
    found = None if pd.isna(row["place_rate_3h"]) else row["place_rate_3h"]
    assert (count, rate) == (row["place_count_3h"], found)


# A world on disk: eight days with eight predictions each, each with an outcome or two reports some hours later.
def big_world() -> tuple[dict[int, Rows], dict[int, Rows]]:
    """The rows of both tables by day of arrival."""
    predictions: dict[int, Rows] = {n: [] for n in range(1, 9)}
    said: dict[int, Rows] = {n: [] for n in range(1, 9)}
    for n in range(1, 9):
        for hour in range(8):
            name, served = f"p{n}-{hour}", at(f"0{n}T{2 * hour:02}:30")
            place = "north" if (n + hour) % 3 else "south"
            predictions[n].append(prediction(name, "01", served_at=served, in_place=place, in_size=1 + hour % 3))
            for kind in ("ann", "bob") if hour % 2 else ("feed",):
                received = served + pd.Timedelta(hours=1 + 5 * (hour % 4))
                row = feedback(f"f{name}-{kind}", name, "01", received_at=received, source_id=kind)
                row |= {"channel": "outcome" if kind == "feed" else "report", "value": float((n * hour) % 3 == 0)}
                if received.day in said:
                    said[received.day].append(row)
    return predictions, said


def run(
    folder: Path, events: tuple[dict[int, Rows], dict[int, Rows]], clocks: tuple[int, ...] = (9,)
) -> dict[int, pd.DataFrame]:
    """Run `validate`, `label` and `featurize` in a new folder; the features of each day."""
    folder.mkdir()
    furnish(folder)
    with contextlib.chdir(folder):
        write_events(*events)
        for number in clocks:
            clock = {"as_of": day(number).isoformat()}
            validate_stage.main(settings(ValidateParams, clock=clock, validate={"max_rejected_share": 0.0}))
            label_stage.main(settings(LabelParams, clock=clock))
            changes = {"features": {"calendar": CALENDAR, "history": HISTORY}}
            featurize_stage.main(settings(FeaturizeParams, clock=clock, **changes))
        return {n: files.read_parquet(files.FEATURES / f"{day(n)}.parquet") for n in range(1, clocks[-1])}


def other_values(rows: Rows) -> Rows:
    return [row | {"value": 1 - row["value"]} for row in rows]


FUTURES: dict[str, Callable[[Rows], Rows]] = {
    "deleted": lambda rows: [],
    "reversed": lambda rows: rows[::-1],
    "contradicted": other_values,
    "doubled": lambda rows: [
        *rows,
        *(row | {"feedback_id": f"{row['feedback_id']}-again"} for row in other_values(rows)),
    ],
}


@pytest.mark.parametrize("future", FUTURES)
def test_on_disk_a_changed_future_changes_no_feature_of_the_past(tmp_path: Path, future: str) -> None:
    """Whatever happens to the feedback from the sixth day on: the first five days keep their features, later ones do not."""
    predictions, said = big_world()
    changed = said | {n: FUTURES[future](said[n]) for n in (6, 7, 8)}
    before, after = run(tmp_path / "one", (predictions, said)), run(tmp_path / "other", (predictions, changed))
    assert [True] * 5 == [before[n].equals(after[n]) for n in range(1, 6)]
    assert (future == "reversed") == all(before[n].equals(after[n]) for n in (6, 7, 8))


@pytest.mark.slow
def test_on_disk_features_of_a_day_are_the_same_on_the_next_day_and_a_week_later(tmp_path: Path) -> None:
    """What a tick a day writes is what one run at the end writes."""
    daily = run(tmp_path / "daily", big_world(), tuple(range(2, 10)))
    at_once = run(tmp_path / "once", big_world())
    assert [True] * 8 == [daily[n].equals(at_once[n]) for n in range(1, 9)]


def test_on_disk_the_order_of_rows_within_a_day_changes_no_result(tmp_path: Path) -> None:
    """Every day file backwards: the same features for the same prediction, and the same reports to the byte.

    Two outcomes of one day contradict each other; the newer one counts, wherever it stands.
    """
    predictions, said = big_world()
    said[8] = [*said[8], feedback("newer", "p2-1", "08T23"), feedback("older", "p2-1", "08T22", value=0.0)]
    back = tuple({n: rows[::-1] for n, rows in one.items()} for one in (predictions, said))
    before, after = run(tmp_path / "one", (predictions, said)), run(tmp_path / "other", (back[0], back[1]))
    for n in range(1, 9):
        same = (found[n].sort_values("prediction_id", ignore_index=True) for found in (before, after))
        pd.testing.assert_frame_equal(*same)
    for path in (files.LABEL_REPORT, files.FEEDBACK_REPORT, files.QUALITY):
        assert (tmp_path / "one" / path).read_text() == (tmp_path / "other" / path).read_text()


def test_on_disk_there_is_history_to_leak(tmp_path: Path) -> None:
    """The tests above would also pass if nothing were ever counted: most predictions do have a history."""
    found = pd.concat(run(tmp_path / "one", big_world()).values())
    assert (found["place_count_1d"] > 0).mean() > 0.8
    assert found["place_rate_1d"].nunique() > 5
