"""The small set of `make prove`: on a planted history each case ends as it must, and a gate that is opened lets it through."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.conftest import ROOT

STEP = dt.timedelta(days=28)
CLOCK = dt.date(2031, 6, 2)
STARTS = [CLOCK - STEP * k for k in range(1, 6)]
A_DAY = 72  # rows
COSTS = {"alert_right": 1.0, "alert_wrong": -0.6, "missed": -0.4, "quiet_right": 0.0}
INPUTS = ("a", "b")


@pytest.fixture
def prove(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules of `make prove`, with few gates."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import cases
    import gates
    import planted

    monkeypatch.setattr(cases, "GATES", 5)
    return SimpleNamespace(cases=cases, gates=gates, planted=planted)


def logistic(odds: np.ndarray) -> np.ndarray:
    """Probabilities from log odds, to the thousandth."""
    found: np.ndarray = np.clip(np.round(1 / (1 + np.exp(-odds)), 3), 0.001, 0.999)
    return found


def judged(gates: Any) -> Any:
    """The gate as conf has it, with three cohorts and few samples."""
    conf = yaml.safe_load((ROOT / "conf/config.yaml").read_text())
    conf["evaluate"] |= {"costs": COSTS, "cohorts": {"place": {"column": "place"}}, "behaviours": {}}
    conf["evaluate"]["bootstrap"]["samples"] = 100
    return gates.Judged.model_validate({"evaluate": conf["evaluate"], "gate": conf["gate"]})


def planted_cases(prove: SimpleNamespace) -> Any:
    """Five windows with known odds, what each version makes of them, and a clock."""
    rng, windows = np.random.default_rng(1), {}
    for start in STARTS:
        n = A_DAY * STEP.days
        moments = pd.date_range(pd.Timestamp(start, tz="UTC"), periods=n, freq=f"{24 * 60 // A_DAY}min")
        stormy = np.repeat(rng.normal(0, 0.5, STEP.days), A_DAY)
        known, unknown = rng.normal(0, 1.0, n), rng.normal(0, 0.4, n)
        odds = -1.0 + known + stormy / 2
        label = (rng.random(n) < 1 / (1 + np.exp(-(odds + unknown + stormy / 2)))).astype("int64")
        place = rng.choice(["north", "south", "islands"], n, p=[0.52, 0.40, 0.08])
        is_island = place == "islands"

        def noisy(size: float, odds: np.ndarray = odds, n: int = n) -> np.ndarray:
            return odds + rng.normal(0, size, n)

        table = pd.DataFrame({"served_at": moments, "label": label, "place": place})
        said = {
            "base": odds,
            "a window younger": noisy(0.05),
            "a window older": noisy(0.2),
            "a week older": noisy(0.1),
            "another seed": noisy(0.05),
            "without a group": odds / 3 - 0.5,
            "wrong labels": odds * 0.6 - 0.2,
            "a shuffled feature": rng.permutation(odds),
            "a stale feed": np.repeat(odds[::A_DAY], A_DAY),
            "to the power 1.3": -np.log((1 + np.exp(-odds)) ** 1.3 - 1),
            "with a leak": np.where(label == 1, 4.0, -4.0) + noisy(0.1) - odds,
            "blurred": noisy(0.6),
        }
        scores = {name: logistic(one) for name, one in said.items()}
        harmed, elsewhere = scores["base"].copy(), scores["base"].copy()
        for one, where, loss in ((harmed, is_island, 0.1), (elsewhere, ~is_island, 0.1 * 0.08 / 0.92)):
            one[where] = prove.planted.blurred(one[where], label[where], "log_loss", loss)
        scores |= {"harmed": harmed, "worse elsewhere": elsewhere}
        windows[start] = prove.gates.Window(start, start + STEP, table, scores, int(n * 1.2))
    latest = windows[STARTS[0]]
    is_wrong = rng.random(len(latest.table)) < 0.2
    bad = latest.table.assign(label=latest.table["label"].where(~is_wrong, 1 - latest.table["label"]))
    poisoned = replace(
        latest, table=bad, scores={**latest.scores, "poisoned": logistic(-0.6 + 0.6 * (-1.0 + latest.scores["base"]))}
    )
    clock = prove.cases.Clock(
        starts=STARTS,
        asked=asked(prove.gates),
        poisoned=poisoned,
        broken=contracts("2.0", INPUTS[1:]),
        slow=cost(["one row"]),
        leak=alone(0.99),
        by_age={STEP: STARTS, STEP / 4: STARTS},
    )
    return prove.cases.Cases(judged(prove.gates), windows, {CLOCK: clock}, STEP, "place = islands", 0.08)


def alone(auc: float) -> Any:
    """What the probe says of one input."""
    return {"auc": auc, "one_class": None, "hints": []}


def asked(gates: Any) -> Any:
    """A candidate that is sound in all that is not compared."""
    response = {"rows": 500, "flipped": 0.01, "largest_jump": 0.05, "no_score": 0}
    return gates.Asked(
        {},
        {
            "max_auc": 0.98,
            "max_candidate_auc": 0.99,
            "accepted": {},
            "rows": {"earlier": 900, "later": 900},
            "later_from": "2031-05-19",
            "why_not_measured": None,
            "served_at": {"auc": 0.55, "part": "hour"},
            "inputs": {name: alone(0.6) for name in INPUTS},
        },
        {"rows": 500, "shift": 0.1, "inputs": {name: {"perturbed": response} for name in INPUTS}},
        cost([]),
        contracts("1.0", INPUTS),
    )


def cost(slower: list[str]) -> Any:
    """What evaluate says of the latency, here of two models of the same size."""
    size = {"identity": "any", "bytes": 1000, "trees": 10}
    return {"max_ratio": 3.0, "candidate": size, "champion": size, "why_not_measured": None, "slower": slower}


def contracts(version: str, names: tuple[str, ...]) -> Any:
    """A champion's contract with all inputs, and a candidate's with some."""
    from flywheel.model.contract import Contracts

    def contract(version: str, names: tuple[str, ...]) -> Any:
        number = {"type": "number", "required": False, "min": 0.0, "max": 1.0}
        output = {"type": "probability", "min": 0.001, "max": 0.999}
        return {"version": version, "inputs": dict.fromkeys(names, number), "output": output}

    return Contracts(contract(version, names), contract("1.0", INPUTS))


def test_every_case_ends_as_it_must_and_for_its_own_reason(prove: SimpleNamespace) -> None:
    """All of them, with the gate as conf has it."""
    cases = planted_cases(prove)
    found = {name: prove.cases.share(cases, name) for name in prove.cases.CASES}
    assert {} == {name: one for name, one in found.items() if not one["holds"]}


def test_a_mutual_case_asks_either_way(prove: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two versions of which one is better, it passes in those gates alone in which it is the candidate."""
    case = prove.cases.Case(prove.cases.change("base", "blurred"), 0.05, is_mutual=True)
    monkeypatch.setitem(prove.cases.CASES, "either way", case)
    found = prove.cases.share(planted_cases(prove), "either way")
    assert (3, False) == (found["pass"], found["holds"])


@pytest.mark.parametrize(
    ("name", "opened"),
    [
        ("a poisoned last month", {"agreement": {"times": 1.0, "shift": 99.0, "stretch": 99.0, "labels": 99.0}}),
        ("harm to one cohort", {"cohort_min_share": 0.5}),
        ("a contract that breaks", {"breaking": {"2.0": "the service knows"}}),
        ("300 rows", {"min_positives": 1, "min_days": 1}),
    ],
)
def test_a_gate_that_is_opened_is_found_out(prove: SimpleNamespace, name: str, opened: dict[str, Any]) -> None:
    """The proof can fail: without the rule that stops a case it does not hold."""
    cases = planted_cases(prove)
    gate = type(cases.judged.gate).model_validate({**cases.judged.gate.model_dump(), **opened})
    assert not prove.cases.share(replace(cases, judged=cases.judged.model_copy(update={"gate": gate})), name)["holds"]


@pytest.mark.parametrize("name", ["wrong labels", "a shuffled feature", "a stale feed", "to the power 1.3"])
def test_a_plant_without_an_effect_is_found_out(prove: SimpleNamespace, name: str) -> None:
    """Where the broken version says what the sound one says, nothing is stopped, and the case does not hold."""
    cases = planted_cases(prove)
    sound = {
        start: replace(one, scores={**one.scores, name: one.scores["base"]}) for start, one in cases.windows.items()
    }
    [case] = [case for case, it in prove.cases.CASES.items() if it.pair.candidate == name]
    assert not prove.cases.share(replace(cases, windows=sound), case)["holds"]


def test_weeks_are_drawn_whole_and_keep_their_windows_days(prove: SimpleNamespace) -> None:
    """Each drawn day is some day of the window, its rows together and in their order, and followed by the next of its week."""
    window = planted_cases(prove).windows[STARTS[0]]
    told = window.table.assign(day=window.table["served_at"].dt.date)
    scores = {"row": np.arange(len(told), dtype="float64")}
    found = prove.gates.drawn(replace(window, table=told, scores=scores), np.random.default_rng(2))
    assert len(told) == len(found.table)
    now = (found.table["served_at"].dt.date - window.start).map(lambda gone: gone.days).to_numpy()
    was = (found.table["day"] - window.start).map(lambda gone: gone.days).to_numpy()
    assert list(range(28)) == sorted(set(now))
    of_days = was[::A_DAY]
    assert [(one + 1) % 28 for n, one in enumerate(of_days) if n % 7 < 6] == [
        one for n, one in enumerate(of_days) if n % 7
    ]
    assert (found.scores["row"] // A_DAY == was).all()
    assert (
        found.table["served_at"].dt.time == told["served_at"].dt.time.to_numpy()[found.scores["row"].astype(int)]
    ).all()
