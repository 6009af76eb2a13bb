"""The gate, with evidence that is planted: what must fail fails, what must pass passes, and nothing decides nothing."""

from __future__ import annotations

import copy
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flywheel import files
from flywheel.cli import show
from flywheel.errors import ConfigError, DataError
from flywheel.evaluation.cohorts import by_cohort
from flywheel.evaluation.compare import compare
from flywheel.evaluation.evidence import HIGHER_IS_BETTER, IN_WORDS, open_rules
from flywheel.evaluation.gate import (
    agrees,
    behaves,
    calibrated,
    cohorts_unharmed,
    comparable,
    compared,
    decide,
    detectable,
    enough,
    gaps_not_wider,
    leaks,
    robust_enough,
)
from flywheel.evaluation.settings import (
    Agreement,
    Behaviour,
    Bootstrap,
    Cohort,
    Comparison,
    Costs,
    Evaluate,
    Gaps,
    Gate,
    Leaks,
    ModelCost,
    Robustness,
    Selection,
    Slices,
)
from flywheel.loop.turn import Outcome
from flywheel.model.contract import Contract, Contracts
from flywheel.stages.gate import GateParams, main
from tests.planted import settings


def asked(metric: str, scope: str, must: str, margin: float = 0.0, severity: str = "block") -> Comparison:
    return Comparison.model_validate(
        {"metric": metric, "scope": scope, "must": must, "margin": margin, "severity": severity}
    )


BOTH_KINDS = {
    "latest": asked("log_loss", "latest", "unharmed"),
    "cohorts": asked("log_loss", "cohort", "unharmed", 0.02),
    "champion": asked("log_loss", "as_it_is", "unharmed"),
}
REFRESH = {
    "harmless": asked("log_loss", "pooled", "not_worse", 0.005),
    "utility": asked("utility", "pooled", "not_worse", 5.0, "warn"),
    **BOTH_KINDS,
}
CHANGE = {
    "better": asked("log_loss", "pooled", "better"),
    "auc": asked("auc", "pooled", "not_worse", 0.005),
    "utility": asked("utility", "pooled", "not_worse", 5.0),
    **BOTH_KINDS,
}
GATE = Gate(
    min_labelled_share=0.3,
    min_days=14,
    min_positives=200,
    refresh=REFRESH,
    change=CHANGE,
    agreement=Agreement(times=2.0, shift=0.1, stretch=0.1, labels=0.4),
    max_ece=0.08,
    max_flipped=0.2,
    cohort_min_share=0.02,
    cohort_min_positives=30,
    cohort_error=0.05,
    gap_margin=0.1,
    behaviour_moved=0.2,
    behaviour_share=0.8,
    breaking={},
)
EVALUATE = Evaluate(
    min_confidence=0.9,
    ece_bins=10,
    costs=Costs(alert_right=1.0, alert_wrong=-0.4, missed=-0.5, quiet_right=0.0),
    bootstrap=Bootstrap(samples=200, confidence=0.95, seed=7, block_days=3, check_block_days=7),
    selection=Selection(weigh=True, min_propensity=0.05),
    leaks=Leaks(max_auc=0.98, max_candidate_auc=0.99, accepted={}),
    gaps=Gaps(min_share=0.02, min_positives=30),
    robustness=Robustness(rows=1000, shift=0.1),
    cost=ModelCost(max_ratio=3.0, price_per_hour=0.05),
    slices=Slices(bins=4, categories=8, min_share=0.02, tested=10, max_overlap=0.5),
    cohorts={"origin": Cohort(column="origin")},
    behaviours={"late hub": Behaviour(column="late_rate", set=0.9, expect="higher")},
)


def interval(low: float | None, high: float | None) -> dict[str, float | None]:
    value = None if low is None or high is None else (low + high) / 2
    return {"value": value, "low": low, "high": high}


Ends = tuple[float | None, float | None]
WINS: dict[str, Ends] = {"auc": (0.01, 0.03), "log_loss": (-0.03, -0.01), "utility": (5.0, 15.0)}


def evidence(
    kind: str = "change",
    latest: dict[str, Ends] | None = None,
    itself: dict[str, Ends] | None = None,
    shifts: tuple[float | None, ...] = (0.2, 0.25, 0.15),
    **difference: Ends,
) -> dict[str, Any]:
    """Metrics of a clear win against a champion, with other intervals for the metrics named.

    So in the `latest` of three windows, and against the champion `itself`. `shifts` has a number for each window.
    """

    def of(others: dict[str, Ends]) -> dict[str, Any]:
        return {name: interval(*found) for name, found in (WINS | others).items()}

    days = {"start": "2013-04-03", "end": "2013-05-01", "days": 28}
    window = days | {"predictions": 10_000, "rows": 5000, "positives": 1000}
    both = {"champion": of(difference)}
    mine = [{"champion": of((latest or {}) if n == 0 else {})} for n in range(len(shifts))]
    return {
        "about": {
            "candidate": {"as_of": "2013-05-01", "identity": "c0ffee"},
            "champion": {"version": "v0.1.0", "identity": "decade", "why_not_compared": None},
            "confidence": 0.95,
            "kind": kind,
            "recipe": "0123456789ab",
            "window": window,
            "left_out": [],
            "why_as_it_is": None,
            "cohorts": ["origin"],
            "behaviours": ["late hub"],
            "inputs": ["distance", "late_rate"],
        },
        "candidate": {"ece": {"value": 0.02, "low": 0.01, "high": 0.03}, "auc": interval(0.70, 0.76)},
        "champion": {},
        "difference": both,
        "check": both,
        "windows": [
            window | {"difference": one, "check": one, "agreement": follows(shift)}
            for one, shift in zip(mine, shifts, strict=True)
        ],
        "as_it_is": window | {"days": 56, "difference": of(itself or {}), "check": of(itself or {})},
        "gaps": {"origin": {"cohorts": ["EWR", "JFK"], "gaps": {"recall": gap(0.02, 0.5)}}},
    }


def follows(shift: float | None, slope: float = 1.0, labels: float | None = 1.0) -> dict[str, float | None] | None:
    """How a younger vintage and the labels follow an older one; None where there is none."""
    return None if shift is None else {"shift": shift, "slope": slope, "labels": labels}


def gap(change: float | None, p: float | None) -> dict[str, Any]:
    """A gap between two cohorts that changed so much."""
    return {
        "candidate": 0.31,
        "highest": "EWR",
        "lowest": "JFK",
        "reference": 0.29,
        "change": None if change is None else interval(change - 0.01, change + 0.01),
        "p_larger": p,
    }


def said_of(rule: Comparison, found: Any, check: Any | None = None) -> dict[str, Any]:
    """What a comparison says of a difference of its metric on the pooled windows, and of that with other blocks."""
    metrics = evidence()
    metrics["difference"] = {"champion": {rule.metric: found}}
    metrics["check"] = {"champion": {rule.metric: found if check is None else check}}
    return dict(compared(rule, metrics, {}, "champion", GATE))


def cohort(
    low: float | None,
    high: float | None,
    rows: int = 1000,
    positives: int = 40,
    reference: str = "champion",
    p: float | None = 0.5,
) -> dict[str, Any]:
    difference = {reference: {"log_loss": interval(low, high)}}
    return {"rows": rows, "positives": positives, "difference": difference, "p_worse": {reference: {"log_loss": p}}}


def behaviour(share: float | None, moved: float = 0.6, shift: float = 0.1, expect: str = "higher") -> dict[str, Any]:
    answer = {"share_moved": moved, "share_as_expected": share, "mean_shift": shift}
    return {"column": "late_rate", "set": 0.9, "expect": expect, "rows": 3000, "candidate": answer}


def alone(auc: float | None, only: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"auc": auc, "one_class": only, "hints": []}


def probed(served_at: float = 0.55, why: str | None = None, accepted: Any = None, **inputs: Any) -> dict[str, Any]:
    """What `evaluate` found of two honest inputs, or of those named."""
    return {
        "max_auc": 0.98,
        "max_candidate_auc": 0.99,
        "accepted": accepted or {},
        "rows": {"earlier": 2500, "later": 2500},
        "later_from": "2013-04-17",
        "why_not_measured": why,
        "served_at": {"auc": None if why else served_at, "part": "time of day"},
        "inputs": {"distance": alone(None if why else 0.54), "late_rate": alone(None if why else 0.91), **inputs},
    }


def robust(*more: str, flipped: float | None = 0.05, rows: int = 900, no_score: int = 0) -> dict[str, Any]:
    """Two inputs, and others: one is robust, and the rate flips so many decisions when it is slightly off."""
    fine = {"rows": 900, "flipped": 0.01, "largest_jump": 0.1, "no_score": 0}
    shaken = {"perturbed": {"rows": rows, "flipped": flipped, "largest_jump": 0.3, "no_score": 0}}
    lost = fine | {"no_score": no_score, "flipped": 0.9}
    calm = fine if rows else fine | {"rows": 0, "flipped": None}
    inputs = {name: {"perturbed": calm} for name in ("distance", *more)}
    return {"rows": 1000, "shift": 0.1, "inputs": {**inputs, "late_rate": {**shaken, "missing": lost}}}


FINE_PROBED = probed()
CONTRACT: Contract = {
    "version": "1.0",
    "inputs": {"distance": {"type": "number", "required": True, "min": 80.0, "max": 4983.0}},
    "output": {"type": "probability", "min": 0.001, "max": 0.999},
}
CONTRACTS = Contracts(CONTRACT, CONTRACT)
FINE_ROBUST = robust()


def cost(*slower: str, champion: str | None = "decade", why: str | None = None) -> dict[str, Any]:
    """Two models of about the same size, and for what the candidate is slower."""
    return {
        "max_ratio": 3.0,
        "candidate": {"identity": "c0ffee", "bytes": 813_187, "trees": 223},
        "champion": {"identity": champion, "bytes": 640_178, "trees": 176} if champion else None,
        "why_not_measured": why,
        "slower": [*slower],
    }


def cost_of(metrics: dict[str, Any]) -> dict[str, Any]:
    """The cost of the two models that these metrics are about."""
    about = metrics["about"]
    found = cost(champion=about["champion"]["identity"])
    return found | {"candidate": found["candidate"] | {"identity": about["candidate"]["identity"]}}


FINE_COST = cost()
FINE_COHORTS = {"origin": {"EWR": cohort(-0.02, -0.01), "JFK": cohort(-0.02, 0.01)}}
FINE_BEHAVIOUR = {"late hub": behaviour(0.95)}


def changed(found: dict[str, Any], part: str, **values: Any) -> dict[str, Any]:
    """The same evidence with some values of a part of `about` replaced."""
    about = found["about"] | {part: found["about"][part] | values}
    return found | {"about": about}


def decided(metrics: dict[str, Any], cohorts: Any = FINE_COHORTS, behaviours: Any = FINE_BEHAVIOUR) -> dict[str, str]:
    """The verdict, and the rules that are not a pass; whatever it is, each reason is one sentence."""
    found = decide(
        about_these(metrics, cohorts, behaviours),
        cohorts,
        behaviours,
        FINE_PROBED,
        FINE_ROBUST,
        cost_of(metrics),
        CONTRACTS,
        GATE,
    )
    reasons = [rule["reason"] for rule in found["rules"]]
    assert [] == [one for one in reasons if re.search(r"[.?!] ", one) or not one.endswith(".")]
    others = {rule["rule"]: rule["verdict"] for rule in found["rules"] if rule["verdict"] != "pass"}
    return {"verdict": found["verdict"], **others}


def about_these(metrics: dict[str, Any], cohorts: Any, behaviours: Any = FINE_BEHAVIOUR) -> dict[str, Any]:
    """Metrics that say that these cohorts and behaviours were measured with them."""
    about = metrics["about"] | {"cohorts": [*cohorts], "behaviours": [*behaviours]}
    nothing: dict[str, Any] = {"cohorts": [], "gaps": {}}
    return metrics | {"about": about, "gaps": {name: metrics["gaps"].get(name, nothing) for name in cohorts}}


# One world of flights whose rates are known, and models that know more or less of them.


def world() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 6000
    rate = rng.beta(1.2, 2.8, n)
    return pd.DataFrame(
        {
            "served_at": pd.Timestamp("2013-04-03", tz="UTC") + pd.to_timedelta(rng.integers(0, 28 * 24, n), unit="h"),
            "origin": rng.choice(["EWR", "JFK", "LGA"], n),
            "rate": rate,
            "label": (rng.random(n) < rate).astype("int64"),
        }
    )


def shrunk(rate: pd.Series, weight: float) -> np.ndarray:
    """Scores that know only a part of the rates: drawn towards their mean, and blurred."""
    noise = np.random.default_rng(4).beta(1.2, 2.8, len(rate))
    return np.round(np.clip(weight * rate + (1 - weight) * noise, 0.01, 0.99), 2)


def judged(table: pd.DataFrame, candidate: np.ndarray, champion: np.ndarray, kind: str = "change") -> dict[str, Any]:
    """What the gate decides when both models are measured on a table by the real evaluation."""
    scores = {"candidate": candidate, "champion": champion, "served": np.full(len(table), 0.3)}
    metrics = evidence(kind) | compare(table, scores, EVALUATE)
    return decide(
        metrics,
        by_cohort(table, scores, EVALUATE),
        FINE_BEHAVIOUR,
        FINE_PROBED,
        FINE_ROBUST,
        FINE_COST,
        CONTRACTS,
        GATE,
    )


def test_a_planted_win_passes() -> None:
    """The candidate knows the rate of every flight, the champion a half of it."""
    table = world()
    found = judged(table, np.round(table["rate"].to_numpy(), 2), shrunk(table["rate"], 0.5))
    assert {"pass"} == {rule["verdict"] for rule in found["rules"]} | {found["verdict"]}


def test_a_planted_regression_fails() -> None:
    """The candidate knows a half of what the champion knows."""
    table = world()
    found = judged(table, shrunk(table["rate"], 0.5), np.round(table["rate"].to_numpy(), 2))
    verdicts = {rule["rule"]: rule["verdict"] for rule in found["rules"]}
    assert found["verdict"] == "fail"
    assert {"fail"} == {verdicts["better log loss"], verdicts["AUC not worse"], verdicts["cohorts"]}


def test_a_no_op_is_inconclusive() -> None:
    """The champion once more, as its own candidate: it is no worse in anything, and better in nothing."""
    table = world()
    scores = np.round(table["rate"].to_numpy(), 2)
    found = judged(table, scores, scores.copy())
    others = {rule["rule"]: rule["verdict"] for rule in found["rules"] if rule["verdict"] != "pass"}
    assert ("inconclusive", {"better log loss": "inconclusive"}) == (found["verdict"], others)


def test_a_planted_harm_to_one_cohort_fails() -> None:
    """The candidate is better on the whole and says of every flight from LGA the opposite."""
    table = world()
    good = np.round(table["rate"].to_numpy(), 2)
    is_lga = (table["origin"] == "LGA").to_numpy()
    # A small slice, so that the win elsewhere outweighs it.
    is_harmed = is_lga & (np.arange(len(table)) % 4 == 0)
    table = table[~is_lga | is_harmed].reset_index(drop=True)
    good, is_harmed = good[~is_lga | is_harmed], is_harmed[~is_lga | is_harmed]
    candidate = np.where(is_harmed, np.clip(0.6 - good, 0.05, 0.95), good)
    found = judged(table, candidate, shrunk(table["rate"], 0.2))
    verdicts = {rule["rule"]: rule["verdict"] for rule in found["rules"]}
    assert ("pass", "fail", "fail") == (verdicts["better log loss"], verdicts["cohorts"], found["verdict"])


def test_a_clear_win_on_every_rule_passes() -> None:
    """The evidence that the tests below spoil in one place each."""
    assert {"verdict": "pass"} == decided(evidence())


@pytest.mark.parametrize(
    ("metrics", "cohorts", "behaviours", "expected"),
    [
        pytest.param(
            evidence(log_loss=(0.01, 0.03)),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            {"better log loss": "fail"},
            id="worse in the metric that must be better",
        ),
        pytest.param(
            evidence(auc=(-0.03, -0.01)), FINE_COHORTS, FINE_BEHAVIOUR, {"AUC not worse": "fail"}, id="AUC lost"
        ),
        pytest.param(
            evidence(utility=(-20.0, -10.0)),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            {"utility per 1,000 predictions not worse": "fail"},
            id="utility lost",
        ),
        pytest.param(
            evidence()
            | {"candidate": {"ece": {"value": 0.09, "low": 0.085, "high": 0.1}, "auc": interval(0.70, 0.76)}},
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            {"calibrated": "fail"},
            id="not calibrated",
        ),
        pytest.param(
            evidence(latest={"log_loss": (0.01, 0.03)}),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            {"log loss not harmed in the latest window": "fail"},
            id="harm in the latest window",
        ),
        pytest.param(
            evidence(itself={"log_loss": (0.01, 0.03)}),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            {"champion as it is": "fail"},
            id="worse than the champion itself",
        ),
        pytest.param(
            evidence(shifts=(0.6, 0.25, 0.15)),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            {"agreement": "fail"},
            id="far from its latest stand-in",
        ),
        pytest.param(
            evidence("refresh", log_loss=(0.01, 0.03)),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            {"log loss not worse": "fail"},
            id="a refresh that harms",
        ),
        pytest.param(
            evidence(),
            FINE_COHORTS | {"carrier": {"AA": cohort(0.02, 0.06, p=0.001)}},
            FINE_BEHAVIOUR,
            {"cohorts": "fail"},
            id="one cohort harmed",
        ),
        pytest.param(
            evidence(),
            FINE_COHORTS,
            {"late hub": behaviour(0.5), "smooth hub": behaviour(0.9)},
            {"behaviour: late hub": "fail"},
            id="one behaviour wrong",
        ),
    ],
)
def test_every_rule_can_fail_alone(metrics: Any, cohorts: Any, behaviours: Any, expected: dict[str, str]) -> None:
    """A win that is spoilt in one place fails, and only the rule of that place says so."""
    assert {"verdict": "fail", **expected} == decided(metrics, cohorts, behaviours)


@pytest.mark.parametrize(
    ("metrics", "cohorts", "expected"),
    [
        pytest.param(
            evidence(log_loss=(-0.02, 0.01)),
            FINE_COHORTS,
            {"better log loss": "inconclusive"},
            id="the win may be luck",
        ),
        pytest.param(
            evidence(log_loss=(None, None)), FINE_COHORTS, {"better log loss": "inconclusive"}, id="no interval"
        ),
        pytest.param(
            evidence(auc=(-0.01, 0.02)),
            FINE_COHORTS,
            {"AUC not worse": "inconclusive"},
            id="a loss beyond the margin is possible",
        ),
        pytest.param(
            evidence(auc=(None, None)), FINE_COHORTS, {"AUC not worse": "inconclusive"}, id="no interval of the AUC"
        ),
        pytest.param(
            evidence("refresh", log_loss=(-0.02, 0.006)),
            FINE_COHORTS,
            {"log loss not worse": "inconclusive"},
            id="a refresh that may harm",
        ),
        pytest.param(
            changed(evidence(), "window", predictions=16_667),
            FINE_COHORTS,
            {"enough evidence": "inconclusive"},
            id="too few of the predictions have a label",
        ),
        pytest.param(
            changed(evidence(), "window", days=13),
            FINE_COHORTS,
            {"enough evidence": "inconclusive"},
            id="too few days",
        ),
        pytest.param(
            changed(evidence(), "window", positives=199),
            FINE_COHORTS,
            {"enough evidence": "inconclusive"},
            id="too few positives",
        ),
        pytest.param(
            changed(evidence(), "window", positives=5000 - 199),
            FINE_COHORTS,
            {"enough evidence": "inconclusive"},
            id="too few negatives",
        ),
        pytest.param(
            evidence(),
            {"origin": {"EWR": cohort(-0.02, -0.01, rows=99)}},
            {"cohorts": "inconclusive"},
            id="no cohort is large enough",
        ),
        pytest.param(
            changed(evidence(), "champion", why_not_compared="the champion needs features that no longer exist: size"),
            FINE_COHORTS,
            {"comparable": "inconclusive"},
            id="the champion cannot be compared",
        ),
    ],
)
def test_what_is_not_shown_is_inconclusive(metrics: Any, cohorts: Any, expected: dict[str, str]) -> None:
    """A win that lacks one piece of evidence does not pass, and does not fail."""
    assert {"verdict": "inconclusive", **expected} == decided(metrics, cohorts)


def test_a_fail_outweighs_what_is_inconclusive() -> None:
    """One rule fails, another one cannot say."""
    found = decided(evidence(log_loss=(-0.02, 0.01), auc=(-0.03, -0.01)))
    assert {"verdict": "fail", "better log loss": "inconclusive", "AUC not worse": "fail"} == found


def test_evidence_of_just_the_size_needed_is_enough() -> None:
    """The limits themselves are allowed."""
    assert enough({"predictions": 2000, "rows": 600, "days": 14, "positives": 200}, GATE)["verdict"] == "pass"


@pytest.mark.parametrize("metric", sorted(HIGHER_IS_BETTER))
def test_better_knows_which_way_is_up(metric: str) -> None:
    """More AUC is better; more log loss is worse."""
    rule = asked(metric, "pooled", "better")
    verdicts = [said_of(rule, interval(*ends))["verdict"] for ends in ((1, 2), (-2, -1))]
    assert (["pass", "fail"] if HIGHER_IS_BETTER[metric] else ["fail", "pass"]) == verdicts


@pytest.mark.parametrize("metric", sorted(HIGHER_IS_BETTER))
def test_not_worse_knows_which_way_is_up(metric: str) -> None:
    """More AUC is no loss; more log loss is one."""
    rule = asked(metric, "pooled", "not_worse", 0.5)
    verdicts = [said_of(rule, interval(*ends))["verdict"] for ends in ((1, 2), (-2, -1))]
    assert (["pass", "fail"] if HIGHER_IS_BETTER[metric] else ["fail", "pass"]) == verdicts


@pytest.mark.parametrize("metric", sorted(HIGHER_IS_BETTER))
def test_unharmed_knows_which_way_is_up(metric: str) -> None:
    """More AUC harms nobody; more log loss does."""
    rule = asked(metric, "pooled", "unharmed", 0.5)
    verdicts = [said_of(rule, interval(*ends))["verdict"] for ends in ((1, 2), (-2, -1))]
    assert (["pass", "fail"] if HIGHER_IS_BETTER[metric] else ["fail", "pass"]) == verdicts


@pytest.mark.parametrize("metric", sorted(HIGHER_IS_BETTER))
def test_cohorts_know_which_way_is_up(metric: str) -> None:
    """A cohort with more AUC is unharmed; one with more log loss is harmed."""
    verdicts = [
        cohorts_unharmed(
            {
                "origin": {
                    "EWR": {
                        "rows": 1000,
                        "positives": 400,
                        "difference": {"champion": {metric: interval(*found)}},
                        "p_worse": {"champion": {metric: 0.001}},
                    }
                }
            },
            5000,
            "champion",
            asked(metric, "cohort", "unharmed", 0.02),
            GATE,
        )["verdict"]
        for found in ((1, 2), (-2, -1))
    ]
    assert (["pass", "fail"] if HIGHER_IS_BETTER[metric] else ["fail", "pass"]) == verdicts


def test_only_three_metrics_are_better_when_lower() -> None:
    """Losses and calibration errors; all others are gains."""
    assert {"log_loss", "brier", "ece"} == {name for name, is_higher in HIGHER_IS_BETTER.items() if not is_higher}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.03, -0.001, "pass"),
        (-0.03, 0.0, "inconclusive"),
        (0.0, 0.0, "inconclusive"),
        (0.0, 0.03, "inconclusive"),
        (0.001, 0.03, "fail"),
    ],
)
def test_better_needs_all_of_the_interval(low: float, high: float, expected: str) -> None:
    """An interval of the log loss that touches zero shows nothing."""
    assert expected == said_of(CHANGE["better"], interval(low, high))["verdict"]


BETTER, WORSE, UNSURE = interval(0.01, 0.03), interval(-0.03, -0.01), interval(-0.01, 0.03)


@pytest.mark.parametrize(
    ("found", "check", "expected"),
    [
        (BETTER, BETTER, "pass"),
        (WORSE, WORSE, "fail"),
        (BETTER, UNSURE, "inconclusive"),
        (UNSURE, BETTER, "inconclusive"),
        (WORSE, UNSURE, "inconclusive"),
        (UNSURE, WORSE, "inconclusive"),
        (BETTER, WORSE, "inconclusive"),
        (BETTER, interval(None, None), "inconclusive"),
        (interval(None, None), BETTER, "inconclusive"),
    ],
)
def test_what_depends_on_the_blocks_of_days_is_not_shown(found: Any, check: Any, expected: str) -> None:
    """Better, or no loss, is what blocks of both lengths say."""
    for must in ("better", "not_worse"):
        assert expected == said_of(asked("auc", "pooled", must), found, check)["verdict"]


def test_where_blocks_of_days_disagree_both_intervals_are_told() -> None:
    """So that a reader sees how far they are apart."""
    said = said_of(CHANGE["auc"], BETTER, WORSE)["reason"]
    assert said == (
        "AUC against champion: +0.0200 [+0.0100, +0.0300], margin 0.005, but -0.0200 [-0.0300, -0.0100] with other blocks of "
        "days: it depends on them; evidence like this shows a change of 0.0143 in four of five cases."
    )


@pytest.mark.parametrize(
    ("low", "high", "margin", "expected"),
    [
        (-0.004, 0.01, 0.005, "pass"),  # a loss, but a small one
        (-0.005, 0.01, 0.005, "inconclusive"),  # it reaches the margin
        (-0.01, -0.005, 0.005, "inconclusive"),  # it may be just the margin
        (-0.02, -0.006, 0.005, "fail"),
        (-0.006, -0.006, 0.005, "fail"),  # the same loss in every sample, and more than the margin
        (0.0, 0.0, 0.0, "pass"),  # identical models, no margin: nothing is lost
        (-0.005, -0.005, 0.005, "pass"),  # just the margin, for sure: nothing is lost beyond it
        (-0.001, 0.01, 0.0, "inconclusive"),
    ],
)
def test_not_worse_allows_a_loss_within_the_margin(low: float, high: float, margin: float, expected: str) -> None:
    """The interval of the AUC must stay above minus the margin."""
    rule = asked("auc", "pooled", "not_worse", margin)
    assert expected == said_of(rule, interval(low, high))["verdict"]


@pytest.mark.parametrize(
    ("low", "high", "margin", "expected"),
    [
        (0.006, 0.02, 0.005, "pass"),
        (0.005, 0.02, 0.005, "inconclusive"),  # it touches the margin
        (0.001, 0.02, 0.005, "inconclusive"),  # better, and perhaps by less than is asked
        (0.001, 0.004, 0.005, "fail"),  # better, and surely by less than is asked
    ],
)
def test_better_by_a_margin_needs_all_of_the_interval_beyond_it(
    low: float, high: float, margin: float, expected: str
) -> None:
    """A change that must earn its keep."""
    assert expected == said_of(asked("auc", "pooled", "better", margin), interval(low, high))["verdict"]


@pytest.mark.parametrize(
    ("low", "high", "margin", "expected"),
    [
        (-0.03, -0.01, 0.0, "fail"),
        (-0.03, 0.0, 0.0, "pass"),  # the interval touches zero: no harm is shown
        (-0.03, 0.01, 0.0, "pass"),
        (-0.03, -0.011, 0.02, "fail"),  # surely worse, beyond the margin on average
        (-0.03, -0.01, 0.02, "pass"),  # surely worse, by just the margin
        (-0.02, -0.01, 0.02, "pass"),  # surely worse, within the margin
        (None, None, 0.0, "inconclusive"),
    ],
)
def test_harmed_is_what_surely_lost_more_than_the_margin(
    low: float | None, high: float | None, margin: float, expected: str
) -> None:
    """The burden of proof is the other way round: what is not shown is no harm."""
    assert expected == said_of(asked("auc", "pooled", "unharmed", margin), interval(low, high))["verdict"]
    loss = interval(None if high is None else -high, None if low is None else -low)
    assert expected == said_of(asked("log_loss", "pooled", "unharmed", margin), loss)["verdict"]


@pytest.mark.parametrize("must", ["better", "not_worse", "unharmed"])
def test_the_margin_is_told_where_there_is_one(must: str) -> None:
    """And nothing of a margin of zero."""
    told = [said_of(asked("auc", "pooled", must, margin), BETTER)["reason"] for margin in (0.0, 0.005)]
    assert [False, True] == ["margin 0" in one.partition(";")[0] for one in told]


@pytest.mark.parametrize(
    ("must", "said"), [("better", "better is not shown"), ("not_worse", "a loss beyond the margin is not ruled out")]
)
def test_where_blocks_of_days_agree_that_nothing_is_shown_that_is_said(must: str, said: str) -> None:
    """And nothing of other blocks, which say the same."""
    reason = said_of(asked("auc", "pooled", must), UNSURE)["reason"]
    assert reason.startswith(f"AUC against champion: +0.0100 [-0.0100, +0.0300]; {said}: evidence like this shows")


@pytest.mark.parametrize(
    ("found", "check", "verdict"),
    [
        (WORSE, UNSURE, "inconclusive"),
        (interval(-0.03, 0.01), WORSE, "inconclusive"),
        (WORSE, BETTER, "inconclusive"),
        (UNSURE, WORSE, "pass"),  # better on average: no loss
    ],
)
def test_harm_is_shown_by_blocks_of_both_lengths(found: Any, check: Any, verdict: str) -> None:
    """Of one length alone it depends on them."""
    assert verdict == said_of(asked("auc", "pooled", "unharmed"), found, check)["verdict"]


@pytest.mark.parametrize(
    ("loss", "p", "rows", "positives", "expected"),
    [
        pytest.param(0.03, 0.025, 100, 30, "fail", id="worse beyond the margin, and hardly by chance"),
        pytest.param(0.03, 0.025, 100, 70, "fail", id="so with as few negatives"),
        pytest.param(
            0.03, 0.0251, 100, 30, "pass", id="worse beyond the margin, perhaps by chance: one of two looks so"
        ),
        pytest.param(0.02, 0.0, 100, 30, "pass", id="surely worse, by just the margin"),
        pytest.param(0.0, 0.0, 100, 30, "pass", id="not worse at all"),
        pytest.param(0.03, 0.0, 99, 30, "pass", id="too small a share of the rows to judge"),
        pytest.param(0.03, 0.0, 100, 29, "pass", id="too few positives to judge"),
        pytest.param(0.03, 0.0, 100, 71, "pass", id="too few negatives to judge"),
        pytest.param(0.03, None, 100, 30, "inconclusive", id="no p-value"),
        pytest.param(None, 0.0, 100, 30, "inconclusive", id="no value"),
    ],
)
def test_a_cohort_is_harmed_when_the_loss_is_large_and_sure(
    loss: float | None, p: float | None, rows: int, positives: int, expected: str
) -> None:
    """A mean loss above 0.02, of a p-value of at most 0.05 / 2 for two cohorts, in 2 % of 5,000 rows with 30 of each class."""
    harmed = cohort(loss, loss, rows, positives, p=p)
    cohorts = {"origin": {"EWR": cohort(-0.02, -0.01), "JFK": harmed}}
    assert expected == cohorts_unharmed(cohorts, 5000, "champion", CHANGE["cohorts"], GATE)["verdict"]


@pytest.mark.parametrize(
    ("found", "p"),
    [
        ({"value": 0.04, "low": 0.03, "high": 0.05}, None),
        ({"value": None, "low": 0.03, "high": 0.05}, 0.0),
        ({"value": 0.04, "low": None, "high": 0.05}, 0.0),
        ({"value": 0.04, "low": 0.03, "high": None}, 0.0),
    ],
)
def test_a_large_cohort_that_lacks_a_number_is_inconclusive(found: dict[str, float | None], p: float | None) -> None:
    """What cannot be judged, though it is large enough to be, is not shown to be unharmed."""
    lacking = cohort(None, None, p=p) | {"difference": {"champion": {"log_loss": found}}}
    cohorts: Any = {"origin": {"EWR": cohort(-0.02, -0.01), "JFK": lacking}}
    rule = cohorts_unharmed(cohorts, 5000, "champion", CHANGE["cohorts"], GATE)
    assert ("inconclusive", "Large enough to judge, but without an interval: origin = JFK.") == (
        rule["verdict"],
        rule["reason"],
    )


@pytest.mark.parametrize(
    ("n_small", "said"), [(0, ""), (1, "; 1 more is too small to judge"), (2, "; 2 more are too small to judge")]
)
def test_the_reason_counts_the_cohorts_that_are_too_small(n_small: int, said: str) -> None:
    """Where there are some."""
    cohorts = {"EWR": cohort(-0.02, -0.01)} | {f"tiny {n}": cohort(0.1, 0.2, rows=3) for n in range(n_small)}
    rule = cohorts_unharmed({"origin": cohorts}, 5000, "champion", CHANGE["cohorts"], GATE)
    assert f"None of 1 cohorts loses more than 0.02 of log loss to champion{said}." == rule["reason"]


@pytest.mark.parametrize(("metric", "sign"), [("auc", -1), ("log_loss", 1)])
@pytest.mark.parametrize(("loss", "expected"), [(0.015, "pass"), (0.025, "fail")])
def test_the_margin_of_a_cohort_is_that_of_any_metric(metric: str, sign: int, loss: float, expected: str) -> None:
    """A loss is as large whichever way is up."""
    found = {"value": sign * loss, "low": sign * loss - 0.01, "high": sign * loss + 0.01}
    harmed = cohort(None, None) | {"difference": {"champion": {metric: found}}, "p_worse": {"champion": {metric: 0.0}}}
    rule = asked(metric, "cohort", "unharmed", 0.02)
    assert expected == cohorts_unharmed({"origin": {"EWR": harmed}}, 5000, "champion", rule, GATE)["verdict"]


def test_a_cohort_among_many_needs_a_clearer_loss() -> None:
    """The same loss and p-value fail alone, and not among a hundred: one in a hundred looks so by chance."""
    harmed = {"AA": cohort(0.03, 0.05, p=0.01)}
    others = {f"A{number}": cohort(-0.01, 0.01) for number in range(99)}
    verdicts = [
        cohorts_unharmed({"carrier": one}, 5000, "champion", CHANGE["cohorts"], GATE)
        for one in (harmed, harmed | others)
    ]
    assert ["fail", "pass"] == [one["verdict"] for one in verdicts]


def test_the_decision_lists_the_cohorts_that_are_too_small_to_judge() -> None:
    """By name, with their rows and those of the rarer class; the rule says how many there are."""
    cohorts = FINE_COHORTS | {"carrier": {"OO": cohort(0.1, 0.2, rows=3, positives=2), "AA": cohort(-0.1, 0.2)}}
    found = decide(
        about_these(evidence(), cohorts), cohorts, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE
    )
    assert [{"cohort": "carrier = OO", "rows": 3, "rarer": 1}] == found["too_small"]
    [reason] = [rule["reason"] for rule in found["rules"] if rule["rule"] == "cohorts"]
    assert reason == ("None of 3 cohorts loses more than 0.02 of log loss to champion; 1 more is too small to judge.")


@pytest.mark.parametrize(
    ("change", "p", "expected"),
    [
        pytest.param(0.11, 0.025, "inconclusive", id="wider by more than the margin, and hardly by chance"),
        pytest.param(0.11, 0.0251, "pass", id="perhaps by chance: one of two gaps looks so"),
        pytest.param(0.10, 0.0, "pass", id="wider by just the margin"),
        pytest.param(-0.11, 1.0, "pass", id="narrower"),
        pytest.param(0.0, 0.0, "pass", id="as wide as before"),
        pytest.param(None, None, "pass", id="nothing to compare it with"),
        pytest.param(None, 0.0, "pass", id="no change, whatever its p-value"),
    ],
)
def test_a_gap_that_grows_is_asked_about_and_never_a_fail(change: float | None, p: float | None, expected: str) -> None:
    """By more than 0.1, with a p-value of at most 0.05 / 2 for two gaps."""
    found: Any = {
        "origin": {"cohorts": ["EWR", "JFK"], "gaps": {"recall": gap(change, p), "alert_rate": gap(0.0, 0.5)}}
    }
    assert expected == gaps_not_wider(found, "champion", GATE)["verdict"]


def test_a_gap_whose_change_has_no_value_did_not_grow() -> None:
    """Its ends alone are no change."""
    change = {"value": None, "low": 0.2, "high": 0.3}
    found: Any = {"origin": {"cohorts": ["EWR", "JFK"], "gaps": {"recall": gap(0.0, 0.0) | {"change": change}}}}
    rule = gaps_not_wider(found, "champion", GATE)
    said = "None of 1 gaps between cohorts grows by more than 0.1 against champion."
    assert ("pass", said) == (rule["verdict"], rule["reason"])


def test_gaps_that_nobody_can_compare_are_said_to_be_that() -> None:
    """There are cohorts, and not what their gaps were before."""
    found: Any = {"origin": {"cohorts": ["EWR", "JFK"], "gaps": {"recall": gap(None, None)}}}
    assert "Skipped: no gap between cohorts can be compared." == gaps_not_wider(found, "champion", GATE)["reason"]


def test_the_reason_names_the_gap_and_between_whom_it_is() -> None:
    """What grew, of which group, how wide it is, by how much, and what to ask."""
    found: Any = {
        "origin": {"cohorts": ["EWR", "JFK"], "gaps": {"recall": gap(0.15, 0.001), "alert_rate": gap(0.0, 0.5)}}
    }
    assert gaps_not_wider(found, "champion", GATE)["reason"] == (
        "A gap grows by more than 0.1 against champion: recall of alerts by origin (0.310 between EWR and JFK, "
        "+0.1500 [+0.1400, +0.1600], p 0.002); if that is fair to those who get fewer right alerts, "
        "accept it with the reason."
    )


def test_a_first_model_may_tell_cohorts_apart() -> None:
    """A rule that treats all alike has no gaps; whatever is better than it has some."""
    found: Any = {"origin": {"cohorts": ["EWR", "JFK"], "gaps": {"recall": gap(0.3, 0.0)}}}
    rules = [gaps_not_wider(found, reference, GATE) for reference in ("champion", "served", "base_rate")]
    assert ["inconclusive", "pass", "pass"] == [rule["verdict"] for rule in rules]


@pytest.mark.parametrize(("p", "said"), [(0.00009, "p below 0.0001)"), (0.0001, "p 0.0001)"), (0.0042, "p 0.0042)")])
def test_a_tiny_p_value_is_said_to_be_below_what_means_something(p: float, said: str) -> None:
    """Further out it says more of the method than of the world."""
    found: Any = {"origin": {"cohorts": ["EWR", "JFK"], "gaps": {"recall": gap(0.3, p)}}}
    assert said in gaps_not_wider(found, "champion", GATE)["reason"]


def test_metrics_without_the_gaps_of_a_group_are_no_evidence() -> None:
    """A gap that is not there could not grow."""
    with pytest.raises(DataError, match=r"metrics\.json is about nothing; .* that origin was measured"):
        decide(
            evidence() | {"gaps": {}},
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            FINE_PROBED,
            FINE_ROBUST,
            FINE_COST,
            CONTRACTS,
            GATE,
        )


def test_where_no_cohorts_are_declared_their_rule_is_skipped_and_says_so() -> None:
    """A project without cohorts can release; a reviewer reads that nothing was looked at."""
    found = decide(
        about_these(evidence(), {}), {}, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE
    )
    reasons = {rule["rule"]: rule["reason"] for rule in found["rules"]}
    skipped = "Skipped: evaluate.cohorts is empty."
    assert ("pass", skipped, skipped) == (found["verdict"], reasons["cohorts"], reasons["gaps between cohorts"])


@pytest.mark.parametrize(
    ("cohorts", "behaviours", "said"),
    [
        ({}, FINE_BEHAVIOUR, r"cohorts\.json is about nothing; .* that origin was measured"),
        (FINE_COHORTS, {}, r"behaviour\.json is about nothing; .* that late hub was measured"),
        (FINE_COHORTS | {"dest": {}}, FINE_BEHAVIOUR, "is about dest, origin"),
    ],
)
def test_evidence_that_lacks_what_was_measured_is_no_evidence(cohorts: Any, behaviours: Any, said: str) -> None:
    """An emptied file would be no rule, and no rule passes."""
    with pytest.raises(DataError, match=said):
        decide(evidence(), cohorts, behaviours, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE)


@pytest.mark.parametrize(
    ("inputs", "there"),
    [({}, "nothing"), ({"distance": alone(0.5)}, "distance"), (probed(speed=alone(0.5))["inputs"], ".*speed")],
)
def test_a_probe_of_other_inputs_than_the_model_has_is_no_evidence(inputs: Any, there: str) -> None:
    """An input that is not there could not be suspicious."""
    with pytest.raises(DataError, match=rf"leaks\.json is about {there}; .* that distance, late_rate was measured"):
        decide(
            evidence(),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            FINE_PROBED | {"inputs": inputs},
            FINE_ROBUST,
            FINE_COST,
            CONTRACTS,
            GATE,
        )


ONLY = {"are": "missing", "label": 1, "rows": 1030}
QUESTION = (
    "; if this is known when the prediction is served, say why in conf/, under evaluate.leaks.accepted; "
    "if not, take it out of the features"
)


@pytest.mark.parametrize(
    ("found", "auc", "said"),
    [
        (probed(delay=alone(1.0)), 0.73, "Delay alone has an AUC of 1.0000 (0.98 is the limit)"),
        (probed(served_at=0.985), 0.73, "Served_at alone has an AUC of 0.9850 (0.98 is the limit)"),
        (probed(plane=alone(0.6, ONLY)), 0.73, "Plane is missing only where the label is 1 (1,030 rows)"),
        (
            probed(plane=alone(0.99, ONLY)),
            0.73,
            "Plane alone has an AUC of 0.9900 (0.98 is the limit) and is missing only where the label is 1 (1,030 rows)",
        ),
        (probed(), 0.995, "The candidate has an AUC of 0.9950 (0.99 is the limit)"),
        (
            probed(delay=alone(0.999)),
            0.9999,
            "Delay alone has an AUC of 0.9990 (0.98 is the limit); the candidate has an AUC of 0.9999 (0.99 is the limit)",
        ),
        (
            probed(plane=alone(None, ONLY), why="too little"),
            0.73,
            "Plane is missing only where the label is 1 (1,030 rows)",
        ),
    ],
)
def test_what_is_too_right_is_asked_about(found: Any, auc: float, said: str) -> None:
    """By name, with its number, and with what to do; only a person can tell, so it is never a fail."""
    rule = leaks(found, auc)
    assert ("inconclusive", f"{said}{QUESTION}.") == (rule["verdict"], rule["reason"])


def test_a_served_score_that_is_too_right_is_asked_about() -> None:
    """It is no input, so it is to be taken out of another place; a strong honest one, and none at all, pass."""
    rule = leaks(probed() | {"served_score": 1.0}, 0.73)
    assert (
        "inconclusive",
        "The score that was served has an AUC of 1.0000 (0.99 is the limit): if it was written when",
    ) == (
        rule["verdict"],
        rule["reason"][:90],
    )
    assert rule["reason"].endswith("if not, take it out of columns under source.options.")
    assert leaks(probed(delay=alone(1.0)) | {"served_score": 1.0}, 0.73)["reason"].endswith("out of the features.")
    assert ["pass", "pass"] == [leaks(probed() | {"served_score": one}, 0.73)["verdict"] for one in (0.99, None)]
    accepted = probed(accepted={"served_score": "The rule is known."}) | {"served_score": 0.999}
    assert "pass" == leaks(accepted, 0.73)["verdict"]


@pytest.mark.parametrize(("auc", "of_candidate"), [(0.98, 0.73), (0.95, 0.99)])
def test_an_auc_at_its_limit_is_allowed(auc: float, of_candidate: float) -> None:
    """Above it is not."""
    assert "pass" == leaks(probed(late_rate=alone(auc)), of_candidate)["verdict"]
    assert "inconclusive" == leaks(probed(late_rate=alone(0.9801)), 0.73)["verdict"]
    assert "inconclusive" == leaks(probed(), 0.9901)["verdict"]


def test_an_input_without_an_auc_is_not_the_most_telling() -> None:
    """Nor is it a crash."""
    said = leaks(probed(speed=alone(None)), 0.73)["reason"]
    assert said.startswith("AUC of each of 3 inputs alone at most 0.9100, of the candidate 0.7300;")
    said = leaks(probed() | {"inputs": {}}, 0.73)["reason"]
    assert said.startswith("AUC of each of 0 inputs alone at most 0.0000, of the candidate 0.7300;")


def test_inputs_that_are_only_odd_pass() -> None:
    """A constant, a twin or an id explains nothing."""
    found = probed()
    found["inputs"]["distance"]["hints"] = ["constant", "identical to late_rate", "like an id"]
    said = "AUC of each of 2 inputs alone at most 0.9100, of the candidate 0.7300; 0.98 and 0.99 are the limits."
    assert ("pass", said) == (leaks(found, 0.73)["verdict"], leaks(found, 0.73)["reason"])


@pytest.mark.parametrize(
    ("found", "auc"),
    [
        (probed(delay=alone(1.0), accepted={"delay": "It is the delay of the flight before."}), 0.73),
        (probed(served_at=0.99, accepted={"served_at": "Night flights are never late."}), 0.73),
        (probed(accepted={"candidate": "The rule is known, and the model found it."}), 0.9999),
    ],
)
def test_what_is_accepted_passes_and_is_said_with_its_reason(found: Any, auc: float) -> None:
    """A reviewer reads what is suspicious, and why it is right."""
    rule = leaks(found, auc)
    [(name, why)] = found["accepted"].items()
    assert "pass" == rule["verdict"]
    assert re.search(
        rf"; accepted: (the )?{name} (alone )?has an AUC of \S+ \(\S+ is the limit\), because: {why}$", rule["reason"]
    )


def test_what_is_accepted_is_that_alone() -> None:
    """Of two suspicious inputs and a candidate that is too right, one input is accepted: the others are asked about."""
    found = probed(delay=alone(1.0), plane=alone(0.6, ONLY), accepted={"delay": "Known before."})
    rule = leaks(found, 0.995)
    asked, told = rule["reason"].split(QUESTION)
    assert "inconclusive" == rule["verdict"]
    assert (True, True, False) == tuple(name in asked for name in ("Plane", "candidate", "elay"))
    assert "; accepted: delay alone has an AUC of 1.0000 (0.98 is the limit), because: Known before." == told


@pytest.mark.parametrize(
    ("found", "auc", "why"),
    [
        (probed(why="the later days have 3 rows"), 0.73, "the later days have 3 rows"),
        (probed(), None, "the candidate has no AUC"),
    ],
)
def test_what_could_not_be_measured_is_inconclusive(found: Any, auc: float | None, why: str) -> None:
    """What is not shown does not pass."""
    rule = leaks(found, auc)
    said = f"Whether an input gives the answer away cannot be told: {why}."
    assert ("inconclusive", said) == (rule["verdict"], rule["reason"])


def test_a_leak_keeps_the_gate_inconclusive_and_never_makes_it_fail() -> None:
    """A clear win on every other rule; and the decision hears of the candidate's own AUC."""
    metrics = evidence()
    metrics["about"]["inputs"] = ["delay", "distance", "late_rate"]
    found = decide(
        metrics, FINE_COHORTS, FINE_BEHAVIOUR, probed(delay=alone(1.0)), robust("delay"), FINE_COST, CONTRACTS, GATE
    )
    assert ("inconclusive", ["leaks"]) == (found["verdict"], open_rules(found))
    metrics = evidence()
    metrics["candidate"]["auc"]["value"] = 0.995
    found = decide(metrics, FINE_COHORTS, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE)
    assert ("inconclusive", ["leaks"]) == (found["verdict"], open_rules(found))


def test_a_difference_without_its_value_is_inconclusive() -> None:
    """Its ends alone are no interval."""
    found = evidence()
    for metric in ("log_loss", "auc"):
        found["difference"]["champion"][metric]["value"] = None
        found["windows"][0]["difference"]["champion"][metric]["value"] = None
    assert decided(found) == {
        "verdict": "inconclusive",
        "better log loss": "inconclusive",
        "AUC not worse": "inconclusive",
        "log loss not harmed in the latest window": "inconclusive",
    }


def test_the_reason_names_every_harmed_cohort() -> None:
    """A reviewer reads which group is harmed, by how much, and how many rows say so."""
    cohorts = {
        "origin": {"EWR": cohort(0.03, 0.05, p=0.002), "JFK": cohort(-0.02, 0.0)},
        "carrier": {"AA": cohort(0.04, 0.06, p=0.004), "OO": cohort(0.1, 0.2, rows=3, positives=2)},
    }
    reason = cohorts_unharmed(cohorts, 5000, "champion", CHANGE["cohorts"], GATE)["reason"]
    expected = [
        "2 of 3 cohorts lose more than 0.02 of log loss to champion (p after Holm's correction for 3, at most 0.05): ",
        "origin = EWR (+0.0400 [+0.0300, +0.0500], 1000 rows, p 0.006)",
        "carrier = AA (+0.0500 [+0.0400, +0.0600], 1000 rows, p 0.008); 1 more is too small to judge.",
    ]
    assert [True, True, True, False] == [text in reason for text in [*expected, "JFK"]]


def test_the_reason_of_too_little_evidence_says_what_is_short() -> None:
    """Found and needed, for each that is short."""
    found = enough({"predictions": 4000, "rows": 900, "days": 20, "positives": 100}, GATE)["reason"]
    expected = "22% of the predictions have a label, 30% needed; 100 rows of the rarer class, 200 needed."
    assert found == f"Too little evidence: {expected}"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        pytest.param(0.0, 0.08, "pass", id="all of it within"),
        pytest.param(0.01, 0.0801, "inconclusive", id="a value within, and an end beyond"),
        pytest.param(0.08, 0.12, "inconclusive", id="a value beyond, and an end within"),
        pytest.param(0.0801, 0.12, "fail", id="all of it beyond"),
        pytest.param(None, None, "inconclusive", id="no interval"),
    ],
)
def test_calibrated_needs_all_of_the_interval(low: float | None, high: float | None, expected: str) -> None:
    """At most 0.08 is allowed, with both ends."""
    assert expected == calibrated({"value": 0.07, "low": low, "high": high}, 0.08)["verdict"]


@pytest.mark.parametrize("lost", ["value", "low", "high"])
def test_a_calibration_error_that_lacks_a_number_is_inconclusive(lost: str) -> None:
    """Its other two are no evidence."""
    found: Any = {"value": 0.02, "low": 0.01, "high": 0.03} | {lost: None}
    expected = ("inconclusive", "The calibration error has no interval on these rows.")
    assert expected == (calibrated(found, 0.08)["verdict"], calibrated(found, 0.08)["reason"])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(behaviour(0.8, moved=0.2), "pass", id="just enough move, and just enough of them rise"),
        pytest.param(behaviour(0.79), "fail", id="too few of those that move rise"),
        pytest.param(behaviour(1.0, moved=0.19), "fail", id="too few move"),
        pytest.param(behaviour(None, moved=0.0, shift=0.0), "fail", id="none moves"),
        pytest.param(behaviour(0.9, shift=-0.1), "fail", id="most rise, and fall on average"),
        pytest.param(behaviour(0.9, shift=0.0), "fail", id="most rise, and stay on average"),
        pytest.param(behaviour(0.9, shift=-0.1, expect="lower"), "pass", id="most fall, as expected"),
        pytest.param(behaviour(0.9, shift=0.1, expect="lower"), "fail", id="most fall, and rise on average"),
        pytest.param(behaviour(0.9, shift=0.0, expect="lower"), "fail", id="most fall, and stay on average"),
        pytest.param(behaviour(0.8, moved=0.2, shift=0.1, expect="same"), "pass", id="just enough stay"),
        pytest.param(behaviour(0.79, moved=0.21, expect="same"), "fail", id="too few stay"),
        pytest.param(behaviour(None, moved=0.0, expect="same"), "fail", id="nobody knows how many stay"),
    ],
)
def test_enough_scores_must_move_as_expected(found: dict[str, Any], expected: str) -> None:
    """At least a fifth of the scores move, at least four in five of these in the direction expected, and their mean too."""
    assert expected == behaves("late hub", found, GATE)["verdict"]


@pytest.mark.parametrize(
    ("found", "expected", "said"),
    [
        (
            robust(flipped=0.2),
            "pass",
            r"At most 20.0% \(late_rate\) of the decisions flip when an input is slightly off, at most 20%",
        ),
        (
            robust(flipped=0.201),
            "fail",
            "Too many of the decisions flip when an input is slightly off, .*: late_rate 20.1%.",
        ),
        (robust(no_score=3), "fail", r"There is no score in \[0, 1\] with late_rate missing \(3 rows\)."),
        (robust(flipped=None, rows=0), "inconclusive", "No input could be changed in any row."),
        (robust(flipped=None), "pass", r"At most 1.0% \(distance\) of the decisions flip"),
        (robust(flipped=0.0), "pass", r"At most 1.0% \(distance\) of the decisions flip"),
        (robust() | {"inputs": {"late_rate": {}}}, "inconclusive", "No input could be changed in any row."),
    ],
)
def test_a_model_that_hangs_on_a_rough_input_fails(found: dict[str, Any], expected: str, said: str) -> None:
    """At most a fifth of the decisions flip; every row has a score; rows that no change changes are no evidence."""
    rule = robust_enough(found, GATE.max_flipped)
    assert expected == rule["verdict"]
    assert re.match(said, rule["reason"])


def test_robustness_of_other_inputs_than_the_model_has_is_no_evidence() -> None:
    """An emptied file would be no rule; and the decision hears of what was found."""
    with pytest.raises(DataError, match=r"robustness\.json is about nothing"):
        decide(
            evidence(),
            FINE_COHORTS,
            FINE_BEHAVIOUR,
            FINE_PROBED,
            FINE_ROBUST | {"inputs": {}},
            FINE_COST,
            CONTRACTS,
            GATE,
        )
    found = decide(
        evidence(), FINE_COHORTS, FINE_BEHAVIOUR, FINE_PROBED, robust(flipped=0.5), FINE_COST, CONTRACTS, GATE
    )
    assert ("fail", ["robustness"]) == (found["verdict"], open_rules(found))


def test_without_a_champion_the_served_score_is_the_reference() -> None:
    """Before the first release a candidate must beat what was served."""
    first = changed(evidence(), "champion", version=None, identity=None)
    del first["champion"]
    for kind in ("difference", "check"):
        first[kind] = {"served": first[kind]["champion"]}
        for one in first["windows"]:
            one[kind] = first[kind]
    first["as_it_is"] = None
    cohorts = {"origin": {"EWR": cohort(-0.02, -0.01, reference="served")}}
    first["gaps"]["origin"]["gaps"]["recall"] |= gap(None, None)
    found = decide(first, cohorts, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, cost(champion=None), CONTRACTS, GATE)
    assert ("pass", "served", None) == (found["verdict"], found["reference"], found["champion"])


def test_a_champion_that_cannot_be_compared_says_why() -> None:
    """The reason is passed on to the reviewer."""
    why = "the champion needs features that no longer exist: size"
    found = comparable(changed(evidence(), "champion", why_not_compared=why)["about"], "served")
    expected = ("inconclusive", "The champion needs features that no longer exist: size.")
    assert expected == (found["verdict"], found["reason"])


def test_a_champion_whose_recipe_cannot_be_fitted_is_compared_as_it_is_and_the_reason_is_said() -> None:
    """A reviewer reads why, and that the comparison is not of recipes."""
    about = evidence()["about"] | {"why_as_it_is": "its card names no recipe, because it was made by older code"}
    said = "The champion v0.1.0 is compared as it is: its card names no recipe, because it was made by older code."
    assert ("pass", said) == (comparable(about, "champion")["verdict"], comparable(about, "champion")["reason"])


def test_the_candidate_that_is_the_champion_is_inconclusive() -> None:
    """All evidence would let it through, and there is nothing to release."""
    found = changed(evidence("refresh"), "candidate", identity="decade")
    assert {"verdict": "inconclusive", "comparable": "inconclusive"} == decided(found)
    said = "The candidate is the champion, so there is nothing new to release."
    assert said == comparable(found["about"], "champion")["reason"]


SAME = "are the same recipe with more data, so it must do no harm."
OTHER = "are another recipe, so it must be better."


@pytest.mark.parametrize(
    ("kind", "version", "identity", "reason"),
    [
        ("change", "v0.1.0", "decade", f"The champion v0.1.0 and the candidate {OTHER}"),
        ("refresh", "v0.1.0", "decade", f"The champion v0.1.0 and the candidate {SAME}"),
        ("change", None, "decade", f"The champion (no version) and the candidate {OTHER}"),
        ("change", None, None, "There is no champion yet; the served score stands in for it."),
    ],
)
def test_what_is_compared_is_said(kind: str, version: str | None, identity: str | None, reason: str) -> None:
    """A released champion by its version, one that was put there by hand without, and no champion at all."""
    found = comparable(changed(evidence(kind), "champion", version=version, identity=identity)["about"], "served")
    unserved = comparable(changed(evidence(), "champion", version=None, identity=None)["about"], "base_rate")
    assert "There is no champion yet; the base rate stands in for it." == unserved["reason"]
    assert ("pass", reason) == (found["verdict"], found["reason"])


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (
            behaviour(0.95),
            "With late_rate = 0.9, 60.0% of 3,000 scores move, 95.0% of these higher (mean +0.100); "
            "at least 20% must move, and 80% of these higher.",
        ),
        (
            behaviour(None, moved=0.0, shift=0.0),
            "With late_rate = 0.9, 0.0% of 3,000 scores move; at least 20% must move, and 80% of these higher.",
        ),
        (
            behaviour(0.9, moved=0.1, expect="same"),
            "With late_rate = 0.9, 10.0% of 3,000 scores move; at least 80% must stay the same.",
        ),
    ],
)
def test_the_reason_of_a_behaviour_has_its_numbers(found: dict[str, Any], reason: str) -> None:
    """How many move, how many of these as expected, and what is needed."""
    assert reason == behaves("late hub", found, GATE)["reason"]


def test_the_decision_says_what_was_compared() -> None:
    """The names in the decision are those in the evidence."""
    found = decide(evidence(), FINE_COHORTS, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE)
    expected = {"reference": "champion", "champion": "v0.1.0", "candidate": "c0ffee", "as_of": "2013-05-01"}
    expected |= {"kind": "change"}
    assert expected == {name: found[name] for name in expected}


def test_a_refresh_that_is_no_better_passes_and_a_change_does_not() -> None:
    """The same evidence, of no difference at all: the two kinds have two burdens of proof."""
    nothing = {"log_loss": (-0.004, 0.004), "auc": (-0.004, 0.004), "utility": (-2.0, 2.0)}
    assert {"verdict": "pass"} == decided(evidence("refresh", **nothing))
    assert {"verdict": "inconclusive", "better log loss": "inconclusive"} == decided(evidence("change", **nothing))


def test_a_planted_no_op_passes_as_a_refresh() -> None:
    """The champion once more, measured by the real evaluation: it does no harm."""
    table = world()
    scores = np.round(table["rate"].to_numpy(), 2)
    assert "pass" == judged(table, scores, scores.copy(), "refresh")["verdict"]


def test_a_planted_regression_fails_as_a_refresh_too() -> None:
    """The candidate knows a half of what the champion knows."""
    table = world()
    found = judged(table, shrunk(table["rate"], 0.5), np.round(table["rate"].to_numpy(), 2), "refresh")
    verdicts = {rule["rule"]: rule["verdict"] for rule in found["rules"]}
    assert ("fail", "fail") == (found["verdict"], verdicts["log loss not worse"])


def test_a_rule_that_only_warns_does_not_count_and_says_so() -> None:
    """A refresh that loses utility passes; the rule is a fail, marked as a warning, and is not among the open ones."""
    metrics = evidence("refresh", utility=(-20.0, -10.0))
    found = decide(metrics, FINE_COHORTS, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE)
    [warned] = [rule for rule in found["rules"] if rule["severity"] == "warn"]
    assert ("utility per 1,000 predictions not worse", "fail") == (warned["rule"], warned["verdict"])
    assert ("pass", []) == (found["verdict"], open_rules(found))


@pytest.mark.parametrize("scope", ["latest", "cohort", "as_it_is"])
def test_a_rule_of_any_scope_can_only_warn(scope: str) -> None:
    """The severity of conf is that of the rule, wherever it looks."""
    name = {"latest": "latest", "cohort": "cohorts", "as_it_is": "champion"}[scope]
    rules = CHANGE | {name: CHANGE[name].model_copy(update={"severity": "warn"})}
    harm: dict[str, Ends] = {"log_loss": (0.03, 0.05)}
    metrics = evidence(latest=harm if scope == "latest" else None, itself=harm if scope == "as_it_is" else None)
    cohorts = {"origin": {"EWR": cohort(0.03, 0.05, p=0.001)}} if scope == "cohort" else FINE_COHORTS
    gate = GATE.model_copy(update={"change": rules})
    found = decide(metrics, cohorts, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, gate)
    verdicts = [(rule["verdict"], rule["severity"]) for rule in found["rules"] if rule["verdict"] != "pass"]
    assert ("pass", [("fail", "warn")]) == (found["verdict"], verdicts)


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("pooled", "Log loss against champion: +0.0100"),
        ("latest", "Log loss against champion: +0.0200"),
        ("as_it_is", "Log loss against the champion itself on the 56 days after its training: +0.0300"),
    ],
)
def test_each_scope_looks_at_its_own_rows(scope: str, said: str) -> None:
    """All windows, the latest one, and the days after the champion's training: each has another difference."""
    metrics = evidence(
        log_loss=(0.009, 0.011), latest={"log_loss": (0.019, 0.021)}, itself={"log_loss": (0.029, 0.031)}
    )
    rule = compared(asked("log_loss", scope, "unharmed"), metrics, FINE_COHORTS, "champion", GATE)
    assert ("fail", True) == (rule["verdict"], rule["reason"].startswith(said))


@pytest.mark.parametrize(
    ("reference", "why", "said"),
    [
        ("champion", None, "there are no such rows"),
        ("champion", "its card names no recipe", "it is what all is compared with"),
        ("served", None, "there is no champion to compare"),
    ],
)
def test_without_days_after_the_champion_its_rule_is_skipped_and_says_why(
    reference: Any, why: str | None, said: str
) -> None:
    """Nothing to look at is no harm, and a reviewer reads that nothing was looked at."""
    metrics = evidence() | {"as_it_is": None}
    metrics["about"]["why_as_it_is"] = why
    rule = compared(CHANGE["champion"], metrics, FINE_COHORTS, reference, GATE)
    assert ("pass", f"Skipped: on the days after the champion's training {said}.") == (rule["verdict"], rule["reason"])


def test_a_change_of_the_detectable_size_is_seen_in_four_of_five_draws() -> None:
    """Normal differences with a known error: the interval of 2,000 draws around that change leaves zero out in 80 %."""
    rng = np.random.default_rng(11)
    error, z = 0.004, 1.959964
    width = {"value": 0.0, "low": -z * error, "high": z * error}
    drawn = rng.normal(detectable(width, 0.95), error, 2000)
    assert pytest.approx(0.8, abs=0.03) == float((drawn - z * error > 0).mean())
    assert detectable({"value": 0.0, "low": -0.01, "high": 0.01}, 0.95) == pytest.approx(
        0.02 / 2 * (1 + 0.8416 / 1.96), abs=1e-4
    )


@pytest.mark.parametrize("ends", [(None, None), (-0.01, None), (None, 0.01)])
def test_what_is_detectable_has_no_number_without_an_interval(ends: Ends) -> None:
    """Where nothing was measured, or an end is not known."""
    assert math.isnan(detectable(interval(*ends), 0.95))


@pytest.mark.parametrize("must", ["better", "not_worse"])
@pytest.mark.parametrize("scope", ["pooled", "latest"])
def test_every_comparison_that_is_not_shown_says_what_would_have_been_seen(must: str, scope: str) -> None:
    """So that a reader knows whether waiting or a larger change would help."""
    unsure: dict[str, Ends] = {"log_loss": (-0.01, 0.01)}
    metrics = evidence(latest=unsure, log_loss=(-0.01, 0.01))
    rule = compared(asked("log_loss", scope, must), metrics, FINE_COHORTS, "champion", GATE)
    assert "inconclusive" == rule["verdict"]
    assert rule["reason"].endswith("evidence like this shows a change of 0.0143 in four of five cases.")


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        ([(0.5, 1.0), (-0.25, 1.1), (0.15, 1.0)], "pass", "shifted by +0.500"),  # just the limit
        ([(0.51, 1.0), (-0.25, 1.1), (0.15, 1.0)], "fail", "shifted by 0.250 and stretched by 1.100 at most"),
        ([(-0.51, 1.0), (0.15, 1.1), (0.25, 1.0)], "fail", "the limits are 0.500, and 0.826 to 1.210"),
        ([(0.0, 1.22), (0.25, 1.1), (0.15, 1.0)], "fail", "stretched to 1.220"),
        ([(0.0, 0.82), (0.25, 1 / 1.1), (0.15, 1.0)], "fail", "stretched to 0.820"),
        ([(0.0, 0.83), (0.25, 1 / 1.1), (0.15, 1.0)], "pass", "stretched to 0.830"),
        ([(0.0, -1.0), (0.25, 1.1), (0.15, 1.0)], "fail", "stretched to -1.000"),  # the other way round
        ([(0.0, 0.0), (0.25, 1.1), (0.15, 1.0)], "fail", "stretched to 0.000"),  # all the same
        (
            [(0.1, 1.1), (0.01, 1.0), (0.01, 1.0)],
            "pass",
            "the limits are 0.100, and 0.905 to 1.105",
        ),  # too little to count
        ([(0.51, 1.0), (0.25, 1.0)], "fail", "the limits are 0.500"),  # one earlier window is a short history, but one
        ([(0.51, 1.0), (0.25, 1.0), None], "fail", "the limits are 0.500"),
        ([None, (0.25, 1.0), (0.15, 1.0)], "pass", "Skipped"),
        ([(9.0, 1.0)], "pass", "Skipped"),
    ],
)
def test_the_candidate_follows_its_stand_in_as_earlier_ones_did(found: Any, verdict: str, said: str) -> None:
    """Twice as far as the farthest of them is allowed, and 0.1 always; without any of them, nobody knows."""
    windows: Any = [{"agreement": follows(*one) if one else None} for one in found]
    rule = agrees(windows, GATE.agreement)
    assert (verdict, True) == (rule["verdict"], said in rule["reason"]), rule["reason"]


@pytest.mark.parametrize(
    ("now", "before", "verdict", "said"),
    [
        (
            0.81,
            (1.5, 0.96),
            "pass",
            "a slope of 0.810, in earlier windows with 1.200, and the limits are 0.804 and 1.790",
        ),
        (0.80, (1.5, 0.96), "fail", "a slope of 0.800"),
        (1.78, (1.5, 0.96), "pass", "a slope of 1.780"),
        (1.80, (1.5, 0.96), "fail", "a slope of 1.800"),  # as where labels are made from scores
        (-0.5, (1.5, 0.96), "fail", "a slope of -0.500"),  # what was likely does not happen
        (0.80, (1.5, 0.96, None, -1.0), "fail", "with 1.200"),  # windows in which no such slope is known do not tell
        (0.01, (None, -1.0), "pass", "the limits are 0.100, and 0.905 to 1.105."),
        (None, (1.0, 1.0), "pass", "the limits are 0.100, and 0.905 to 1.105."),
    ],
)
def test_the_latest_labels_follow_the_stand_in_as_earlier_ones_did(
    now: float | None, before: Any, verdict: str, said: str
) -> None:
    """A logarithm of 0.4 to either side of the usual slope: from two thirds of it to three halves."""
    windows: Any = [{"agreement": follows(0.0, 1.0, one)} for one in (now, *before)]
    rule = agrees(windows, GATE.agreement)
    assert (verdict, True) == (rule["verdict"], said in rule["reason"]), rule["reason"]


def with_rule(kind: str, name: str, **values: Any) -> dict[str, Any]:
    """The engine's rules with one of them changed or added."""
    new = {"metric": "auc", "scope": "pooled", "must": "not_worse", "margin": 0.0, "severity": "block"} | values
    return {kind: {name: new}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (with_rule("change", "auc_again"), "auc and auc_again ask the same thing"),
        ({"refresh": {"latest": {"margin": 0.11}}}, "latest: found a margin of 0.11; at most 0.1 is allowed"),
        (with_rule("refresh", "slices", scope="cohort"), "slices: in the scope cohort it must be unharmed"),
        (
            with_rule("change", "itself", scope="as_it_is", must="better"),
            "itself: in the scope as_it_is it must be unharmed",
        ),
        ({"change": {"better": {"severity": "warn"}}}, "gate.change: no rule blocks what is not better on the pooled"),
        ({"change": {"better": {"scope": "latest"}}}, "gate.change: no rule blocks what is not better"),
        ({"change": {"better": {"must": "not_worse"}}}, "gate.change: no rule blocks what is not better"),
        (
            {"refresh": {"harmless": {"severity": "warn"}}},
            "gate.refresh: no rule blocks what is not better or not_worse",
        ),
        (
            {"refresh": {"harmless": {"must": "unharmed"}}},
            "gate.refresh: no rule blocks what is not better or not_worse",
        ),
    ],
)
def test_rules_that_contradict_each_other_or_leave_the_gate_open_are_mistakes_in_conf(changes: Any, said: str) -> None:
    """Each is named, with exit code 2."""
    with pytest.raises(ConfigError, match=re.escape(said)) as raised:
        settings(GateParams, gate=changes)
    assert 2 == raised.value.exit_code


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ({"agreement": {"times": 1.0}}, {"agreement": {"times": 0.99}}),
        ({"agreement": {"shift": 0.001}}, {"agreement": {"shift": 0.0}}),
        ({"agreement": {"stretch": 0.001}}, {"agreement": {"stretch": 0.0}}),
        ({"agreement": {"labels": 0.001}}, {"agreement": {"labels": 0.0}}),
        ({"cohort_error": 0.49}, {"cohort_error": 0.5}),
        ({"cohort_error": 0.001}, {"cohort_error": 0.0}),
        ({"change": {"auc": {"margin": 0.0}}}, {"change": {"auc": {"margin": -0.001}}}),
        (
            {"change": {"utility": {"margin": 50.0}}},
            {"change": {"utility": {"margin": -1.0}}},
        ),  # in the project's own unit
    ],
)
def test_a_limit_that_makes_no_sense_is_a_mistake_in_conf(allowed: Any, refused: Any) -> None:
    """With a share of error of a half, every second harm would be one by chance; and no loss is a gain."""
    settings(GateParams, gate=allowed)
    with pytest.raises(ConfigError, match=r"gate\."):
        settings(GateParams, gate=refused)


def test_the_rules_of_conf_ask_of_a_change_more_than_of_a_refresh() -> None:
    """As they ship: a refresh must do no harm on the whole, a change must be better; both are looked at in the same places."""
    gate = settings(GateParams).gate
    asked_of = {
        kind: {(one.metric, one.scope, one.must) for one in gate.rules(kind).values() if one.severity == "block"}
        for kind in ("refresh", "change")
    }
    places = {("log_loss", scope, "unharmed") for scope in ("latest", "cohort", "as_it_is")}
    assert {("log_loss", "pooled", "not_worse"), *places} == asked_of["refresh"]
    quality = {(metric, "pooled", "not_worse") for metric in ("auc", "average_precision", "utility")}
    assert {("log_loss", "pooled", "better"), *quality, *places} == asked_of["change"]


FLIPS = ("to_alert", "to_alert_right", "to_quiet", "to_quiet_right")


def written(found: dict[str, Any], cohorts: Any, behaviours: Any) -> None:
    """Write evidence as `evaluate` does; what a test did not plant is the same for all models."""
    equal = {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in IN_WORDS}
    whole = {name: equal | found.get(name, {}) for name in ("candidate", "champion", "served", "base_rate")}
    difference = {"champion": equal | found["difference"]["champion"], "served": equal}
    these = about_these(found, cohorts, behaviours)
    days = {"start": "2013-04-03", "end": "2013-05-01"}
    about = these["about"] | {
        "block_days": {"intervals": 3, "check": 7},
        "window": found["about"]["window"] | days,
    }
    values = {name: {metric: one["value"] for metric, one in by.items()} for name, by in whole.items()}
    mine = {"difference": difference, "check": difference}
    windows = [found["about"]["window"] | days | values | mine | {"agreement": None}]
    measured = {"about": about, **whole, **mine, "windows": windows, "as_it_is": None}
    measured |= {"gaps": these["gaps"], "calibration": {}, "flips": dict.fromkeys(FLIPS, 1)}
    files.write_json(files.METRICS, measured)
    files.write_json(files.COHORTS, cohorts)
    files.write_json(files.BEHAVIOUR, behaviours)
    files.write_json(files.CANDIDATE / "contract.json", CONTRACT)
    files.write_json(files.LEAKS, FINE_PROBED)
    files.write_json(files.ROBUSTNESS, FINE_ROBUST)
    files.write_json(files.COST, FINE_COST)


def test_stage_and_summary_name_the_same_open_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One rule fails and one is inconclusive: both are said, by the stage and by what a run prints in the end."""
    monkeypatch.chdir(tmp_path)
    written(evidence(log_loss=(-0.02, 0.01), auc=(-0.03, -0.01)), {}, FINE_BEHAVIOUR)
    said = "fail: better log loss, AUC not worse"
    assert said == main(GateParams(gate=GATE))
    monkeypatch.setattr(show, "read_labels_made", lambda: {"labels": 1, "predictions": 2, "by_source": {}})
    monkeypatch.setattr(show, "read_drift", lambda: {"drifted": 1, "columns": 2, "threshold": 0.1})
    show.outcome(Outcome(ran=True, seconds=1.0))
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(("now", "verdict"), [((0.29, 1.0), "pass"), ((0.31, 1.0), "fail"), ((0.0, 1.2), "fail")])
def test_a_shift_and_a_stretch_have_each_their_own_least(now: Any, verdict: str) -> None:
    """Where earlier vintages hardly differ: 0.3 of a shift, and 0.15 of a stretch, which is a slope of 1.16."""
    windows: Any = [{"agreement": follows(*now)}, {"agreement": follows(0.01)}]
    assert verdict == agrees(windows, Agreement(times=1.5, shift=0.3, stretch=0.15, labels=0.4))["verdict"]


def test_limits_too_wide_for_a_number_are_wide() -> None:
    """Whoever opens the rule gets an open rule, and no arithmetic error."""
    windows: Any = [{"agreement": follows(0.5)}, {"agreement": follows(0.1)}, {"agreement": follows(0.1)}]
    assert (
        "pass"
        == agrees(windows, Agreement(times=10_000.0, shift=10_000.0, stretch=10_000.0, labels=10_000.0))["verdict"]
    )


@pytest.mark.parametrize(
    ("changes", "verdict", "said"),
    [
        ({}, "pass", "5,000 labelled rows since 2013-04-03."),
        ({"rows": 3000}, "pass", "3,000"),  # just the share that is needed
        ({"rows": 2999}, "inconclusive", "30% of the predictions since 2013-04-03 have a label, 30% needed."),
        ({"positives": 0}, "inconclusive", "All 5,000 labels since 2013-04-03 are 0."),
        ({"positives": 5000}, "inconclusive", "All 5,000 labels since 2013-04-03 are 1."),
        ({"end": "2013-04-03"}, "inconclusive", "No prediction from 2013-04-03 to 2013-05-01 has a label"),
    ],
)
def test_what_was_learned_last_must_be_measured(changes: dict[str, Any], verdict: str, said: str) -> None:
    """A last month without labels leaves the older windows, which look fine."""
    metrics = evidence()
    metrics["windows"][0] |= changes
    found = decide(metrics, FINE_COHORTS, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE)
    [rule] = [rule for rule in found["rules"] if rule["rule"] == "latest window"]
    assert (verdict, verdict, True) == (found["verdict"], rule["verdict"], said in rule["reason"]), rule["reason"]


@pytest.mark.parametrize(
    ("check", "verdict"), [((0.01, 0.09), "fail"), ((-0.001, 0.1), "inconclusive"), ((None, None), "inconclusive")]
)
def test_harm_that_depends_on_the_blocks_is_inconclusive(check: Ends, verdict: str) -> None:
    """Shown with blocks of one length and not of the other; and what has no interval is not shown to be unharmed."""
    metrics = evidence(latest={"log_loss": (0.01, 0.09)})
    metrics["windows"][0]["check"] = {
        "champion": metrics["windows"][0]["check"]["champion"] | {"log_loss": interval(*check)}
    }
    assert (
        verdict == compared(asked("log_loss", "latest", "unharmed"), metrics, FINE_COHORTS, "champion", GATE)["verdict"]
    )


@pytest.mark.parametrize("place", ["check", "difference", "check of a window", "cohort", "p of a cohort"])
def test_evidence_that_compares_with_another_in_one_place_is_refused(place: str) -> None:
    """The error names the file and the place."""
    metrics, cohorts = evidence(), copy.deepcopy(FINE_COHORTS)
    one: Any = next(iter(next(iter(cohorts.values())).values()))
    holders = {
        "check": (metrics, "check"),
        "difference": (metrics["windows"][0], "difference"),
        "check of a window": (metrics["windows"][1], "check"),
        "cohort": (one, "difference"),
        "p of a cohort": (one, "p_worse"),
    }
    holder, key = holders[place]
    holder[key] = {"served": {}}
    with pytest.raises(DataError, match=r"(metrics|cohorts)\.json, .*: found nothing against champion"):
        decide(metrics, cohorts, FINE_BEHAVIOUR, FINE_PROBED, FINE_ROBUST, FINE_COST, CONTRACTS, GATE)
