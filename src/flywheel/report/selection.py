"""What the report says of who has a label, and how much labelled rows count for the rest."""

from __future__ import annotations

from flywheel.evaluation.evidence import HIGHER_IS_BETTER, IN_WORDS, Selected
from flywheel.report.candidate import DIGITS
from flywheel.report.markdown import escape, number, percent, table

MOST = 8  # cohorts that are listed, those with the fewest labels first
HOW = {
    "all are labelled": "every prediction has a label, so all rows count alike",
    "outcomes": "by how likely predictions with such inputs have an outcome",
    "outcomes and voices": "by how likely predictions with such inputs have an outcome, and by how often voices alone would "
    "label those that have one: by the scores, and by what happened",
    "none": "all rows count alike",
}


def who_has_a_label(found: Selected) -> str:
    """The label rates, how much rows count, and what the models are worth on labelled rows and for all predictions."""
    share = found["labelled"] / max(found["predictions"], 1)
    counts = (
        "Metrics and gate count rows like this." if found["is_weighed"] else "Metrics and gate count all rows alike."
    )
    if found["method"] == "none":
        how = f"How much they stand for the rest is not known: {escape(found['why_not'] or '')}. {counts}"
    elif found["method"] == "all are labelled":
        how = f"{HOW[found['method']].capitalize()}."
    else:
        how = (
            f"Labelled rows stand for the rest (inverse propensity weights): {HOW[found['method']]}. They tell as much as "
            f"{found['effective']:,.0f} rows that count alike; the largest weight is {number(found['largest_weight'], 2)}, and "
            f"{found['clipped']:,} propensities are below {found['min_propensity']:g}, which is the least that counts. {counts}"
        )
    silent = (
        f" On {found['days_without_label']:,} days nothing has a label, so nothing stands for them."
        if found["days_without_label"]
        else ""
    )
    return (
        "## Who has a label\n\n"
        f"{found['labelled']:,} of the {found['predictions']:,} predictions of the windows that have a score "
        f"({percent(share, 1)}) have a label that is sure enough. {how}{silent}\n\n"
        + _both_ways(found)
        + _cohorts(found)
    )


def _both_ways(found: Selected) -> str:
    """The metrics of each model, on labelled rows alike and weighted."""
    names = list(found["models"])
    if found["method"] in ("all are labelled", "none") or not names:
        return ""
    rows = []
    for metric in found["models"][names[0]]["alike"]:
        words = IN_WORDS[metric] + ("" if HIGHER_IS_BETTER[metric] else " (lower is better)")
        cells = [
            number(found["models"][name][way][metric], DIGITS.get(metric, 4))
            for name in names
            for way in ("alike", "weighted")
        ]
        rows.append([words, *cells])
    header = ["metric", *(f"{name}, {way}" for name in names for way in ("rows alike", "weighted"))]
    return table(header, rows)


def _cohorts(found: Selected) -> str:
    """The cohorts with the lowest label rates, and those that have no label at all."""
    rates = [
        (one["labelled"] / one["predictions"], f"{group} = {value}", one)
        for group, members in found["cohorts"].items()
        for value, one in members.items()
    ]
    rates.sort(key=lambda one: one[:2])
    if not rates:
        return ""
    silent = [f"{escape(name)} ({one['predictions']:,} predictions)" for rate, name, one in rates if not rate]
    told = (
        f"\nNo label at all: {'; '.join(silent)}. No weight speaks for them, so nothing here holds for them.\n"
        if silent
        else ""
    )
    rows = [
        [name, f"{one['predictions']:,}", f"{one['labelled']:,}", percent(rate, 1)] for rate, name, one in rates[:MOST]
    ]
    return (
        "\nThe cohorts with the fewest labels:\n\n" + table(["cohort", "predictions", "labelled", "share"], rows) + told
    )
