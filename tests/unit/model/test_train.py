"""Stage `train`: which rows it learns from, how many trees it grows, and when it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel import files
from flywheel.errors import DataError
from flywheel.model import artifact
from flywheel.model.card import identity
from flywheel.model.fit import labelled_rows
from flywheel.model.fitted import read_fitted
from flywheel.model.index import read_index
from flywheel.model.recipe import hash_of
from flywheel.stages.train import TrainParams, main
from tests.planted import at, contents, day, revision, revisions, settings, world, write_features, write_revisions

# Thirty days, of which the last 23 are learned from. Two earlier fits, on 23 and 16 days: the one on 9 has less than half.
SMALL: dict[str, Any] = {
    "clock": {"as_of": "2030-01-31"},
    "windows": {"train_days": 23, "evaluation_days": 7, "evaluation_windows": 1},
    "train": {"min_events_per_feature": 10},
    "model": {"trees": 12, "max_trees": 30, "min_child_samples": 5, "learning_rate": 0.2, "num_leaves": 7},
    "features": {"history": []},
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(**changes: Any) -> str:
    return main(settings(TrainParams, **{name: SMALL[name] | changes.get(name, {}) for name in SMALL}))


def plant(features: pd.DataFrame, labels: pd.DataFrame) -> None:
    write_features(features)
    write_revisions(labels)


def card() -> dict[str, Any]:
    found: dict[str, Any] = files.read_json(files.CANDIDATE / "card.json")
    return found


def learned(features: pd.DataFrame, labels: pd.DataFrame) -> dict[str, int]:
    """The labels that are learned from as of the tenth, by prediction; all were served on the fourth."""
    served = features.assign(served_at=at("04T12"))
    rows = labelled_rows(served, labels, day(1), day(10))
    return dict(zip(rows.features["prediction_id"], rows.label.tolist(), strict=True))


def test_a_label_that_was_not_known_before_the_day_of_the_fit_is_not_learned_from() -> None:
    """Known an instant before the day it counts, known at its first moment it does not."""
    features = pd.DataFrame({"prediction_id": ["early", "late"]})
    labels = revisions([revision("early", 1, "09T23:59:59"), revision("late", 1, "10T00:00:00")])
    assert {"early": 1} == learned(features, labels)


def test_a_label_is_learned_as_it_was_before_the_day_of_the_fit() -> None:
    """A label that is overturned on that day or later is still the old one."""
    features = pd.DataFrame({"prediction_id": ["p"]})
    labels = revisions([revision("p", 1, "05T12", superseded_at=at("10T12")), revision("p", 0, "10T12")])
    assert {"p": 1} == learned(features, labels)


def test_a_label_that_was_taken_back_before_the_day_of_the_fit_is_not_learned_from() -> None:
    """Votes that came to a tie again settle nothing."""
    features = pd.DataFrame({"prediction_id": ["p"]})
    labels = revisions([revision("p", 1, "05T12", superseded_at=at("06T12"))])
    assert {} == learned(features, labels)


@pytest.mark.parametrize(
    ("served", "expected"), [("03T23:59:59", []), ("04", ["p"]), ("09T23:59:59", ["p"]), ("10", [])]
)
def test_rows_are_of_whole_days(served: str, expected: list[str]) -> None:
    """From the first moment of the first day to the last of the last."""
    features = pd.DataFrame({"prediction_id": ["p"], "served_at": [at(served)]})
    rows = labelled_rows(features, revisions([revision("p", 1, "01")]), day(4), day(10))
    assert expected == rows.features["prediction_id"].tolist()


def test_training_ends_at_the_clock() -> None:
    """Nothing is held back from the candidate: the card says that the last 23 days were learned from, all of them."""
    plant(*world(range(1, 31), 20))
    train()
    assert ["2030-01-08", "2030-01-31"] == card()["training_window"]
    assert {"fit": 23 * 20} == card()["rows"]


def test_what_comes_after_the_clock_changes_no_byte_of_the_model() -> None:
    """The clock is set back to the 24th: other features and labels of the days from then on give the same outputs."""
    features, labels = world(range(1, 31), 20)
    plant(features, labels)
    train(clock={"as_of": "2030-01-24"})
    before = contents(files.CANDIDATE), contents(files.VINTAGES)
    is_later = features["served_at"] >= at("24")
    turned = labels.assign(label=labels["label"].where(labels["known_at"] < at("24"), 1 - labels["label"]))
    plant(features.assign(size=features["size"].where(~is_later, 1.0)), turned)
    train(clock={"as_of": "2030-01-24"})
    assert before == (contents(files.CANDIDATE), contents(files.VINTAGES))


def test_the_latest_day_is_learned_from() -> None:
    """Other labels of the last day give another candidate."""
    features, labels = world(range(1, 31), 20)
    plant(features, labels)
    train()
    before = identity(files.CANDIDATE)
    plant(features, labels.assign(label=labels["label"].where(labels["known_at"] < at("30"), 1 - labels["label"])))
    train()
    assert before != identity(files.CANDIDATE)


def test_a_changed_label_of_the_training_window_changes_the_model() -> None:
    """The counterpart: the test above could also pass if labels were not read."""
    features, labels = world(range(1, 31), 20)
    plant(features, labels)
    train()
    before = identity(files.CANDIDATE)
    plant(features, labels.assign(label=1 - labels["label"]))
    train()
    assert before != identity(files.CANDIDATE)


def test_a_train_window_that_reaches_back_before_the_data_uses_what_is_there() -> None:
    """With a window of 365 days the training starts on the first day of the data."""
    plant(*world(range(5, 31), 20))
    train(windows={"train_days": 365})
    assert ["2030-01-05", "2030-01-31"] == card()["training_window"]


def test_days_before_the_training_window_are_not_learned_from() -> None:
    """With a window of 13 days the first seventeen days do not count."""
    plant(*world(range(1, 31), 20))
    train(windows={"train_days": 13})
    assert (["2030-01-18", "2030-01-31"], 13 * 20) == (card()["training_window"], sum(card()["rows"].values()))


@pytest.mark.parametrize("label", [0, 1])
def test_a_window_with_one_class_only_stops_the_run_and_says_what_to_do(label: int) -> None:
    """All labels are the same: there is nothing to tell apart."""
    features, labels = world(range(1, 31), 20)
    plant(features, labels.assign(label=label))
    said = rf"all 460 labels in the training window 2030-01-08 to 2030-01-31 are {label}; .*widen windows\.train_days"
    with pytest.raises(DataError, match=said):
        train()
    assert not files.CANDIDATE.exists()


def test_too_few_events_for_the_features_stop_the_run_and_say_what_to_do() -> None:
    """Of 460 labelled rows 20 are of the rarer class: enough for two features at ten each, and not at eleven."""
    features, labels = world(range(1, 31), 20)
    labels["label"] = 0
    rare = features["served_at"].dt.day.isin(range(8, 31)).to_numpy().nonzero()[0][::23]
    labels.loc[rare, "label"] = 1
    plant(features, labels)
    assert 20 == len(rare)
    train(train={"min_events_per_feature": 10})
    said = (
        r"^20 labelled rows of the rarer class .* at least 22 are needed, 11 for each of 2 features "
        r"\(train\.min_events_per_feature\)\. Move clock\.as_of .*windows\.train_days"
    )
    with pytest.raises(DataError, match=said):
        train(train={"min_events_per_feature": 11})


def test_rows_without_a_label_do_not_count() -> None:
    """Half of the labels are missing: 230 rows are left."""
    features, labels = world(range(1, 31), 20)
    plant(features, labels.iloc[::2])
    train()
    assert 230 == sum(card()["rows"].values())


def test_where_no_feedback_is_a_label_it_is_said_what_is_one() -> None:
    """Later days would not help: ratings are no labels, however many there are."""
    features, labels = world(range(1, 31), 20)
    plant(features, labels.iloc[:0])
    with pytest.raises(DataError, match=r"no label at all; reports/feedback\.json .*outcomes, reports or") as raised:
        train()
    assert "clock.as_of" not in str(raised.value)


def test_no_day_at_all_stops_the_run_and_says_what_to_do() -> None:
    """The clock stands before the first day of the data."""
    plant(*world(range(26, 31), 20))
    with pytest.raises(DataError, match=r"has no day from 2029-11-20 to 2030-01-10\. Move clock\.as_of"):
        train(clock={"as_of": "2030-01-10"})


def test_a_sure_label_weighs_more_than_an_unsure_one() -> None:
    """In the north half of the labels say 1 with 0.9 and half say 0 with 0.6: the score is near 0.9 / (0.9 + 0.6).

    In the south it is the other way round. Without weights both would be 1 / 2.
    """
    features, labels = world(range(1, 31), 80)
    is_north = (features["place"] == "north").to_numpy()
    label = np.arange(len(features)) % 2
    plant(
        features.assign(size=1.0),
        labels.assign(label=label, label_confidence=np.where((label == 1) == is_north, 0.9, 0.6)),
    )
    train()
    candidate = artifact.load(files.CANDIDATE)
    asked = pd.DataFrame({"place": ["north", "south"], "size": 1.0, "served_hour": 12.0})
    expected = [0.9 / (0.9 + 0.6), 0.6 / (0.9 + 0.6)]
    raw = artifact.predict_raw(candidate.booster, artifact.matrix(asked, candidate.card["features"]))
    assert expected == pytest.approx(raw.tolist(), abs=0.04)
    assert expected == pytest.approx(artifact.predict(candidate, asked).tolist(), abs=0.06)


def test_the_candidate_learned_what_was_planted() -> None:
    """A large size scores higher than a small one, and the north higher than the south."""
    plant(*world(range(1, 31), 60))
    train()
    asked = pd.DataFrame({"size": [1.0, 9.0, 5.0, 5.0], "place": ["north", "north", "south", "north"]})
    small, large, south, north = artifact.predict(artifact.load(files.CANDIDATE), asked)
    assert (True, True) == (small < large - 0.2, south < north)


def test_the_card_names_features_and_categories_and_has_no_version_yet() -> None:
    """What a later stage must know to use the model; a version comes with a release."""
    plant(*world(range(1, 31), 20))
    train()
    assert {"numeric": ["size"], "categorical": {"place": ["north", "south"]}} == card()["features"]
    assert ("planted", None, "2030-01-31", "2030-01-31") == tuple(
        card()[name] for name in ("name", "version", "as_of", "labels_known_before")
    )


def test_the_learning_curve_is_the_mean_loss_after_each_tree_and_its_least_value_sets_the_number() -> None:
    """For DVC to draw; of the two earlier fits there are."""
    plant(*world(range(1, 31), 20))
    train(model={"feature_fraction": 1.0})
    assert [("2030-01-24", 23 * 20, 7 * 20), ("2030-01-17", 16 * 20, 7 * 20)] == [
        (one["as_of"], one["rows"], one["later_rows"]) for one in card()["earlier_fits"]
    ]
    lines = (files.LEARNING / "plots/metrics/later/log_loss.tsv").read_text().splitlines()[1:]
    losses = [float(line.split("\t")[-1]) for line in lines]
    assert (30, losses.index(min(losses)) + 1) == (len(losses), card()["trees"])


def test_the_number_of_trees_is_that_of_conf_where_the_history_is_too_short() -> None:
    """Six of thirteen days lie before the earlier day: less than half. So too where no earlier fit is wanted."""
    plant(*world(range(18, 31), 20))
    train()
    assert ([], 12) == (card()["earlier_fits"], card()["trees"])
    plant(*world(range(1, 31), 20))
    train(train={"earlier_fits": 0})
    assert ([], 12) == (card()["earlier_fits"], card()["trees"])


def test_an_earlier_fit_sees_nothing_of_the_days_that_it_is_measured_on() -> None:
    """The rows of a day, and what was known of them, end where the later days begin; labels that came later do not count."""
    features, labels = world(range(1, 31), 20)
    plant(features, labels)
    train()
    is_known_late = (features["served_at"].dt.day.isin(range(10, 17)) & (np.arange(len(features)) % 2 == 0)).to_numpy()
    moved = labels["known_at"].mask(is_known_late, at("20"))
    plant(features, labels.assign(known_at=moved, revised_at=moved))
    before = card()["earlier_fits"]
    train()
    newer, older = card()["earlier_fits"]
    assert (before[0], before[1]["later_rows"]) == (newer, older["later_rows"])
    assert before[1]["rows"] - is_known_late.sum() == older["rows"]


def test_the_card_has_the_recipe_and_its_name() -> None:
    """What a later run needs to fit it again, and the digest of the code that derived the features."""
    plant(*world(range(1, 31), 20))
    files.write_json(files.FEATURES / "ledger.json", {"derived_by": "c0de"})
    train()
    one = card()["recipe"]
    assert ("c0de", 23, 7, 12) == (one["code"], one["train_days"], one["step_days"], one["model"]["trees"])
    assert hash_of(one) == card()["recipe_hash"] == read_index()["recipe"]


def test_features_whose_ledger_does_not_say_by_which_code_they_are_stop_the_run() -> None:
    """They were made by older code; what to delete is said."""
    plant(*world(range(1, 31), 20))
    files.write_json(files.FEATURES / "ledger.json", {"days": {}})
    with pytest.raises(DataError, match=r"data/features/ledger\.json: .*derived_by"):
        train()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        pytest.param({"recipe": None}, "its card names no recipe, because it was made by older code", id="no recipe"),
        pytest.param(
            {"features": {"numeric": ["size", "weight"], "categorical": {}}},
            "its recipe needs features that no longer exist: weight",
            id="a feature is gone",
        ),
    ],
)
def test_a_champion_whose_recipe_cannot_be_fitted_is_said_to_be_compared_as_it_is(spoil: Any, why: str) -> None:
    """On the days after its training."""
    plant(*world(range(1, 31), 20))
    train(clock={"as_of": "2030-01-24"})
    found = card() | spoil
    found = found if found["recipe"] else {name: found[name] for name in found if name != "recipe"}
    files.CANDIDATE.rename(files.CHAMPION)
    files.write_json(files.CHAMPION / "card.json", found)
    train()
    index = read_index()
    assert (why, None) == (index["why_as_it_is"], index["why_not_compared"])
    assert [("2030-01-24", None)] == [(one["start"], one["champion"]) for one in index["windows"]]


def test_the_same_rows_give_the_same_bytes() -> None:
    """Candidate, stand-ins and learning curve are the same when trained twice, in the same place."""
    plant(*world(range(1, 31), 20))
    train()
    before = contents(files.CANDIDATE), contents(files.VINTAGES), contents(files.LEARNING)
    train()
    assert before == (contents(files.CANDIDATE), contents(files.VINTAGES), contents(files.LEARNING))


def test_what_the_fits_took_is_noted_beside_the_run_and_a_spared_fit_is_no_fit_of_no_time() -> None:
    """The candidate's own fit and two earlier ones, of which one stands in for it too; the memo spares all of them later."""
    plant(*world(range(1, 31), 20))
    train()
    first = read_fitted()
    assert first is not None
    assert first["seconds"] is not None
    assert 0 < first["seconds"] <= first["together"]
    assert (3, 0, identity(files.CANDIDATE)) == (first["made"], first["spared"], first["candidate"])
    assert first["peak_mib"] > 20  # Python with its libraries is at least so large
    train()
    again = read_fitted()
    assert again is not None
    assert (None, 0, 3) == (again["seconds"], again["made"], again["spared"])
    assert again["candidate"] == first["candidate"]
