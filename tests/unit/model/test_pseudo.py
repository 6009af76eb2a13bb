"""Pseudo-labels: what they are, that they help where labels are few, and that nothing that is measured ever sees one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel.data import tables
from flywheel.errors import ConfigError
from flywheel.evaluation.compare import evaluation_rows
from flywheel.evaluation.settings import Evaluate
from flywheel.model import artifact, fit
from flywheel.model.fit import Rows
from flywheel.model.memo import Memo
from flywheel.model.pseudo import pseudo_rows
from flywheel.model.recipe import Fit, recipe
from flywheel.model.settings import Model, Pseudo, Train, Windows
from flywheel.model.vintages import Vintages, Way
from flywheel.params import Params, parse
from flywheel.stages.train import TrainParams
from tests.planted import day, settings

PSEUDO = Pseudo(below=0.1, above=0.9, weight=0.5, folds=2)
FIRST = pd.Timestamp(day(1), tz="UTC")
MANY = [f"b{n}" for n in range(12)]
HALF = day(15)


class EvaluateParams(Params):
    """Only what evaluating reads."""

    evaluate: Evaluate


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def world(labelled: float, seed: int = 4) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Features of 28 days with 200 predictions each, labels of a share of them, and the truth.

    `a` tells the truth in the first half; then its feed is silent, and a dozen numbers are left that each tell a little.
    """
    rng = np.random.default_rng(seed)
    n = 28 * 200
    truth = rng.integers(0, 2, n)
    number = np.arange(n) // 200
    features = pd.DataFrame(
        {
            "prediction_id": pd.Series([f"p{k:05}" for k in range(n)], dtype="str"),
            "served_at": FIRST + pd.to_timedelta(number, unit="D") + pd.Timedelta(hours=12),
            "served_score": 0.5,
            "a": np.where(number < 14, truth * 2 - 1 + rng.normal(0, 0.3, n), np.nan),
            **{name: truth * 0.5 + rng.normal(0, 1, n) for name in MANY},
        }
    )
    told = rng.random(n) < labelled
    known = features["served_at"][told] + pd.Timedelta(hours=2)
    labels = pd.DataFrame(
        {
            "prediction_id": features["prediction_id"][told],
            "label": truth[told],
            "label_confidence": 0.99,
            "label_source": "outcome",
            "n_votes": 0,
            "known_at": known,
            "revised_at": known,
            "superseded_at": pd.Series(pd.NaT, known.index, dtype="datetime64[ns, UTC]"),
            "served_at": features["served_at"][told],
        }
    ).reset_index(drop=True)
    return features, labels, truth


def way(pseudo: Pseudo | None) -> Way:
    model = Model(
        trees=40,
        max_trees=40,
        learning_rate=0.1,
        num_leaves=7,
        min_child_samples=5,
        feature_fraction=0.5,
        bagging_fraction=1.0,
        lambda_l2=1.0,
    )
    train = Train(earlier_fits=1, min_events_per_feature=1, seed=1, pseudo=pseudo)
    found = settings(TrainParams)
    windows = Windows(train_days=14, evaluation_days=7, evaluation_windows=1, current_days=7)
    one = recipe(found.features, None, None, found.label, model, train, windows)
    return Way(one, Fit(train=train, model=model, train_days=14, step_days=7), ("a", *MANY), ())


def auc(score: np.ndarray, truth: np.ndarray) -> float:
    order = pd.Series(score).rank().to_numpy()
    n = truth.sum()
    return float((order[truth == 1].sum() - n * (n + 1) / 2) / (n * (len(truth) - n)))


def test_where_labels_are_few_they_help_on_later_windows() -> None:
    """Of 100 predictions two have a label. Scores that `a` gave teach what the other numbers are worth when it is silent."""
    features, labels, truth = world(0.02)
    later = features["served_at"] >= tables.timestamp(HALF)
    found = {}
    for name, one in (("without", None), ("with", PSEUDO)):
        model, _ = Vintages("planted", features, labels, Memo()).vintage(way(one), HALF)
        found[name] = auc(artifact.predict(model, features[later]), truth[later.to_numpy()])
    assert found["with"] > found["without"] + 0.05


def test_the_card_counts_them_beside_the_labels() -> None:
    """By label_source; `rows` and the share of positives are those of labels alone: the trigger counts what is new by them."""
    features, labels, _ = world(0.1)
    cards = [Vintages("planted", features, labels, Memo()).vintage(way(one), HALF)[0].card for one in (None, PSEUDO)]
    assert "label_source" not in cards[0]
    sources = cards[1]["label_source"]
    assert sources["outcome"] == cards[1]["rows"]["fit"] == cards[0]["rows"]["fit"]
    assert 500 < sources["pseudo"] < 14 * 200 - sources["outcome"]
    assert cards[0]["positive_share"] == cards[1]["positive_share"]
    assert cards[0]["rows"] == cards[1]["rows"]


def test_no_row_that_is_measured_has_one() -> None:
    """With pseudo-labels the same rows of windows, earlier fits and labels are there as without; none of them is of a score."""
    features, labels, _ = world(0.1)
    before = labels.copy()
    judged = settings(EvaluateParams).evaluate
    told = []
    for one in (None, PSEUDO):
        made = Vintages("planted", features, labels, Memo())
        _, earlier = made.vintage(way(one), HALF)
        window = features[features["served_at"] >= tables.timestamp(HALF)]
        rows = evaluation_rows(window, labels, day(29), judged)
        learned = made.learned(way(one), HALF)
        told.append(([(fit_.as_of, fit_.rows, fit_.later_rows) for fit_ in earlier], len(rows), len(learned.label)))
    assert told[0] == told[1]
    assert set(rows["prediction_id"]) <= set(labels["prediction_id"])
    pd.testing.assert_frame_equal(labels, before)


@pytest.mark.parametrize("what", ["features", "labels"])
def test_a_vintage_s_pseudo_labels_know_nothing_of_later(what: str) -> None:
    """Another future, of what is served or of what becomes known, changes no byte of the fit."""
    features, labels, _ = world(0.1)
    texts = []
    for changed in (False, True):
        table, told = features.copy(), labels.copy()
        if changed and what == "features":
            table.loc[table["served_at"] >= tables.timestamp(HALF), ["a", *MANY]] = 9.0
        elif changed:
            late = told["revised_at"] >= tables.timestamp(HALF)
            told.loc[late, "label"] = 1 - told.loc[late, "label"]
            without = table.loc[~table["prediction_id"].isin(told["prediction_id"]), "prediction_id"]
            more = told[
                :50
            ].assign(  # of predictions that had no label on the day
                prediction_id=without[:50].to_numpy(),
                revised_at=tables.timestamp(day(20)),
                known_at=tables.timestamp(day(20)),
            )
            told = pd.concat([told, more], ignore_index=True)
        texts.append(Vintages("planted", table, told, Memo()).grow(way(PSEUDO), HALF).booster.model_to_string())
    assert texts[0] == texts[1]


def rows_of(days: list[int], label: list[int]) -> Rows:
    served = pd.DataFrame({"served_at": [FIRST + pd.Timedelta(days=number) for number in days]})
    return Rows(served, np.array(label), np.ones(len(label)))


def test_the_scores_of_a_day_are_from_a_fit_without_its_own_labels() -> None:
    """Days are dealt in turn: what is scored never shares a day with what it is scored by."""
    asked: list[tuple[set[int], set[int]]] = []

    def scores(others: Rows, table: pd.DataFrame) -> np.ndarray:
        asked.append((set(others.features["served_at"].dt.day), set(table["served_at"].dt.day)))
        return np.linspace(0, 1, len(table))

    labelled = rows_of([0, 1, 2, 3] * 2, [0] * 4 + [1] * 4)
    open_ones = rows_of([0, 0, 1, 1, 2, 3] * 5, [0] * 30).features
    pseudo_rows(labelled, open_ones, PSEUDO, scores)
    assert len(asked) == 2
    assert all(not learned & scored for learned, scored in asked)


def test_only_scores_outside_the_band_become_labels() -> None:
    """Each with the label that its score gives and the small weight, the limits included."""
    open_ones = rows_of([0] * 6, [0] * 6).features.assign(name=list("abcdef"))
    labelled = rows_of([1, 1], [0, 1])
    found = pseudo_rows(labelled, open_ones, PSEUDO, lambda _, __: np.array([0.05, 0.1, 0.11, 0.89, 0.9, 1.0]))
    assert found.features["name"].tolist() == ["a", "b", "e", "f"]
    assert found.label.tolist() == [0, 0, 1, 1]
    assert set(found.weight) == {0.5}


def test_where_the_other_days_have_one_class_nothing_is_sure() -> None:
    """A fit on one class would be sure of everything."""
    labelled = rows_of([0, 1, 1], [0, 1, 1])
    found = pseudo_rows(labelled, rows_of([0, 0], [0, 0]).features, PSEUDO, lambda _, table: np.ones(len(table)))
    assert found.label.size == 0


def test_what_has_a_label_gets_none() -> None:
    """`unlabelled` and `labelled_rows` share no row, and together they are the window."""
    features, labels, _ = world(0.3)
    mine = fit.labelled_rows(features, labels, day(3), day(10)).features["prediction_id"]
    rest = fit.unlabelled(features, labels, day(3), day(10))["prediction_id"]
    assert not set(mine) & set(rest)
    assert len(mine) + len(rest) == 7 * 200


@pytest.mark.parametrize(
    "change",
    [{"below": 0.5}, {"above": 0.5}, {"weight": 0.0}, {"weight": 0.6}, {"folds": 1}, {"folds": "two"}, {"band": 1}],
)
def test_wrong_settings_are_refused(change: dict[str, Any]) -> None:
    """Both labels need a band between them, and a score never weighs as much as an outcome."""
    with pytest.raises(ConfigError, match=next(iter(change))):
        parse(Pseudo, PSEUDO.model_dump() | change)


def test_off_is_the_recipe_of_before() -> None:
    """A champion of before this setting is still a champion of the same recipe."""
    assert "pseudo" not in way(None).recipe["train"]
    assert "texts" not in way(None).recipe["label"]
    assert way(PSEUDO).recipe["train"]["pseudo"] == PSEUDO.model_dump()
