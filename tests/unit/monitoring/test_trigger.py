"""The trigger: planted monitoring for every tier, each limit at its edge, and what holds a retrain back."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import DataError
from flywheel.monitoring.settings import TriggerParams
from flywheel.monitoring.trigger import TIERS, decide, held_back
from tests.planted import settings

DAY = dt.date(2030, 3, 31)
RULES: dict[str, Any] = {
    "max_error_rate": 0.1,
    "min_auc": 0.6,
    "drift_limit": 0.5,
    "drift_windows_needed": 2,
    "max_age_days": 28,
    "new_label_share": 0.5,
    "cool_down_days": 7,
    "urgent_cool_down_days": 2,
    "monthly_budget": 3,
    "freeze": [{"first": "2030-12-20", "last": "2030-12-31"}],
}
PARAMS = settings(TriggerParams, clock={"as_of": DAY.isoformat()}, validate={"max_rejected_share": 0.02}, trigger=RULES)
CARD = {"version": "v0.3.0", "as_of": "2030-03-21", "rows": {"fit": 1200, "stop": 300, "calibrate": 500}}


def quality(rejected: float = 0.0, silent: tuple[str, ...] = ()) -> dict[str, Any]:
    silence = {
        table: {"last_day": "2030-03-20", "days": 10, "usual_days": 1, "is_silent": table in silent}
        for table in ("predictions", "feedback")
    }
    return {"as_of": DAY.isoformat(), "recent": {"days": 7, "rejected_share": rejected}, "silence": silence}


def monitor(
    error_rate: float | None = 0.0,
    auc: tuple[float, float, float] | None = (0.7, 0.65, 0.75),
    shares: tuple[float | None, ...] = (0.1, 0.1, 0.1, 0.1, 0.1),
    new_labels: int | None = 0,
    predictions: int = 1000,
) -> dict[str, Any]:
    windows = [{"weighted_share": share} for share in shares]
    measured = None if auc is None else dict(zip(("value", "low", "high"), auc, strict=True))
    return {
        "as_of": DAY.isoformat(),
        "champion": "v0.3.0",
        "recent": {"start": "2030-03-17", "labelled": 900, "auc": measured},
        "latest_day": {"day": "2030-03-30", "predictions": predictions, "error_rate": error_rate},
        "new_labels": new_labels,
        "drift_windows": windows,
    }


def decided(found: dict[str, Any] | None = None, *retrains: int, rejected: float = 0.0, **card: Any) -> dict[str, Any]:
    """The decision on planted monitoring, with retrains so many days ago."""
    started = [DAY - dt.timedelta(days=n) for n in retrains]
    return decide(found or monitor(), quality(rejected), CARD | card, PARAMS, started)


def test_a_quiet_world_calls_for_nothing() -> None:
    """All rules are listed with their numbers; none calls."""
    found = decided()
    assert ("none", "none", None, []) == tuple(found[k] for k in ("tier", "called_for", "held_back", "alerts"))
    assert ["contract", "silent feed", "errors", "quality", "drift", "age", "new labels"] == [
        rule["rule"] for rule in found["rules"]
    ]


@pytest.mark.parametrize(
    ("found", "tier", "said"),
    [
        (
            monitor(error_rate=0.11),
            "urgent",
            "11.00% of 1,000 predictions on 2030-03-30 ended in an error (limit 10.00%)",
        ),
        (monitor(error_rate=0.10), "none", "within its limits"),
        (monitor(error_rate=None, predictions=0), "urgent", "no prediction was served on 2030-03-30"),
        (monitor(error_rate=None), "none", "within its limits"),
        (monitor(auc=(0.55, 0.5, 0.599)), "urgent", "AUC is 0.550 [0.500, 0.599] since 2030-03-17 (floor 0.6)"),
        (monitor(auc=(0.55, 0.5, 0.6)), "none", "within its limits"),
        (monitor(auc=None), "none", "within its limits"),
        (monitor(shares=(0.1, 0.1, 0.1, 0.51, 0.51)), "drift", "51% of the champion's importance"),
        (monitor(shares=(0.51, 0.1, 0.1, 0.1, 0.51)), "drift", "2 of 5 windows are above 50%"),
        (monitor(shares=(0.9, 0.9, 0.9, 0.9, 0.5)), "none", "within its limits"),
        (monitor(shares=(0.1, 0.1, 0.1, 0.1, 0.9)), "none", "within its limits"),
        (monitor(shares=()), "none", "within its limits"),
        (monitor(shares=(None, 0.9, 0.9)), "drift", "2 of 2 windows"),
        (
            monitor(new_labels=1001),
            "routine",
            "1,001 labels are new to the champion, which learned from 2,000 (limit 50% of them)",
        ),
        (monitor(new_labels=1000), "none", "within its limits"),
    ],
)
def test_each_rule_calls_beyond_its_limit_and_not_at_it(found: dict[str, Any], tier: str, said: str) -> None:
    """The reason is one sentence with its numbers."""
    result = decided(found)
    assert result["tier"] == tier
    assert said in result["reason"]
    assert result["reason"].count(". ") == 0


def test_a_broken_contract_is_urgent_also_where_the_run_stopped_there() -> None:
    """Without monitoring of the day the trigger still says what is known."""
    found = decide(None, quality(0.021), CARD, PARAMS, [])
    assert found["tier"] == "urgent"
    assert "2.10% of the rows of the last 7 days broke the contract (limit 2.00%)" in found["reason"]
    assert "the run stopped before monitoring" in found["reason"]
    assert decide(None, quality(0.02), CARD, PARAMS, [])["tier"] == "none"


@pytest.mark.parametrize(
    ("silent", "said"),
    [
        (("feedback",), "no feedback for 10 days, since 2030-03-20 (usually at most 1 day)"),
        (
            ("predictions", "feedback"),
            "no predictions for 10 days, since 2030-03-20 (usually at most 1 day); no feedback",
        ),
    ],
)
def test_a_feed_that_is_silent_for_longer_than_usual_is_urgent(silent: tuple[str, ...], said: str) -> None:
    """It is an alert that says which table, since when, and what is usual; also where the run stopped at the contract."""
    for found in (monitor(), None):
        result = decide(found, quality(silent=silent), CARD, PARAMS, [])
        assert ("urgent", ["silent feed"]) == (result["tier"], [one["alert"] for one in result["alerts"]])
        assert said in result["reason"]


def test_without_a_champion_no_label_is_new() -> None:
    """The rule does not call: that there is no champion is for another rule to say."""
    found = decide(monitor(new_labels=None) | {"champion": None}, quality(), None, PARAMS, [])
    assert {"age": True, "new labels": False} == {
        r["rule"]: r["calls"] for r in found["rules"] if r["tier"] == "routine"
    }


def test_a_card_without_its_rows_leaves_the_number_of_labels_unknown() -> None:
    """Any number of new labels would be much beside none: the rule says what it does not know, and does not call."""
    card = {name: value for name, value in CARD.items() if name != "rows"}
    found = decide(monitor(new_labels=1), quality(), card, PARAMS, [])
    rule = next(one for one in found["rules"] if one["rule"] == "new labels")
    assert (False, "how many labels the champion learned from is not known") == (rule["calls"], rule["reason"])


def test_an_old_champion_is_routine() -> None:
    """29 days are more than 28; no champion at all is a reason as well."""
    assert decided(as_of="2030-03-03")["tier"] == "none"
    assert decided(as_of="2030-03-02")["tier"] == "routine"
    assert decide(monitor() | {"champion": None}, quality(), None, PARAMS, [])["tier"] == "routine"


def test_a_service_that_logs_no_errors_is_told_from_one_that_served_nothing() -> None:
    """It is no alert that nobody knows; the rule says so."""
    found = decided(monitor(error_rate=None))
    [rule] = [rule for rule in found["rules"] if rule["rule"] == "errors"]
    assert ([], False) == (found["alerts"], rule["calls"])
    assert rule["reason"] == "errors are not logged: the predictions have no column error"


def test_the_highest_tier_counts_and_every_alert_is_listed() -> None:
    """Errors outrank drift, drift outranks age; age is no alert."""
    found = decided(monitor(error_rate=0.5, shares=(0.9, 0.9)), as_of="2029-01-01")
    assert found["tier"] == "urgent"
    assert ["errors", "drift"] == [alert["alert"] for alert in found["alerts"]]


@pytest.mark.parametrize(
    ("tier", "ages", "day", "why"),
    [
        ("drift", [6], DAY, "the last retrain was 6 days ago, and the cool-down is 7 days"),
        ("drift", [7], DAY, None),
        ("routine", [0], DAY, "the last retrain was 0 days ago, and the cool-down is 7 days"),
        ("urgent", [1], DAY, "the last retrain was 1 days ago, and the cool-down is 2 days"),
        ("urgent", [2], DAY, None),
        ("drift", [29, 20, 10], DAY, "3 retrains in the last 30 days, and the budget is 3"),
        ("drift", [30, 20, 10], DAY, None),
        ("urgent", [9, 8, 7, 6, 5], DAY, None),
        ("drift", [], dt.date(2030, 12, 20), "2030-12-20 is in the freeze from 2030-12-20 to 2030-12-31"),
        ("routine", [], dt.date(2030, 12, 31), "2030-12-31 is in the freeze from 2030-12-20 to 2030-12-31"),
        ("routine", [], dt.date(2031, 1, 1), None),
        ("urgent", [], dt.date(2030, 12, 25), None),
        ("drift", [-3], DAY, None),
    ],
)
def test_what_holds_a_retrain_back(tier: str, ages: list[int], day: dt.date, why: str | None) -> None:
    """Cool-down, budget and freeze at their edges; urgent has its own cool-down, and no budget or freeze."""
    assert why == held_back(tier, [day - dt.timedelta(days=n) for n in ages], PARAMS.trigger, day)


def test_what_is_held_back_says_so_and_stays_an_alert() -> None:
    """The tier becomes none; what was called for and the alert stay to be seen."""
    found = decided(monitor(shares=(0.9, 0.9)), 3)
    assert ("none", "drift") == (found["tier"], found["called_for"])
    assert found["reason"].endswith("held back: the last retrain was 3 days ago, and the cool-down is 7 days.")
    assert len(found["alerts"]) == 1


def test_evidence_of_another_day_or_champion_is_refused() -> None:
    """Yesterday's monitoring says nothing of today, and another champion's nothing of this one."""
    for found, card in ((monitor() | {"as_of": "2030-03-30"}, CARD), (monitor(), CARD | {"version": "v0.2.0"})):
        with pytest.raises(DataError, match="flywheel monitor"):
            decide(found, quality(), card, PARAMS, [])
    with pytest.raises(DataError, match="flywheel monitor"):
        decide(monitor(), quality() | {"as_of": "2030-03-30"}, CARD, PARAMS, [])


SHARES = st.floats(0, 1)
WORLDS = st.builds(
    monitor,
    error_rate=SHARES,
    auc=st.tuples(SHARES, SHARES, SHARES).map(lambda three: tuple(sorted(three)[i] for i in (1, 0, 2))),
    shares=st.lists(SHARES, max_size=5).map(tuple),
    new_labels=st.integers(0, 3000),
)
RANK = {"none": 3, **{tier: rank for rank, tier in enumerate(TIERS)}}


@given(WORLDS, st.lists(st.integers(0, 60), max_size=5), st.integers(0, 60))
def test_one_more_retrain_never_makes_it_act_more(found: dict[str, Any], ages: list[int], one: int) -> None:
    """A retrain can only hold the next one back."""
    assert RANK[decided(found, *ages, one)["tier"]] >= RANK[decided(found, *ages)["tier"]]


@given(WORLDS)
def test_worse_never_calls_for_less(found: dict[str, Any]) -> None:
    """Errors on top of anything raise the tier or leave it; held back means that something was called for."""
    worse = copy.deepcopy(found)
    worse["latest_day"]["error_rate"] = 1.0
    assert RANK[decided(worse)["called_for"]] <= RANK[decided(found)["called_for"]]
    held = decided(found, 0)
    assert (held["held_back"] is not None) == (held["called_for"] != "none")
