"""The gate: evidence in, decision out. This pure function is all that stands between a candidate and production.

Every rule says pass, fail or inconclusive, with its numbers. One fail makes the verdict fail; otherwise one inconclusive
makes it inconclusive. What is not shown does not pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Literal

from flywheel import files
from flywheel.errors import DataError
from flywheel.evaluation.evidence import (
    GAPS_IN_WORDS,
    HIGHER_IS_BETTER,
    IN_WORDS,
    REFERENCE_IN_WORDS,
    About,
    BehaviourMeasured,
    Behaviours,
    Cohorts,
    Cost,
    Decision,
    GroupGaps,
    Interval,
    Measured,
    Probed,
    Reference,
    Robust,
    Rule,
    Severity,
    TooSmall,
    Verdict,
    Window,
    WindowMeasured,
    named,
    reference_of,
    shown,
    suspicions,
)
from flywheel.evaluation.evidence import Agreement as Agreed
from flywheel.evaluation.holm import corrected
from flywheel.evaluation.service import contract_kept, fast_enough
from flywheel.evaluation.settings import Agreement, Comparison, Gate
from flywheel.model.contract import Contracts

Gain = tuple[float, float, float]  # a value and the ends of its interval, where more is better
POWER = 0.8
LEAST_P = 0.0001  # a smaller one says more of the method than of the world
MOST_STRETCH = 99.0  # of log odds; as a factor, more cannot be told
SIDE_IN_WORDS: dict[str, dict[Verdict, str]] = {
    "better": {
        "pass": "the whole interval is better",
        "fail": "the whole interval is worse",
        "inconclusive": "better is not shown",
    },
    "not_worse": {
        "pass": "a loss beyond the margin is ruled out",
        "fail": "the loss is beyond the margin",
        "inconclusive": "a loss beyond the margin is not ruled out",
    },
}


def decide(
    metrics: Measured,
    cohorts: Cohorts,
    behaviour: Behaviours,
    probed: Probed,
    robust: Robust,
    cost: Cost,
    contracts: Contracts,
    params: Gate,
) -> Decision:
    """The verdict (`pass`, `fail` or `inconclusive`), every rule with its reason, and what was compared.

    A refresh (the champion's recipe on more data) and a change (of the recipe) are asked for different things. DataError when
    cohorts, behaviours, inputs or models are not those that the metrics say were measured with them.
    """
    check_together(metrics, cohorts, behaviour, probed, robust, cost)
    reference, kind = reference_of(metrics), metrics["about"]["kind"]
    check_compared(metrics, cohorts, reference)
    rules = [
        comparable(metrics["about"], reference),
        enough(metrics["about"]["window"], params),
        latest_measured(metrics["windows"][0], metrics["about"]["candidate"]["as_of"], params),
        *(compared(rule, metrics, cohorts, reference, params) for rule in params.rules(kind).values()),
        agrees(metrics["windows"], params.agreement),
        calibrated(metrics["candidate"]["ece"], params.max_ece),
        gaps_not_wider(metrics["gaps"], reference, params),
        *(behaves(name, found, params) for name, found in behaviour.items()),
        robust_enough(robust, params.max_flipped),
        leaks(probed, metrics["candidate"]["auc"]["value"]),
        contract_kept(contracts, params.breaking),
        fast_enough(cost),
    ]
    verdicts = {rule["verdict"] for rule in rules if rule["severity"] == "block"}
    verdict: Verdict = "fail" if "fail" in verdicts else "inconclusive" if "inconclusive" in verdicts else "pass"
    return {
        "verdict": verdict,
        "kind": kind,
        "reference": reference,
        "champion": metrics["about"]["champion"]["version"],
        "candidate": metrics["about"]["candidate"]["identity"],
        "as_of": metrics["about"]["candidate"]["as_of"],
        "rules": rules,
        "too_small": cohorts_too_small(cohorts, metrics["about"]["window"]["rows"], params),
    }


def check_together(
    metrics: Measured, cohorts: Cohorts, behaviour: Behaviours, probed: Probed, robust: Robust, cost: Cost
) -> None:
    """DataError when a cohort, behaviour or input is missing, or too many: what is not there would be no rule, and pass.

    So it is when the cost is that of other models.
    """
    about = metrics["about"]
    both: tuple[Literal["candidate", "champion"], ...] = ("candidate", "champion")
    asked = [f"{name} {about[name]['identity']}" for name in both]
    timed = [f"{name} {one['identity'] if one else None}" for name in both for one in [cost[name]]]
    for path, said, found in (
        (files.COHORTS, about["cohorts"], cohorts),
        (files.METRICS, about["cohorts"], metrics["gaps"]),
        (files.BEHAVIOUR, about["behaviours"], behaviour),
        (files.LEAKS, about["inputs"], probed["inputs"]),
        (files.ROBUSTNESS, about["inputs"], robust["inputs"]),
        (files.COST, asked, timed),
    ):
        if sorted(said) != sorted(found):
            there, wanted = (", ".join(sorted(names)) or "nothing" for names in (found, said))
            raise DataError(
                f"{path} is about {there}; {files.METRICS} says that {wanted} was measured. They must come from one run: "
                "restore them from Git, or flywheel run"
            )


def check_compared(metrics: Measured, cohorts: Cohorts, reference: Reference) -> None:
    """DataError when some part of the evidence does not compare the candidate with what the rest compares it with."""
    parts = {f"{files.METRICS}, check": metrics["check"]}
    for at, window in enumerate(metrics["windows"]):
        parts |= {f"{files.METRICS}, windows.{at}.{key}": window[key] for key in ("difference", "check")}
    found: dict[str, Mapping[Reference, object]] = {**parts}
    for name, one in named(cohorts).items():
        found |= {
            f"{files.COHORTS}, {name}, difference": one["difference"],
            f"{files.COHORTS}, {name}, p_worse": one["p_worse"],
        }
    for place, others in found.items():
        if reference not in others:
            raise DataError(
                f"{place}: found nothing against {shown(reference)}, with which the candidate is compared elsewhere. The files "
                "must come from one run: restore them from Git, or flywheel run"
            )


def comparable(about: About, reference: Reference) -> Rule:
    """Either the comparison with the champion is fair, or there is no champion yet; and there is something new to compare."""
    champion = about["champion"]
    if champion["why_not_compared"]:
        return _rule("comparable", "inconclusive", f"{champion['why_not_compared']}.")
    if champion["identity"] is None:
        return _rule(
            "comparable", "pass", f"There is no champion yet; {REFERENCE_IN_WORDS[reference]} stands in for it."
        )
    if champion["identity"] == about["candidate"]["identity"]:
        return _rule("comparable", "inconclusive", "The candidate is the champion, so there is nothing new to release.")
    named = f"The champion {champion['version'] or '(no version)'}"
    if about["why_as_it_is"]:
        return _rule("comparable", "pass", f"{named} is compared as it is: {about['why_as_it_is']}.")
    what = {
        "refresh": "the same recipe with more data, so it must do no harm",
        "change": "another recipe, so it must be better",
    }
    return _rule("comparable", "pass", f"{named} and the candidate are {what[about['kind']]}.")


def enough(window: Window, params: Gate) -> Rule:
    """With too little evidence, nothing passes."""
    rarer = min(window["positives"], window["rows"] - window["positives"])
    share = window["rows"] / window["predictions"]
    short = []
    if share < params.min_labelled_share:
        short.append(f"{share:.0%} of the predictions have a label, {params.min_labelled_share:.0%} needed")
    if window["days"] < params.min_days:
        short.append(f"{window['days']} days, {params.min_days} needed")
    if rarer < params.min_positives:
        short.append(f"{rarer} rows of the rarer class, {params.min_positives} needed")
    if short:
        return _rule("enough evidence", "inconclusive", f"Too little evidence: {'; '.join(short)}.")
    return _rule("enough evidence", "pass", f"{window['rows']:,} labelled rows over {window['days']} days.")


def latest_measured(latest: WindowMeasured, as_of: str, params: Gate) -> Rule:
    """What the candidate learned last must be among what is measured: the latest window ends with it, and has labels."""
    name, rows, positives = "latest window", latest["rows"], latest["positives"]
    share = rows / latest["predictions"]
    if latest["end"] != as_of:
        said = f"No prediction from {latest['end']} to {as_of} has a label, so what the candidate learned last is not measured."
        return _rule(name, "inconclusive", said)
    if share < params.min_labelled_share:
        said = f"{share:.0%} of the predictions since {latest['start']} have a label, {params.min_labelled_share:.0%} needed."
        return _rule(name, "inconclusive", said)
    if positives in (0, rows):
        return _rule(name, "inconclusive", f"All {rows:,} labels since {latest['start']} are {int(positives > 0)}.")
    return _rule(name, "pass", f"{rows:,} labelled rows since {latest['start']}.")


def compared(rule: Comparison, metrics: Measured, cohorts: Cohorts, reference: Reference, params: Gate) -> Rule:
    """What a comparison of conf says: on all windows, on the latest, in each cohort, or on the days after the champion."""
    word = IN_WORDS[rule.metric]
    said = {"better": f"better {word}", "not_worse": f"{word} not worse", "unharmed": f"{word} not harmed"}[rule.must]
    if rule.scope == "cohort":
        found = cohorts_unharmed(cohorts, metrics["about"]["window"]["rows"], reference, rule, params)
        return found | {"severity": rule.severity}
    if rule.scope == "as_it_is":
        name, itself = "champion as it is", metrics["as_it_is"]
        if itself is None:
            why = "it is what all is compared with" if metrics["about"]["why_as_it_is"] else "there are no such rows"
            if reference != "champion":
                why = "there is no champion to compare"
            return _rule(name, "pass", f"Skipped: on the days after the champion's training {why}.", rule.severity)
        difference, check = itself["difference"], itself["check"]
        words = f"{IN_WORDS[rule.metric]} against the champion itself on the {itself['days']} days after its training"
    else:
        latest = metrics["windows"][0]
        pooled = rule.scope == "pooled"
        name = said if pooled else f"{said} in the latest window"
        of = metrics["difference"], metrics["check"]
        found_in = of if pooled else (latest["difference"], latest["check"])
        difference, check = (one[reference] for one in found_in)
        words = f"{IN_WORDS[rule.metric]} against {shown(reference)}"
    return _on_a_side(name, difference[rule.metric], check[rule.metric], rule, words, metrics["about"]["confidence"])


def _on_a_side(
    name: str, difference: Interval, check: Interval, rule: Comparison, words: str, confidence: float
) -> Rule:
    """Whether a difference is on the good side of its limit, with both its intervals.

    `better`: the whole interval is beyond a gain of the margin. `not_worse`: a loss of more than the margin is ruled out
    (non-inferiority). `unharmed`: no loss is shown; the burden of proof is the other way round, and a loss within the margin
    does not count. What blocks of one length show, and of another do not, is inconclusive.
    """
    gain, checked = _gain(difference, rule.metric), _gain(check, rule.metric)
    if gain is None or checked is None:
        return _rule(name, "inconclusive", f"{words} has no interval on these rows.", rule.severity)
    side, other = _side(gain, rule), _side(checked, rule)
    told = f"{words}: {_say(difference)}" + (f", margin {rule.margin:g}" if rule.margin else "")
    if rule.must == "unharmed":
        if "fail" not in (side, other) or gain[0] >= -rule.margin:
            return _rule(name, "pass", f"{told}; no harm beyond the margin is shown.", rule.severity)
        if side == other:
            return _rule(name, "fail", f"{told}; the whole interval is worse.", rule.severity)
        said = f"{told}, but {_say(check)} with other blocks of days: whether that is harm depends on them."
        return _rule(name, "inconclusive", said, rule.severity)
    if side == other != "inconclusive":
        return _rule(name, side, f"{told}; {SIDE_IN_WORDS[rule.must][side]}.", rule.severity)
    power = f"evidence like this shows a change of {detectable(difference, confidence):.4f} in four of five cases"
    if side == other:
        said = f"{told}; {SIDE_IN_WORDS[rule.must]['inconclusive']}: {power}."
    else:
        said = f"{told}, but {_say(check)} with other blocks of days: it depends on them; {power}."
    return _rule(name, "inconclusive", said, rule.severity)


def detectable(difference: Interval, confidence: float) -> float:
    """The smallest true change whose interval leaves zero out in four of five cases, from the width of this one; NaN without.

    The usual sum of two quantiles times the standard error (Cohen, 1988), the error taken from the interval.
    """
    low, high = difference["low"], difference["high"]
    if low is None or high is None:
        return math.nan
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return (z + NormalDist().inv_cdf(POWER)) * (high - low) / (2 * z)


def agrees(windows: Sequence[WindowMeasured], params: Agreement) -> Rule:
    """The candidate, and the latest labels, must follow the latest stand-in about as earlier ones followed theirs.

    A broken last month moves the candidate, and no older window shows it. Wrong labels show most in themselves: what happened
    follows the scores of a model that has not seen it less than it used to.
    """
    now, before = windows[0]["agreement"], [one["agreement"] for one in windows[1:] if one["agreement"]]
    if now is None or not before:
        return _rule(
            "agreement", "pass", "Skipped: no earlier window tells how far vintages usually are from each other."
        )
    usual = [max(sizes) for sizes in zip(*map(_sizes, before), strict=True)]
    limits = [max(least, params.times * one) for least, one in zip((params.shift, params.stretch), usual, strict=True)]
    stretch, widest = (math.exp(min(one, MOST_STRETCH)) for one in (usual[1], limits[1]))
    said = (
        f"Against its latest stand-in the candidate's log odds are shifted by {now['shift']:+.3f} and stretched to "
        f"{now['slope']:.3f}; earlier vintages were shifted by {usual[0]:.3f} and stretched by {stretch:.3f} at most, and the "
        f"limits are {limits[0]:.3f}, and {1 / widest:.3f} to {widest:.3f}"
    )
    is_near = all(size <= limit for size, limit in zip(_sizes(now), limits, strict=True))
    is_told, told = _labels_follow(now["labels"], [one["labels"] for one in before], params.labels)
    return _rule("agreement", "pass" if is_near and is_told else "fail", f"{said}{told}.")


def _labels_follow(now: float | None, before: Sequence[float | None], most: float) -> tuple[bool, str]:
    """Whether the latest labels follow the stand-in about as usual, which is the geometric mean of earlier slopes; in words."""
    rising = [one for one in before if one is not None and one > 0]
    if now is None or not rising:
        return True, ""
    usual = math.exp(math.fsum(map(math.log, rising)) / len(rising))
    most = min(most, MOST_STRETCH)
    lowest, highest = usual * math.exp(-most), usual * math.exp(most)
    said = (
        f"; what happened follows the stand-in with a slope of {now:.3f}, in earlier windows with {usual:.3f}, and the limits "
        f"are {lowest:.3f} and {highest:.3f}"
    )
    return lowest <= now <= highest, said


def _sizes(found: Agreed) -> tuple[float, float]:
    """How large shift and stretch are, whatever their direction; a slope that is not upward is infinitely far."""
    return abs(found["shift"]), abs(math.log(found["slope"])) if found["slope"] > 0 else math.inf


def _side(gain: Gain, rule: Comparison) -> Verdict:
    """Which side of its limit the interval of a gain is on; a loss of just the margin is within it."""
    _, low, high = gain
    limit = {"better": rule.margin, "not_worse": -rule.margin, "unharmed": 0.0}[rule.must]
    if low > limit or (rule.must == "not_worse" and low == high == limit):
        return "pass"
    return "fail" if high < limit else "inconclusive"


def calibrated(ece: Interval, limit: float) -> Rule:
    """The candidate's probabilities must be close to what happens: the whole interval of the error must be small enough."""
    low, high = ece["low"], ece["high"]
    if ece["value"] is None or low is None or high is None:
        return _rule("calibrated", "inconclusive", "The calibration error has no interval on these rows.")
    said = f"Calibration error {ece['value']:.4f} [{low:.4f}, {high:.4f}], at most {limit:g} allowed"
    if high <= limit:
        return _rule("calibrated", "pass", f"{said}; the whole interval is below.")
    if low > limit:
        return _rule("calibrated", "fail", f"{said}; the whole interval is above.")
    return _rule("calibrated", "inconclusive", f"{said}; the interval reaches above.")


def cohorts_unharmed(cohorts: Cohorts, n_rows: int, reference: Reference, rule: Comparison, params: Gate) -> Rule:
    """No cohort that is large enough may lose more than the margin, unless chance alone may well make it look so.

    Many cohorts give chance many tries, so their p-values are corrected (Holm, 1979): where none is harmed the rule fails in
    at most the share `cohort_error` of all cases.
    """
    metric, judged, lost, too_small = rule.metric, {}, {}, cohorts_too_small(cohorts, n_rows, params)
    if not cohorts:
        return _rule("cohorts", "pass", "Skipped: evaluate.cohorts is empty.")
    small = {one["cohort"] for one in too_small}
    for name, found in named(cohorts).items():
        gain, p_value = _gain(found["difference"][reference][metric], metric), found["p_worse"][reference][metric]
        if name not in small and p_value is not None and gain is not None:
            judged[name], lost[name] = p_value, -gain[0]
    unknown = [name for name in named(cohorts) if name not in small and name not in judged]
    if unknown:
        return _rule(
            "cohorts", "inconclusive", f"Large enough to judge, but without an interval: {', '.join(unknown)}."
        )
    if not judged:
        needed = f"{params.cohort_min_share:.0%} of the rows and {params.cohort_min_positives} of the rarer class"
        return _rule("cohorts", "inconclusive", f"No cohort has {needed}.")
    harmed = []
    for name, p_value in corrected(judged).items():
        found = named(cohorts)[name]
        difference = found["difference"][reference][metric]
        if p_value <= params.cohort_error and lost[name] > rule.margin:
            harmed.append(f"{name} ({_say(difference)}, {found['rows']} rows, {_say_p(p_value)})")
    n, said = len(judged), f"more than {rule.margin:g} of {IN_WORDS[metric]} to {shown(reference)}"
    n_left = len(named(cohorts)) - n
    left = f"; {n_left} more {'is' if n_left == 1 else 'are'} too small to judge" if n_left else ""
    if harmed:
        corrected_for = f"p after Holm's correction for {n}, at most {params.cohort_error:g}"
        return _rule(
            "cohorts", "fail", f"{len(harmed)} of {n} cohorts lose {said} ({corrected_for}): {'; '.join(harmed)}{left}."
        )
    return _rule("cohorts", "pass", f"None of {n} cohorts loses {said}{left}.")


def cohorts_too_small(cohorts: Cohorts, n_rows: int, params: Gate) -> list[TooSmall]:
    """The cohorts that are not judged: with too small a share of all `n_rows` labelled rows, or too few of the rarer class.

    With few rows of a class an interval means little.
    """
    counted: list[TooSmall] = [
        {"cohort": name, "rows": one["rows"], "rarer": min(one["positives"], one["rows"] - one["positives"])}
        for name, one in named(cohorts).items()
    ]
    return [
        one
        for one in counted
        if one["rows"] < params.cohort_min_share * n_rows or one["rarer"] < params.cohort_min_positives
    ]


def gaps_not_wider(found: Mapping[str, GroupGaps], reference: Reference, params: Gate) -> Rule:
    """No gap between the cohorts of a group may grow by more than the margin, unless chance alone may well make it so.

    Never a fail: where cohorts differ in how often it happens, a score cannot be fair in all three ways at once (Kleinberg et
    al., 2016; Chouldechova, 2017), and only a person can say which one matters. The p-values are corrected for how many gaps
    there are. Only against the champion: a first model tells cohorts apart that a rule treats alike, and must.
    """
    if reference != "champion":
        return _rule("gaps between cohorts", "pass", "Skipped: there is no champion whose gaps could grow.")
    by_name = {
        f"{GAPS_IN_WORDS[metric]} by {group}": gap
        for group, one in found.items()
        for metric, gap in one["gaps"].items()
    }
    measured = {name: gap["p_larger"] for name, gap in by_name.items() if gap["p_larger"] is not None}
    if not measured:
        why = "evaluate.cohorts is empty" if not found else "no gap between cohorts can be compared"
        return _rule("gaps between cohorts", "pass", f"Skipped: {why}.")
    said = f"grows by more than {params.gap_margin:g} against {shown(reference)}"
    wider = []
    for name, p_value in corrected(measured).items():
        gap = by_name[name]
        change = gap["change"]
        if change and (change["value"] or 0) > params.gap_margin and p_value <= params.cohort_error:
            between = f"{gap['candidate']:.3f} between {gap['highest']} and {gap['lowest']}"
            wider.append(f"{name} ({between}, {_say(change)}, {_say_p(p_value)})")
    if wider:
        advice = "if that is fair to those who get fewer right alerts, accept it with the reason"
        return _rule("gaps between cohorts", "inconclusive", f"A gap {said}: {'; '.join(wider)}; {advice}.")
    return _rule("gaps between cohorts", "pass", f"None of {len(measured)} gaps between cohorts {said}.")


def behaves(name: str, found: BehaviourMeasured, params: Gate) -> Rule:
    """Setting an input to a telling value must move enough of the scores, and in the expected direction.

    Only rows that moved count for the direction: a model that ignores the input moves few, and those by chance.
    """
    mine, expect = found["candidate"], found["expect"]
    moved, share, shift = mine["share_moved"], mine["share_as_expected"], mine["mean_shift"]
    change = f"With {found['column']} = {found['set']:g}, {moved:.1%} of {found['rows']:,} scores move"
    if expect == "same":
        verdict: Verdict = "pass" if share is not None and share >= params.behaviour_share else "fail"
        return _rule(
            f"behaviour: {name}", verdict, f"{change}; at least {params.behaviour_share:.0%} must stay the same."
        )
    is_shift_right = shift > 0 if expect == "higher" else shift < 0
    is_expected = share is not None and share >= params.behaviour_share and is_shift_right
    verdict = "pass" if moved >= params.behaviour_moved and is_expected else "fail"
    said = f", {share:.1%} of these {expect} (mean {shift:+.3f})" if share is not None else ""
    needed = f"at least {params.behaviour_moved:.0%} must move, and {params.behaviour_share:.0%} of these {expect}"
    return _rule(f"behaviour: {name}", verdict, f"{change}{said}; {needed}.")


def robust_enough(found: Robust, limit: float) -> Rule:
    """No input that is slightly off may flip more than `limit` of the decisions, and none may leave a row without a score."""
    name = "robustness"
    no_score = [
        f"{one} {way} ({answer['no_score']:,} rows)"
        for one, ways in found["inputs"].items()
        for way, answer in ways.items()
        if answer["no_score"]
    ]
    if no_score:
        return _rule(name, "fail", f"There is no score in [0, 1] with {'; '.join(no_score)}.")
    flipped = {
        one: answer["flipped"]
        for one, ways in found["inputs"].items()
        if (answer := ways.get("perturbed")) and answer["flipped"] is not None
    }
    if not flipped:
        return _rule(name, "inconclusive", "No input could be changed in any row.")
    worst = sorted(flipped, key=lambda one: (-flipped[one], one))
    said = f"of the decisions flip when an input is slightly off, at most {limit:.0%} allowed"
    over = [f"{one} {flipped[one]:.1%}" for one in worst if flipped[one] > limit]
    if over:
        return _rule(name, "fail", f"Too many {said}: {'; '.join(over)}.")
    return _rule(name, "pass", f"At most {flipped[worst[0]]:.1%} ({worst[0]}) {said}.")


def leaks(probed: Probed, auc: float | None) -> Rule:
    """No input alone, and not the candidate, may be too right to be true, unless conf says why it is. Never a fail.

    Only a person can tell whether an input is known when the prediction is served.
    """
    found = suspicions(probed)
    limit, accepted = probed["max_candidate_auc"], probed["accepted"]
    if auc is not None and auc > limit:
        found["candidate"] = f"the candidate has an AUC of {auc:.4f} ({limit:g} is the limit)"
    asked = [said for name, said in found.items() if name not in accepted]
    told = "".join(
        f"; accepted: {said}, because: {accepted[name].rstrip('.')}" for name, said in found.items() if name in accepted
    )
    if asked:
        place = "the features" if set(found) - {*accepted, "served_score"} else "columns under source.options"
        advice = "if this is known when the prediction is served, say why in conf/, under evaluate.leaks.accepted"
        return _rule("leaks", "inconclusive", f"{'; '.join(asked)}; {advice}; if not, take it out of {place}{told}.")
    if probed["why_not_measured"] is not None or auc is None:
        why = probed["why_not_measured"] or "the candidate has no AUC"
        return _rule("leaks", "inconclusive", f"Whether an input gives the answer away cannot be told: {why}{told}.")
    most = f"at most {max((one['auc'] or 0 for one in probed['inputs'].values()), default=0):.4f}"
    said = f"AUC of each of {len(probed['inputs'])} inputs alone {most}, of the candidate {auc:.4f}"
    return _rule("leaks", "pass", f"{said}; {probed['max_auc']:g} and {limit:g} are the limits{told}.")


def _rule(name: str, verdict: Verdict, reason: str, severity: Severity = "block") -> Rule:
    return {"rule": name, "verdict": verdict, "severity": severity, "reason": reason[0].upper() + reason[1:]}


def _gain(difference: Interval, metric: str) -> Gain | None:
    """A difference and its interval with the sign turned so that more is better; None where one of the three is not known."""
    value, low, high = difference["value"], difference["low"], difference["high"]
    if value is None or low is None or high is None:
        return None
    return (value, low, high) if HIGHER_IS_BETTER[metric] else (-value, -high, -low)


def _say_p(p_value: float) -> str:
    return f"p {p_value:.2g}" if p_value >= LEAST_P else f"p below {LEAST_P:g}"


def _say(difference: Interval) -> str:
    return f"{difference['value']:+.4f} [{difference['low']:+.4f}, {difference['high']:+.4f}]"
