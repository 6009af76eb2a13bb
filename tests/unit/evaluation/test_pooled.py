"""The windows together and one by one: whose scores are on which rows, and what is refused."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from flywheel import files
from flywheel.errors import DataError
from flywheel.evaluation.agreement import agreement
from flywheel.evaluation.evidence import read_evidence
from flywheel.evaluation.pooled import Pooled, as_it_is, by_window, pool, span
from flywheel.model import artifact, vintages
from flywheel.model.index import INDEX, Index
from flywheel.stages.evaluate import EvaluateParams, main
from tests.planted import at, day, learn, settings, world, write_features, write_revisions

PARAMS = settings(
    EvaluateParams,
    clock={"as_of": "2030-01-31"},
    evaluate={"min_confidence": 0.9, "ece_bins": 5, "bootstrap": {"samples": 50}},
)
AS_OF = day(31)
FEATURES, LABELS = world(range(1, 31), 20)
STARTS = (24, 17, 10)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@functools.cache
def model(until: int, version: str | None = None, is_broken: bool = False) -> artifact.Model:
    """A model of the days before one; a broken one learned from labels that are turned round."""
    is_before = (FEATURES["served_at"] < at(f"{until:02}")).to_numpy()
    labels = LABELS.assign(label=1 - LABELS["label"]) if is_broken else LABELS
    return learn(FEATURES[is_before], labels[is_before], version=version, labels_known_before=day(until).isoformat())


def window(start: int, champion: bool = True, end: int | None = None) -> Any:
    """A window of seven days, with the names of its stand-ins: the champion is three days older than the candidate."""
    return {
        "start": day(start).isoformat(),
        "end": day(end or start + 7).isoformat(),
        "candidate": f"mine-{start}",
        "champion": f"theirs-{start}" if champion else None,
    }


def index(starts: tuple[int, ...] = STARTS, **changes: Any) -> Index:
    found: Any = {
        "kind": "change",
        "recipe": "0123456789ab",
        "windows": [window(start) for start in starts],
        "left_out": [],
        "why_as_it_is": None,
        "why_not_compared": None,
        "as_it_is": [],
    }
    return found | changes  # type: ignore[no-any-return]


def plant(
    found: Index, labels: pd.DataFrame = LABELS, features: pd.DataFrame = FEATURES, **others: artifact.Model
) -> None:
    """Put the world, the champion of the 28th, the candidate and all stand-ins on disk, `others` in place of some of these."""
    write_features(features)
    write_revisions(labels)
    stand_ins = {f"mine-{start}": model(start) for start in STARTS} | {
        f"theirs-{start}": model(start - 3) for start in STARTS
    }
    vintages.write(found, stand_ins | {name.replace("_", "-"): one for name, one in others.items()})
    artifact.save(model(31), files.CANDIDATE)
    artifact.save(model(28, "v0.1.0"), files.CHAMPION)


def pooled(found: Index, champion: artifact.Model | None = None, labels: pd.DataFrame = LABELS) -> Pooled:
    return pool(found, AS_OF, labels, champion or model(28, "v0.1.0"), PARAMS.evaluate)


def starts_of(one: Pooled) -> pd.Series:
    """The first day of the window that each row is in."""
    days = one.table["served_at"].dt.day
    return pd.Series(np.select([days >= 24, days >= 17], [24, 17], 10))


def test_each_row_is_scored_by_the_stand_ins_of_its_window() -> None:
    """Three windows, three vintages of each recipe; the base rate is that of the candidate's."""
    plant(index())
    one = pooled(index())
    start = starts_of(one).to_numpy()
    assert 21 * 20 == len(one.table)
    for first in STARTS:
        rows = one.table[start == first]
        for name, back in (("candidate", 0), ("champion", 3)):
            expected = artifact.predict(model(first - back), rows)
            assert expected.tolist() == one.scores[name][start == first].tolist()
        assert {model(first).card["positive_share"]} == set(one.scores["base_rate"][start == first])
    assert one.table["served_score"].tolist() == one.scores["served"].tolist()


def test_the_pooled_rows_are_those_of_the_windows_and_no_others() -> None:
    """Of three windows the middle one was left out: the days between are not measured."""
    found = index((24, 10))
    plant(found)
    one = pooled(found)
    assert {*range(24, 31), *range(10, 17)} == set(one.table["served_at"].dt.day)
    assert (14 * 20, 14 * 20, 14) == tuple(span(one)[name] for name in ("predictions", "rows", "days"))
    assert ("2030-01-10", "2030-01-31") == (span(one)["start"], span(one)["end"])


def test_the_latest_window_is_the_first_one() -> None:
    """Behaviours are asked of its rows, because the candidate itself is asked."""
    plant(index())
    assert set(range(24, 31)) == set(pooled(index()).latest["served_at"].dt.day)


def test_labels_are_those_that_are_known_at_the_clock() -> None:
    """Not at the end of their window: a label of the tenth that came on the thirtieth counts, one from after the clock not."""
    known = LABELS["known_at"].copy()
    known.iloc[9 * 20] = at("30T12")
    known.iloc[9 * 20 + 1] = at("31T00")
    labels = LABELS.assign(known_at=known, revised_at=known)
    plant(index(), labels)
    ids = set(pooled(index(), labels=labels).table["prediction_id"])
    assert (True, False) == (f"p{9 * 20}" in ids, f"p{9 * 20 + 1}" in ids)


@pytest.mark.parametrize("name", ["mine_17", "theirs_17"])
def test_a_stand_in_that_has_seen_its_window_is_refused(name: str) -> None:
    """It was trained one day too long; the name, both days and what to do are said."""
    plant(index(), **{name: model(18)})
    said = (
        rf"the vintage {name.replace('_', '-')} was trained on days up to 2030-01-18, and stands in on a window that starts "
        r"on 2030-01-17\. Make the vintages again with: flywheel run --force"
    )
    with pytest.raises(DataError, match=said):
        pooled(index())


def test_without_a_window_it_is_said_why_each_was_left_out() -> None:
    """And what to do."""
    left = [
        {"start": "2030-01-24", "end": "2030-01-31", "why": "the candidate's stand-in has too few labels"},
        {"start": "2030-01-17", "end": "2030-01-24", "why": "the champion's stand-in has too few days"},
    ]
    said = (
        r"too short for any evaluation window \(2030-01-24 to 2030-01-31: the candidate's stand-in has too few labels; "
        r"2030-01-17 to 2030-01-24: the champion's stand-in has too few days\)\. Move clock\.as_of"
    )
    with pytest.raises(DataError, match=said):
        pooled(index((), left_out=left))


@pytest.mark.parametrize("label", [0, 1])
def test_windows_of_one_class_are_refused(label: int) -> None:
    """All labels of all windows are the same: there is nothing to tell apart."""
    labels = LABELS.assign(label=label)
    plant(index(), labels)
    with pytest.raises(
        DataError, match="from 2030-01-10 to 2030-01-31 have 420 labelled rows of fewer than two classes"
    ):
        pooled(index(), labels=labels)


def test_one_window_without_positives_is_measured_with_the_others() -> None:
    """It has no AUC of its own; the pooled one is there, and so is the window's log loss."""
    is_middle = FEATURES["served_at"].dt.day.between(17, 23).to_numpy()
    labels = LABELS.assign(label=np.where(is_middle, 0, LABELS["label"]))
    plant(index(), labels)
    main(PARAMS)
    measured = read_evidence()[0]
    assert [False, True, False] == [one["candidate"]["auc"] is None for one in measured["windows"]]
    assert 0 == measured["windows"][1]["positives"]
    assert measured["candidate"]["auc"]["value"] is not None
    assert measured["windows"][1]["candidate"]["log_loss"] is not None


@pytest.mark.parametrize("what", ["labels", "predictions"])
@pytest.mark.parametrize(("first", "others"), [(24, [17, 10]), (17, [24, 10])])
def test_a_window_without_a_labelled_row_is_left_out_and_said(what: str, first: int, others: list[int]) -> None:
    """The feed was silent for a week, or no label has come yet: the others are pooled, and the run goes on."""
    is_silent = FEATURES["served_at"].dt.day.between(first, first + 6).to_numpy()
    features = FEATURES[~is_silent] if what == "predictions" else FEATURES
    plant(index(), LABELS[~is_silent], features)
    assert "280 rows of 2 windows, against champion" == main(PARAMS)
    measured = read_evidence()[0]
    assert [day(one).isoformat() for one in others] == [one["start"] for one in measured["windows"]]
    end = day(first + 7).isoformat()
    assert measured["about"]["left_out"] == [
        {"start": day(first).isoformat(), "end": end, "why": "it has no labelled row"}
    ]


def test_the_windows_add_up_to_the_whole() -> None:
    """Rows, positives and days; and each window's difference is that of its own rows."""
    plant(index())
    main(PARAMS)
    measured = read_evidence()[0]
    for name in ("predictions", "rows", "positives", "days"):
        assert measured["about"]["window"][name] == sum(one[name] for one in measured["windows"])  # type: ignore[literal-required]
    mean = np.average(
        [one["difference"]["champion"]["log_loss"]["value"] for one in measured["windows"]],
        weights=[one["rows"] for one in measured["windows"]],
    )
    assert pytest.approx(mean, abs=2e-6) == measured["difference"]["champion"]["log_loss"]["value"]


def test_the_next_younger_vintage_is_held_against_the_stand_in() -> None:
    """The candidate against its stand-in of the 24th, that one against the one of the 17th; by hand for the second."""
    plant(index())
    one = pooled(index())
    found = by_window(one, model(31), AS_OF, PARAMS.evaluate)
    rows = one.table[starts_of(one).to_numpy() == 17]
    mine, other = (np.log(score / (1 - score)) for score in (artifact.predict(model(on), rows) for on in (24, 17)))
    follows = found[1]["agreement"]
    assert {"shift": pytest.approx((mine - other).mean()), "slope": pytest.approx(np.polyfit(other, mine, 1)[0])} == {
        name: follows[name] for name in ("shift", "slope")
    }
    regressed = LogisticRegression(C=np.inf, tol=1e-10).fit(other[:, None], rows["label"])
    assert pytest.approx(regressed.coef_[0, 0], rel=0.01) == follows["labels"]  # which groups neighbouring scores


def test_the_same_model_agrees_with_itself() -> None:
    """A candidate that is its own stand-in."""
    plant(index())
    found = by_window(pooled(index()), model(24), AS_OF, PARAMS.evaluate)[0]["agreement"]
    assert {"shift": 0.0, "slope": pytest.approx(1.0)} == {name: found[name] for name in ("shift", "slope")}


def test_labels_that_were_turned_round_follow_the_stand_in_less() -> None:
    """A fifth of them; the scores promise as much as before."""
    rng = np.random.default_rng(4)
    older = rng.uniform(0.05, 0.95, 4_000)
    label = (rng.random(4_000) < older).astype("int64")
    wrong = np.where(rng.random(4_000) < 0.2, 1 - label, label)
    right, broken, other_way, one_class = (
        agreement(older, older, one)["labels"] for one in (label, wrong, 1 - label, np.ones_like(label))
    )
    assert pytest.approx(1.0, abs=0.1) == right
    assert (True, True, None) == (broken < 0.6 * right, other_way == pytest.approx(-right), one_class)


def test_a_younger_vintage_that_is_broken_runs_the_other_way() -> None:
    """A candidate that learned from labels that were turned round: what was likely is not."""
    plant(index())
    one = pooled(index())
    right, broken = (
        by_window(one, found, AS_OF, PARAMS.evaluate)[0]["agreement"]["slope"]
        for found in (model(31), model(31, None, True))
    )
    assert (True, True) == (right > 0.5, broken < 0)


def test_agreement_is_unknown_where_the_next_younger_vintage_does_not_exist() -> None:
    """The window between was left out: nothing tells how a vintage of one window later would follow."""
    found = index((24, 10))
    plant(found)
    assert [False, True] == [
        one["agreement"] is None for one in by_window(pooled(found), model(31), AS_OF, PARAMS.evaluate)
    ]


def test_agreement_is_unknown_where_the_latest_window_was_left_out() -> None:
    """The candidate is two windows younger than the first stand-in: that says nothing beside the others."""
    found = index((17, 10))
    plant(found)
    one = pooled(found)
    assert [True, False] == [each["agreement"] is None for each in by_window(one, model(31), AS_OF, PARAMS.evaluate)]


WHY = "its card names no recipe, because it was made by older code"


def test_a_champion_as_it_is_scores_the_rows_itself() -> None:
    """No stand-in is asked: there is none."""
    found = index((), windows=[window(24, champion=False)], why_as_it_is=WHY)
    plant(found)
    one = pooled(found, model(20, "v0.1.0"))
    assert artifact.predict(model(20), one.table).tolist() == one.scores["champion"].tolist()
    assert one.obstacle is None


def test_a_champion_as_it_is_that_has_seen_the_windows_is_an_obstacle() -> None:
    """It is not compared, and why is said."""
    found = index((), windows=[window(24, champion=False)], why_as_it_is=WHY)
    plant(found)
    one = pooled(found, model(28, "v0.1.0"))
    said = "the champion was trained on days up to 2030-01-28, and the evaluation window starts on 2030-01-24"
    assert (said, False) == (one.obstacle, "champion" in one.scores)


def test_what_train_says_stands_in_the_way_is_passed_on() -> None:
    """The champion is in no comparison."""
    why = "the champion cannot be compared: it was trained on days up to 2030-02-05, after the clock, and so on"
    found = index((), windows=[window(24, champion=False)], why_as_it_is=WHY, why_not_compared=why)
    plant(found)
    one = pooled(found)
    assert (why, False) == (one.obstacle, "champion" in one.scores)


def test_the_champion_itself_is_measured_on_the_days_after_its_training() -> None:
    """Against the candidate's stand-ins there; a champion that learned from turned labels is shown to be worse."""
    found = index(as_it_is=[window(24, champion=False), window(17, champion=False)])
    plant(found)
    one = pooled(found)
    measured = as_it_is(found, one, LABELS, model(17, "v0.1.0", True), AS_OF, PARAMS.evaluate)
    assert measured
    assert ("2030-01-17", "2030-01-31", 280, 280) == tuple(
        measured[name] for name in ("start", "end", "predictions", "rows")
    )
    assert measured["difference"]["log_loss"]["high"] < 0
    assert measured["check"]["log_loss"]["high"] < 0
    start = starts_of(one).to_numpy()
    rows = one.table[start >= 17]
    brier = {
        "champion": (artifact.predict(model(17, "v0.1.0", True), rows) - rows["label"]) ** 2,
        "candidate": (one.scores["candidate"][start >= 17] - rows["label"]) ** 2,
    }
    expected = float(brier["candidate"].mean() - brier["champion"].mean())
    assert pytest.approx(expected, abs=1e-6) == measured["difference"]["brier"]["value"]


def test_the_champion_itself_is_not_measured_on_days_where_nothing_stands_in() -> None:
    """Of three windows after its training the middle one was left out: its days have no score of the candidate."""
    found = index(as_it_is=[window(24, champion=False), window(10, champion=False)])
    plant(found)
    measured = as_it_is(found, pooled(found), LABELS, model(10, "v0.1.0", True), AS_OF, PARAMS.evaluate)
    assert measured
    assert (14 * 20, 14 * 20, 14) == tuple(measured[name] for name in ("predictions", "rows", "days"))
    losses = []
    for start in (24, 10):
        days = FEATURES["served_at"].dt.day
        rows, label = FEATURES[days.between(start, start + 6)], LABELS["label"][days.between(start, start + 6)]
        scores = (artifact.predict(one, rows) for one in (model(start), model(10, "v0.1.0", True)))
        mine, other = (-np.log(np.where(label == 1, score, 1 - score)) for score in scores)
        losses += (mine - other).tolist()
    assert pytest.approx(np.mean(losses)) == measured["difference"]["log_loss"]["value"]


@pytest.mark.parametrize(
    ("found", "champion"),
    [
        pytest.param(index(), model(17), id="nothing is unseen"),
        pytest.param(index(as_it_is=[window(24, False)]), None, id="there is no champion"),
        pytest.param(
            index(as_it_is=[window(24, False)], why_as_it_is=WHY), model(17), id="it is what all is compared with"
        ),
        pytest.param(index(as_it_is=[window(24, False)]), model(28), id="it has seen these days"),
    ],
)
def test_the_champion_itself_is_not_asked_about_where_there_is_nothing_to_ask(
    found: Index, champion: artifact.Model | None
) -> None:
    """None, and no error."""
    plant(found)
    assert as_it_is(found, pooled(index()), LABELS, champion, AS_OF, PARAMS.evaluate) is None


@pytest.mark.parametrize("label", [0, 1, None])
def test_days_of_one_class_say_nothing_of_the_champion_itself(label: int | None) -> None:
    """Nor do days without labels."""
    found = index(as_it_is=[window(24, False)])
    is_late = (FEATURES["served_at"].dt.day >= 24).to_numpy()
    labels = LABELS[~is_late] if label is None else LABELS.assign(label=np.where(is_late, label, LABELS["label"]))
    plant(found, labels)
    one = pooled(index((17, 10)), labels=labels)
    assert as_it_is(found, one, labels, model(17), AS_OF, PARAMS.evaluate) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"candidate": "../../models/champion"}, r"index\.json: found the folder '\.\./\.\./models/champion'"),
        ({"champion": "a/b"}, r"index\.json: found the folder 'a/b'"),
        ({"candidate": "gone"}, r"data/vintages/gone"),
        ({"champion": None}, r"the window from 2030-01-24 names no stand-in of the champion"),
        ({"start": "24 January"}, r"index\.json"),
        ({"end": None}, r"index\.json"),
    ],
)
def test_a_forged_index_is_an_error_that_says_what_is_wrong(changes: dict[str, Any], said: str) -> None:
    """The stage reads it as data."""
    plant(index())
    forged = [window(24) | changes, window(17)]
    files.write_json(INDEX, index() | {"windows": forged})
    with pytest.raises(DataError, match=said):
        main(PARAMS)


@pytest.mark.parametrize("kind", ["upgrade", None])
def test_an_index_of_an_unknown_kind_is_an_error(kind: Any) -> None:
    """Which burden of proof there is is not guessed."""
    plant(index())
    files.write_json(INDEX, index() | {"kind": kind})
    with pytest.raises(DataError, match=r"index\.json: kind"):
        main(PARAMS)


def test_the_stage_says_how_many_windows_and_against_what() -> None:
    """In the plural."""
    plant(index())
    assert "420 rows of 3 windows, against champion" == main(PARAMS)
    assert dt.date(2030, 1, 31) == AS_OF
