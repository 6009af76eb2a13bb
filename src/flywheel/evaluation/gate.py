"""The gate: evidence in, decision out. A pure function; it is the whole of what stands between a candidate and production.

Every rule says pass, fail or inconclusive with its numbers. One fail is a fail; else one inconclusive is inconclusive:
what is not shown is not let through.
"""

from __future__ import annotations

from typing import Any

from flywheel.evaluation.evidence import HIGHER_IS_BETTER, IN_WORDS
from flywheel.evaluation.settings import Gate

Rule = dict[str, Any]


def decide(metrics: dict[str, Any], cohorts: dict[str, Any], behaviour: dict[str, Any], params: Gate) -> dict[str, Any]:
    """The verdict (`pass`, `fail` or `inconclusive`), every rule with its reason, and what was compared."""
    reference = "champion" if "champion" in metrics else "served"
    rules = [
        comparable(metrics["about"]["champion"]),
        enough(metrics["about"]["window"], params),
        better(metrics["difference"][reference], reference, params),
        *(
            not_worse(metrics["difference"][reference], reference, metric, margin)
            for metric, margin in params.not_worse.items()
        ),
        calibrated(metrics["candidate"]["ece"], params.max_ece),
        cohorts_unharmed(cohorts, reference, params),
        *(behaves(name, found, params.behaviour_share) for name, found in behaviour.items()),
    ]
    verdicts = {rule["verdict"] for rule in rules}
    verdict = "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"
    return {
        "verdict": verdict,
        "reference": reference,
        "champion": metrics["about"]["champion"]["version"],
        "candidate": metrics["about"]["candidate"]["identity"],
        "as_of": metrics["about"]["candidate"]["as_of"],
        "rules": rules,
    }


def comparable(champion: dict[str, Any]) -> Rule:
    """There must be a fair comparison with the champion, or no champion yet."""
    if champion["why_not_compared"]:
        return _rule("comparable", "inconclusive", f"{champion['why_not_compared']}.")
    if champion["identity"] is None:
        return _rule("comparable", "pass", "There is no champion yet; the served score stands in for it.")
    return _rule(
        "comparable", "pass", f"The champion {champion['version'] or '(no version)'} is measured on the same rows."
    )


def enough(window: dict[str, Any], params: Gate) -> Rule:
    """Too little evidence lets nothing through."""
    negatives = window["rows"] - window["positives"]
    found = {"rows": window["rows"], "days": window["days"], "positives": min(window["positives"], negatives)}
    needed = {"rows": params.min_rows, "days": params.min_days, "positives": params.min_positives}
    short = [f"{found[name]} {name}, {needed[name]} needed" for name in needed if found[name] < needed[name]]
    if short:
        return _rule("enough evidence", "inconclusive", f"Too little to decide on: {'; '.join(short)}.")
    return _rule("enough evidence", "pass", f"{found['rows']:,} labelled rows over {found['days']} days.")


def better(difference: dict[str, Any], reference: str, params: Gate) -> Rule:
    """The interval of the difference must lie on the good side of zero, all of it."""
    metric = params.better
    low, high = _gain(difference[metric], metric)
    name = f"better {IN_WORDS[metric]}"
    if low is None or high is None:
        return _rule(name, "inconclusive", f"{IN_WORDS[metric]} against {reference} has no interval on these rows.")
    said = f"{IN_WORDS[metric]} against {reference}: {_say(difference[metric])}"
    if low > 0:
        return _rule(name, "pass", f"{said}; all of the interval is better.")
    if high < 0:
        return _rule(name, "fail", f"{said}; all of the interval is worse.")
    return _rule(name, "inconclusive", f"{said}; the interval reaches zero.")


def not_worse(difference: dict[str, Any], reference: str, metric: str, margin: float) -> Rule:
    """Non-inferiority: the interval must not reach a loss of more than the margin."""
    low, high = _gain(difference[metric], metric)
    name = f"{IN_WORDS[metric]} not worse"
    if low is None or high is None:
        return _rule(name, "inconclusive", f"{IN_WORDS[metric]} against {reference} has no interval on these rows.")
    said = f"{IN_WORDS[metric]} against {reference}: {_say(difference[metric])}, margin {margin:g}"
    if low > -margin or (low == high == -margin):
        return _rule(name, "pass", f"{said}; a loss beyond the margin is ruled out.")
    if high < -margin:
        return _rule(name, "fail", f"{said}; the loss is beyond the margin.")
    return _rule(name, "inconclusive", f"{said}; a loss beyond the margin is not ruled out.")


def calibrated(ece: dict[str, float], limit: float) -> Rule:
    """The candidate's probabilities must be near the rates that they announce."""
    verdict = "pass" if ece["value"] <= limit else "fail" if (ece["low"] or 0) > limit else "inconclusive"
    return _rule("calibrated", verdict, f"Calibration error {ece['value']:.4f}, at most {limit:g} allowed.")


def cohorts_unharmed(cohorts: dict[str, Any], reference: str, params: Gate) -> Rule:
    """No cohort that is large enough may lose more than the margin, with an interval that lies on the bad side of zero."""
    metric, harmed, n = params.cohort_metric, [], 0
    for group, members in cohorts.items():
        for value, found in members.items():
            difference = found["difference"][reference][metric]
            low, high = _gain(difference, metric)
            if found["rows"] < params.cohort_min_rows or low is None or high is None:
                continue
            n += 1
            sign = 1 if HIGHER_IS_BETTER[metric] else -1
            if high < 0 and sign * difference["value"] < -params.cohort_margin:
                harmed.append(f"{group} = {value} ({_say(difference)}, {found['rows']} rows)")
    if n == 0:
        return _rule("cohorts", "inconclusive", f"No cohort has {params.cohort_min_rows} rows and an interval.")
    if harmed:
        return _rule(
            "cohorts",
            "fail",
            f"{IN_WORDS[metric]} is worse than {reference} beyond {params.cohort_margin:g} in {'; '.join(harmed)}.",
        )
    return _rule(
        "cohorts", "pass", f"{IN_WORDS[metric]} is worse beyond {params.cohort_margin:g} in none of {n} cohorts."
    )


def behaves(name: str, found: dict[str, Any], share: float) -> Rule:
    """Setting an input to a telling value must move the scores in the expected direction: most rows, and on average."""
    got, shift = found["candidate"]["share_as_expected"], found["candidate"]["mean_shift"]
    moves = {"higher": shift > 0, "lower": shift < 0, "same": True}[found["expect"]]
    verdict = "pass" if got >= share and moves else "fail"
    change = f"With {found['column']} = {found['set']:g}"
    said = f"{got:.1%} of the scores are {found['expect']} or equal (mean {shift:+.3f})"
    reason = f"{change}, {said}; at least {share:.0%} needed."
    return _rule(f"behaviour: {name}", verdict, reason)


def _rule(name: str, verdict: str, reason: str) -> Rule:
    return {"rule": name, "verdict": verdict, "reason": reason[0].upper() + reason[1:]}


def _gain(difference: dict[str, Any], metric: str) -> tuple[float | None, float | None]:
    """The interval with its sign turned so that more is better."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return None, None
    return (low, high) if HIGHER_IS_BETTER[metric] else (-high, -low)


def _say(difference: dict[str, Any]) -> str:
    return f"{difference['value']:+.4f} [{difference['low']:+.4f}, {difference['high']:+.4f}]"
