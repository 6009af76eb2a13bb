"""The trigger: a pure function that turns monitoring into a tier: urgent, drift, routine or none.

Urgent means a broken contract, a silent feed, errors, or quality below its floor; drift means that the data has moved away
from the champion; routine means age or many new labels. A freeze, a cool-down or the monthly budget may still hold a
retrain back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from flywheel.data.evidence import Quality, Silence
from flywheel.errors import DataError
from flywheel.model.card import Card
from flywheel.monitoring.evidence import DriftWindow, Health, LatestDay, RecentQuality, Tier, Triggered, TriggerRule
from flywheel.monitoring.settings import Trigger, TriggerParams

BUDGET_DAYS = 30
TIERS: tuple[Tier, ...] = ("urgent", "drift", "routine")


def decide(
    monitor: Health | None,
    quality: Quality,
    card: Card | None,
    params: TriggerParams,
    retrains: Sequence[dt.date],
) -> Triggered:
    """What to do now (`tier`), what is called for, why in one sentence, every alert, and every rule with its numbers.

    `monitor` is `reports/monitor.json`, or None if the run stopped before it; `card` is the champion's; `retrains` are
    the days as of which retrains were started. DataError when the files are about different days or champions.
    """
    as_of = params.clock.as_of
    if quality["as_of"] != as_of.isoformat():
        raise DataError(
            f"reports/quality.json is as of {quality['as_of']}, the clock is {as_of}. Run `flywheel monitor`."
        )
    if monitor is not None and monitor["as_of"] != as_of.isoformat():
        raise DataError(
            f"reports/monitor.json is as of {monitor['as_of']}, the clock is {as_of}. Run `flywheel monitor`."
        )
    if monitor is not None and monitor["champion"] != (card["version"] if card else None):
        raise DataError(
            f"reports/monitor.json is about {monitor['champion']}, not the champion in the tree. Run `flywheel monitor`."
        )
    rules = [contract(quality, params.validate_.max_rejected_share), silent(quality.get("silence", {}))]
    if monitor is not None:
        rules += [
            errors(monitor["latest_day"], params.trigger),
            realised(monitor["recent"], params.trigger),
            drifted(monitor["drift_windows"], params.trigger),
            aged(card, as_of, params.trigger),
            learned(monitor["new_labels"], card, params.trigger),
        ]
    calling = sorted((rule for rule in rules if rule["calls"]), key=lambda rule: TIERS.index(rule["tier"]))
    called_for: Tier = calling[0]["tier"] if calling else "none"
    held = held_back(called_for, retrains, params.trigger, as_of) if calling else None
    said = calling[0]["reason"] if calling else "everything is within its limits"
    unknown = "" if monitor is not None else "; the run stopped before monitoring, so nothing more is known"
    reason = f"{called_for}: {said}{unknown}" + (f"; held back: {held}" if held else "")
    return {
        "as_of": as_of.isoformat(),
        "tier": "none" if held else called_for,
        "called_for": called_for,
        "held_back": held,
        "reason": f"{reason}.",
        "alerts": [
            {"alert": rule["rule"], "tier": rule["tier"], "reason": f"{rule['reason'][0].upper()}{rule['reason'][1:]}."}
            for rule in calling
            if rule["tier"] != "routine"
        ],
        "rules": rules,
    }


def contract(quality: Quality, limit: float) -> TriggerRule:
    """Urgent: too many of the recent rows broke the contract."""
    recent = quality["recent"]
    said = f"{recent['rejected_share']:.2%} of the rows of the last {recent['days']} days broke the contract"
    return _rule("contract", "urgent", recent["rejected_share"] > limit, f"{said} (limit {limit:.2%})")


def silent(silence: Mapping[str, Silence]) -> TriggerRule:
    """Urgent: a feed (a table, or a channel of feedback) has had no row for longer than is usual for it."""
    quiet = [
        f"no {feed} for {_days(one['days'])}, since {one['last_day']} (usually at most {_days(one['usual_days'])})"
        for feed, one in silence.items()
        if one["is_silent"]
    ]
    said = "; ".join(quiet) or "no feed is silent for longer than usual"
    return _rule("silent feed", "urgent", bool(quiet), said)


def _days(n: int | None) -> str:
    return f"{n} day" if n == 1 else f"{n} days"


def errors(latest: LatestDay, params: Trigger) -> TriggerRule:
    """Urgent: too many predictions of the last day ended in an error, or none was served. Says so where nobody logs errors."""
    rate = latest["error_rate"]
    if not latest["predictions"]:
        return _rule("errors", "urgent", True, f"no prediction was served on {latest['day']}")
    if rate is None:
        return _rule("errors", "urgent", False, "errors are not logged: the predictions have no column error")
    said = f"{rate:.2%} of {latest['predictions']:,} predictions on {latest['day']} ended in an error"
    return _rule("errors", "urgent", rate > params.max_error_rate, f"{said} (limit {params.max_error_rate:.2%})")


def realised(recent: RecentQuality, params: Trigger) -> TriggerRule:
    """Urgent: the champion's realised AUC is below its floor, and so is its whole interval."""
    auc = recent["auc"]
    if auc is None or auc["high"] is None:
        return _rule(
            "quality", "urgent", False, f"{recent['labelled']:,} sure labels are too few to judge the champion"
        )
    said = f"the champion's AUC is {auc['value']:.3f} [{auc['low']:.3f}, {auc['high']:.3f}] since {recent['start']}"
    return _rule("quality", "urgent", auc["high"] < params.min_auc, f"{said} (floor {params.min_auc:g})")


def drifted(windows: Sequence[DriftWindow], params: Trigger) -> TriggerRule:
    """Drift: in enough of the windows, and in the latest, most of the champion's importance is on drifted columns."""
    judged = [one for one in windows if one["weighted_share"] is not None]
    if not judged:
        return _rule("drift", "drift", False, "no window after the champion's training can be judged")
    beyond = [(one["weighted_share"] or 0) > params.drift_limit for one in judged]
    said = (
        f"{judged[-1]['weighted_share']:.0%} of the champion's importance is on drifted columns in the latest window, "
        f"and {sum(beyond)} of {len(judged)} windows are above {params.drift_limit:.0%} "
        f"({params.drift_windows_needed} and the latest needed)"
    )
    return _rule("drift", "drift", beyond[-1] and sum(beyond) >= params.drift_windows_needed, said)


def aged(card: Card | None, as_of: dt.date, params: Trigger) -> TriggerRule:
    """Routine: the champion is old, or there is none."""
    if card is None:
        return _rule("age", "routine", True, "there is no champion yet")
    days = (as_of - dt.date.fromisoformat(card["as_of"])).days
    return _rule(
        "age", "routine", days > params.max_age_days, f"the champion is {days} days old (limit {params.max_age_days})"
    )


def learned(new_labels: int | None, card: Card | None, params: Trigger) -> TriggerRule:
    """Routine: there are many labels the champion has not seen, beside those that it has."""
    if card is None or new_labels is None:
        return _rule("new labels", "routine", False, "there is no champion yet")
    if "rows" not in card:
        return _rule("new labels", "routine", False, "how many labels the champion learned from is not known")
    learned_from = sum(card["rows"].values())
    said = f"{new_labels:,} labels are new to the champion, which learned from {learned_from:,}"
    is_much = new_labels > params.new_label_share * learned_from
    return _rule("new labels", "routine", is_much, f"{said} (limit {params.new_label_share:.0%} of them)")


def held_back(tier: str, retrains: Sequence[dt.date], params: Trigger, as_of: dt.date) -> str | None:
    """Why a retrain of this tier must wait; None if it may start. Retrains as of later days do not count."""
    ages = [(as_of - day).days for day in retrains if day <= as_of]
    wait = params.urgent_cool_down_days if tier == "urgent" else params.cool_down_days
    if ages and min(ages) < wait:
        return f"the last retrain was {min(ages)} days ago, and the cool-down is {wait} days"
    if tier == "urgent":
        return None
    frozen = next((one for one in params.freeze if one.first <= as_of <= one.last), None)
    if frozen:
        return f"{as_of} is in the freeze from {frozen.first} to {frozen.last}"
    n = sum(age < BUDGET_DAYS for age in ages)
    if n >= params.monthly_budget:
        return f"{n} retrains in the last {BUDGET_DAYS} days, and the budget is {params.monthly_budget}"
    return None


def _rule(name: str, tier: Tier, calls: bool, reason: str) -> TriggerRule:
    return {"rule": name, "tier": tier, "calls": bool(calls), "reason": reason}
