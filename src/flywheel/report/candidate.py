"""What the report says of the candidate: how it compares, for whom, and how it responds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from flywheel.evaluation.evidence import (
    GAPS_IN_WORDS,
    HIGHER_IS_BETTER,
    IN_WORDS,
    Cohorts,
    Cost,
    Flips,
    Interval,
    Measured,
    Probed,
    Reference,
    Robust,
    Slices,
    TooSmall,
    by_model,
    named,
    shown,
    suspicions,
    values_by_model,
)
from flywheel.report.markdown import escape, number, percent, table, with_interval

DIGITS = {"precision": 3, "recall": 3, "alert_rate": 3, "utility": 1}
FLIPS: tuple[Literal["to_alert", "to_alert_right", "to_quiet", "to_quiet_right"], ...] = (
    "to_alert",
    "to_alert_right",
    "to_quiet",
    "to_quiet_right",
)
MOST_CHANGED = 5  # cohorts that the section about decisions lists
WAYS = ("perturbed", "missing", "unknown", "smallest", "largest")
LEAST_ROBUST = 5  # the section about robustness lists so many inputs
STRONGEST = 5  # the section about leaks lists so many inputs


def comparison(measured: Measured, reference: Reference) -> str:
    """The metric table with intervals."""
    models = by_model(measured)
    others = [name for name in ("champion", "served") if name in models]
    header = ["metric", "candidate", *others, f"candidate − {shown(reference)}"]
    rows = []
    for metric, name in IN_WORDS.items():
        digits = DIGITS.get(metric, 4)
        words = name if HIGHER_IS_BETTER.get(metric, True) else f"{name} (lower is better)"
        values = [with_interval(models[one][metric], digits) for one in ("candidate", *others)]
        rows.append([words, *values, with_interval(measured["difference"][reference][metric], digits, sign=True)])
    base, block_days = measured["base_rate"], measured["about"]["block_days"]["intervals"]
    blocks = "days" if block_days == 1 else f"blocks of {block_days} days"
    return (
        "## Candidate, champion and what was served\n\n"
        + table(header, rows)
        + f"\nIn brackets: {measured['about']['confidence']:.0%} intervals from a paired bootstrap over {blocks}. "
        f"Always answering the base rate would have a log loss of {number(base['log_loss']['value'], 4)} "
        f"and a Brier score of {number(base['brier']['value'], 4)}.\n\n"
        "![ROC, reliability and scores](plots/models.png)\n"
    )


def windows(measured: Measured, reference: Reference) -> str:
    """The comparison window by window, the latest first, and why others were left out."""
    rows = []
    for one in measured["windows"]:
        values = values_by_model(one)
        difference = one["difference"][reference]
        rows.append(
            [
                f"{one['start']} to {one['end']}",
                f"{one['rows']:,}",
                percent(one["positives"] / one["rows"] if one["rows"] else None, 1),
                number(values["candidate"]["log_loss"], 4),
                number(values[reference]["log_loss"], 4),
                with_interval(difference["log_loss"], 4, sign=True),
                with_interval(difference["auc"], 4, sign=True),
                number(one["agreement"]["shift"] if one["agreement"] else None, 3, sign=True),
                number(one["agreement"]["slope"] if one["agreement"] else None, 3),
                number(one["agreement"]["labels"] if one["agreement"] else None, 3),
            ]
        )
    header = [
        "window",
        "rows",
        "positive",
        "log loss, candidate",
        f"log loss, {shown(reference)}",
        "difference",
        "difference in AUC",
        "shift",
        "stretch",
        "labels",
    ]
    itself, about = measured["as_it_is"], measured["about"]
    if itself:
        loss, auc = (with_interval(itself["difference"][name], 4, sign=True) for name in ("log_loss", "auc"))
        told = (
            f"\nAgainst the champion itself, on the {itself['rows']:,} labelled of {itself['predictions']:,} predictions from "
            f"{itself['start']} to {itself['end']}, after its training ({itself['days']} days, "
            f"{percent(itself['positives'] / max(itself['rows'], 1), 1)} positive): log loss {loss}, AUC {auc}.\n"
        )
    elif about["why_as_it_is"]:
        told = f"\nThe champion itself is compared: {escape(about['why_as_it_is'])}.\n"
    else:
        told = ""
    left = [f"{one['start']} to {one['end']} ({escape(one['why'])})" for one in about["left_out"]]
    return (
        "## Window by window\n\n"
        f"In each window the candidate's recipe ({about['recipe']}), as of the window's first day, against what stands for "
        f"{shown(reference)}. Shift and stretch: how the log odds of the vintage one window younger follow the stand-in's. "
        "Labels: the slope of what happened on these.\n\n"
        + table(header, rows)
        + told
        + (f"\nLeft out: {'; '.join(left)}.\n" if left else "")
    )


def cohorts(found: Cohorts, reference: Reference, confidence: float, too_small: Iterable[TooSmall] = ()) -> str:
    """The cohorts whose log loss moved (the interval excludes zero), worst first; the others are only counted.

    Those that the gate does not judge are named, with what they have.
    """
    rows, n = [], 0
    for group, members in found.items():
        for value, one in members.items():
            gap = one["difference"][reference]["log_loss"]
            n += 1
            low, high = gap["low"], gap["high"]
            if low is not None and high is not None and (low > 0 or high < 0):
                aucs = [number(values_by_model(one)[name]["auc"], 3) for name in ("candidate", reference)]
                rows.append(
                    (
                        gap["value"] or 0,
                        [f"{group} = {value}", f"{one['rows']:,}", *aucs, with_interval(gap, 4, sign=True)],
                    )
                )
    if not n:
        return "## Cohorts\n\nNo cohort is declared (evaluate.cohorts), so none was compared.\n"
    rows.sort(key=lambda row: -row[0])
    said = f"In {len(rows)} of {n} cohorts the log loss moved by more than chance ({confidence:.0%} interval; lower is better)."
    small = [
        f"{escape(one['cohort'])} ({one['rows']:,} rows, {one['rarer']:,} of the rarer class)" for one in too_small
    ]
    if small:
        said += f"\n\nToo small to judge: {'; '.join(small)}."
    if not rows:
        return f"## Cohorts\n\n{said}\n"
    header = ["cohort", "rows", "AUC candidate", f"AUC {shown(reference)}", "log loss difference"]
    return f"## Cohorts that moved\n\n{said}\n\n" + table(header, [row for _, row in rows])


def calibration(measured: Measured, found: Cohorts, too_small: Iterable[TooSmall] = ()) -> str:
    """The line that would put each score right, and the cohorts that are large enough in which the candidate's is off."""
    rows = [
        [name, with_interval(one["slope"], 3), with_interval(one["intercept"], 3, sign=True)]
        for name, one in measured["calibration"].items()
    ]
    small = {one["cohort"] for one in too_small}
    large = {name: one["calibration"]["candidate"] for name, one in named(found).items() if name not in small}
    off = [
        [name, with_interval(one["slope"], 3), with_interval(one["intercept"], 3, sign=True)]
        for name, one in large.items()
        if _excludes(one["slope"], 1) or _excludes(one["intercept"], 0)
    ]
    said = f"\nIn {len(off)} of {len(large)} cohorts the candidate is off by more than chance.\n" if large else ""
    return (
        "## Calibration\n\nThe line that would put the score right, in log odds: with a slope of 1 and an intercept of 0 it is "
        "right as it is. A slope below 1: too extreme; an intercept above 0: too little is promised.\n\n"
        + table(["model", "slope", "intercept"], rows)
        + said
        + ("\n" + table(["cohort", "slope", "intercept"], off) if off else "")
        + ("\n![How reliable scores are in the largest cohorts](plots/cohorts.png)\n" if found else "")
    )


def _excludes(found: Interval, ideal: float) -> bool:
    low, high = found["low"], found["high"]
    return low is not None and high is not None and not low <= ideal <= high


def decisions(measured: Measured, found: Cohorts, reference: Reference) -> str:
    """How many decisions change with the candidate, how many of these for the better, and for whom most."""
    n_rows = measured["about"]["window"]["rows"]
    cells = [["all", *_flips(measured["flips"], n_rows)]]
    changed = sorted(
        named(found).items(),
        key=lambda one: (-(one[1]["flips"]["to_alert"] + one[1]["flips"]["to_quiet"]) / one[1]["rows"], one[0]),
    )
    cells += [[name, *_flips(one["flips"], one["rows"])] for name, one in changed[:MOST_CHANGED]]
    header = ["predictions", "rows", "decisions that change", "to an alert", "right", "to no alert", "right"]
    return (
        f"## Decisions that change\n\nAgainst {shown(reference)}, at the alert threshold of the costs; the cohorts with the "
        "largest shares.\n\n" + table(header, cells) + "\n![What alerts gain at each threshold](plots/decision.png)\n"
    )


def _flips(one: Flips, n_rows: int) -> list[str]:
    changed = one["to_alert"] + one["to_quiet"]
    return [f"{n_rows:,}", f"{changed / max(n_rows, 1):.1%}", *(f"{one[key]:,}" for key in FLIPS)]


def gaps(measured: Measured, reference: Reference) -> str:
    """How far apart the cohorts of each group are in what the model does to them."""
    rows = []
    for group, one in measured["gaps"].items():
        for metric, gap in one["gaps"].items():
            change = gap["change"]
            rows.append(
                [
                    f"{group} ({len(one['cohorts'])})",
                    GAPS_IN_WORDS[metric],
                    number(gap["reference"], 3),
                    number(gap["candidate"], 3),
                    f"{gap['highest']} / {gap['lowest']}",
                    with_interval(change, 3, sign=True) if change else "–",
                ]
            )
    if not rows:
        return "## Gaps between cohorts\n\nNo group has two cohorts that are large enough to compare (evaluate.gaps).\n"
    header = ["group", "of", f"gap {shown(reference)}", "gap candidate", "highest / lowest", "change"]
    return (
        "## Gaps between cohorts\n\nThe largest value of a cohort less the smallest, among those that are large enough to "
        "compare. A gap need not be wrong: where something happens more often, more alerts are right.\n\n"
        + table(header, rows, words=2)
    )


def slices(found: Slices, reference: Reference) -> str:
    """Where the candidate loses most: the slices that were found, and whether other days confirm them."""
    halves = found["rows"]
    head = "## Where the candidate loses most\n\n"
    if not found["slices"]:
        return f"{head}No slice of one or two features with enough rows and days loses against {shown(reference)}.\n"
    rows = [
        [
            one["slice"],
            f"{one['rows']:,}",
            f"{one['positives']:,}",
            number(one["candidate"], 4),
            number(one["reference"], 4),
            with_interval(one["difference"], 4, sign=True),
            f"{number(one['p_corrected'], 3)} ({number(one['p_worse'], 3)})",
            "yes" if one["is_confirmed"] else "no",
        ]
        for one in found["slices"]
    ]
    confirmed = sum(one["is_confirmed"] for one in found["slices"])
    header = ["slice", "rows", "positives", "log loss candidate", shown(reference), "difference", "p", "confirmed"]
    return (
        f"{head}Slices of up to two features, looked for on {halves['looked']:,} rows of every other block of "
        f"{found['block_days']} days, and measured here on the {halves['tested']:,} between: {confirmed} of {len(rows)} are "
        "confirmed. p is corrected for how many are tested, in brackets it is not.\n\n" + table(header, rows)
    )


def robustness(found: Robust) -> str:
    """The inputs by which most decisions flip, when one is slightly off, missing, unknown or extreme."""
    inputs = found["inputs"]
    most = {name: max((one["flipped"] or 0 for one in ways.values()), default=0) for name, ways in inputs.items()}
    worst = sorted(inputs, key=lambda name: (-most[name], name))[:LEAST_ROBUST]
    cells = [
        [
            name,
            *(percent(inputs[name][way]["flipped"], 1) if way in inputs[name] else "–" for way in WAYS),
            number(inputs[name]["perturbed"]["largest_jump"], 3) if "perturbed" in inputs[name] else "–",
        ]
        for name in worst
    ]
    header = ["input", "slightly off", *WAYS[1:], "largest jump when slightly off"]
    return (
        f"## What if an input is off?\n\nThe share of decisions that flip, asked of {found['rows']:,} rows, for the inputs by "
        f"which most do. Slightly off: by {found['shift']:g} standard deviations, or another category.\n\n"
        + table(header, cells)
    )


def leaks(found: Probed) -> str:
    """What the strongest inputs alone say of the label, and what is suspicious or odd about any."""
    moment = found["served_at"]
    aucs = {f"served_at ({moment['part']})": moment["auc"]} | {
        name: one["auc"] for name, one in found["inputs"].items()
    }
    strongest = sorted(aucs.items(), key=lambda one: (-(one[1] or 0), one[0]))[:STRONGEST]
    rows = [[name, number(auc, 4)] for name, auc in strongest]
    halves, limit = found["rows"], found["max_auc"]
    if found["why_not_measured"] is not None:
        measured = f"Inputs alone could not be measured: {escape(found['why_not_measured'])}.\n"
    else:
        measured = (
            f"The strongest inputs, each alone: learned on {halves['earlier']:,} rows, measured on the {halves['later']:,} "
            f"from {found['later_from']} on. Above {limit:g} one must ask whether it is known when the prediction is served."
            "\n\n" + table(["input alone", "AUC"], rows)
        )
    score = found.get("served_score")
    if score is not None:
        limit = found["max_candidate_auc"]
        measured += f"\nThe score that was served has an AUC of {score:.4f}; above {limit:g} one must ask.\n"
    suspicious = [escape(said) for said in suspicions(found).values()]
    hints = [
        f"{escape(name)} ({escape(', '.join(one['hints']))})" for name, one in found["inputs"].items() if one["hints"]
    ]
    return (
        f"## Does the answer leak?\n\n{measured}"
        + (f"\nSuspicious: {'; '.join(suspicious)}.\n" if suspicious else "")
        + (f"\nOdd, though it need not be wrong: {', '.join(hints)}.\n" if hints else "")
    )


def cost(found: Cost) -> str:
    """How large the models are, and whether the candidate is slower; times are no evidence, so none is here."""
    sizes = [found["candidate"], *filter(None, [found["champion"]])]
    header = ["", "candidate", "champion"][: len(sizes) + 1]
    rows = [["trees", *(f"{one['trees']:,}" for one in sizes)], ["bytes", *(f"{one['bytes']:,}" for one in sizes)]]
    limit = f"more than {found['max_ratio']:g} times as long as the champion"
    if found["champion"] is None:
        said = f"There is no champion yet; a later candidate may not take {limit}."
    elif found["why_not_measured"]:
        said = f"Whether it takes {limit} could not be measured: {escape(found['why_not_measured'])}."
    elif found["slower"]:
        said = f"It takes {limit} to answer {' and '.join(found['slower'])}."
    else:
        said = f"It does not take {limit} to answer."
    return f"## Cost\n\n{said} `flywheel cost` shows times and prices.\n\n" + table(header, rows)
