"""Stage `evaluate`: all models on the same rows, cohorts, behaviours, and when the champion cannot be compared."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel import files
from flywheel.errors import ConfigError, DataError
from flywheel.evaluation.bands import cohort_names
from flywheel.evaluation.behaviour import asked, behave
from flywheel.evaluation.cohorts import reliability_by_cohort
from flywheel.evaluation.compare import compare, evaluation_rows
from flywheel.evaluation.cost import read_timed
from flywheel.evaluation.evidence import read_cost, read_decision, read_evidence
from flywheel.evaluation.gate import behaves
from flywheel.evaluation.settings import Behaviour, Cohort
from flywheel.model import artifact, vintages
from flywheel.model.card import identity
from flywheel.model.index import Index
from flywheel.stages.evaluate import EvaluateParams, main
from flywheel.stages.gate import GateParams
from flywheel.stages.gate import main as stage_gate
from tests.planted import (
    at,
    contents,
    day,
    learn,
    revision,
    revisions,
    settings,
    world,
    write_features,
    write_revisions,
)

# Thirty days; the last fifteen are the only evaluation window.
SMALL: dict[str, Any] = {
    "clock": {"as_of": "2030-01-31"},
    "evaluate": {"min_confidence": 0.9, "ece_bins": 5, "bootstrap": {"samples": 50}},
}
EVALUATE = settings(EvaluateParams, **SMALL).evaluate
MEASURES = ("auc", "average_precision", "log_loss", "brier", "ece", "precision", "recall", "alert_rate", "utility")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def evaluate(**changes: Any) -> str:
    params = settings(EvaluateParams, **SMALL)
    return main(params.model_copy(update={"evaluate": EVALUATE.model_copy(update=changes)}))


@functools.cache
def models() -> dict[str, artifact.Model]:
    """A candidate that learned from the first 15 days, and a champion that learned from fewer of them.

    Each stands in for itself too.
    """
    features, labels = world(range(1, 16), 40)
    return {"candidate": learn(features, labels, version=None), "champion": learn(features[:200], labels[:200])}


def plant(
    features: pd.DataFrame | None = None, labels: pd.DataFrame | None = None, champion: str | None = "champion"
) -> None:
    """Put features, labels, models and their stand-ins on disk."""
    some_features, some_labels = world(range(1, 31), 10, seed=2)
    write_features(some_features if features is None else features)
    write_revisions(some_labels if labels is None else labels)
    plant_models(models()["candidate"], models()[champion] if champion else None)


def plant_models(candidate: artifact.Model, champion: artifact.Model | None, why: str | None = None) -> None:
    """Put candidate, champion and stand-ins that are just like them on disk; for the reason `why` the champion has none."""
    has_stand_in = champion is not None and why is None
    window = {"start": "2030-01-16", "end": "2030-01-31", "candidate": "mine"}
    index: Index = {
        "kind": "change",
        "recipe": "0123456789ab",
        "windows": [window | {"champion": "theirs" if has_stand_in else None}],  # type: ignore[typeddict-item]
        "left_out": [],
        "why_as_it_is": why,
        "why_not_compared": None,
        "as_it_is": [],
    }
    vintages.write(index, {"mine": candidate} | ({"theirs": champion} if champion and has_stand_in else {}))
    artifact.save(candidate, files.CANDIDATE)
    if champion:
        artifact.save(champion, files.CHAMPION)


def measured() -> dict[str, Any]:
    found: dict[str, Any] = files.read_json(files.METRICS)
    return found


def value(name: str, metric: str) -> float:
    found: float = measured()[name][metric]["value"]
    return found


def test_a_label_counts_when_it_is_sure_enough_and_known_before_the_clock() -> None:
    """Of five predictions two remain: one is unsure, one label comes too late, one prediction had no score."""
    features = pd.DataFrame(
        {"prediction_id": ["sure", "edge", "unsure", "late", "failed"], "served_score": [0.5, 0.5, 0.5, 0.5, None]}
    )
    labels = revisions(
        [
            revision("sure", 1, "09T23:59:59"),
            revision("edge", 0, "05T12", label_confidence=0.9),
            revision("unsure", 1, "05T12", label_confidence=0.89),
            revision("late", 1, "10T00"),
            revision("failed", 1, "05T12"),
        ]
    )
    found = evaluation_rows(features, labels, day(10), EVALUATE)
    assert {"sure": 1, "edge": 0} == dict(zip(found["prediction_id"], found["label"], strict=True))


def test_evaluation_rows_are_the_features_with_their_label_counted_anew() -> None:
    """The first prediction had no score: the second is row 0, and no column says that it was row 1."""
    features = pd.DataFrame({"prediction_id": ["failed", "served"], "served_score": [None, 0.5]})
    labels = revisions([revision("failed", 1, "05T12"), revision("served", 1, "05T12")])
    found = evaluation_rows(features, labels, day(10), EVALUATE)
    assert ([0], ["prediction_id", "served_score", "label"]) == (found.index.tolist(), found.columns.tolist())


def test_a_label_is_taken_as_it_is_known_at_the_clock() -> None:
    """An overturned label counts as it is now; one that is overturned later counts as it was."""
    features = pd.DataFrame({"prediction_id": ["turned", "turns"], "served_score": 0.5})
    labels = revisions(
        [
            revision("turned", 1, "05T12", superseded_at=at("06T12")),
            revision("turned", 0, "06T12"),
            revision("turns", 1, "05T12", superseded_at=at("10T12")),
            revision("turns", 0, "10T12"),
        ]
    )
    found = evaluation_rows(features, labels, day(10), EVALUATE)
    assert {"turned": 0, "turns": 1} == dict(zip(found["prediction_id"], found["label"], strict=True))


def test_all_models_are_measured_on_the_same_rows() -> None:
    """The Brier scores of all four are those of exactly the labelled, served rows of the window, by hand."""
    features, labels = world(range(1, 31), 10, seed=2)
    features.loc[features.index % 7 == 0, "served_score"] = np.nan
    labels = labels[labels.index % 5 != 0]
    plant(features, labels)
    evaluate()
    rows = features[features["served_at"] >= at("16")].merge(labels[["prediction_id", "label"]], on="prediction_id")
    rows = rows[rows["served_score"].notna()]
    scores = {
        "candidate": artifact.predict(models()["candidate"], rows),
        "champion": artifact.predict(models()["champion"], rows),
        "served": rows["served_score"],
        "base_rate": models()["candidate"].card["positive_share"],
    }
    expected = {name: ((score - rows["label"]) ** 2).mean() for name, score in scores.items()}
    assert expected == pytest.approx({name: value(name, "brier") for name in expected}, abs=1e-6)


def planted_selection(weigh: bool) -> dict[str, Any]:
    """Large predictions have an outcome in one of four cases, all others have one; what the stage says of it."""
    features, labels = world(range(1, 31), 120, seed=2)
    plant(features, labels[(features["size"] < 6) | (features.index % 4 == 0)])
    evaluate(selection=EVALUATE.selection.model_copy(update={"weigh": weigh}))
    found: dict[str, Any] = files.read_json(files.SELECTION)
    return found


def test_metrics_count_labelled_rows_for_those_without_a_label() -> None:
    """With weights the stage's metrics are those of all predictions, nearly; beside them stands what the rows alike say."""
    features, labels = world(range(1, 31), 120, seed=2)
    rows = features[features["served_at"] >= at("16")].merge(labels[["prediction_id", "label"]], on="prediction_id")
    score = artifact.predict(models()["candidate"], rows)
    truth = -np.log(np.where(rows["label"] == 1, score, 1 - score)).mean()
    found = planted_selection(weigh=True)
    both = {way: one["log_loss"] for way, one in found["models"]["candidate"].items()}
    assert (True, "outcomes") == (found["is_weighed"], found["method"])
    assert pytest.approx(both["weighted"], abs=1e-6) == value("candidate", "log_loss")
    assert abs(both["weighted"] - truth) < abs(both["alike"] - truth) / 2
    weights = pd.read_parquet(files.WEIGHTS)
    assert (["windows"], found["labelled"]) == (weights["of"].unique().tolist(), len(weights))
    assert found["effective"] < found["labelled"] < found["predictions"] == 15 * 120


def test_without_weights_metrics_are_those_of_labelled_rows() -> None:
    """The switch is off: what weights would have said is beside it, and nothing else counts it."""
    found = planted_selection(weigh=False)
    both = {way: one["log_loss"] for way, one in found["models"]["candidate"].items()}
    assert not found["is_weighed"]
    assert pytest.approx(both["alike"], abs=1e-6) == value("candidate", "log_loss") != pytest.approx(both["weighted"])


def test_the_window_says_which_rows_were_measured() -> None:
    """Fifteen days of ten predictions, of which every fifth has no label."""
    features, labels = world(range(1, 31), 10, seed=2)
    labels = labels[labels.index % 5 != 0]
    plant(features, labels)
    evaluate()
    n_positive = int(labels.loc[labels["known_at"] >= at("16"), "label"].sum())
    expected = {
        "start": "2030-01-16",
        "end": "2030-01-31",
        "predictions": 15 * 10,
        "rows": 15 * 8,
        "days": 15,
        "positives": n_positive,
    }
    assert expected == measured()["about"]["window"]


def test_the_difference_is_candidate_minus_the_other() -> None:
    """Four rows on two days: the candidate's Brier score is lower by what arithmetic says."""
    rows = pd.DataFrame({"served_at": [at("01T10"), at("01T11"), at("02T10"), at("02T11")], "label": [1, 0, 1, 0]})
    scores = {"candidate": np.array([0.9, 0.1, 0.9, 0.1]), "served": np.array([0.5, 0.5, 0.5, 0.5])}
    found = compare(rows, scores, EVALUATE)["difference"]["served"]["brier"]
    assert pytest.approx(0.1**2 - 0.5**2) == found["value"]


def test_days_are_drawn_alike_for_all_models() -> None:
    """On one day both models are equally wrong, on the other equally right: the paired difference has no spread."""
    rows = pd.DataFrame({"served_at": [at("01T10"), at("01T11"), at("02T10"), at("02T11")], "label": [1, 0, 0, 1]})
    scores = {"candidate": np.array([0.9, 0.1, 0.9, 0.1]), "served": np.array([0.9, 0.1, 0.9, 0.1])}
    found = compare(rows, scores, EVALUATE)
    assert {"value": 0.0, "low": 0.0, "high": 0.0} == found["difference"]["served"]["log_loss"]
    assert found["candidate"]["log_loss"]["low"] < found["candidate"]["log_loss"]["high"]


def test_every_metric_is_there_for_every_model_and_difference() -> None:
    """What the gate and the report ask for: nine metrics of four models and of two differences."""
    plant()
    evaluate()
    found = measured()
    assert {
        "about",
        "candidate",
        "champion",
        "served",
        "base_rate",
        "difference",
        "check",
        "gaps",
        "calibration",
        "windows",
        "as_it_is",
        "flips",
    } == set(found)
    assert {"champion", "served"} == set(found["difference"])
    for one in (
        *(found[name] for name in ("candidate", "champion", "served", "base_rate")),
        *found["difference"].values(),
    ):
        assert set(MEASURES) == set(one)


@pytest.mark.parametrize(
    ("number", "band"),
    [
        (499.9, "under 500"),
        (500, "500-1000"),
        (999.9, "500-1000"),
        (1000, "1000-2000"),
        (2000, "2000 and more"),
        (9999, "2000 and more"),
        (-1, "under 500"),
    ],
)
def test_a_number_falls_into_the_band_whose_left_edge_it_reaches(number: float, band: str) -> None:
    """An edge belongs to the band above it."""
    assert [band] == cohort_names(pd.Series([number]), Cohort(column="size", edges=(500, 1000, 2000))).tolist()


def test_one_edge_makes_two_bands() -> None:
    """Half of the numbers are under it, the others are not."""
    assert ["under 5", "5 and more"] == cohort_names(pd.Series([4.0, 5.0]), Cohort(column="size", edges=(5,))).tolist()


def test_each_row_is_in_one_cohort_of_each_group() -> None:
    """The rows of the cohorts of a group add up to all rows, and the bands are those of the edges."""
    plant()
    evaluate()
    found = files.read_json(files.COHORTS)
    assert {"place": ["north", "south"], "size_band": ["3-6", "6 and more", "under 3"]} == {
        name: list(members) for name, members in found.items()
    }
    total = measured()["about"]["window"]["rows"]
    assert [total, total] == [sum(one["rows"] for one in members.values()) for members in found.values()]


def test_a_row_without_a_value_is_in_no_cohort() -> None:
    """Where size and place are unknown, there is no band and no cohort named after nothing."""
    features, labels = world(range(1, 31), 10, seed=2)
    is_gone = features.index % 5 == 0
    plant(features.assign(size=features["size"].where(~is_gone), place=features["place"].where(~is_gone)), labels)
    evaluate()
    found = files.read_json(files.COHORTS)
    assert {"place": {"north", "south"}, "size_band": {"under 3", "3-6", "6 and more"}} == {
        name: set(members) for name, members in found.items()
    }
    assert [15 * 8, 15 * 8] == [sum(one["rows"] for one in members.values()) for members in found.values()]


def test_a_cohort_is_measured_on_its_own_rows() -> None:
    """The Brier score of the served score in the north, by hand: there it always says 0.55."""
    features, labels = world(range(1, 31), 10, seed=2)
    plant(features, labels)
    evaluate()
    rows = features[features["served_at"] >= at("16")].merge(labels[["prediction_id", "label"]], on="prediction_id")
    label = rows.loc[rows["place"] == "north", "label"]
    found = files.read_json(files.COHORTS)["place"]["north"]
    assert {"rows": len(label), "positives": label.sum()} == {name: found[name] for name in ("rows", "positives")}
    assert pytest.approx(((0.55 - label) ** 2).mean(), abs=1e-6) == found["served"]["brier"]


def test_a_cohort_of_one_class_has_no_auc() -> None:
    """In the south nothing ever happened: its AUC is null, and the run goes on."""
    features, labels = world(range(1, 31), 10, seed=2)
    is_south = (features["place"] == "south").to_numpy()
    plant(features, labels.assign(label=labels["label"].where(~is_south, 0)))
    evaluate()
    found = files.read_json(files.COHORTS)["place"]["south"]
    assert (None, {"value": None, "low": None, "high": None}) == (
        found["candidate"]["auc"],
        found["difference"]["champion"]["auc"],
    )


def test_a_cohort_of_an_unknown_column_is_a_mistake_in_conf() -> None:
    """The message names the cohort and the column, and lists those that there are."""
    plant()
    said = r"evaluate\.cohorts\.place: 'palce' is not a column\. Columns: .*place.*size.* Fix conf/project/"
    with pytest.raises(ConfigError, match=said):
        evaluate(cohorts={"place": Cohort(column="palce")})


def with_edges(edges: list[float]) -> dict[str, Any]:
    """The settings of `evaluate` with a cohort of bands."""
    return {**SMALL["evaluate"], "cohorts": {"size_band": {"column": "size", "edges": edges}}}


@pytest.mark.parametrize("edges", [[6, 3], [3, 3]])
def test_edges_that_do_not_rise_are_a_mistake_in_conf(edges: list[float]) -> None:
    """Bands need edges in ascending order; the message names the key."""
    plant()
    with pytest.raises(ConfigError, match=r"evaluate\.cohorts\.\w+.*edges"):
        main(settings(EvaluateParams, **SMALL | {"evaluate": with_edges(edges)}))


def test_edges_on_a_column_of_words_are_a_mistake_in_conf() -> None:
    """Only numbers can be cut at edges; the message names the cohort."""
    plant()
    with pytest.raises(ConfigError, match=r"evaluate\.cohorts\.place"):
        evaluate(cohorts={"place": Cohort(column="place", edges=(3, 6))})


def test_a_behaviour_of_an_unknown_column_is_a_mistake_in_conf() -> None:
    """The message names the behaviour and the column."""
    plant()
    with pytest.raises(ConfigError, match=r"evaluate\.behaviours\.large: 'syze' is not a column of numbers"):
        evaluate(behaviours={"large": Behaviour(column="syze", set=9.0, expect="higher")})


@pytest.mark.parametrize("column", ["place", "served_score", "label"])
def test_a_behaviour_that_could_never_fail_is_a_mistake_in_conf(column: str) -> None:
    """A column that is no number to the model moves no score, so all rows would answer as expected whatever it learned."""
    plant()
    with pytest.raises(ConfigError, match=rf"evaluate\.behaviours\.large: '{column}'"):
        evaluate(behaviours={"large": Behaviour(column=column, set=9.0, expect="higher")})


STEP = pd.DataFrame({"size": [2.0, 4.0, 7.0, 8.0], "place": "north", "served_score": 0.5})


@functools.cache
def step_model() -> artifact.Model:
    """A model of a world in which a label is 1 exactly where the size is above 5."""
    features, labels = world(range(1, 16), 40)
    return learn(features, labels.assign(label=(features["size"] > 5).astype("int64").to_numpy()))


@pytest.mark.parametrize(
    ("value", "expect", "moved", "share"),
    [
        (9.0, "higher", 2 / 4, 2 / 2),  # the two below the step rise; those that stay are no evidence
        (9.0, "lower", 2 / 4, 0 / 2),
        (9.0, "same", 2 / 4, 2 / 4),
        (1.0, "lower", 2 / 4, 2 / 2),
        (1.0, "higher", 2 / 4, 0 / 2),
    ],
)
def test_a_behaviour_counts_the_rows_that_move_as_expected(
    value: float, expect: Any, moved: float, share: float
) -> None:
    """Of four rows two are above the step at 5: setting the size moves the other two, or these."""
    found = behave(STEP, {"candidate": step_model()}, {"it": Behaviour(column="size", set=value, expect=expect)})
    answer = found["it"]["candidate"]
    assert (moved, share) == (answer["share_moved"], answer["share_as_expected"])


@pytest.mark.parametrize(("expect", "share"), [("higher", None), ("lower", None), ("same", 1.0)])
def test_where_no_row_moves_there_is_no_direction(expect: Any, share: float | None) -> None:
    """All sizes are 9 already: nothing moves, and what is not there is neither higher nor lower."""
    rows = STEP.assign(size=9.0)
    found = behave(rows, {"candidate": step_model()}, {"it": Behaviour(column="size", set=9.0, expect=expect)})
    assert (0.0, share) == (found["it"]["candidate"]["share_moved"], found["it"]["candidate"]["share_as_expected"])


@pytest.mark.parametrize(
    ("sizes", "value", "expected"),
    [
        pytest.param([1.0, 2.0, 7.0, None], 5.0, [True, True, False, False], id="more have less"),
        pytest.param([1.0, 7.0, 8.0, None], 5.0, [False, True, True, False], id="more have more"),
        pytest.param([5.0, 5.0, 7.0], 5.0, [False, False, True], id="those that have it already are not asked"),
    ],
)
def test_a_direction_is_asked_of_the_rows_for_which_the_value_is_a_step_to_the_side_of_most(
    sizes: list[float | None], value: float, expected: list[bool]
) -> None:
    """For the others it is a step to the other side, and for one without a size it is none; all are asked to stay the same."""
    column = pd.Series(sizes, dtype="float64")
    assert expected == asked(column, Behaviour(column="size", set=value, expect="lower")).tolist()
    assert asked(column, Behaviour(column="size", set=value, expect="same")).all()


def test_a_step_to_the_other_side_is_no_evidence_against_a_behaviour() -> None:
    """Setting 5 lowers the three large ones, as expected, and lifts the small one, as it should."""
    rows = STEP.assign(size=[1.0, 8.0, 8.0, 9.0])
    model = step_model()
    found = behave(rows, {"candidate": model}, {"it": Behaviour(column="size", set=4.0, expect="lower")})["it"]
    assert (3, 1.0, 1.0) == (found["rows"], found["candidate"]["share_moved"], found["candidate"]["share_as_expected"])


def test_a_model_of_shuffled_labels_fails_its_behaviours_and_a_good_one_passes() -> None:
    """Both learn from the same rows, one of them from labels that are dealt out anew; sizes are set high, and low."""
    features, labels = world(range(1, 16), 100)
    rows = world(range(16, 31), 20, seed=2)[0]
    both = {
        "large": Behaviour(column="size", set=9.0, expect="higher"),
        "small": Behaviour(column="size", set=1.0, expect="lower"),
    }
    gate = settings(GateParams).gate
    for seed in range(5):
        dealt = np.random.default_rng(seed).permutation(labels["label"].to_numpy())
        learned = {"candidate": learn(features, labels.assign(label=dealt))}
        found = behave(rows, learned, both)
        assert "fail" in {behaves(name, one, gate)["verdict"] for name, one in found.items()}
    found = behave(rows, {"candidate": learn(features, labels)}, both)
    assert {"pass"} == {behaves(name, one, gate)["verdict"] for name, one in found.items()}


def test_the_mean_shift_is_the_mean_of_what_the_scores_moved() -> None:
    """Setting all sizes to 9 lifts two of four scores from the bottom of the step to its top."""
    found = behave(STEP, {"candidate": step_model()}, {"it": Behaviour(column="size", set=9.0, expect="higher")})
    low, high = artifact.predict(step_model(), STEP)[[0, 3]]
    assert pytest.approx(2 * (high - low) / 4) == found["it"]["candidate"]["mean_shift"]


def test_behaviours_are_measured_for_candidate_and_champion() -> None:
    """Both answers stand side by side with what was asked."""
    plant()
    evaluate()
    found = files.read_json(files.BEHAVIOUR)
    assert ["large"] == list(found)
    assert {"column": "size", "set": 9.0, "expect": "higher"}.items() <= found["large"].items()
    assert {"column", "set", "expect", "rows", "candidate", "champion"} == set(found["large"])


def plant_delay(written_at: str) -> dict[str, str]:
    """Put a world on disk with one more input, and a candidate that learned from it; returns what the gate's rules say.

    `outcome`: it is written when the label is known, with more or less accuracy; `before`: it has nothing to do with it.
    """
    noise = np.random.default_rng(5)
    worlds = [world(range(1, 16), 40), world(range(1, 31), 10, seed=2)]
    delays = [noise.normal(labels["label"] * (1.0 if written_at == "outcome" else 0.0), 0.05) for _, labels in worlds]
    (old, old_labels), (new, new_labels) = worlds
    plant(new.assign(delay=delays[1]), new_labels, champion=None)
    plant_models(learn(old.assign(delay=delays[0]), old_labels, version=None), None)
    evaluate()
    stage_gate(settings(GateParams))
    return {rule["rule"]: f"{rule['verdict']}: {rule['reason']}" for rule in read_decision()["rules"]}


def test_an_input_that_is_written_at_the_outcome_keeps_the_gate_closed() -> None:
    """It is all that the candidate needs; both are named, and a person is asked."""
    said = plant_delay("outcome")["leaks"]
    assert said.startswith(
        "inconclusive: Delay alone has an AUC of 1.0000 (0.98 is the limit); the candidate has an AUC of 1.0"
    )
    assert measured()["about"]["inputs"] == ["delay", "place", "size"] == sorted(files.read_json(files.LEAKS)["inputs"])


def test_an_input_that_is_known_before_does_not() -> None:
    """The same input, with noise in the place of the label."""
    assert plant_delay("before")["leaks"].startswith("pass: AUC of each of 3 inputs alone at most 0.")


def test_a_leak_that_conf_explains_opens_the_gate_and_is_said_with_its_reason() -> None:
    """Input and candidate are accepted, each by its name."""
    plant_delay("outcome")
    why = {"delay": "It is the delay of the parcel before.", "candidate": "So late is never forgotten."}
    evaluate(leaks=EVALUATE.leaks.model_copy(update={"accepted": why}))
    stage_gate(settings(GateParams))
    [rule] = [rule for rule in read_decision()["rules"] if rule["rule"] == "leaks"]
    assert rule["verdict"] == "pass"
    assert [True, True] == [f"because: {reason.rstrip('.')}" in rule["reason"] for reason in why.values()]


def test_an_acceptance_of_no_input_is_a_mistake_in_conf() -> None:
    """The message names it and lists what the model reads; the served score is none of it."""
    plant()
    said = r"evaluate\.leaks\.accepted: 'score' is not an input .* Allowed: candidate, served_at, served_score, place, size\."
    with pytest.raises(ConfigError, match=said):
        evaluate(leaks=EVALUATE.leaks.model_copy(update={"accepted": {"score": "It is what we said."}}))


WHY = "its card names no recipe, because it was made by older code"


def trained_until(name: str, until: str) -> artifact.Model:
    """One of the models, with a card that says up to which day it was trained."""
    one = models()[name]
    return artifact.Model(one.booster, one.calibration, one.card | {"labels_known_before": until})  # type: ignore[typeddict-item]


def test_a_champion_as_it_is_that_learned_from_evaluation_days_is_not_compared() -> None:
    """It was trained until one day into the window: the reason is given, and the served score stands in."""
    plant()
    plant_models(models()["candidate"], trained_until("champion", "2030-01-17"), WHY)
    assert "150 rows of 1 window, against served" == evaluate()
    said = "the champion was trained on days up to 2030-01-17, and the evaluation window starts on 2030-01-16"
    assert said == measured()["about"]["champion"]["why_not_compared"]
    assert ("champion" in measured(), "champion" in measured()["difference"]) == (False, False)


def test_a_champion_as_it_is_that_learned_up_to_the_evaluation_window_is_compared() -> None:
    """The end of its training is the start of the evaluation: not a day in common; the reason is kept for the report."""
    plant()
    plant_models(models()["candidate"], trained_until("champion", "2030-01-16"), WHY)
    assert "150 rows of 1 window, against champion" == evaluate()
    about = measured()["about"]
    assert (None, WHY) == (about["champion"]["why_not_compared"], about["why_as_it_is"])


def test_a_champion_as_it_is_that_needs_features_that_are_gone_is_not_compared() -> None:
    """The candidate did not learn from the place: the champion, who did, cannot score these rows."""
    features, labels = world(range(1, 31), 10, seed=2)
    plant(features, labels)
    plant_models(learn(features.drop(columns="place"), labels), models()["champion"], WHY)
    for path in files.FEATURES.glob("*.parquet"):
        files.write_parquet(path, files.read_parquet(path).drop(columns="place"))
    evaluate(cohorts={})
    assert (
        "the champion needs features that no longer exist: place" == measured()["about"]["champion"]["why_not_compared"]
    )


def test_without_a_champion_the_served_score_stands_in() -> None:
    """There is no champion yet: no reason is needed, and its version and identity are null."""
    plant(champion=None)
    assert "150 rows of 1 window, against served" == evaluate()
    assert {"version": None, "identity": None, "why_not_compared": None} == measured()["about"]["champion"]
    assert {"served"} == set(measured()["difference"])


def test_a_champion_that_is_the_candidate_differs_by_nothing() -> None:
    """The same model twice: every difference is exactly zero, and so is its interval where it is defined."""
    plant(champion="candidate")
    evaluate()
    found = measured()["difference"]["champion"]
    assert {name: {"value": 0.0, "low": 0.0, "high": 0.0} for name in MEASURES} == found
    about = measured()["about"]
    assert about["candidate"]["identity"] == about["champion"]["identity"]


@pytest.mark.parametrize("label", [0, 1, None])
def test_an_evaluation_window_without_both_classes_stops_the_run_and_says_what_to_do(label: int | None) -> None:
    """All labels of the window are the same, or there are none."""
    features, labels = world(range(1, 31), 10, seed=2)
    is_new = labels["known_at"] >= at("16")
    plant(features, labels[~is_new] if label is None else labels.assign(label=labels["label"].where(~is_new, label)))
    said = (
        r"the evaluation windows from 2030-01-16 to 2030-01-31 have (0|150) labelled rows .* windows\.evaluation_days"
    )
    with pytest.raises(DataError, match=said):
        evaluate()


def test_the_points_of_all_curves_are_written_and_old_ones_are_gone() -> None:
    """Four curves of each model; when the champion is gone, so are its curves."""
    plant()
    evaluate()
    kinds = ["precision_recall.json", "reliability.json", "roc.json", "scores.json"]
    expected = [f"{name}/{kind}" for name in ("candidate", "champion", "served") for kind in kinds]
    expected[8:8] = ["cohorts.json", "decision.json"]
    assert expected == list(contents(files.CURVES))
    for path in files.CHAMPION.iterdir():
        path.unlink()
    evaluate()
    assert expected[:4] + expected[8:] == list(contents(files.CURVES))


def test_a_cohort_has_its_own_reliability_curve() -> None:
    """Where the north is promised too much and the south too little, the whole is right and each cohort is not."""
    table = pd.DataFrame(
        {
            "served_at": pd.date_range("2031-01-01", periods=400, freq="6h", tz="UTC"),
            "place": ["north", "south"] * 200,
            "label": ([0, 1] * 100) + ([0, 0, 1, 1] * 50),
        }
    )
    params = EVALUATE.model_copy(update={"cohorts": {"place": Cohort(column="place")}})
    found = reliability_by_cohort(table, np.full(400, 0.5), params)["place"]
    [north], [south] = found["north"], found["south"]
    assert (0.25, 0.75, 200, 200) == (north["rate"], south["rate"], north["n"], south["n"])
    assert north["high"] < 0.5 < south["low"]


def test_shuffled_rows_give_the_same_bytes() -> None:
    """The order of rows within the day files is of no importance."""
    features, labels = world(range(1, 31), 10, seed=2)
    plant(features, labels)
    evaluate()
    before = contents(files.REPORTS)
    plant(features.sample(frac=1, random_state=1), labels.sample(frac=1, random_state=2))
    evaluate()
    assert before == contents(files.REPORTS)


def test_where_nothing_was_ever_served_the_base_rate_stands_in() -> None:
    """All labelled rows are measured; no file speaks of a served score, and cohorts have the same reference."""
    features, labels = world(range(1, 31), 10, seed=2)
    plant(features.assign(served_score=float("nan")), labels, champion=None)
    assert "150 rows of 1 window, against base rate" == evaluate()
    assert ({"base_rate"}, False) == (set(measured()["difference"]), "served" in measured())
    read_evidence()
    groups = files.read_json(files.COHORTS).values()
    assert {("base_rate",)} == {tuple(one["difference"]) for group in groups for one in group.values()}
    assert {"candidate", "cohorts.json", "decision.json"} == {path.name for path in files.CURVES.iterdir()}


def test_times_go_beside_the_run_and_the_cost_is_the_same_every_time() -> None:
    """Sizes, and that the candidate is not slower, are in the report; both files name the models that they are about."""
    plant()
    evaluate()
    cost, timed = read_cost(), read_timed()
    assert timed is not None
    models_here = identity(files.CANDIDATE), identity(files.CHAMPION)
    assert cost["champion"] is not None
    assert models_here == (timed["candidate"], timed["champion"])
    assert models_here == (cost["candidate"]["identity"], cost["champion"]["identity"])
    n_bytes = sum((files.CANDIDATE / name).stat().st_size for name in ("model.txt", "calibration.json"))
    assert (n_bytes, 20, []) == (cost["candidate"]["bytes"], cost["candidate"]["trees"], cost["slower"])
    before = files.COST.read_bytes()
    evaluate()
    assert before == files.COST.read_bytes()


def test_a_champion_whose_features_are_gone_is_not_timed_and_that_is_said() -> None:
    """The candidate is; the sizes of both are known."""
    features, labels = world(range(1, 16), 40)
    older = learn(features.assign(weight=features["size"]), labels)
    plant(champion=None)
    plant_models(models()["candidate"], older, "its features are gone")
    evaluate()
    cost, timed = read_cost(), read_timed()
    assert timed is not None
    assert cost["champion"] is not None
    assert "the champion needs features that no longer exist: weight" == cost["why_not_measured"]
    assert (20, [None, None]) == (
        cost["champion"]["trees"],
        [one["champion_ms"] for one in timed["latency"].values()],
    )
