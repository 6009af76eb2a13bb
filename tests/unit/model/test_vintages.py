"""Vintages: what is compared with what, which windows are left out, and that each fit is made once."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel import files
from flywheel.errors import DataError
from flywheel.model import artifact, fit, vintages
from flywheel.model.index import INDEX, Index, read_index
from flywheel.model.memo import Memo
from flywheel.model.recipe import Recipe, hash_of, how_to_fit, recipe
from flywheel.model.vintages import Vintages, Way, folder_of, plan, read_vintage
from flywheel.stages.train import TrainParams, main
from tests.planted import contents, day, settings, world, write_features, write_revisions

# A month; a model learns from 14 days and is measured on windows of 7: from the 24th, the 17th and the 10th on.
SMALL: dict[str, Any] = {
    "clock": {"as_of": "2030-01-31"},
    "windows": {"train_days": 14, "evaluation_days": 7, "evaluation_windows": 3},
    "train": {"min_events_per_feature": 5, "earlier_fits": 1},
    "model": {"trees": 4, "max_trees": 8, "min_child_samples": 5, "learning_rate": 0.2, "num_leaves": 7},
    "features": {"history": []},
}
AS_OF = day(31)
WINDOWS = settings(TrainParams, **SMALL).windows.evaluations(AS_OF)
NO_MEMO = "its card names no recipe, because it was made by older code"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def a_recipe(**changes: Any) -> Recipe:
    """The recipe of the small settings with `changes` in some sections."""
    found = settings(TrainParams, **{name: SMALL[name] | changes.get(name, {}) for name in SMALL})
    return recipe(found.features, None, None, found.label, found.model, found.train, found.windows)


def way(**changes: Any) -> Way:
    one = a_recipe(**changes)
    how = how_to_fit(one)
    assert how
    return Way(one, how, ("size",), ("place",))


def made(first: int = 1, labels_from: int = 1) -> Vintages:
    """A world of twenty predictions a day from the `first` to the thirtieth, with labels from a day on."""
    features, labels = world(range(first, 31), 20)
    is_told = (features["served_at"].dt.day >= labels_from).to_numpy()
    return Vintages("planted", features, labels[is_told], Memo())


MINE, OTHER = way(), way(model={"num_leaves": 5})


def champion(until: dt.date, one: Recipe | None) -> Any:
    """As much of a champion's card as the plan reads."""
    return {"labels_known_before": until.isoformat()} | ({"recipe": one} if one else {})


def told(index: Index) -> tuple[list[tuple[int, str, str | None]], list[int]]:
    """Each window by the day it starts on, with the days of its two stand-ins; and the days on which left out ones start."""

    def on(name: str | None) -> str | None:
        return name and name.split("-", 1)[1]

    windows = [(int(one["start"][-2:]), str(on(one["candidate"])), on(one["champion"])) for one in index["windows"]]
    return windows, [int(one["start"][-2:]) for one in index["left_out"]]


def planned(until: dt.date | None, theirs: Way | None, why: str | None = None, of: Vintages | None = None) -> Index:
    """The plan with a champion that was trained up to a day, by `theirs`, or for the reason `why` by nothing that is known."""
    card = champion(until, theirs.recipe if theirs else None) if until else None
    return plan(of or made(), AS_OF, WINDOWS, MINE, card, theirs, why)[0]


def test_without_a_champion_the_candidate_s_stand_ins_are_compared_with_what_was_served() -> None:
    """Each is made as of the first day of its window, the latest first."""
    found = planned(None, None)
    expected = [(24, "2030-01-24", None), (17, "2030-01-17", None), (10, "2030-01-10", None)]
    assert (expected, []) == told(found)
    assert ("change", None, None, []) == (
        found["kind"],
        found["why_as_it_is"],
        found["why_not_compared"],
        found["as_it_is"],
    )


def test_the_champion_s_stand_ins_are_as_much_older_as_the_champion_is() -> None:
    """Three days older than the candidate: so are its stand-ins, by its own recipe."""
    found = planned(day(28), OTHER)
    expected = [(24, "2030-01-24", "2030-01-21"), (17, "2030-01-17", "2030-01-14"), (10, "2030-01-10", "2030-01-07")]
    names = {(one["candidate"][:12], str(one["champion"])[:12]) for one in found["windows"]}
    # As of the 10th minus 3 there are six days: less than half of fourteen.
    assert (expected[:2], [10]) == told(found)
    assert {(hash_of(MINE.recipe), hash_of(OTHER.recipe))} == names
    assert ("change", hash_of(MINE.recipe)) == (found["kind"], found["recipe"])


def test_a_champion_of_the_same_recipe_makes_it_a_refresh() -> None:
    """Equality of the recipes, in full, decides."""
    assert ["refresh", "change"] == [planned(day(28), one)["kind"] for one in (MINE, OTHER)]


def test_recipes_of_one_name_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two recipes share a hash, the candidate is still a change."""
    monkeypatch.setattr(vintages, "hash_of", lambda one: "0" * 12)
    assert ["refresh", "change"] == [planned(day(28), one)["kind"] for one in (MINE, OTHER)]


def test_a_champion_of_today_has_stand_ins_of_the_same_days() -> None:
    """Age 0: both are as of the window's first day, and there is no day after its training."""
    found = planned(AS_OF, OTHER)
    assert [(n, f"2030-01-{n}", f"2030-01-{n}") for n in (24, 17, 10)] == told(found)[0]
    assert ([], None) == (found["as_it_is"], found["why_not_compared"])


@pytest.mark.parametrize(
    ("first", "labels_from", "until", "why"),
    [
        pytest.param(
            5,
            1,
            31,
            "the candidate's stand-in as of 2030-01-10 would have 5 days to learn from, less than half of what its model has",
            id="too few days for the candidate's",
        ),
        pytest.param(
            1,
            1,
            27,
            "the champion's stand-in as of 2030-01-06 would have 5 days to learn from, less than half of what its model has",
            id="too few days for the champion's",
        ),
        pytest.param(
            1,
            10,
            31,
            "the candidate's stand-in as of 2030-01-10 would have too few labels to learn from",
            id="too few labels for the candidate's",
        ),
        pytest.param(
            1,
            8,
            30,
            "the champion's stand-in as of 2030-01-09 would have too few labels to learn from",
            id="too few labels for the champion's",
        ),
    ],
)
def test_a_window_without_a_stand_in_is_left_out_with_the_reason(
    first: int, labels_from: int, until: int, why: str
) -> None:
    """The last of three; the other two are compared."""
    found = planned(day(until), OTHER, of=made(first, labels_from))
    assert [{"start": "2030-01-10", "end": "2030-01-17", "why": why}] == found["left_out"]
    assert [24, 17] == [start for start, *_ in told(found)[0]]


def test_a_stand_in_of_just_half_the_days_is_enough() -> None:
    """Seven of fourteen, as of the tenth."""
    assert [24, 17, 10] == [start for start, *_ in told(planned(None, None, of=made(3)))[0]]
    assert [24, 17] == [start for start, *_ in told(planned(None, None, of=made(4)))[0]]


def test_a_stand_in_is_measured_by_the_model_that_it_speaks_for() -> None:
    """The champion of the 21st learned from all 20 days there were: the 13 of its stand-in as of the 14th are enough."""
    mine, theirs = way(windows={"train_days": 60}), way(windows={"train_days": 60}, model={"num_leaves": 5})
    index, _ = plan(made(), AS_OF, WINDOWS, mine, champion(day(21), theirs.recipe), theirs, None)
    assert ([(24, "2030-01-24", "2030-01-14")], [17, 10]) == told(index)


def test_a_champion_whose_recipe_cannot_be_fitted_is_compared_as_it_is_on_windows_it_has_not_seen() -> None:
    """It was trained up to the 17th: on two windows it is new; the third is left out, because it has seen it."""
    found = planned(day(17), None, NO_MEMO)
    assert ([(24, "2030-01-24", None), (17, "2030-01-17", None)], [10]) == told(found)
    assert (NO_MEMO, None) == (found["why_as_it_is"], found["why_not_compared"])
    said = "the champion, which is compared as it is, was trained on days up to 2030-01-17"
    assert [said] == [one["why"] for one in found["left_out"]]


def test_where_no_whole_window_is_unseen_it_is_compared_on_the_days_since_its_training() -> None:
    """Trained up to the 28th: three days are left, and the candidate's stand-in is as of their first."""
    found = planned(day(28), None, NO_MEMO)
    [one] = found["windows"]
    assert ("2030-01-28", "2030-01-31", folder_of(MINE, day(28)), None) == (
        one["start"],
        one["end"],
        one["candidate"],
        one["champion"],
    )
    assert [24, 17, 10] == told(found)[1]


def test_without_a_day_after_its_training_it_is_not_compared_and_the_reason_is_said() -> None:
    """Both reasons are in the sentence; the windows remain for what was served."""
    found = planned(AS_OF, None, NO_MEMO)
    assert found["why_not_compared"] == (
        f"the champion cannot be compared: {NO_MEMO}, and there are no days after its training to compare it on"
    )
    assert ([24, 17, 10], []) == ([start for start, *_ in told(found)[0]], told(found)[1])


def test_a_young_refresh_with_a_short_history_would_be_compared_with_itself() -> None:
    """Three days old, and the data begin on the 17th: the candidate's stand-in of those three days is the champion."""
    found = planned(day(28), MINE, of=made(17))
    assert found["why_not_compared"] == (
        "the champion cannot be compared: the history is too short for a stand-in of it, and on the days after its training "
        "it would be compared with itself"
    )


def test_a_champion_from_after_the_clock_is_not_compared() -> None:
    """The clock was set back: its stand-ins would be of days that the candidate has not seen."""
    found = planned(dt.date(2030, 2, 5), MINE)
    assert "it was trained on days up to 2030-02-05, after the clock" == found["why_as_it_is"]
    assert found["why_not_compared"]
    assert [None, None, None] == [one["champion"] for one in found["windows"]]


def test_a_champion_too_old_for_any_stand_in_is_compared_as_it_is() -> None:
    """Twenty days older, and the data begin twenty-three days before the latest window: no window has both."""
    found = planned(day(11), OTHER)
    assert ([(24, "2030-01-24", None), (17, "2030-01-17", None)], [10]) == told(found)
    assert ("the history is too short for a stand-in of it", None) == (found["why_as_it_is"], found["why_not_compared"])


@pytest.mark.parametrize(
    ("until", "theirs", "expected"),
    [
        pytest.param(17, OTHER, [("24", "31"), ("17", "24")], id="whole windows"),
        pytest.param(17, MINE, [("24", "31")], id="of a refresh not those whose stand-in is the champion itself"),
        pytest.param(28, OTHER, [("28", "31")], id="the days since"),
        pytest.param(28, MINE, [], id="a refresh as of that day would be the champion itself"),
        pytest.param(31, OTHER, [], id="none"),
    ],
)
def test_the_champion_itself_is_asked_about_on_the_days_after_its_training(
    until: int, theirs: Way, expected: list[tuple[str, str]]
) -> None:
    """Against the candidate's stand-ins, which have not seen these days either."""
    found = planned(day(until), theirs)["as_it_is"]
    assert expected == [(one["start"][-2:], one["end"][-2:]) for one in found]
    assert [folder_of(MINE, dt.date.fromisoformat(one["start"])) for one in found] == [
        one["candidate"] for one in found
    ]


def test_a_vintage_that_stands_in_twice_is_needed_once() -> None:
    """A refresh by one window: the champion's stand-in in one is the candidate's in the next."""
    index, needed = plan(made(), AS_OF, WINDOWS, MINE, champion(day(24), MINE.recipe), MINE, None)
    assert [(24, "2030-01-24", "2030-01-17"), (17, "2030-01-17", "2030-01-10")] == told(index)[0]
    assert [day(24), day(17), day(10)] == [on for _, on in needed]


def plant(last: int = 31) -> None:
    features, labels = world(range(1, last), 20)
    write_features(features)
    write_revisions(labels)


def train(**changes: Any) -> str:
    return main(settings(TrainParams, **{name: SMALL[name] | changes.get(name, {}) for name in SMALL}))


def test_a_fit_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As candidate, as stand-in and as the earlier fit that tells the number of trees: one fit a recipe and day."""
    counted: list[int] = []
    real = fit.fit
    monkeypatch.setattr(vintages.fit, "fit", lambda *given: counted.append(1) or real(*given))
    monkeypatch.setenv("FLYWHEEL_MEMO", "off")
    plant()
    train()
    # As of the 31st, 24th, 17th and 10th; the third has two days, too few for an earlier fit.
    assert 4 == len(counted)
    of = made()
    one, other = of.vintage(MINE, day(24)), of.vintage(MINE, day(31))
    assert ([(hash_of(MINE.recipe), on) for on in (day(24), day(17), day(31))], 7) == ([*of.grown], len(counted))
    assert one[0].card["earlier_fits"][0]["as_of"] == "2030-01-17"
    assert other[0].card["earlier_fits"][0]["as_of"] == "2030-01-24"


def test_a_weekly_tick_with_an_unchanged_recipe_fits_one_new_vintage() -> None:
    """The other vintages were fitted a week ago, on the same rows."""
    short = {"windows": {"train_days": 7, "evaluation_windows": 2}}
    plant()
    train(clock={"as_of": "2030-01-24"}, **short)
    said = train(clock={"as_of": "2030-01-31"}, **short)
    assert said.endswith("2 windows, 3 of 4 fits spared")


def test_the_folder_holds_exactly_what_the_index_names() -> None:
    """What was needed before, and is not now, is gone; each vintage is as of its day."""
    plant()
    train(windows=SMALL["windows"] | {"evaluation_windows": 2})
    train()
    index = read_index()
    names = {name for one in index["windows"] for name in (one["candidate"], one["champion"]) if name}
    assert {"index.json", *names} == {path.name for path in files.VINTAGES.iterdir()}
    for one in index["windows"]:
        card = read_vintage(one["candidate"]).card
        assert (one["start"], one["start"]) == (card["as_of"], card["labels_known_before"])
    train(windows=SMALL["windows"] | {"evaluation_windows": 1})
    assert 2 == len([*files.VINTAGES.iterdir()])


def test_what_lies_in_a_window_changes_no_byte_of_its_stand_in() -> None:
    """Other features and labels from the 24th on: the candidate is another, its stand-ins are not."""
    features, labels = world(range(1, 31), 20)
    plant()
    train()
    before, candidate = contents(files.VINTAGES), contents(files.CANDIDATE)
    is_later = (features["served_at"].dt.day >= 24).to_numpy()
    turned = labels.assign(label=np.where(is_later, 1 - labels["label"], labels["label"]))
    write_features(features.assign(size=features["size"].where(~is_later, 1.0)))
    write_revisions(turned)
    train()
    assert before == contents(files.VINTAGES)
    assert candidate["model.txt"] != contents(files.CANDIDATE)["model.txt"]


def as_a_vintage(found: dict[str, bytes]) -> dict[str, Any]:
    """What a candidate holds without its contract, which follows the champion's and is no part of a vintage."""
    card = json.loads(found["card.json"])
    card["sha256"].pop("contract.json", None)
    return {name: text for name, text in found.items() if name != "contract.json"} | {"card.json": card}


def test_a_stand_in_is_the_candidate_that_the_stage_would_have_made_on_that_day() -> None:
    """To the byte, card included, also where the later days are not there yet."""
    plant()
    train()
    stand_in = contents(files.VINTAGES / read_index()["windows"][0]["candidate"])
    for number in range(24, 31):
        (files.FEATURES / f"2030-01-{number}.parquet").unlink()
    train(clock={"as_of": "2030-01-24"})
    assert as_a_vintage(stand_in) == as_a_vintage(contents(files.CANDIDATE))


def test_a_refresh_is_not_asked_about_where_its_stand_in_is_the_champion() -> None:
    """A week ago the loop made a model and released it: the candidate's stand-in of the days since is that model."""
    plant()
    train(clock={"as_of": "2030-01-24"})
    released = contents(files.CANDIDATE)
    files.CANDIDATE.rename(files.CHAMPION)
    train()
    index = read_index()
    assert ("refresh", []) == (index["kind"], index["as_it_is"])
    stand_in = contents(files.VINTAGES / index["windows"][0]["candidate"])
    assert as_a_vintage(released) == as_a_vintage(stand_in)


def test_a_champion_s_stand_in_learns_from_as_many_days_as_its_recipe_says() -> None:
    """It looked at 20 days, today's recipe looks at 5: the features are read as far back as the longer one needs."""
    plant()
    long, short = {"train_days": 20, "evaluation_windows": 1}, {"train_days": 5, "evaluation_windows": 1}
    train(windows=SMALL["windows"] | long, train={"earlier_fits": 0})
    files.CANDIDATE.rename(files.CHAMPION)
    train(windows=SMALL["windows"] | short, train={"earlier_fits": 0})
    [window] = read_index()["windows"]
    assert ["2030-01-19", "2030-01-24"] == read_vintage(window["candidate"]).card["training_window"]
    assert ["2030-01-04", "2030-01-24"] == read_vintage(str(window["champion"])).card["training_window"]


@pytest.mark.parametrize("name", ["../champion", "a/b", "/etc", ".hidden", ".."])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str) -> None:
    """The index is data: somebody else may have written it."""
    with pytest.raises(DataError, match=rf"{INDEX}: found the folder '{name}'; a name as train gives it is expected"):
        read_vintage(name)


def test_a_vintage_that_is_not_there_is_an_error() -> None:
    """It names the file."""
    with pytest.raises(DataError, match="data/vintages/gone"):
        read_vintage("gone")


def test_the_earlier_fits_of_a_vintage_see_nothing_of_its_later_days() -> None:
    """The number of trees as of a day rests on what was known on that day alone."""
    features, labels = world(range(1, 31), 20)
    is_later = (features["served_at"].dt.day >= 24).to_numpy()
    shorter = Vintages("planted", features[~is_later], labels[~is_later], Memo())
    one, other = (of.vintage(MINE, day(24))[0] for of in (made(), shorter))
    assert one.card == other.card
    assert one.booster.model_to_string() == other.booster.model_to_string()


def test_a_model_that_is_written_and_read_scores_the_same() -> None:
    """A vintage in memory, and from its folder."""
    of = made()
    model = of.vintage(MINE, day(24))[0]
    vintages.write(planned(None, None), {"one": model})
    rows = pd.DataFrame({"size": [1.0, 9.0], "place": ["north", "south"]})
    assert artifact.predict(model, rows).tolist() == artifact.predict(read_vintage("one"), rows).tolist()


def test_fits_that_are_made_at_once_are_those_that_are_made_one_by_one() -> None:
    """All that the candidate and its stand-ins need is there afterwards, and each is the same to the byte."""
    asked = [(MINE, day(31)), (MINE, day(24))]
    at_once, one_by_one = made(), made()
    at_once.grow_all(asked)
    n_fits = len(at_once.grown)
    texts = [[found.vintage(*one)[0].booster.model_to_string() for one in asked] for found in (at_once, one_by_one)]
    assert texts[0] == texts[1]
    assert n_fits == len(at_once.grown) == len(one_by_one.grown) > len(asked)


def test_what_cannot_be_fitted_is_left_for_later() -> None:
    """No day before the first one has rows; who asks for that vintage alone is told why."""
    found = made(20)
    found.grow_all([(MINE, day(31)), (MINE, day(20))])
    assert [day(31)] == [at for _, at in found.grown]
    with pytest.raises(DataError):
        found.vintage(MINE, day(20))
