"""Who is less satisfied: a planted gap is found, chance is not, and what is learned of what users wrote about is counted."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from flywheel.evaluation.settings import Cohort
from flywheel.monitoring.learned import learned_from
from flywheel.monitoring.satisfaction import satisfaction
from flywheel.monitoring.settings import Satisfaction
from flywheel.stages.monitor import MonitorParams
from tests.planted import at, revision, revisions, settings

AS_OF = dt.date(2030, 1, 29)
LIMITS = Satisfaction(days=28, min_ratings=30, min_days=14)
PARAMS = settings(MonitorParams).evaluate.model_copy(update={"cohorts": {"place": Cohort(column="place")}})


def rated(up: dict[str, float], n: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings of predictions in some places, up with the chance of each, and their features."""
    rng = np.random.default_rng(seed)
    place = np.repeat(list(up), n)
    days = [f"{number:02}T12" for number in rng.integers(1, 29, len(place))]
    value = np.where(rng.random(len(place)) < np.repeat(list(up.values()), n), 1.0, -1.0)
    names = [f"p{number}" for number in range(len(place))]
    moments = pd.Series([at(one) for one in days]).astype("datetime64[us, UTC]")
    features = pd.DataFrame({"prediction_id": names, "served_at": moments, "place": place})
    return pd.DataFrame({"prediction_id": names, "received_at": moments, "value": value}), features


def gaps(up: dict[str, float], n: int, seed: int = 1) -> dict[str, tuple[float, float] | None]:
    found = satisfaction(*rated(up, n, seed), AS_OF, PARAMS, LIMITS)["groups"]["place"]
    return {one["cohort"]: (one["gap"]["low"], one["gap"]["high"]) if one["gap"] else None for one in found}


def test_a_planted_gap_to_the_best_is_shown() -> None:
    """South gives its thumb up half as often as the others."""
    found = gaps({"east": 0.8, "north": 0.8, "south": 0.4}, 400)
    assert found["south"] is not None
    assert found["south"][1] < -0.3
    others = [found["east"], found["north"]]
    assert None in others  # one of them is the best
    assert all(one is None or one[1] > 0 for one in others)


def test_where_all_are_alike_hardly_ever_anybody_is_called_less_satisfied() -> None:
    """Eight cohorts, 40 worlds: the best one is looked for, and still at most a twentieth go wrong (and what chance adds)."""
    alike = dict.fromkeys("abcdefgh", 0.6)
    wrong = [any(one is not None and one[1] < 0 for one in gaps(alike, 60, seed).values()) for seed in range(40)]
    assert sum(wrong) <= 4


def test_small_cohorts_are_counted_and_not_compared() -> None:
    """29 ratings are too few; so are 40 on few days."""
    ratings, features = rated({"north": 0.6, "south": 0.6, "west": 0.1}, 100)
    few = ratings[(features["place"] != "west") | (features.groupby("place").cumcount() < 29)]
    found = {one["cohort"]: one for one in satisfaction(few, features, AS_OF, PARAMS, LIMITS)["groups"]["place"]}
    assert (29, None, None) == tuple(found["west"][key] for key in ("ratings", "rating", "gap"))
    ratings.loc[features["place"] == "west", "received_at"] = at("05T12")
    found = {one["cohort"]: one for one in satisfaction(ratings, features, AS_OF, PARAMS, LIMITS)["groups"]["place"]}
    assert (100, None) == (found["west"]["ratings"], found["west"]["rating"])


def test_ratings_before_the_window_and_from_the_clock_on_do_not_count() -> None:
    """28 days before the clock are from the first of the month."""
    ratings, features = rated({"north": 0.6}, 100)
    ratings.loc[0, "received_at"] = at("29T00")
    ratings.loc[1, "received_at"] = pd.Timestamp("2029-12-31T23:00Z")
    assert 98 == satisfaction(ratings, features, AS_OF, PARAMS, LIMITS)["ratings"]


@pytest.mark.parametrize("rows", [0, 1])
def test_with_hardly_any_rating_nothing_is_said(rows: int) -> None:
    """And nothing fails."""
    ratings, features = rated({"north": 0.6}, 10)
    found = satisfaction(ratings[:rows], features, AS_OF, PARAMS, LIMITS)
    assert rows == found["ratings"]
    assert not any(one["rating"] for members in found["groups"].values() for one in members)


def test_cohorts_that_are_all_alike_have_a_gap_without_an_interval() -> None:
    """All thumbs are up: resampling cannot tell how sure that is."""
    found = satisfaction(*rated({"north": 1.0, "south": 1.0}, 60), AS_OF, PARAMS, LIMITS)["groups"]["place"]
    (gap,) = [one["gap"] for one in found if one["gap"]]
    assert {"value": 0.0, "low": None, "high": None} == gap


def test_a_model_learned_from_what_it_had_seen_when_it_was_made() -> None:
    """Of five predictions in one topic: one before the window, one labelled too late, one without a label."""
    served = pd.DataFrame(
        {
            "prediction_id": ["old", "late", "none", "first", "second"],
            "served_at": [at(f"{n:02}T12") for n in (2, 9, 9, 5, 15)],
        }
    )
    known = revisions(
        [
            revision("old", 1, "02T13"),
            revision("late", 1, "11T00"),
            revision("first", 0, "05T13"),
            revision("second", 1, "15T13"),
        ]
    )
    voices = pd.DataFrame(
        {"prediction_id": ["old", "late", "none", "first", "second", "second", "first"], "topic": [*["a"] * 6, "b"]}
    )
    champion, candidate = (dt.date(2030, 1, 3), dt.date(2030, 1, 10)), (dt.date(2030, 1, 3), dt.date(2030, 1, 20))
    found = learned_from(voices, served, known, candidate, champion)
    assert {
        "a": {"predictions": 5, "candidate": 3, "champion": 1},
        "b": {"predictions": 1, "candidate": 1, "champion": 1},
    } == found
    assert 0 == learned_from(voices, served, known, candidate, None)["a"]["champion"]
