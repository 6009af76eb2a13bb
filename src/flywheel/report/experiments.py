"""Experiments as a table, as Markdown, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flywheel.evaluation.experiments import Experiment, front
from flywheel.report.markdown import escape, number, table, with_interval
from flywheel.report.plots import RC

HEADER = [
    "",
    "experiment",
    "changed",
    "AUC",
    "log loss",
    "difference",
    "worst cohort",
    "utility",
    "bytes",
    "ms",
    "verdict",
]
STAR = "★"
LONGEST = 60  # characters of what changed
ON, OFF = "#D55E00", "#6e6e6e"


def rows(experiments: Sequence[Experiment]) -> list[list[str]]:
    """The rows of the table; a star marks those on the Pareto front."""
    made = []
    for one, is_best in zip(experiments, front(experiments), strict=True):
        found, name = one.found, [STAR if is_best else "", one.name, _short(one.changed) or "–"]
        if found is None:
            made.append([*name, *["–"] * (len(HEADER) - len(name))])
            continue
        worst = f"{found.worst[0]} {found.worst[1]:.4f}" if found.worst else "–"
        made.append(
            [
                *name,
                number(found.auc, 4),
                number(found.log_loss, 4),
                with_interval(found.difference, 4, sign=True),
                worst,
                number(found.utility, 1),
                "–" if one.bytes is None else f"{one.bytes:,}",
                number(one.latency_ms, 2),
                found.verdict,
            ]
        )
    return made


def notes(experiments: Sequence[Experiment]) -> list[str]:
    """What the table does not say, a sentence each: which are not compared, or not with the first one, and why."""
    said = [f"{one.name}: {one.why.rstrip('.')}." for one in experiments if one.why]
    known = [one for one in experiments if one.found]
    for one in known[1:]:
        if one.found and known[0].found and one.found.rows != known[0].found.rows:
            start, end, n_rows, _ = one.found.rows
            said.append(
                f"{one.name}: measured on other rows ({n_rows:,} from {start} to {end}) than {known[0].name}, so it cannot be "
                "on the front."
            )
    return said


def explained(experiments: Sequence[Experiment]) -> str:
    """What the star and the columns mean."""
    against = {one.found.reference for one in experiments if one.found}
    return (
        f"{STAR}: on the Pareto front, so no other is at least as good in log loss, worst cohort, utility, bytes and latency, "
        f"and better in one. Difference: of the log loss, to {' or '.join(sorted(against)).replace('_', ' ') or 'nothing'}. "
        "ms: latency of one row, by which two differ only from about a tenth on."
    )


def markdown(experiments: Sequence[Experiment], picture: str, left: str | None) -> str:
    """The page: the table, what it does not say, and the picture beside it."""
    said = "".join(f"- {escape(one)}\n" for one in [*notes(experiments), *filter(None, [left])])
    return (
        "# Experiments\n\n"
        + table(HEADER, rows(experiments), words=3)
        + f"\n{explained(experiments)}\n"
        + (f"\n{said}" if said else "")
        + f"\n![Log loss against size and latency]({picture})\n"
    )


def drawn(experiments: Sequence[Experiment]) -> Figure:
    """Log loss against bytes, and against the latency of one row: to the lower left is better, and the front is marked."""
    best = front(experiments)
    with plt.rc_context(RC):
        figure, (size, latency) = plt.subplots(1, 2, figsize=(12, 4.5), sharey=True)
        for axes, label, values in (
            (size, "kilobytes", [one.bytes / 1000 if one.bytes else None for one in experiments]),
            (latency, "latency of one row, ms", [one.latency_ms for one in experiments]),
        ):
            _points(axes, experiments, values, best)
            axes.margins(y=0.15)
            widest = max(filter(None, values), default=1.0)
            axes.set(xlabel=label, xlim=(0, 1.25 * widest))  # from zero, so that noise does not look like a difference
        size.set(title="Log loss against size: to the lower left is better", ylabel="log loss")
        latency.set(title="and against latency")
        size.legend(loc="best")
        return figure


def _points(
    axes: Axes, experiments: Sequence[Experiment], values: Sequence[float | None], best: Sequence[bool]
) -> None:
    for is_best, color, marker, label in ((True, ON, "*", "on the front"), (False, OFF, "o", "not on it")):
        chosen = [
            (value, one.found.log_loss, one.name)
            for one, value, its in zip(experiments, values, best, strict=True)
            if its == is_best and value is not None and one.found and one.found.log_loss is not None
        ]
        xs, ys = [x for x, _, _ in chosen], [y for _, y, _ in chosen]
        axes.scatter(xs, ys, color=color, marker=marker, s=110 if is_best else 40, label=label, zorder=3)
        for x, y, name in chosen:
            axes.annotate(name, (x, y), xytext=(6, 5 if is_best else -12), textcoords="offset points", fontsize=9)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
