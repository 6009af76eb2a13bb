"""The pictures of the report, drawn from its JSON files.

Colour-blind readers can tell the colours (Okabe and Ito's) apart, and lines differ in style as well. The background is white,
so the pictures look the same on a light and on a dark page.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from flywheel.evaluation.evidence import Curves, Gains, Reliable, ReliableCohorts
from flywheel.labels.settings import OTHER
from flywheel.labels.voices_evidence import VoicesHeard
from flywheel.monitoring.evidence import Drift, Health, realised_by_model

mpl.use("Agg")


STYLES: dict[str, dict[str, Any]] = {
    "candidate": {"color": "#0072B2", "linestyle": "-", "marker": "o"},
    "champion": {"color": "#D55E00", "linestyle": "--", "marker": "s"},
    "served": {"color": "#6e6e6e", "linestyle": ":", "marker": "^"},
}


MOST_COHORTS, COHORTS_A_LINE, LONGEST_NAME = 12, 4, 30
MOST_LABELS = 9  # weeks below an axis; more of them would overlap
REFERENCE, CURRENT = "#6e6e6e", "#0072B2"
RC: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "legend.frameon": False,
    "savefig.dpi": 110,
    "figure.constrained_layout.use": True,
    "text.parse_math": False,  # a category may have a $ in its name
}


def png(figure: Figure) -> bytes:
    """The figure as PNG, with nothing in it that changes from run to run."""
    layout = figure.get_layout_engine()
    if layout:  # found here once: savefig would draw all of it, unseen, for the layout, and then draw it again
        layout.execute(figure)
        figure.set_layout_engine(None)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()


def roc_and_reliability(curves: Mapping[str, Curves]) -> Figure:
    """ROC, reliability (with the interval of each point) and the scores of each model."""
    with plt.rc_context(RC):
        figure, (roc, reliability, scores) = plt.subplots(1, 3, figsize=(12, 4))
        for axes in (roc, reliability):
            axes.plot([0, 1], [0, 1], color="#b0b0b0", linewidth=1)
            axes.set(xlim=(0, 1), ylim=(0, 1))
        for name, found in curves.items():
            style = STYLES[name]
            line = {"color": style["color"], "linestyle": style["linestyle"], "label": name}
            roc.plot(_get(found["roc"], "fall_out"), _get(found["roc"], "recall"), **line)
            points = found["reliability"]
            reliability.plot(_get(points, "score"), _get(points, "rate"), marker=style["marker"], markersize=4, **line)
            _intervals(reliability, points, style["color"])
            scores.plot(_get(found["scores"], "score"), _get(found["scores"], "share"), drawstyle="steps-mid", **line)
        roc.set(
            title="ROC: nearer the upper left is better", xlabel="false alerts / all that went well", ylabel="recall"
        )
        reliability.set(
            title="Reliability: on the diagonal is right", xlabel="mean score", ylabel="share that happened"
        )
        scores.set(title="Scores", xlabel="score", ylabel="share of predictions", xlim=(0, 1), ylim=(0, None))
        roc.legend(loc="lower right")
        return figure


def cohorts(found: ReliableCohorts) -> Figure:
    """The candidate's reliability, with the interval of each point, in the largest cohorts, the largest first."""
    named = {f"{group} = {value}": points for group, members in found.items() for value, points in members.items()}
    rows = {name: sum(one["n"] for one in points) for name, points in named.items()}
    chosen = sorted(named, key=lambda name: (-rows[name], name))[:MOST_COHORTS]
    n_lines = max(1, math.ceil(len(chosen) / COHORTS_A_LINE))
    style = STYLES["candidate"]
    with plt.rc_context(RC):
        size = (12, 0.4 + 2.6 * n_lines)
        figure, panels = plt.subplots(n_lines, COHORTS_A_LINE, figsize=size, sharex=True, sharey=True, squeeze=False)
        for axes, name in zip_longest(panels.flat, chosen):
            if name is None:
                axes.set_visible(False)
                continue
            points = named[name]
            axes.plot([0, 1], [0, 1], color="#b0b0b0", linewidth=1)
            _intervals(axes, points, style["color"])
            axes.plot(_get(points, "score"), _get(points, "rate"), color=style["color"], marker="o", markersize=3)
            axes.text(0.04, 0.9, f"{rows[name]:,} rows", fontsize=9, color=REFERENCE)
            axes.set(xlim=(0, 1), ylim=(0, 1))
            axes.set_title(name[:LONGEST_NAME], fontsize=9)
        figure.supxlabel("mean score", fontsize=10)
        figure.supylabel("share that happened", fontsize=10)
        return figure


def _intervals(axes: Axes, points: Sequence[Reliable], color: str) -> None:
    """The interval of each point of a reliability curve that has one, as a vertical line."""
    sure = [one for one in points if one["low"] is not None]
    axes.vlines(_get(sure, "score"), _get(sure, "low"), _get(sure, "high"), color=color, alpha=0.5, linewidth=1.5)


def decision(found: Gains) -> Figure:
    """What alerts gain over alerting nobody at each threshold, with intervals, for each model and for alerting everybody."""
    with plt.rc_context(RC):
        figure, axes = plt.subplots(figsize=(8, 4))
        axes.axhline(0, color="#b0b0b0", linewidth=1, label="alert nobody")
        for name, points in found.items():
            style = STYLES.get(name, {"color": "#009E73", "linestyle": "-."})
            sure = [one for one in points if one["low"] is not None]
            axes.fill_between(
                _get(sure, "threshold"),
                _get(sure, "low"),
                _get(sure, "high"),
                color=style["color"],
                alpha=0.15,
                linewidth=0,
            )
            label = name.replace("_all", " everybody")
            axes.plot(
                _get(points, "threshold"),
                _get(points, "gained"),
                color=style["color"],
                linestyle=style["linestyle"],
                label=label,
            )
        highest = max((one["high"] or one["gained"] for points in found.values() for one in points), default=1.0)
        axes.set(
            title="Decision curve: higher is better",
            xlabel="threshold: how likely it must be for an alert to pay off",
            ylabel="gained per 1,000 predictions",
            xlim=(0, 1),
            ylim=(-0.25 * max(highest, 1e-9), 1.05 * max(highest, 1e-9)),  # alerting everybody falls without end
        )
        axes.legend(loc="upper right")
        return figure


def weekly(monitor: Health) -> Figure:
    """Quality, errors, latency and satisfaction by week."""
    quality, service = monitor["quality"], monitor["service"]
    with plt.rc_context(RC):
        figure, axes = plt.subplots(2, 2, figsize=(12, 6), sharex=True)
        place = {entry["week"]: at for at, entry in enumerate(service)}
        is_part = [one["days"] < 7 for one in service]
        for metric, panel, title in (
            ("auc", axes[0, 0], "AUC"),
            ("brier", axes[0, 1], "Brier score (lower is better)"),
        ):
            for name in ("served", "champion"):
                judged = [
                    (place[one["week"]], realised_by_model(one).get(name)) for one in quality if one["week"] in place
                ]
                points = [(at, found["auc"] if metric == "auc" else found["brier"]) for at, found in judged if found]
                if points:
                    _line(panel, points, is_part, label=name, **STYLES[name])
            panel.set_title(title)
            if panel.has_data():
                panel.legend(loc="best")
        rated = [(place[one["week"]], one["mean_rating"]) for one in service if one["mean_rating"] is not None]
        if rated:
            at = [where for where, _ in rated]
            axes[1, 0].fill_between(
                at, _get([one for _, one in rated], "low"), _get([one for _, one in rated], "high"), color="#009E7333"
            )
            _line(axes[1, 0], [(where, one["value"]) for where, one in rated], is_part, color="#009E73", marker="o")
        axes[1, 0].set(title="Satisfaction (mean rating, -1 to +1, with its interval)")
        for name, label, style in (
            ("latency_p95_ms", "p95", {"color": "#CC79A7", "marker": "o"}),
            ("latency_p50_ms", "median", {"color": "#56B4E9", "marker": "s"}),
        ):
            _line(axes[1, 1], list(enumerate(_get(service, name))), is_part, label=label, **style)
        axes[1, 1].set(title="Latency (ms)", ylim=(0, None))
        if axes[1, 1].has_data():
            axes[1, 1].legend(loc="best")
        for panel in axes.flat:
            if not _says_something(panel):  # an empty frame looks like a mistake
                panel.set_title(f"{panel.get_title(loc='left')}: not in the data")
                panel.set_axis_off()
        step = max(1, math.ceil(len(service) / MOST_LABELS))
        shown = list(range(len(service)))[::step]
        for panel in axes[1]:
            panel.set_xticks(shown, tick_labels([service[at]["week"] for at in shown]))
            panel.set_xlabel("week starting; hollow: a part of a week" if any(is_part) else "week starting")
        return figure


def voices(found: VoicesHeard, most: int = 6) -> Figure:
    """Texts, mood, and the share of the largest topics by week, with intervals; a week with few texts has no mood."""
    weeks = found["weeks"]
    chosen = sorted((one for one in found["topics"] if one["texts"]), key=lambda one: -one["texts"])[:most]
    chosen.sort(key=lambda one: one["topic"] == OTHER)
    is_part = [one["days"] < 7 for one in weeks]
    with plt.rc_context(RC):
        figure, panels = plt.subplots(2, 4, figsize=(13, 5.6), sharex=True)
        volume, mood, *shares = panels.flat
        faces = ["white" if part else "#56B4E9" for part in is_part]
        volume.bar(range(len(weeks)), _get(weeks, "texts"), color=faces, edgecolor="#56B4E9", width=0.8)
        volume.set(title="Texts a week", axisbelow=True)
        judged = [
            (at, one["sentiment"])
            for at, one in enumerate(weeks)
            if one["sentiment"] and one["sentiment"]["low"] is not None
        ]
        mood.axhline(0, color="#b0b0b0", linewidth=1)
        _with_band(mood, judged, is_part, "#009E73")
        mood.set(title="Mood (-1 to +1)" if judged else "Mood: too few texts a week")
        for panel, topic in zip_longest(shares, chosen):
            if topic is None:
                panel.set_visible(False)
                continue
            points = [(at, one["shares"][topic["topic"]]) for at, one in enumerate(weeks) if one["texts"]]
            _with_band(panel, points, is_part, "#0072B2")
            panel.set_title(f"{topic['topic'][:LONGEST_NAME]}: share of texts")
            panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        top = max((one["shares"][topic["topic"]]["value"] for one in weeks for topic in chosen), default=0.0)
        for panel in shares:
            panel.set_ylim(0, min(1.0, 1.4 * top) or 1.0)  # one scale, so that sizes can be compared
        step = max(1, math.ceil(len(weeks) / 4))
        shown = list(range(len(weeks)))[::step]
        for panel in panels[1]:
            panel.set_xticks(shown, tick_labels([weeks[at]["week"] for at in shown]))
        figure.supxlabel("week starting; hollow: a part of a week" if any(is_part) else "week starting", fontsize=10)
        return figure


def _with_band(panel: Axes, points: Sequence[tuple[int, Any]], is_part: Sequence[bool], color: str) -> None:
    """A line through estimates by week, with their intervals."""
    at, found = [where for where, _ in points], [one for _, one in points]
    panel.fill_between(at, _get(found, "low"), _get(found, "high"), color=color, alpha=0.2, linewidth=0)
    values = [(where, one["value"]) for where, one in points]
    _line(panel, values, is_part, color=color, marker="o", markersize=3)


def _says_something(panel: Axes) -> bool:
    """Whether a line of the panel has a point."""
    points = [value for line in panel.lines for value in np.atleast_1d(np.asarray(line.get_ydata(), dtype="float64"))]
    return bool(points) and not np.isnan(points).all()


def tick_labels(weeks: Sequence[str]) -> list[str]:
    """Month and day of each week, with the year below wherever it is another than before."""
    years = [week[:4] for week in weeks]
    is_new = [at == 0 or year != years[at - 1] for at, year in enumerate(years)]
    return [f"{week[5:]}\n{week[:4]}" if new else week[5:] for week, new in zip(weeks, is_new, strict=True)]


def _line(panel: Axes, points: Sequence[tuple[int, Any]], is_part: Sequence[bool], **style: Any) -> None:
    """A line through the points; those of a part of a week are hollow."""
    if not points:
        return
    (line,) = panel.plot(*zip(*points, strict=True), **{"markersize": 5, **style})
    hollow = [(at, value) for at, value in points if is_part[at] and value is not None]
    if hollow:
        face: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": line.get_color(), "linestyle": ""}
        panel.plot(*zip(*hollow, strict=True), markersize=style.get("markersize", 5), marker=style["marker"], **face)


def drift(found: Drift, n: int = 6) -> Figure:
    """The most drifted columns as distributions, before and now."""
    columns = [one for one in found["by_column"] if one["distance"] is not None][:n]
    with plt.rc_context(RC):
        figure, axes = plt.subplots(2, 3, figsize=(12, 6), squeeze=False)
        for panel in axes.flat[len(columns) :]:
            panel.set_visible(False)
        for panel, one in zip(axes.flat, columns, strict=False):
            histogram = one["histogram"]
            panel.set_title(f"{one['column']} ({one['distance']:.2f})")
            panel.grid(axis="x", visible=False)
            if "categories" in histogram:
                at = range(len(histogram["categories"]))
                panel.bar([x - 0.2 for x in at], histogram["reference"], 0.4, color=REFERENCE, label="reference")
                panel.bar([x + 0.2 for x in at], histogram["current"], 0.4, color=CURRENT, label="current")
                panel.set_xticks(list(at), [name[:10] for name in histogram["categories"]], rotation=45, ha="right")
            else:
                edges = histogram["edges"]
                panel.stairs(histogram["reference"], edges, color=REFERENCE, fill=True, alpha=0.45, label="reference")
                panel.stairs(histogram["current"], edges, color=CURRENT, linewidth=1.8, label="current")
        if columns:
            axes.flat[0].legend(loc="best")
        return figure


def _get(points: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    return [point[name] for point in points]
