"""The model: the same rows give the same bytes, a file gives the same scores, and what is broken is said to be broken."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import yaml
from threadpoolctl import threadpool_limits

from flywheel.errors import DataError
from flywheel.model import artifact
from flywheel.model.card import FILES, Card, Features, card_with_version, identity
from flywheel.model.fit import (
    ROWS_AT_ONCE,
    Rows,
    describe_features,
    first_trees,
    fit,
    importance,
    libraries,
    losses,
    straight,
)
from flywheel.model.memo import Memo
from flywheel.model.settings import Model

ROOT = Path(__file__).parents[3]
FOLDER = Path("models/candidate")
PARAMS = Model(
    trees=25,
    max_trees=40,
    learning_rate=0.1,
    num_leaves=15,
    min_child_samples=20,
    feature_fraction=0.8,
    bagging_fraction=0.8,
    lambda_l2=5.0,
)
TREES = 25


def rows(n: int, seed: int = 1, numeric: int = 5) -> Rows:
    """Flights whose chance depends on two numbers and the origin."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({f"number_{i}": rng.normal(size=n) for i in range(numeric)})
    table["origin"] = rng.choice(["EWR", "JFK", "LGA"], n)
    table.loc[rng.random(n) < 0.05, "origin"] = None
    table.loc[rng.random(n) < 0.1, "number_0"] = np.nan
    logit = table["number_0"].fillna(0) + 0.5 * table["number_1"] + 1.5 * (table["origin"] == "LGA") - 1
    label = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype("int64").to_numpy()
    weight = rng.choice([0.85, 0.99], n)
    return Rows(table, label, weight)


def card(features: Features) -> Card:
    """A card that says what a model needs."""
    return {
        "version": None,
        "as_of": "2030-01-15",
        "training_window": ["2030-01-01", "2030-01-15"],
        "labels_known_before": "2030-01-15",
        "positive_share": 0.3,
        "importance": {},
        "features": features,
        "sha256": {},
    }


def fitted(
    mine: Rows, params: Model = PARAMS, categorical: tuple[str, ...] = ("origin",), trees: int = TREES
) -> artifact.Model:
    features = describe_features(mine.features, categorical)
    return artifact.Model(fit(mine, features, params, 1, trees), straight(len(mine.label)), card(features))


@cache
def small() -> artifact.Model:
    """One small model for all tests that only ask it something."""
    return fitted(rows(3000))


@pytest.fixture(autouse=True)
def in_an_empty_folder_on_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test writes below its own folder; tests that run at the same time do not wait for each other's threads."""
    monkeypatch.chdir(tmp_path)
    with threadpool_limits(1):
        yield


def digest_of(one: artifact.Model) -> str:
    """What would be written of a model, as one digest."""
    text = one.booster.model_to_string() + json.dumps(one.calibration)
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_model_learns_what_the_rows_say() -> None:
    """On rows that it has not seen its log loss is well below that of the base rate."""
    fresh = rows(3000, seed=2)
    score = artifact.predict(small(), fresh.features)
    loss, base = (
        -np.mean(np.where(fresh.label == 1, np.log(p), np.log(1 - p)))
        for p in (score, np.full(3000, fresh.label.mean()))
    )
    assert loss < base - 0.05


def test_a_saved_model_predicts_the_same() -> None:
    """Text keeps every digit that matters."""
    fresh = rows(500, seed=3).features
    artifact.save(small(), FOLDER)
    assert artifact.predict(small(), fresh).tolist() == artifact.predict(artifact.load(FOLDER), fresh).tolist()


def test_a_saved_model_is_three_files_of_text() -> None:
    """No pickle, nothing else."""
    artifact.save(small(), FOLDER)
    assert sorted(FILES) == sorted(path.name for path in FOLDER.iterdir())
    assert all(path.read_bytes().decode("utf-8") for path in FOLDER.iterdir())


@cache
def grown() -> tuple[Rows, Features, lgb.Booster]:
    """Rows, their features, and a fit with all the trees that are allowed."""
    mine = rows(1000)
    features = describe_features(mine.features, ("origin",))
    return mine, features, fit(mine, features, PARAMS, 1, PARAMS.max_trees)


def test_the_losses_on_later_rows_are_those_of_the_fits_with_as_many_trees() -> None:
    """One growing of all trees tells what a fit of one, of five, or of forty, would lose on the later rows."""
    mine, features, booster = grown()
    later = rows(1000, seed=2)
    found = losses(booster, later, features)
    assert PARAMS.max_trees == len(found)
    for n in (1, 5, 40):
        raw = artifact.predict_raw(fit(mine, features, PARAMS, 1, n), artifact.matrix(later.features, features))
        loss = -np.average(np.where(later.label == 1, np.log(raw), np.log1p(-raw)), weights=later.weight)
        assert found[n - 1] == pytest.approx(loss, abs=2e-6)


def test_the_losses_are_those_of_predictions_with_as_many_trees() -> None:
    """For every number of trees, as LightGBM itself predicts with the first of them; and rows beyond one portion count."""
    _, features, booster = grown()
    later = rows(ROWS_AT_ONCE + 7, seed=2)
    table = artifact.matrix(later.features, features)
    expected = []
    for n in range(1, booster.num_trees() + 1):
        raw = np.asarray(booster.predict(table, num_iteration=n))
        loss = np.where(later.label == 1, -np.log(raw), -np.log1p(-raw))
        expected.append(np.average(loss, weights=later.weight))
    assert losses(booster, later, features).tolist() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("n", [1, 7, 40])
def test_the_first_trees_are_the_fit_of_so_many_trees(n: int) -> None:
    """Every score on other rows is the same, to the last bit."""
    mine, features, booster = grown()
    table = artifact.matrix(rows(500, seed=2).features, features)
    few = first_trees(booster, n)
    assert n == few.num_trees()
    assert artifact.predict_raw(fit(mine, features, PARAMS, 1, n), table).tolist() == few.predict(table).tolist()


def test_a_fit_from_the_memo_is_the_same_to_the_byte() -> None:
    """The first one is kept, the second one is found: both, and the first trees of both, have the same text."""
    mine, features, booster = grown()
    memo = Memo()
    made, found = (fit(mine, features, PARAMS, 1, PARAMS.max_trees, memo) for _ in range(2))
    assert 1 == memo.spared
    assert {booster.model_to_string()} == {made.model_to_string(), found.model_to_string()}
    assert 1 == len({first_trees(one, 9).model_to_string() for one in (booster, made, found)})
    assert losses(made, mine, features).tolist() == losses(found, mine, features).tolist()


@pytest.mark.parametrize(
    "what", ["a label", "a weight", "a number", "the seed", "a setting", "the trees", "a category"]
)
def test_a_fit_of_anything_else_is_not_taken_from_the_memo(what: str) -> None:
    """Everything that a fit depends on is in the key; the second fit is made, and a third of the same is spared."""
    mine, features, _ = grown()
    memo = Memo()
    label, weight, table = mine.label.copy(), mine.weight.copy(), mine.features.copy()
    label[3], weight[3] = 1 - label[3] if what == "a label" else label[3], 0.5 if what == "a weight" else weight[3]
    if what == "a number":
        table.loc[3, "number_1"] += 1e-9
    other = features | {"categorical": {"origin": ["EWR", "JFK", "LGA", "PHL"]}} if what == "a category" else features
    params = PARAMS.model_copy(update={"lambda_l2": 5.0000001}) if what == "a setting" else PARAMS
    asked = Rows(table, label, weight), other, params, 2 if what == "the seed" else 1, 4 if what == "the trees" else 5
    fit(mine, features, PARAMS, 1, 5, memo)
    fit(*asked, memo)
    assert (0, 0) == (memo.spared, memo.broken)
    fit(*asked, memo)
    assert (1, 0) == (memo.spared, memo.broken)


def test_saving_replaces_what_was_there() -> None:
    """A file of an older layout does not stay."""
    FOLDER.mkdir(parents=True)
    (FOLDER / "model.pkl").write_text("old")
    artifact.save(small(), FOLDER)
    assert sorted(FILES) == sorted(path.name for path in FOLDER.iterdir())


def test_the_largest_model_of_the_settings_stays_small() -> None:
    """All trees that conf allows, each fully grown: under 1.5 MB together, by the size of forty such trees."""
    rng = np.random.default_rng(5)
    n, n_trees = 20_000, 40
    params = Model.model_validate(yaml.safe_load((ROOT / "conf/model/lightgbm.yaml").read_text(encoding="utf-8")))
    table = pd.DataFrame({f"number_{i}": rng.normal(size=n) for i in range(20)})
    label = (table.sum(axis=1) + rng.normal(size=n) > 0).astype("int64").to_numpy()
    one = fitted(Rows(table, label, np.ones(n)), params, categorical=(), trees=n_trees)
    artifact.save(one, FOLDER)
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    largest = sizes["model.txt"] * params.max_trees / n_trees + sizes["calibration.json"] + sizes["card.json"]
    assert one.booster.model_to_string().count(f"num_leaves={params.num_leaves}") == n_trees
    assert largest < 1_500_000


def test_the_same_rows_give_the_same_model() -> None:
    """To the byte, twice in one process."""
    assert digest_of(fitted(rows(1000))) == digest_of(fitted(rows(1000)))


@pytest.mark.slow
def test_the_number_of_threads_changes_nothing() -> None:
    """One thread and two threads write the same bytes."""
    script = "from tests.unit.model.test_model import *; print(digest_of(fitted(rows(10_000, numeric=12))))"
    digests = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "passive", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for threads in ("1", "2")
    ]
    assert digests[0] == digests[1] != ""


def test_the_seed_changes_the_model() -> None:
    """Rows and features are drawn, so another seed is another model."""
    mine = rows(1000)
    features = describe_features(mine.features, ("origin",))
    texts = {fit(mine, features, PARAMS, seed, TREES).model_to_string().partition("parameters:")[0] for seed in (1, 2)}
    assert len(texts) == 2


def test_rows_without_weight_teach_nothing() -> None:
    """Labels turned round in a half of the rows are harmless where that half weighs next to nothing."""
    mine = rows(3000)
    is_wrong = np.arange(3000) % 2 == 0
    label = np.where(is_wrong, 1 - mine.label, mine.label)
    heavy = fitted(Rows(mine.features, label, np.ones(3000)))
    light = fitted(Rows(mine.features, label, np.where(is_wrong, 1e-6, 1.0)))
    right = artifact.predict(small(), mine.features)
    assert np.corrcoef(right, artifact.predict(light, mine.features))[0, 1] > 0.8
    assert np.corrcoef(right, artifact.predict(heavy, mine.features))[0, 1] < 0.7


def test_an_unknown_category_is_treated_as_missing() -> None:
    """An airport that the model never saw scores like no airport."""
    asked = rows(200, seed=4).features
    unknown, missing = asked.assign(origin="ZZZ"), asked.assign(origin=None)
    assert artifact.predict(small(), unknown).tolist() == artifact.predict(small(), missing).tolist()


@pytest.mark.filterwarnings("error")
def test_an_unknown_category_raises_no_warning() -> None:
    """A library that warns today raises tomorrow, and a new airport would then stop the service."""
    assert len(artifact.predict(small(), rows(200, seed=4).features.assign(origin="ZZZ"))) == 200


def test_the_order_of_rows_of_columns_and_other_columns_changes_no_score() -> None:
    """A score belongs to its row, and a feature is found by its name."""
    asked = rows(200, seed=4).features
    scores = pd.Series(artifact.predict(small(), asked), asked.index)
    mixed = asked.assign(extra=1)[[*reversed(asked.columns), "extra"]].sample(frac=1, random_state=1)
    assert scores[mixed.index].tolist() == artifact.predict(small(), mixed).tolist()


def test_no_rows_have_no_scores() -> None:
    """An empty day is no error."""
    assert artifact.predict(small(), rows(10).features.iloc[:0]).tolist() == []


def test_scores_are_rounded_to_six_digits() -> None:
    """The last bits, which two machines may not share, are not in a score."""
    score = artifact.predict(small(), rows(200, seed=4).features)
    assert np.round(score, 6).tolist() == score.tolist()


def test_a_missing_feature_is_a_data_error_that_names_it() -> None:
    """Both that are missing, and what to do."""
    asked = rows(10).features.drop(columns=["number_1", "origin"])
    expected = "the model needs features that the table lacks: number_1, origin. Run `flywheel run`."
    with pytest.raises(DataError) as caught:
        artifact.predict(small(), asked)
    assert expected == str(caught.value)


def test_features_are_all_columns_but_the_identity() -> None:
    """In their order; categories sorted, null is none."""
    table = pd.DataFrame(
        {
            "prediction_id": ["1", "2", "3"],
            "served_at": pd.Timestamp("2013-03-01", tz="UTC"),
            "served_score": 0.5,
            "distance_mi": 100.0,
            "origin": ["LGA", None, "EWR"],
            "hour": 3.0,
        }
    )
    expected = {"numeric": ["distance_mi", "hour"], "categorical": {"origin": ["EWR", "LGA"]}}
    assert expected == describe_features(table, ("origin",))


def test_the_matrix_has_numbers_first_and_codes_of_categories_after() -> None:
    """EWR is 0, LGA is 1; unknown and null are missing."""
    table = pd.DataFrame({"origin": ["LGA", "EWR", "ZZZ", None], "hour": [1, 2, 3, 4]})
    found = artifact.matrix(table, {"numeric": ["hour"], "categorical": {"origin": ["EWR", "LGA"]}})
    expected = np.array([[1, 1], [2, 0], [3, np.nan], [4, np.nan]])
    np.testing.assert_array_equal(expected, found)


def test_scores_of_sure_rows_are_never_certain() -> None:
    """Where a number alone decides the label, the score still leaves room for doubt."""
    table = pd.DataFrame({"number": np.repeat([0.0, 1.0], 600)})
    label = table["number"].astype("int64").to_numpy()
    one = fitted(Rows(table, label, np.ones(1200)), PARAMS, categorical=(), trees=200)
    score = artifact.predict(one, table)
    assert (pytest.approx(1 / 1202, abs=1e-6), pytest.approx(1 - 1 / 1202, abs=1e-6)) == (score.min(), score.max())


def test_importance_is_a_share_of_the_gain_and_the_largest_comes_first() -> None:
    """The features that decide lead; all shares add up to one."""
    found = importance(small().booster)
    assert {"number_0", "number_1", "origin"} == set(list(found)[:3])
    assert sorted(found.values(), reverse=True) == list(found.values())
    assert pytest.approx(1) == sum(found.values())


@pytest.mark.parametrize("name", FILES)
def test_a_model_that_lacks_a_file_is_a_data_error_that_names_it(name: str) -> None:
    """A half of a model is no model."""
    artifact.save(small(), FOLDER)
    (FOLDER / name).unlink()
    with pytest.raises(DataError, match=rf"^models/candidate lacks {name}\. Restore it from Git"):
        artifact.load(FOLDER)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.txt", ""),
        ("model.txt", "not a model"),
        ("model.txt", "tree\nversion=v4\n"),
        ("calibration.json", ""),
        ("calibration.json", "{"),
        ("calibration.json", "{}"),
        ("calibration.json", '{"x": [0.1, 0.9], "y": [0.5]}'),
        ("card.json", "{"),
        ("card.json", "{}"),
        ("card.json", "[]"),
    ],
)
def test_a_broken_model_file_is_a_data_error_that_names_it(name: str, content: str) -> None:
    """Empty, another format, cut off, or without what a model needs."""
    artifact.save(small(), FOLDER)
    (FOLDER / name).write_text(content)
    with pytest.raises(DataError, match=rf"^models/candidate/{name}[ :]"):
        artifact.load(FOLDER)


LOAD = """
from pathlib import Path
from flywheel.model import artifact
from flywheel.errors import DataError

try:
    artifact.load(Path("models/candidate"))
except DataError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kept", [0.1, 0.9])
def test_a_truncated_model_is_a_data_error_and_no_crash(kept: float) -> None:
    """A file cut off among its trees: LightGBM reads beyond its end, so it must not be given to it."""
    artifact.save(small(), FOLDER)
    text = (FOLDER / "model.txt").read_text()
    (FOLDER / "model.txt").write_text(text[: int(len(text) * kept)])
    done = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, errors="replace", check=False, timeout=60
    )
    assert done.returncode == 0, f"ended by {signal.Signals(-done.returncode).name}" if done.returncode < 0 else done
    assert "models/candidate/model.txt " in done.stdout


@pytest.mark.parametrize("is_there", [True, False])
def test_a_folder_without_any_model_file_has_no_model(is_there: bool) -> None:
    """Before the first release there is no champion, whether or not its folder is there."""
    if is_there:
        FOLDER.mkdir(parents=True)
        (FOLDER / ".gitkeep").touch()
    assert (artifact.load_if_there(FOLDER), identity(FOLDER)) == (None, None)


def test_a_half_of_a_champion_is_an_error_and_not_no_champion() -> None:
    """A comparison must not be skipped because a file was lost."""
    artifact.save(small(), FOLDER)
    (FOLDER / "model.txt").unlink()
    with pytest.raises(DataError, match=r"lacks model\.txt"):
        artifact.load_if_there(FOLDER)


def test_the_identity_is_what_a_model_does_and_not_what_its_card_says() -> None:
    """The same trees under another version are the same model; another calibration is another one."""
    one = small()
    artifact.save(one, FOLDER)
    artifact.save(
        artifact.Model(one.booster, one.calibration, one.card | {"version": "v0.2.0"}), Path("models/released")
    )
    artifact.save(artifact.Model(one.booster, {"x": [0.0, 1.0], "y": [0.1, 0.9]}, one.card), Path("models/other"))
    mine, released, other = (identity(Path("models") / name) for name in ("candidate", "released", "other"))
    assert (True, False) == (mine == released, mine == other)


def test_a_card_takes_over_the_version_of_its_release() -> None:
    """Everything else in it stays, in its order."""
    old = card({"numeric": ["size"], "categorical": {"place": ["nördlich"]}})
    old |= {"sha256": {"model.txt": "a", "calibration.json": "b"}, "name": "planted"}
    text = card_with_version(json.dumps(old), "v0.2.0")
    assert list((old | {"version": "v0.2.0"}).items()) == list(json.loads(text).items())


def test_the_card_names_the_libraries_that_a_model_depends_on() -> None:
    """Their versions as installed."""
    found = libraries()
    assert (np.__version__, pd.__version__) == (found["numpy"], found["pandas"])
