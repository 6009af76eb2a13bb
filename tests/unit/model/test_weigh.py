"""Weights of a fit: they help where inputs decide who has a label, know nothing of later, and while off are nowhere."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel import shapes
from flywheel.data import tables
from flywheel.errors import ConfigError
from flywheel.model import artifact
from flywheel.model.artifact import Model as Fitted
from flywheel.model.card import Card, Features, Weights
from flywheel.model.coverage import LEAST
from flywheel.model.fit import Rows
from flywheel.model.memo import Memo
from flywheel.model.recipe import Fit, hash_of, recipe
from flywheel.model.settings import Model, Pseudo, Train, Weigh, Windows
from flywheel.model.vintages import Vintages, Way
from flywheel.model.weigh import BLOCK_DAYS, weigh_rows
from flywheel.params import parse
from flywheel.stages.train import TrainParams
from tests.planted import day, settings

WEIGH = Weigh(min_propensity=0.02)
FIRST = pd.Timestamp(day(1), tz="UTC")
A_DAY = 300
N = 28 * A_DAY
CLOCK = day(22)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@functools.cache
def served() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Predictions of 28 days, the truth, and who has a label.

    `size` speaks for late in the north and against it in the south. In the south one in twelve has a label.
    """
    rng = np.random.default_rng(4)
    is_north, size = rng.random(N) < 0.5, rng.normal(0, 1, N)
    truth = (rng.random(N) < 1 / (1 + np.exp(-np.where(is_north, 1.5, -1.5) * size))).astype("int64")
    features = pd.DataFrame(
        {
            "prediction_id": pd.Series([f"p{k:05}" for k in range(N)], dtype="str"),
            "served_at": FIRST + pd.to_timedelta(np.arange(N) // A_DAY, unit="D") + pd.Timedelta(hours=12),
            "served_score": 0.5,
            "size": size,
            "place": np.where(is_north, "north", "south"),
        }
    )
    return features, truth, rng.random(N) < np.where(is_north, 0.95, 1 / 12)


def labels_of(has_label: np.ndarray, source: str = "outcome") -> pd.DataFrame:
    """Revisions: the true label of these predictions, two hours after they were served."""
    features, truth, _ = served()
    known = features["served_at"][has_label] + pd.Timedelta(hours=2)
    return pd.DataFrame(
        {
            "prediction_id": features["prediction_id"][has_label],
            "label": truth[has_label],
            "label_confidence": 0.99,
            "label_source": source,
            "n_votes": 0,
            "known_at": known,
            "revised_at": known,
            "superseded_at": pd.Series(pd.NaT, known.index, dtype="datetime64[ns, UTC]"),
            "served_at": features["served_at"][has_label],
        }
    ).reset_index(drop=True)


def way(weigh: Weigh | None) -> Way:
    """A recipe of stumps: what each place makes of a size is beyond it, so it must choose for whom it is right."""
    model = Model(
        trees=60,
        max_trees=60,
        learning_rate=0.1,
        num_leaves=2,
        min_child_samples=5,
        feature_fraction=1.0,
        bagging_fraction=1.0,
        lambda_l2=1.0,
    )
    train = Train(earlier_fits=0, min_events_per_feature=1, seed=1, weigh=weigh)
    found = settings(TrainParams)
    windows = Windows(train_days=21, evaluation_days=7, evaluation_windows=1, current_days=7)
    one = recipe(found.features, None, None, found.label, model, train, windows)
    return Way(one, Fit(train=train, model=model, train_days=21, step_days=7), ("size",), ("place",))


def fitted(weigh: Weigh | None, revisions: pd.DataFrame, features: pd.DataFrame | None = None) -> Fitted:
    """The vintage of the clock."""
    table = served()[0] if features is None else features
    return Vintages("planted", table, revisions, Memo()).vintage(way(weigh), CLOCK)[0]


def test_where_inputs_decide_who_has_a_label_the_fit_is_nearer_to_that_of_all_labels() -> None:
    """By the log loss on all later predictions, labelled or not: at least half of the distance is gone."""
    features, truth, has_label = served()
    later = (features["served_at"] >= tables.timestamp(CLOCK)).to_numpy()

    def loss(weigh: Weigh | None, has: np.ndarray) -> float:
        score = artifact.predict(fitted(weigh, labels_of(has)), features[later])
        return float(-np.log(np.where(truth[later] == 1, score, 1 - score)).mean())

    whole, off, on = loss(None, np.ones(N, dtype=bool)), loss(None, has_label), loss(WEIGH, has_label)
    assert off > whole + 0.05
    assert abs(on - whole) < abs(off - whole) / 2


def test_the_card_says_how_rows_count_and_is_a_card() -> None:
    """What is not about the weights is as without them: the trigger counts rows, and people read the share of positives."""
    cards = [fitted(one, labels_of(served()[2])).card for one in (None, WEIGH)]
    assert "weights" not in cards[0]
    found = cards[1]["weights"]
    assert found["why_alike"] is None
    assert found["effective"] < cards[1]["rows"]["fit"] / 2
    assert 5 < found["largest"] < 50
    assert found["clipped"] < 50
    shapes.check(
        json.loads(json.dumps(cards[1] | {"sha256": {"model.txt": "0", "calibration.json": "0"}})), Card, "card"
    )
    for name in ("rows", "positive_share", "training_window", "features"):
        assert cards[0][name] == cards[1][name]  # type: ignore[literal-required]


def test_off_is_the_recipe_of_before() -> None:
    """A champion of before this setting is still a champion of the same recipe; on is a change of it."""
    before = way(None).recipe
    assert "weigh" not in before["train"]
    on = way(WEIGH).recipe
    assert on["train"] == before["train"] | {"weigh": WEIGH.model_dump()}
    assert hash_of(on) != hash_of(before)
    assert {name: one for name, one in on.items() if name != "train"} == {
        name: one for name, one in before.items() if name != "train"
    }


def test_where_all_have_a_label_the_fit_is_the_same_to_the_byte() -> None:
    """Every row weighs 1, and the card says why."""
    everything = labels_of(np.ones(N, dtype=bool))
    off, on = (fitted(one, everything) for one in (None, WEIGH))
    assert off.booster.model_to_string() == on.booster.model_to_string()
    assert on.card["weights"] == {
        "effective": on.card["rows"]["fit"],
        "largest": 1.0,
        "clipped": 0,
        "why_alike": "every prediction has a label",
    }


def test_labels_of_people_alone_are_not_weighed() -> None:
    """They choose by what happened, which no input tells: the fit is as without, and the card says so."""
    reported = labels_of(served()[2], "report")
    off, on = (fitted(one, reported) for one in (None, WEIGH))
    assert off.booster.model_to_string() == on.booster.model_to_string()
    assert "0 labels are from an outcome, and 100 are needed" in (on.card["weights"]["why_alike"] or "")


@pytest.mark.parametrize(
    "what", ["labels that come later", "labels that change later", "outcomes later", "predictions"]
)
def test_a_vintage_s_weights_know_nothing_of_later(what: str) -> None:
    """Another future changes no byte of the fit, and nothing that the card says of the weights."""
    features, revisions = served()[0].copy(), labels_of(served()[2])
    clock, late = tables.timestamp(CLOCK), tables.timestamp(day(25))
    before = fitted(WEIGH, revisions)
    if what == "labels that come later":  # of all that had none when the vintage was made
        more = labels_of(~served()[2] & (features["served_at"] < clock).to_numpy())
        revisions = pd.concat([revisions, more.assign(known_at=late, revised_at=late)], ignore_index=True)
    elif what == "labels that change later":
        is_mine = revisions["served_at"] < clock
        changed = revisions[is_mine].assign(label=1 - revisions["label"], known_at=late, revised_at=late)
        ended = revisions.assign(superseded_at=revisions["superseded_at"].mask(is_mine, late))
        revisions = pd.concat([ended, changed], ignore_index=True)
    elif what == "outcomes later":
        changed = revisions.assign(known_at=late, revised_at=late)
        revisions = pd.concat([revisions.assign(label_source="report", superseded_at=late), changed], ignore_index=True)
        before = fitted(WEIGH, labels_of(served()[2], "report"))
    else:
        features.loc[features["served_at"] >= clock, ["size", "place"]] = [9.0, "south"]
    after = fitted(WEIGH, revisions, features)
    assert before.booster.model_to_string() == after.booster.model_to_string()
    assert before.card["weights"] == after.card["weights"]


def weighed(
    has_label: np.ndarray, n_outcomes: int | None = None, days: int = 28, min_propensity: float = 0.02
) -> tuple[Rows, Rows, Weights]:
    """The labelled rows before and after, and what is said, of the first days."""
    features, truth, _ = served()
    mine, rest = (
        features[one & (np.arange(N) < days * A_DAY)].reset_index(drop=True) for one in (has_label, ~has_label)
    )
    confidence = np.linspace(0.8, 0.99, len(mine))
    rows = Rows(mine, truth[: days * A_DAY][has_label[: days * A_DAY]], confidence)
    read: Features = {"numeric": ["size"], "categorical": {"place": ["north", "south"]}}
    n = len(mine) if n_outcomes is None else n_outcomes
    return rows, *weigh_rows(rows, n, rest, read, Weigh(min_propensity=min_propensity), 1)


def test_a_weight_multiplies_how_sure_the_label_is_and_is_one_on_average() -> None:
    """A row of the south weighs about eleven times one of the north: so much more rarely has it a label."""
    rows, found, told = weighed(served()[2])
    factor = found.weight / rows.weight
    assert factor.mean() == pytest.approx(1)
    assert factor.max() == pytest.approx(told["largest"], abs=1e-6)
    south = (rows.features["place"] == "south").to_numpy()
    assert np.median(factor[south]) / np.median(factor[~south]) == pytest.approx(0.95 * 12, rel=0.15)
    assert (found.label == rows.label).all()


def test_a_propensity_below_the_least_counts_as_that() -> None:
    """With a least of a fifth no row weighs more than five times another, and the rows of the south are counted."""
    rows, found, told = weighed(served()[2], min_propensity=0.2)
    factor = found.weight / rows.weight
    assert factor.max() / factor.min() <= 5 + 1e-9
    assert told["clipped"] == pytest.approx((rows.features["place"] == "south").sum(), rel=0.05)


@pytest.mark.parametrize(
    ("n_unlabelled", "n_outcomes", "days", "said"),
    [
        (0, 0, 28, "every prediction has a label"),
        (LEAST - 1, None, 28, "99 predictions have no label, and 100 are needed"),
        (2000, LEAST - 1, 28, "99 labels are from an outcome, and 100 are needed"),
        (400, None, BLOCK_DAYS, "predictions of 3 days"),
    ],
    ids=["all labelled", "few without a label", "few outcomes", "few days"],
)
def test_where_nothing_can_be_learned_all_count_alike_and_it_is_said(
    n_unlabelled: int, n_outcomes: int | None, days: int, said: str
) -> None:
    """Each row keeps its confidence as its weight."""
    rows, found, told = weighed(np.arange(N) >= n_unlabelled, n_outcomes, days)
    assert (found.weight == rows.weight).all()
    assert said in (told["why_alike"] or "")
    assert (told["effective"], told["largest"], told["clipped"]) == (len(rows.label), 1.0, 0)


def test_a_day_does_not_tell_its_own_weights() -> None:
    """A feed is silent in the south for three days, with weather like on no other: what has a label there weighs no more."""
    features, truth, _ = served()
    number, is_south = np.arange(N) // A_DAY, (features["place"] == "south").to_numpy()
    weather = np.random.default_rng(6).permutation(np.arange(28.0))[number]
    silent = (number // BLOCK_DAYS == 4) & is_south
    has_label = np.random.default_rng(7).random(N) < np.where(silent, 0.2, 0.8)
    table = features.assign(weather=weather)
    mine, rest = (table[one].reset_index(drop=True) for one in (has_label, ~has_label))
    rows = Rows(mine, truth[has_label], np.ones(len(mine)))
    read: Features = {"numeric": ["size", "weather"], "categorical": {"place": ["north", "south"]}}
    weight = weigh_rows(rows, len(mine), rest, read, WEIGH, 1)[0].weight
    is_there = silent[has_label]
    assert weight[is_there].mean() < 1.3 * weight[is_south[has_label] & ~is_there].mean()


def test_a_category_without_any_label_is_known_to_have_none() -> None:
    """It is no missing value: rows whose place is missing do not weigh for it."""
    features, _, has_label = served()
    table = features.copy()
    is_west = np.arange(N) % 4 == 0
    table.loc[is_west, "place"] = "west"
    table.loc[np.arange(N) % 20 == 1, "place"] = None
    told = has_label & ~is_west
    on = Vintages("planted", table, labels_of(told), Memo())
    rows = on.learned(way(WEIGH), CLOCK)
    found, _ = on._weighed(way(WEIGH), CLOCK, rows)
    missing = rows.features["place"].isna().to_numpy()
    share = told[(table["place"].isna()) & (np.arange(N) < 21 * A_DAY)].mean()
    factor = found.weight / rows.weight
    north = (rows.features["place"] == "north").to_numpy()
    assert factor[missing].mean() / factor[north].mean() == pytest.approx(0.95 / share, rel=0.25)


def test_the_same_rows_have_the_same_weights() -> None:
    """Nothing is drawn that is not seeded."""
    assert weighed(served()[2])[1].weight.tobytes() == weighed(served()[2])[1].weight.tobytes()


@pytest.mark.parametrize(
    "change", [{"min_propensity": 0.0}, {"min_propensity": 1.5}, {"min_propensity": "low"}, {"least": 1}]
)
def test_wrong_settings_are_refused(change: dict[str, Any]) -> None:
    """A propensity is above 0 and at most 1."""
    with pytest.raises(ConfigError, match=next(iter(change))):
        parse(Weigh, WEIGH.model_dump() | change)


def test_pseudo_labels_beside_it_are_refused() -> None:
    """Both stand for predictions without a label, which would count twice."""
    pseudo = Pseudo(below=0.1, above=0.9, weight=0.1, folds=2)
    values = {"earlier_fits": 0, "min_events_per_feature": 1, "seed": 1, "pseudo": pseudo, "weigh": WEIGH}
    with pytest.raises(ConfigError, match=r"train\.weigh: found beside train\.pseudo; allowed is one of them"):
        parse(Train, values)
    parse(Train, values | {"pseudo": None})
