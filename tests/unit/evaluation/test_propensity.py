"""Weights by inverse propensity: planted populations whose labels are missing come back, and what cannot be known is said."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel.evaluation import intervals, metrics
from flywheel.evaluation.propensity import Labelled, Weighed, weigh
from flywheel.evaluation.selection import describe, measurable
from flywheel.evaluation.settings import Costs
from flywheel.model.coverage import LEAST, effective, learn
from flywheel.stages.evaluate import EvaluateParams
from tests.planted import at, settings

EVALUATE = settings(EvaluateParams).evaluate
SETTINGS = metrics.Settings(
    Costs.model_validate({"alert_right": 1.0, "alert_wrong": -0.6, "missed": -0.4, "quiet_right": 0.0}), 10
)
METRICS = ("auc", "log_loss", "utility")
N = 24_000


@functools.cache
def population() -> dict[str, np.ndarray]:
    """Predictions on sixty days: two inputs, of which the first makes a score good or bad, and what happened."""
    rng = np.random.default_rng(4)
    inputs = rng.normal(0, 1, (N, 2))
    inputs[rng.random(N) < 0.05, 1] = np.nan
    truth = 1 / (1 + np.exp(1.2 - np.where(inputs[:, 0] > 0, 1.6, 0.2) * np.nan_to_num(inputs[:, 1])))
    label = (rng.random(N) < truth).astype("int64")
    score = np.clip(1 / (1 + np.exp(1.0 - np.nan_to_num(inputs[:, 1]))), 0.01, 0.99).round(3)
    return {"inputs": inputs, "label": label, "score": score, "block": np.arange(N) * 20 // N, "draw": rng.random(N)}


def chosen(is_outcome: np.ndarray, by_voices: np.ndarray | None = None, said: np.ndarray | None = None) -> Labelled:
    """The rows that have an outcome, and those that voices label as they say; these also speak of rows with an outcome."""
    one = population()
    voices = np.zeros(N, dtype=bool) if by_voices is None else by_voices
    said = one["label"] if said is None else said
    place = np.flatnonzero(is_outcome | voices)
    return Labelled(
        place,
        np.where(is_outcome, one["label"], said)[place],
        is_outcome[place],
        np.where(voices, said, -1)[place],
        one["score"][place, None],
    )


def weights(labelled: Labelled, **changes: Any) -> Weighed:
    """Their weights, as conf has it."""
    one = population()
    given = {"min_propensity": 0.05, "seed": 7} | changes
    return weigh(one["inputs"], one["block"], labelled, **given)


def measured(score: np.ndarray, label: np.ndarray, weight: np.ndarray | None = None) -> dict[str, float]:
    """The metrics of some rows."""
    counts = metrics.count(score, label, np.zeros(len(label), dtype="int64"), 1, weight)
    return {name: value for name, value in metrics.measure(counts, SETTINGS).items() if name in METRICS}


def intervals_of(labelled: Labelled, weight: np.ndarray | None) -> dict[str, tuple[float, float, float]]:
    """The metrics of the labelled rows with the intervals of the bootstrap over days."""
    served_at = pd.Series(at("01T12") + pd.to_timedelta(labelled.place * 60 // N, unit="D"))
    table = pd.DataFrame({"served_at": served_at, "label": labelled.label})
    if weight is not None:
        table[intervals.WEIGHT] = weight
    params = EVALUATE.model_copy(
        update={"costs": SETTINGS.costs, "bootstrap": EVALUATE.bootstrap.model_copy(update={"samples": 200})}
    )
    found = intervals.resample(table, {"candidate": labelled.scores[:, 0]}, params)["candidate"]
    return {name: (found.estimates[name], *np.quantile(found.samples[name], [0.01, 0.99]).tolist()) for name in METRICS}


def is_brought_back(labelled: Labelled, found: Weighed) -> None:
    """Each metric of all predictions lies in the interval of the weighted rows, and not in that of the rows alike."""
    one = population()
    truth = measured(one["score"], one["label"])
    alike, weighted = (intervals_of(labelled, weight) for weight in (None, found.weight))
    for name in METRICS:
        assert weighted[name][1] <= truth[name] <= weighted[name][2], (name, truth, weighted)
        assert abs(weighted[name][0] - truth[name]) < abs(alike[name][0] - truth[name]), name
    assert any(not alike[name][1] <= truth[name] <= alike[name][2] for name in METRICS)


def test_labels_that_are_missing_by_inputs() -> None:
    """Outcomes come for a fifth of the predictions of which the score is bad, and for most others."""
    one = population()
    labelled = chosen(one["draw"] < np.where(one["inputs"][:, 0] > 0, 0.9, 0.2))
    found = weights(labelled)
    assert ("outcomes", None) == (found.method, found.why_not)
    assert found.effective < 0.8 * len(labelled.label)
    is_brought_back(labelled, found)


def test_labels_that_people_give_by_what_happened() -> None:
    """No feed for a third; there, and elsewhere, people label two thirds of what is 1 and a quarter of what is 0."""
    one = population()
    rng = np.random.default_rng(5)
    has_feed = one["inputs"][:, 0] > -0.4
    said = np.where(rng.random(N) < 0.03, 1 - one["label"], one["label"])
    voices = one["draw"] < np.where(one["label"] == 1, 0.66, 0.25)
    labelled = chosen(has_feed, voices, said)
    found = weights(labelled)
    assert "outcomes and voices" == found.method
    is_brought_back(labelled, found)


def test_where_all_have_a_label_all_count_alike() -> None:
    """Also where people gave some of them."""
    everywhere = np.ones(N, dtype=bool)
    for labelled in (chosen(everywhere), chosen(population()["draw"] < 0.5, everywhere)):
        found = weights(labelled)
        assert "all are labelled" == found.method
        assert (found.weight == 1).all()
        assert N == found.effective


@pytest.mark.parametrize(
    ("is_outcome", "by_voices", "said"),
    [
        (np.zeros(N, dtype=bool), np.arange(N) % 3 == 0, "0 labelled rows have an outcome"),
        (np.arange(N) < 50, None, "50 labelled rows have an outcome"),
        (np.arange(N) % 2 == 0, np.arange(N) % 4 == 1, "voices alone would give the label 0 to 0 predictions"),
        (np.zeros(N, dtype=bool), None, "0 labelled rows have an outcome"),
    ],
    ids=["people only", "too few outcomes", "people speak only where there is no outcome", "nothing is labelled"],
)
def test_where_nothing_tells_who_has_a_label_all_count_alike_and_it_is_said(
    is_outcome: np.ndarray, by_voices: np.ndarray | None, said: str
) -> None:
    """A propensity from the inputs alone would make it worse where people label by what happened."""
    found = weights(chosen(is_outcome, by_voices))
    assert "none" == found.method
    assert (found.weight == 1).all()
    assert said in (found.why_not or "")


def test_people_who_only_ever_say_one_thing_teach_nothing_of_the_other() -> None:
    """Labels of 1 alone: nothing tells how many of those that are 0 have none."""
    voices = (population()["draw"] < 0.5) & (population()["label"] == 1)
    found = weights(chosen(population()["inputs"][:, 0] > 0, voices))
    assert "voices alone would give the label 0 to 0 predictions" in (found.why_not or "")


def test_a_propensity_below_the_least_counts_as_that() -> None:
    """One prediction in fifty has an outcome where the first input is low: with a least of a tenth it counts ten times."""
    one = population()
    labelled = chosen(one["draw"] < np.where(one["inputs"][:, 0] > 0, 1.0, 0.02))
    tight, loose = weights(labelled, min_propensity=0.1), weights(labelled, min_propensity=0.001)
    assert 0 < tight.clipped == int((tight.weight == tight.weight.max()).sum())
    assert 10 == pytest.approx(tight.weight.max() / tight.weight.min(), rel=0.05)
    assert loose.weight.max() / loose.weight.min() > 20
    assert 1 == pytest.approx(tight.weight.mean())


def test_the_same_rows_have_the_same_weights() -> None:
    """Nothing is drawn that is not seeded, and a block of days learns from the others."""
    labelled = chosen(population()["draw"] < np.where(population()["inputs"][:, 0] > 0, 0.9, 0.2))
    assert weights(labelled).weight.tobytes() == weights(labelled).weight.tobytes()


def test_inputs_of_which_some_or_all_are_missing() -> None:
    """A column without any value says nothing; the weights are as without it."""
    one = population()
    labelled = chosen(one["draw"] < np.where(one["inputs"][:, 0] > 0, 0.9, 0.2))
    wide = np.column_stack([one["inputs"], np.full(N, np.nan)])
    found = weigh(wide, one["block"], labelled, 0.05, 7)
    assert np.allclose(weights(labelled).weight, found.weight)


def test_scores_of_zero_and_one_have_finite_weights() -> None:
    """Log odds of a certain score are infinite; a clipped one stands for it."""
    one = population()
    labelled = chosen(one["inputs"][:, 0] > 0, one["draw"] < 0.5)
    certain = replace(labelled, scores=np.round(labelled.scores))
    assert np.isfinite(weights(certain).weight).all()


def test_one_class_and_few_rows_give_their_share() -> None:
    """There is nothing to learn: each of the rows is as likely as all of them."""
    rows = np.arange(400.0)[:, None]
    assert [0.0, 0.0] == learn(rows, np.zeros(400), rows[:2], 1).tolist()
    few = (np.arange(400) < LEAST - 1).astype("float64")
    assert [few.mean()] == learn(rows, few, rows[:1], 1).tolist()
    assert [0.0] == learn(rows[:0], few[:0], rows[:1], 1).tolist()
    assert 0 == len(learn(rows, few, rows[:0], 1))


def test_the_effective_sample_size_is_that_of_kish() -> None:
    """(1 + 1 + 2)^2 / (1 + 1 + 4) rows; equal weights lose nothing; no rows tell nothing."""
    assert 16 / 6 == pytest.approx(effective(np.array([1.0, 1.0, 2.0])))
    assert 5 == pytest.approx(effective(np.full(5, 0.3)))
    assert 0 == effective(np.array([]))


def test_a_weight_of_two_is_the_row_twice() -> None:
    """All metrics and their samples are those of a table in which the row stands twice."""
    rng = np.random.default_rng(3)
    days = np.repeat(np.arange(8), 40)
    table = pd.DataFrame(
        {"served_at": at("01T12") + pd.to_timedelta(days, unit="D"), "label": (rng.random(320) < 0.4).astype("int64")}
    )
    score, weight = rng.random(320).round(2), rng.integers(1, 3, 320)
    params = EVALUATE.model_copy(update={"bootstrap": EVALUATE.bootstrap.model_copy(update={"samples": 50})})
    weighted = intervals.resample(table.assign(**{intervals.WEIGHT: weight}), {"candidate": score}, params)["candidate"]
    again = np.repeat(np.arange(320), weight)
    twice = intervals.resample(table.iloc[again].reset_index(drop=True), {"candidate": score[again]}, params)[
        "candidate"
    ]
    assert weighted.estimates == pytest.approx(twice.estimates)
    for name, samples in twice.samples.items():
        assert np.allclose(samples, weighted.samples[name]), name


def test_a_cohort_and_a_day_without_labels_are_counted() -> None:
    """Nothing in the south has a label, and nothing on the third day: both are said, with what they have."""
    served = pd.DataFrame(
        {
            "prediction_id": list("abcdef"),
            "served_at": [at("01T12"), at("01T12"), at("02T12"), at("02T12"), at("03T12"), at("03T12")],
            "served_score": 0.5,
            "place": ["north", "south", "north", "south", "north", None],
            "size": [1.0, 4.0, 4.0, 7.0, 7.0, 1.0],
        }
    )
    table = served.iloc[[0, 2]].assign(label=[0, 1])
    found = describe(table, {"candidate": np.array([0.2, 0.7])}, served, Weighed(np.ones(2), "outcomes"), EVALUATE)
    assert {"north": {"predictions": 3, "labelled": 2}, "south": {"predictions": 2, "labelled": 0}} == found["cohorts"][
        "place"
    ]
    assert (1, 2, 6) == (found["days_without_label"], found["labelled"], found["predictions"])
    assert {"auc": 1.0} == {
        name: value for name, value in found["models"]["candidate"]["weighted"].items() if name == "auc"
    }


def test_predictions_without_a_score_are_not_stood_for() -> None:
    """One that failed could not be measured, whoever labelled it; where nothing was ever served, all could be."""
    features = pd.DataFrame({"prediction_id": ["a", "b"], "served_score": [0.5, np.nan]})
    assert ["a"] == measurable(features)["prediction_id"].tolist()
    assert ["a", "b"] == measurable(features.assign(served_score=np.nan))["prediction_id"].tolist()
