"""The report as Markdown, made from the JSON files alone, so it cannot disagree with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict

from flywheel.data.evidence import Quality
from flywheel.evaluation.evidence import (
    GAPS_IN_WORDS,
    HIGHER_IS_BETTER,
    IN_WORDS,
    REFERENCE_IN_WORDS,
    Cohorts,
    Cost,
    Decision,
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
from flywheel.labels.evidence import FeedbackSaid, LabelsMade
from flywheel.monitoring.evidence import Drift, Health, realised_by_model
from flywheel.params import Project
from flywheel.report.markdown import MARKS, escape, number, percent, table, with_interval
from flywheel.report.settings import Report

DIGITS = {"precision": 3, "recall": 3, "alert_rate": 3, "utility": 1}
WEEK = 7
OPTIONAL_COLUMNS = ("AUC served", "errors", "latency p50 / p95, ms", "mean rating")
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


class Evidence(TypedDict):
    """What the report is made from: each JSON file in its shape."""

    quality: Quality
    labels: LabelsMade
    feedback: FeedbackSaid
    metrics: Measured
    cohorts: Cohorts
    leaks: Probed
    robustness: Robust
    cost: Cost
    slices: Slices
    decision: Decision
    monitor: Health
    drift: Drift


def render(evidence: Evidence, project: Project, params: Report) -> str:
    """The report as Markdown: the verdict first, then what it is based on."""
    parts = [
        verdict(evidence["decision"], evidence["metrics"], project.name, project.note),
        comparison(evidence["metrics"], evidence["decision"]["reference"]),
        windows(evidence["metrics"], evidence["decision"]["reference"]),
        cohorts(
            evidence["cohorts"],
            evidence["decision"]["reference"],
            evidence["metrics"]["about"]["confidence"],
            evidence["decision"].get("too_small", []),
        ),
        calibration(evidence["metrics"], evidence["cohorts"], evidence["decision"].get("too_small", [])),
        decisions(evidence["metrics"], evidence["cohorts"], evidence["decision"]["reference"]),
        gaps(evidence["metrics"], evidence["decision"]["reference"]),
        slices(evidence["slices"], evidence["decision"]["reference"]),
        robustness(evidence["robustness"]),
        leaks(evidence["leaks"]),
        cost(evidence["cost"]),
        drift(evidence["drift"], params.drift_rows),
        labels(evidence["labels"], evidence["feedback"], project.event),
        service(evidence["monitor"], params.weeks),
        data_quality(evidence["quality"]),
        *([corrections(evidence["quality"])] if evidence["quality"].get("corrections") else []),
    ]
    return "\n".join(parts)


def verdict(decision: Decision, measured: Measured, name: str, note: str | None = None) -> str:
    """The title, the verdict and every rule of the gate."""
    window = measured["about"]["window"]
    version = escape(decision["champion"] or "without a version")
    reference = decision["reference"]
    champion = f"champion {version}" if reference == "champion" else REFERENCE_IN_WORDS[reference]
    n_windows = len(measured["windows"])
    lines = [
        f"# {name}: {decision['verdict']} {MARKS[decision['verdict']]}",
        "",
        f"A {decision['kind']}: the candidate of {decision['as_of']} against {champion}, by vintages that stand in for them on "
        f"{'one window' if n_windows == 1 else f'{n_windows} windows'} that they have not seen: {window['rows']:,} labelled "
        f"predictions ({window['rows'] / max(window['predictions'], 1):.0%} of {window['predictions']:,}) served from "
        f"{window['start']} to {window['end']}, of which {window['positives'] / max(window['rows'], 1):.1%} are positive.",
        "",
        *([escape(note), ""] if note else []),
        "| rule | | reason |",
        "| --- | --- | --- |",
    ]
    rules = [
        f"| {escape(r['rule'])} | {MARKS[r['verdict']]} {r['verdict']}{' (only warns)' if r['severity'] == 'warn' else ''} "
        f"| {escape(r['reason'])} |"
        for r in decision["rules"]
    ]
    return "\n".join([*lines, *rules, ""])


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
        f"{shown(reference)}. Shift and stretch: how the log odds of the vintage one window younger follow the stand-in's.\n\n"
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


def drift(found: Drift, n: int) -> str:
    """The most drifted columns."""
    reference, current = found["reference"], found["current"]
    rows = [
        [
            one["column"],
            one["method"],
            number(one["distance"], 3),
            "yes" if one["is_drifted"] else "no",
            " → ".join(f"{share:.1%}" for share in one["null_share"]),
        ]
        for one in found["by_column"][:n]
    ]
    return (
        "## Drift\n\n"
        f"{found['drifted']} of {found['columns']} columns ({found['drifted_share']:.0%}) are more than "
        f"{found['threshold']:g} away from their reference. "
        f"Current: {current['start']} to {current['end']}. Reference: {escape(reference['why'])}"
        f" ({reference['start']} to {reference['end']}).\n\n"
        + table(["column", "method", "distance", "drifted", "nulls"], rows)
        + "\n![The most drifted columns, before and now](plots/drift.png)\n"
    )


def labels(made: LabelsMade, said: FeedbackSaid, event: str) -> str:
    """Where labels come from, and how far to trust them."""
    rows = [
        [source, f"{one['labels']:,}", f"{percent(one['share'], 1)}", f"{percent(one['positive_share'], 1)}"]
        for source, one in made["by_source"].items()
    ]
    agree = made["agreement"]
    checks = [
        f"{channel}s agree with the outcome in {percent(one['share'], 1)} of {one['votes']:,} cases"
        for channel, one in agree["with_outcome"].items()
        if one["share"] is not None
    ]
    if agree["between_votes"]["share"] is not None:
        checks.append(f"two votes on one prediction agree in {agree['between_votes']['share']:.1%} of cases")
    reporters = said["reporters"]
    trust = (
        f"\nOf {reporters['with_20_checked_reports']:,} people with 20 or more checked reports, "
        f"{reporters['always_yes']:,} always say yes.\n"
    )
    return (
        "## Labels\n\n"
        f"{made['labels']:,} of {made['predictions']:,} predictions have a label ({made['coverage']:.1%}), half of them "
        f"within {number(made['median_hours_to_label'], 1)} hours of being served.\n\n"
        + table(["source", "labels", "share", event], rows)
        + ("\n" + "; ".join(checks)[:1].upper() + "; ".join(checks)[1:] + ".\n" if checks else "")
        + (trust if reporters["with_20_checked_reports"] else "")
    )


def service(monitor: Health, weeks: int) -> str:
    """Quality of what was served, errors, latency, satisfaction and feedback in recent weeks."""
    quality = {one["week"]: one for one in monitor["quality"]}
    rows = []
    shown = monitor["service"][-weeks:]
    channels = sorted({channel for one in shown for channel in one["feedback"]})
    for one in shown:
        judged = realised_by_model(quality[one["week"]]) if one["week"] in quality else {}
        realised = [judged.get(name) for name in ("served", "champion")]
        aucs = [number(found["auc"] if found else None, 3) for found in realised]
        rows.append(
            [
                one["week"] if one["days"] == WEEK else f"{one['week']} ({one['days']} days)",
                f"{one['predictions']:,.0f}",
                *aucs,
                f"{percent(one['error_rate'], 2)}",
                f"{number(one['latency_p50_ms'], 0)} / {number(one['latency_p95_ms'], 0)}",
                "–" if one["mean_rating"] is None else with_interval(one["mean_rating"], 2, sign=True),
                " / ".join(f"{one['feedback'].get(channel, 0):,}" for channel in channels),
            ]
        )
    header = [
        "week of",
        "predictions",
        "AUC served",
        "AUC champion",
        "errors",
        "latency p50 / p95, ms",
        "mean rating",
        " / ".join(channels),
    ]
    kept, absent = known_columns(header, rows)
    header, rows = [header[at] for at in kept], [[row[at] for at in kept] for row in rows]
    left_out = f"\nNot in the data, so not shown: {', '.join(absent)}.\n" if absent else ""
    unknown = [f"{escape(name)} {share:.1%}" for name, share in monitor["unknown_categories"].items()]
    said = f"\nCategories the champion never saw: {', '.join(unknown)}.\n" if unknown else ""
    return (
        "## Service and satisfaction\n\n"
        + table(header, rows)
        + left_out
        + said
        + "\n![Quality, satisfaction and latency by week](plots/weekly.png)\n"
    )


def known_columns(header: list[str], rows: list[list[str]]) -> tuple[list[int], list[str]]:
    """The places of the columns to show, and the names of the others: what a table need not have, and these have not."""
    said = [any(set(row[at]) - set("–/ ") for row in rows) for at in range(len(header))]
    kept = [at for at, name in enumerate(header) if said[at] or name not in OPTIONAL_COLUMNS]
    return kept, [name for at, name in enumerate(header) if at not in kept]


def data_quality(found: Quality) -> str:
    """What was rejected, and which days had an unusual volume."""
    total, recent = found["total"], found["recent"]
    rules = [
        f"{escape(rule)} ({count:,})"
        for rule, count in sorted(total["rules"].items(), key=lambda item: (-item[1], item[0]))
    ]
    odd = [f"{one['day']} ({one['table']} {one['volume']}, {one['rows']:,} rows)" for one in found["unusual_volume"]]
    return (
        "## Data quality\n\n"
        f"{total['rejected']:,} of {total['rows']:,} rows were rejected ({total['rejected_share']:.2%}; "
        f"{recent['rejected_share']:.2%} in the last {recent['days']} days), {total['duplicates']:,} duplicates dropped.\n"
        + (f"\nRules broken: {'; '.join(rules)}.\n" if rules else "")
        + (
            f"\nUnusual volume: {'; '.join(odd[:10])}{f' and {len(odd) - 10} more' if len(odd) > 10 else ''}.\n"
            if odd
            else ""
        )
        + late(found)
    )


def late(found: Quality) -> str:
    """How many rows came after their day was collected, and the command that brings them in; empty if none did."""
    by_table = found.get("late", {})
    days = sorted({day for one in by_table.values() for day in one["days"]})
    if not days:
        return ""
    rows = sum(one["rows"] for one in by_table.values())
    counts = ", ".join(f"{table} {one['rows']:,}" for table, one in by_table.items())
    return (
        f"\n{rows:,} {'row' if rows == 1 else 'rows'} came after {'their' if rows > 1 else 'its'} day was collected "
        f"({counts}; {_span(days[0], days[-1])}), and {'wait' if rows > 1 else 'waits'} in `data/late/`. "
        f'Bring {"them" if rows > 1 else "it"} in with: `flywheel backfill --from {days[0]} --to {days[-1]} --why "…"`\n'
    )


def corrections(found: Quality) -> str:
    """What was collected again, by whom and why, the latest first."""
    rows = []
    for one in reversed(found.get("corrections", [])):
        files = [file for tables in one["days"].values() for file in tables.values()]
        before, after = (sum(file["rows"][at] for file in files) for at in (0, 1))
        days = f"{len(one['days'])} of {_span(one['first'], one['last'])}"
        n_changed = sum(file["changed"] for file in files)
        rows.append([one["as_of"], days, f"{n_changed:,}", f"{before:,} → {after:,}", one["who"], one["why"]])
    return (
        "## Corrections of history\n\n"
        "Days that were collected again. The versions before are in DVC's history; `flywheel diff-data` compares them.\n\n"
        + table(["as of", "changed days", "changed rows", "rows", "who", "why"], rows)
    )


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
