"""What models take: a planted slow one is noticed on a busy machine, and the same one twice never is."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel import files
from flywheel.evaluation.cost import HOUR, ROWS, is_slower, measure, price, price_of_a_million, race, summary, unaskable
from flywheel.evaluation.evidence import Measure, read_decision
from flywheel.evaluation.settings import ModelCost
from flywheel.model import artifact, boosting
from flywheel.stages.gate import GateParams
from flywheel.stages.gate import main as decide
from tests.planted import learn, settings, world
from tests.unit.evaluation.test_evaluate import evaluate, plant, plant_models

COST = ModelCost(max_ratio=2.0, price_per_hour=0.6)  # stricter than conf is: even so the same model is never slower
FEATURES, LABELS = world(range(1, 16), 40)


@dataclass
class Laborious:
    """A booster that does its work several times over, and answers the same."""

    booster: Any
    times: int

    def predict(self, table: np.ndarray) -> np.ndarray:
        return [np.asarray(self.booster.predict(table)) for _ in range(self.times)][-1]

    def num_trees(self) -> int:
        return int(self.booster.num_trees())


@pytest.fixture(scope="module")
def model() -> artifact.Model:
    """A model whose trees, and not the table around them, take the time, as in a model of many trees."""
    small = learn(FEATURES, LABELS)
    return replace(small, booster=Laborious(small.booster, 4))


@pytest.fixture
def busy() -> Iterator[None]:
    """Another thread is at work the whole time, on a processor that the models would like to have."""
    is_over = threading.Event()
    numbers = np.random.default_rng(1).random(20_000)

    def work() -> None:
        while not is_over.is_set():
            np.sort(numbers)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    is_over.set()
    thread.join()


@pytest.fixture
def saved(model: artifact.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> artifact.Model:
    """The model, and its files in the places of candidate and champion."""
    monkeypatch.chdir(tmp_path)
    for folder in (files.CANDIDATE, files.CHAMPION):
        artifact.save(learn(FEATURES, LABELS), folder)
    return model


def test_a_model_that_works_five_times_over_is_slower(saved: artifact.Model) -> None:
    """For many rows, where its work is what takes the time; the other way round it is not, nor is it against itself."""
    slow = replace(saved, booster=Laborious(saved.booster, 5))
    for candidate, champion, is_said in ((slow, saved, True), (saved, slow, False), (slow, slow, False)):
        cost, timed = measure(FEATURES, candidate, champion, COST)
        assert is_said == ("10,000 rows" in cost["slower"])
        assert is_said or not cost["slower"]
        assert all(len(one["ratios"]) == 3 for one in timed["latency"].values())


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("asked", ROWS)
def test_the_same_model_twice_is_never_slower_on_a_busy_machine(asked: Measure, model: artifact.Model) -> None:
    """In seven races of three rounds; a single round may be unlucky, and does not count."""
    found = [summary(race({"candidate": model, "champion": model}, FEATURES, asked)) for _ in range(7)]
    assert [one for one in found if is_slower(one, COST.max_ratio)] == []


@pytest.mark.usefixtures("busy")
def test_a_slow_model_is_slower_on_a_busy_machine_too(saved: artifact.Model) -> None:
    """Noise is added to both, and the best of several tries has the least of it."""
    slow = replace(saved, booster=Laborious(saved.booster, 5))
    cost, _ = measure(FEATURES, slow, saved, COST)
    assert "10,000 rows" in cost["slower"]


def repeated(model: artifact.Model, times: int) -> artifact.Model:
    """A model that says the same, with so many copies of each tree, of which each adds its share of the score."""
    head, *trees = re.split(r"(?m)^Tree=\d+\n", re.sub(r"(?m)^tree_sizes=.*\n", "", model.booster.model_to_string()))
    trees[-1], tail = trees[-1].split("end of trees", 1)

    def shared(line: re.Match[str]) -> str:
        return "leaf_value=" + " ".join(repr(float(value) / times) for value in line[1].split())

    copies = "".join(
        f"Tree={at}\n" + re.sub(r"(?m)^leaf_value=(.*)$", shared, tree) for at, tree in enumerate(trees * times)
    )
    text = f"{head}{copies}end of trees{tail}"
    return replace(model, booster=boosting.lightgbm().Booster(model_str=text))


def test_the_gate_stops_a_candidate_that_takes_five_times_as_long_for_that_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through both stages, with models on disk; one of the same size passes the rule.

    The candidate says what the champion says, so nothing else can tell them apart.
    """
    monkeypatch.chdir(tmp_path)
    champion = repeated(learn(FEATURES, LABELS), 5)
    verdicts = {}
    for times in (5, 1):
        plant(champion=None)
        plant_models(repeated(champion, times), champion)
        evaluate(cost=COST)
        decide(settings(GateParams))
        verdicts[times] = {rule["rule"]: rule["verdict"] for rule in read_decision()["rules"]}
    assert {"latency"} == {name for name in verdicts[5] if verdicts[5][name] != verdicts[1][name]} - {"comparable"}
    assert ("fail", "pass") == (verdicts[5]["latency"], verdicts[1]["latency"])


def test_without_a_champion_the_candidate_alone_is_timed(saved: artifact.Model) -> None:
    """Nothing is slower than nothing."""
    cost, timed = measure(FEATURES, saved, None, COST)
    assert (None, None, []) == (cost["champion"], cost["why_not_measured"], cost["slower"])
    assert {(None, 0)} == {(one["champion_ms"], len(one["ratios"])) for one in timed["latency"].values()}


def test_the_best_of_all_rounds_counts() -> None:
    """The times of a planted race: 6 ms against 2 are three times as long, whatever each round says, and not more."""
    rounds = [{"candidate": 9.0, "champion": 2.0}, {"candidate": 6.0, "champion": 3.0}]
    assert {"candidate_ms": 6.0, "champion_ms": 2.0, "ratios": [4.5, 2.0]} == summary(rounds)
    assert [True, False] == [is_slower(summary(rounds), limit) for limit in (2.99, 3.0)]


def test_as_many_rows_are_asked_as_the_measure_says() -> None:
    """A table with fewer rows is repeated."""
    asked = []

    class Counts:
        def predict(self, table: np.ndarray) -> np.ndarray:
            asked.append(len(table))
            return np.full(len(table), 0.5)

    counting = replace(learn(FEATURES, LABELS), booster=Counts())
    for name in ROWS:
        race({"candidate": counting}, FEATURES.head(3), name)
    assert {1, 10_000} == set(asked)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (FEATURES, None),
        (FEATURES.drop(columns="size"), "needs features that no longer exist: size"),
        (FEATURES.assign(size="large"), "needs numbers that are words now: size"),
    ],
)
def test_a_model_of_other_features_cannot_be_asked(table: pd.DataFrame, why: str | None) -> None:
    """It says which; a number that became a word is no crash."""
    assert why == unaskable(learn(FEATURES, LABELS), table)


def test_prices_follow_from_the_rate() -> None:
    """At 0.60 an hour a minute costs a cent; a million rows at 3.6 ms each take an hour, in ten thousands less."""
    assert price(HOUR / 60, COST) == pytest.approx(0.01)
    assert price_of_a_million(3.6, "one row", COST) == pytest.approx(0.6)
    assert price_of_a_million(3.6, "10,000 rows", COST) == pytest.approx(0.6 / 10_000)
