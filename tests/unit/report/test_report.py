"""Stage `report`: the text follows the evidence, names cannot break out of it, and pictures are the same every time."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flywheel import files
from flywheel.data.evidence import read_quality
from flywheel.errors import DataError
from flywheel.evaluation.evidence import IN_WORDS, read_cost, read_decision, read_evidence, read_selection
from flywheel.monitoring.evidence import read_drift, read_health
from flywheel.report import plots
from flywheel.report.candidate import calibration, cohorts, cost, decisions, gaps, leaks, robustness, slices, windows
from flywheel.report.data import corrections, data_quality, drift, labels, service
from flywheel.report.markdown import escape, number
from flywheel.report.page import render, verdict
from flywheel.report.selection import who_has_a_label
from flywheel.stages.report import ReportParams, main
from tests.planted import settings

PARAMS = settings(ReportParams, report={"drift_rows": 2, "weeks": 2})
Evidence = dict[str, Any]


def triple(value: float | None, spread: float = 0.011) -> dict[str, float | None]:
    """A value with an interval around it."""
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": value - spread, "high": value + 2 * spread}


def metrics(first: float) -> dict[str, dict[str, float | None]]:
    """Every metric, each with another value."""
    return {name: triple(first + 0.017 * place) for place, name in enumerate(IN_WORDS)}


def cohort(rows: int, gap: float, auc: float, others: list[str]) -> Evidence:
    """A cohort whose log loss differs by `gap`, from the served score and, where there is one, from the champion."""
    measured = {
        name: dict.fromkeys(IN_WORDS, 0.5) | {"auc": auc + 0.01 * place}
        for place, name in enumerate(["candidate", *others])
    }
    difference = {name: {metric: triple(gap) for metric in IN_WORDS} for name in others}
    p_worse = {name: dict.fromkeys(IN_WORDS, 0.37) for name in others}
    return {
        "rows": rows,
        "days": 9,
        "positives": 77,
        **measured,
        "difference": difference,
        "p_worse": p_worse,
        "calibration": {name: recalibrated(auc) for name in ("candidate", *others)},
        "flips": flips(rows // 10),
    }


def flips(n: int) -> dict[str, int]:
    """Decisions that change, each number another one."""
    return {"to_alert": n + 7, "to_alert_right": n, "to_quiet": n + 13, "to_quiet_right": n + 3}


def recalibrated(first: float) -> Evidence:
    """A line that would put a score right, which is off for sure."""
    return {"slope": triple(first + 0.113), "intercept": triple(first + 0.217)}


def window(start: str, end: str, rows: int, others: list[str], shift: float | None) -> Evidence:
    """The comparison in one window; its numbers follow from its rows."""
    first = rows / 10_000
    values = {
        name: {metric: first + 0.2 * place + 0.017 * at for at, metric in enumerate(IN_WORDS)}
        for place, name in enumerate(["candidate", *others, "base_rate"])
    }
    difference = {name: metrics(0.03 * place - first) for place, name in enumerate(others)}
    days = {"start": start, "end": end, "predictions": rows + 311, "rows": rows, "days": 6, "positives": rows // 3}
    follows = None if shift is None else {"shift": shift, "slope": 1 - 0.3 * shift, "labels": 1.1 - 0.7 * shift}
    return {**days, **values, "difference": difference, "check": difference, "agreement": follows}


def week(name: str, first: int) -> Evidence:
    """The service in one week."""
    return {
        "week": name,
        "days": 6 - 2 * first,
        "predictions": 1000 + first,
        "error_rate": 0.0123 + first / 1000,
        "latency_p50_ms": 41.0 + first,
        "latency_p95_ms": 87.0 + first,
        "mean_rating": triple(0.31 + first / 100),
        "feedback": {"outcome": 311 + first, "ticket": 13 + first},
    }


def topic(name: str, about: str, texts: int, feeling: float, **changes: Any) -> Evidence:
    """A topic of what users write; nothing about it has changed."""
    found = {
        "topic": name,
        "about": about,
        "input": None,
        "texts": texts,
        "users": texts - 13,
        "share": triple(texts / 1171),
        "sentiment": triple(feeling),
        "recent_texts": texts // 3,
        "before_texts": texts // 2,
        "change": triple(0.02),
        "trend": "not shown",
    }
    return found | changes


def annotator(name: str, n: int, trend: str, change: float | None) -> Evidence:
    """One annotator; who has too little to compare has no figures."""
    return {
        "source": name,
        "annotations": n,
        "known": n - 5,
        "with_outcome": n - 12,
        "sensitivity": None if change is None else triple(0.9137 + change / 10),
        "specificity": None if change is None else triple(0.9437 + change / 10),
        "recent_known": n - 300,
        "change": None if change is None else triple(change),
        "trend": trend,
        "median_days": 2.61 + n / 1000,
        "p90_days": 3.81 + n / 1000,
    }


def said_of_all(weeks: list[str]) -> Evidence:
    """What users write, in `weeks`."""
    topics = [
        topic("wrong answer", "output", 311, -0.41),
        topic("wrong size", "input", 173, -0.16, input="size", trend="more"),
        topic("thanks", "praise", 97, 0.59),
        topic("other", "other", 590, 0.08),
    ]
    return {
        "texts": 1171,
        "users": 997,
        "cut": 4,
        "max_chars": 1003,
        "min_texts": 34,
        "without_feeling": 283,
        "confidence": 0.95,
        "sentiment": triple(0.06),
        "start": "2030-01-07",
        "end": "2030-01-31",
        "recent": {"start": "2030-01-17", "end": "2030-01-31", "days": 14, "texts": 371},
        "before": {"start": "2030-01-07", "end": "2030-01-17", "days": 21, "texts": 608},
        "topics": topics,
        "weeks": [
            {
                "week": name,
                "days": 5 - place,
                "texts": 141 + place,
                "users": 131,
                "sentiment": triple(0.13 + place / 7),
                "shares": {one["topic"]: triple(0.24) for one in topics},
                "by_topic": {one["topic"]: 25 + 3 * at + place for at, one in enumerate(topics)},
            }
            for place, name in enumerate(weeks)
        ],
        "rising": {
            "compared": 614,
            "limit": 3.7,
            "phrases": [{"phrase": "too small", "recent_texts": 38, "before_texts": 15, "users": 36, "z": 4.4}],
        },
    }


def alone(auc: float | None, only: Evidence | None = None, *hints: str) -> Evidence:
    """What one input alone says of the label."""
    return {"auc": auc, "one_class": only, "hints": [*hints]}


def response(flipped: float | None) -> Evidence:
    """How a model responds to a change of an input."""
    return {
        "rows": 971,
        "flipped": flipped,
        "largest_jump": None if flipped is None else flipped + 0.411,
        "no_score": 0,
    }


def evidence(champion: bool = True) -> Evidence:
    """All JSON files of a small run, each number different from the others."""
    others = ["champion", "served"] if champion else ["served"]
    reference = others[0]
    judged = {"auc": 0.612, "brier": 0.187, "ece": 0.043}
    weeks = ["2030-01-07", "2030-01-14"]
    return {
        "quality": {
            "as_of": "2030-01-31",
            "total": {
                "days": {"n": 30, "first": "2030-01-01", "last": "2030-01-30"},
                "rows": 9871,
                "rejected": 37,
                "rejected_share": 0.0037,
                "duplicates": 19,
                "rules": {"score: null": 29},
            },
            "recent": {"days": 6, "rows": 811, "rejected": 4, "rejected_share": 0.0493, "duplicates": 2, "rules": {}},
            "unusual_volume": [{"day": "2030-01-03", "table": "feedback", "rows": 4441, "volume": "high"}],
            "days": [],
        },
        "labels": {
            "predictions": 5005,
            "labels": 3003,
            "coverage": 0.6,
            "positive_share": 0.29,
            "mean_confidence": 0.95,
            "median_hours_to_label": 5.3,
            "by_source": {"outcome": {"labels": 2707, "share": 0.901, "positive_share": 0.287}},
            "agreement": {
                "with_outcome": {
                    "report": {"votes": 1201, "share": 0.843},
                    "annotation": {"votes": 97, "share": 0.922},
                },
                "between_votes": {"pairs": 1502, "share": 0.738},
            },
            "trust": {
                "mornings": 29,
                "unsettled": 13,
                "voices": {
                    "report": {
                        "sources": 8102,
                        "sensitivity": {"p5": 0.6137, "p50": 0.8437, "p95": 0.9437},
                        "specificity": {"p5": 0.6217, "p50": 0.8517, "p95": 0.9517},
                    },
                    "annotation": {
                        "sources": 17,
                        "sensitivity": {"p5": 0.7327, "p50": 0.9227, "p95": 0.9827},
                        "specificity": {"p5": 0.7417, "p50": 0.9317, "p95": 0.9917},
                    },
                },
                "hindsight": {
                    "predictions": 1409,
                    "labels": 1213,
                    "labels_in_hindsight": 1226,
                    "other_way": 21,
                    "first_other_way": 43,
                },
            },
            "quarantine": {
                "sources": 67,
                "claims": 1907,
                "by_reason": {"lockstep": 31, "too fast": 36},
                "released": 11,
                "confirmed": 14,
                "idle": [],
                "latest": [
                    {
                        "source": "ab12",
                        "channel": "report",
                        "reason": "lockstep",
                        "first": "2030-01-19",
                        "until": None,
                        "known_at": "2030-01-21",
                        "decision": None,
                    }
                ],
            },
            "annotators": {
                "annotators": 26,
                "annotations": 2018,
                "unnamed": 37,
                "others": 6,
                "others_annotations": 58,
                "confidence": 0.957,
                "least": 22,
                "recent_days": 27,
                "agreement": {"predictions": 661, "alpha": triple(0.7347)},
                "hotspots": {
                    "compared": 91,
                    "shown": 7,
                    "worst": [
                        {
                            "source": "ann",
                            "column": "place",
                            "value": "south",
                            "known": 153,
                            "right": 0.6517,
                            "right_elsewhere": 0.9617,
                            "difference": triple(-0.3137),
                        }
                    ],
                },
                "busiest": [
                    annotator("ann", 678, "worse", -0.1137),
                    annotator("bob", 571, "better", 0.0937),
                    annotator("cid", 19, "too few", None),
                ],
            },
        },
        "feedback": {
            "by_channel": {},
            "reporters": {"with_20_checked_reports": 778, "right_share_quantiles": {}, "always_yes": 33},
            "ratings": {"n": 0, "mean": None},
        },
        "metrics": {
            "about": {
                "candidate": {"as_of": "2030-01-31", "identity": "aa"},
                "champion": {"version": "v0.7.0", "identity": "bb", "why_not_compared": None},
                "confidence": 0.9173,
                "block_days": {"intervals": 5, "check": 11},
                "kind": "change",
                "recipe": "feedfacecafe",
                "left_out": [{"start": "2030-01-10", "end": "2030-01-17", "why": "the history is too short"}],
                "why_as_it_is": None,
                "window": {
                    "start": "2030-01-17",
                    "end": "2030-01-31",
                    "predictions": 2903,
                    "rows": 1811,
                    "days": 7,
                    "positives": 519,
                },
                "cohorts": ["place"],
                "behaviours": [],
                "inputs": ["size", "age", "code", "speed"],
            },
            **{name: metrics(0.2 * place + 0.1) for place, name in enumerate(["candidate", *others])},
            "base_rate": metrics(0.9),
            **{
                kind: {name: metrics(0.03 * place - 0.07) for place, name in enumerate(others)}
                for kind in ("difference", "check")
            },
            "flips": flips(151),
            "calibration": {name: recalibrated(0.3 * place + 0.2) for place, name in enumerate(["candidate", *others])},
            "gaps": {
                "place": {
                    "cohorts": ["north", "south"],
                    "gaps": {
                        "recall": {
                            "candidate": 0.231,
                            "highest": "north",
                            "lowest": "south",
                            "reference": 0.187,
                            "change": triple(0.044),
                            "p_larger": 0.21,
                        }
                    },
                }
            },
            "windows": [
                window("2030-01-24", "2030-01-31", 1009, others, 0.2345),
                window("2030-01-17", "2030-01-24", 802, others, 0.3456),
            ],
            "as_it_is": {
                "start": "2030-01-26",
                "end": "2030-01-31",
                "predictions": 1501,
                "rows": 733,
                "days": 5,
                "positives": 201,
                "difference": metrics(-0.091),
                "check": metrics(-0.091),
            }
            if champion
            else None,
        },
        "cohorts": {"place": {"north": cohort(907, -0.083, 0.71, others), "south": cohort(613, 0.002, 0.66, others)}},
        "behaviour": {},
        "leaks": {
            "max_auc": 0.87,
            "max_candidate_auc": 0.93,
            "accepted": {},
            "rows": {"earlier": 904, "later": 907},
            "later_from": "2030-01-28",
            "why_not_measured": None,
            "served_at": {"auc": 0.5217, "part": "time of day"},
            "inputs": {
                "size": alone(0.7891),
                "age": alone(0.6543, {"are": "missing", "label": 1, "rows": 403}),
                "code": alone(0.5011, None, "like an id"),
                "speed": alone(0.4871),
            },
        },
        "robustness": {
            "rows": 983,
            "shift": 0.23,
            "inputs": {
                "size": {"perturbed": response(0.043), "missing": response(0.311), "largest": response(0.222)},
                "code": {"perturbed": response(0.187), "unknown": response(0.091)},
            },
        },
        "cost": {
            "max_ratio": 2.7,
            "candidate": {"identity": "aa", "bytes": 700_207, "trees": 223},
            "champion": {"identity": "bb", "bytes": 600_109, "trees": 176} if champion else None,
            "why_not_measured": None,
            "slower": [],
        },
        "slices": {
            "block_days": 13,
            "rows": {"looked": 871, "tested": 941},
            "slices": [
                {
                    "slice": "size from 3.3 and place = north",
                    "rows": 128,
                    "positives": 51,
                    "candidate": 0.6113,
                    "reference": 0.5887,
                    "difference": triple(0.0226),
                    "p_worse": 0.0171,
                    "p_corrected": 0.1714,
                    "is_confirmed": False,
                }
            ],
        },
        "selection": {
            "is_weighed": True,
            "method": "outcomes and voices",
            "why_not": None,
            "min_propensity": 0.057,
            "predictions": 2311,
            "labelled": 1907,
            "effective": 1733.4,
            "largest_weight": 5.71,
            "clipped": 23,
            "days_without_label": 4,
            "models": {
                name: {
                    way: {
                        "auc": 0.6137 + 0.01 * place + 0.0043 * at,
                        "log_loss": 0.5219 + 0.01 * place + 0.0051 * at,
                        "utility": 41.3 + 3 * place + 1.7 * at,
                    }
                    for at, way in enumerate(("alike", "weighted"))
                }
                for place, name in enumerate(("candidate", *others))
            },
            "cohorts": {
                "place": {
                    "north": {"predictions": 1511, "labelled": 1303},
                    "south": {"predictions": 787, "labelled": 604},
                }
            },
        },
        "decision": {
            "verdict": "pass",
            "kind": "change",
            "reference": reference,
            "champion": "v0.7.0" if champion else None,
            "candidate": "aa",
            "as_of": "2030-01-31",
            "too_small": [{"cohort": "place = west", "rows": 14, "rarer": 6}],
            "rules": [
                {"rule": "calibrated", "verdict": "pass", "severity": "block", "reason": "Calibration error 0.0314."}
            ],
        },
        "monitor": {
            "as_of": "2030-01-31",
            "champion": "v0.7.0" if champion else None,
            "recent": {"start": "2030-01-17", "end": "2030-01-31", "predictions": 9, "labelled": 5, "auc": None},
            "latest_day": {"day": "2030-01-30", "predictions": 11, "error_rate": 0.002},
            "new_labels": 907,
            "drift_windows": [],
            "quality": [
                {"week": name, "predictions": 990, "labelled": 700, "served": judged}
                | ({"champion": {metric: value + 0.1 for metric, value in judged.items()}} if champion else {})
                for name in weeks
            ],
            "service": [week(name, place) for place, name in enumerate(weeks)],
            "unknown_categories": {"place": 0.034},
            "satisfaction": {
                "start": "2030-01-03",
                "end": "2030-01-31",
                "ratings": 818,
                "min_ratings": 100,
                "confidence": 0.95,
                "groups": {
                    "place": [
                        {"cohort": "north", "ratings": 411, "rating": triple(0.37), "gap": None},
                        {"cohort": "south", "ratings": 407, "rating": triple(0.12), "gap": triple(-0.25)},
                    ]
                },
            },
            "learned": {"wrong answer": {"predictions": 290, "candidate": 222, "champion": 88}},
        },
        "voices": said_of_all(weeks),
        "drift": {
            "champion": None,
            "reference": {
                "start": "2030-01-01",
                "end": "2030-01-24",
                "rows": 888,
                "why": "the champion's training window",
            },
            "current": {"start": "2030-01-25", "end": "2030-01-31", "rows": 333},
            "threshold": 0.15,
            "columns": 3,
            "drifted": 1,
            "drifted_share": 0.333,
            "by_column": [
                column("size", 0.412, True),
                column("age", 0.061, False),
                column("speed", 0.022, False),
            ],
        },
    }


HISTOGRAM = ("by_column", 0, "histogram")
BROKEN: list[tuple[Path, str, Any, Any, str]] = [
    (files.METRICS, "metrics", ("about", "kind"), "upgrade", "'refresh' or 'change'"),
    (files.METRICS, "metrics", ("windows",), [], "at least 1 item"),
    (files.METRICS, "metrics", ("windows", 1, "predictions"), 0, "greater than or equal to 1"),
    (files.METRICS, "metrics", ("windows", 0, "end"), "x", "it should be a day"),
    (files.METRICS, "metrics", ("as_it_is", "rows"), "many", "valid integer"),
    (files.METRICS, "metrics", ("about", "left_out", 0, "start"), "x", "it should be a day"),
    (files.DECISION, "decision", ("kind",), "upgrade", "'refresh' or 'change'"),
    (files.COST, "cost", ("slower",), "one row", "valid list"),
    (files.COST, "cost", ("candidate", "bytes"), 1.5, "valid integer"),
    (files.COST, "cost", ("champion", "trees"), "many", "valid integer"),
    (files.DECISION, "decision", ("rules", 0, "severity"), "stop", "'block' or 'warn'"),
    (files.METRICS, "metrics", ("about", "window", "predictions"), 0, "greater than or equal to 1"),
    (files.METRICS, "metrics", ("about", "window", "start"), "x", "it should be a day"),
    (files.METRICS, "metrics", ("about", "candidate", "as_of"), "x", "it should be a day"),
    (files.DECISION, "decision", ("as_of",), "2030-1-1", "it should be a day"),
    (files.QUALITY, "quality", ("as_of",), "x", "it should be a day"),
    (files.QUALITY, "quality", ("total", "days", "last"), "x", "it should be a day"),
    (files.MONITOR, "monitor", ("quality", 0, "week"), "x", "it should be a day"),
    (files.MONITOR, "monitor", ("service", 0, "week"), "x", "it should be a day"),
    (files.DRIFT, "drift", ("reference", "start"), "x", "it should be a day"),
    (files.DRIFT, "drift", ("current", "end"), "x", "it should be a day"),
    (files.DRIFT, "drift", HISTOGRAM, {"reference": [1.0], "current": [1.0]}, "the key categories or the key edges"),
    (
        files.DRIFT,
        "drift",
        HISTOGRAM,
        {"edges": [0.0, 1.0], "reference": [1.0], "current": [0.5, 0.5]},
        "it should have 1 shares",
    ),
]
READ = {
    files.METRICS: read_evidence,
    files.COST: read_cost,
    files.DECISION: read_decision,
    files.SELECTION: read_selection,
    files.QUALITY: read_quality,
    files.MONITOR: read_health,
    files.DRIFT: read_drift,
}


@pytest.mark.parametrize(("path", "name", "place", "value", "said"), BROKEN)
def test_a_wrong_value_under_a_right_key_names_file_and_key(
    path: Path,
    name: str,
    place: tuple[Any, ...],
    value: Any,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same file without the change is read."""
    monkeypatch.chdir(tmp_path)
    found = evidence()
    for other, of_it in (
        (files.COHORTS, "cohorts"),
        (files.BEHAVIOUR, "behaviour"),
        (files.LEAKS, "leaks"),
        (files.ROBUSTNESS, "robustness"),
        (files.COST, "cost"),
        (path, name),
    ):
        files.write_json(other, found[of_it])
    READ[path]()
    inner = found[name]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    files.write_json(path, found[name])
    with pytest.raises(DataError, match=rf"^{path}: {'.'.join(map(str, place))}: found .*{said}"):
        READ[path]()


def test_a_week_that_the_service_does_not_know_is_not_drawn() -> None:
    """The other weeks are."""
    found = evidence()["monitor"]
    found["quality"][0]["week"] = "2029-12-31"
    lines = plots.weekly(found).axes[0].lines
    assert {1} == {int(x) for line in lines for x in line.get_xdata()}


def column(name: str, distance: float | None, is_drifted: bool) -> Evidence:
    """The drift of one number."""
    return {
        "column": name,
        "method": "wasserstein",
        "distance": distance,
        "is_drifted": is_drifted,
        "null_share": [0.013, 0.027],
        "histogram": {"edges": [0.0, 1.0, 2.0], "reference": [0.5, 0.5], "current": [0.2, 0.8]},
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every number in nested dictionaries and lists."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from places(item, (*path, place))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path


def at_path(found: Evidence, path: tuple[Any, ...]) -> tuple[Any, Any]:
    """What holds the value at a path, and its last key."""
    holder: Any = found
    for key in path[:-1]:
        holder = holder[key]
    return holder, path[-1]


# What the pictures show, what the gate has already put into words, and what only a deeper look needs.
NOT_IN_THE_TEXT = re.compile(
    r"behaviour|.*histogram|metrics\.about\.window\.days|metrics\.base_rate\.(?!(log_loss|brier)\.value)"
    r"|metrics\.difference\.served|metrics\.check|metrics\.about\.block_days\.check|cohorts\.place\.(north|south)\.(days|positives|served)"
    r"|cohorts\.place\.north\.(candidate|champion)\.(?!auc)|cohorts\.place\.north\.difference\.champion\.(?!log_loss)"
    r"|cohorts\.place\.north\.(difference\.served|p_worse)|cohorts\.place\.south"
    r"|cohorts\.place\.north\.calibration\.(champion|served)|robustness\.inputs\.\w+\.(\w+\.(rows|no_score)|(?!perturbed)\w+\.largest_jump)|metrics\.gaps\.place\.gaps\.recall\.p_larger"
    r"|metrics\.windows\.\d\.(predictions|days|served|base_rate|check|(candidate|champion)\.(?!log_loss)|difference\.served)"
    r"|metrics\.(windows\.\d\.difference\.champion|as_it_is\.difference)\.(?!log_loss|auc)|metrics\.as_it_is\.check"
    r"|leaks\.max_candidate_auc|drift\.(reference|current)\.rows|drift\.by_column\.2"
    r"|labels\.(positive_share|mean_confidence|agreement\.between_votes\.pairs|annotators\.busiest\.2\.recent_known)"
    r"|feedback\.ratings|monitor\.(recent|latest_day|new_labels)|monitor\.quality\.\d\.(predictions|labelled|\w+\.(brier|ece))"
    r"|monitor\.(learned|satisfaction\.(min_ratings|groups\.place\.\d\.ratings))|voices\.rising\.(limit|phrases\.\d\.z)"
    r"|voices\.topics\.\d\.change|voices\.topics\.3\.sentiment\.x|voices\.weeks\.\d\.(users|shares)"
    r"|quality\.total\.days|quality\.recent\.(rows|rejected$|duplicates)"
)


def shown() -> list[str]:
    """The dotted paths of all numbers that the text must show."""
    paths = [".".join(map(str, path)) for path in places(evidence())]
    return [path for path in paths if not NOT_IN_THE_TEXT.match(path)]


@pytest.mark.parametrize("dotted", shown())
def test_a_number_that_changes_in_the_evidence_changes_in_the_text(dotted: str) -> None:
    """Each number that the report shows is read from its JSON file and from nowhere else."""
    changed = evidence()
    path = tuple(int(part) if part.isdigit() else part for part in dotted.split("."))
    holder, key = at_path(changed, path)
    holder[key] = holder[key] * 3 + 0.137 if isinstance(holder[key], float) else holder[key] + 113
    assert render(evidence(), PARAMS.project, PARAMS.report) != render(changed, PARAMS.project, PARAMS.report)


def test_no_number_in_the_text_comes_from_elsewhere() -> None:
    """When every number and date of the evidence changes, only numbers that are part of a name stay."""
    changed = evidence()
    for path in places(changed):
        holder, key = at_path(changed, path)
        holder[key] = holder[key] * 3 + (1000 if isinstance(holder[key], int) else 0)
    before, after = (
        [line.split("](")[0] for line in render(found, PARAMS.project, PARAMS.report).splitlines()]
        for found in (evidence(), changed)
    )
    numbers = re.compile(r"(?<![\w.,-])[-+]?\d[\d,]*(?:\.\d+)?%?(?![\w-])")
    stayed = [
        told
        for old, new in zip(before, after, strict=True)
        for told, now in zip(numbers.findall(old), numbers.findall(new), strict=True)
        if told == now
    ]
    names = {"1,000", "20"}  # utility per 1,000 predictions, 20 or more reports
    scale = {"-1", "+1"}  # of ratings and moods
    counted = {"0", "1", "2", "3.3"}  # how many cohorts moved, slices are confirmed and there are; an edge in a name
    gate = {"0.0314"}  # words of the gate, which reads its own evidence
    assert set() == set(stayed) - names - scale - counted - gate


def test_the_verdict_stands_first() -> None:
    """The first line a reviewer reads says what was decided, on what."""
    assert "# planted: pass ✅" == render(evidence(), PARAMS.project, PARAMS.report).splitlines()[0]


@pytest.mark.parametrize(("decided", "mark"), [("pass", "✅"), ("fail", "❌"), ("inconclusive", "❔")])
def test_the_verdict_is_that_of_the_decision(decided: str, mark: str) -> None:
    """Each verdict has its own mark, in the title and at each rule."""
    found = evidence()
    rules = [{"rule": "calibrated", "verdict": decided, "severity": "block", "reason": "Because."}]
    lines = verdict(found["decision"] | {"verdict": decided, "rules": rules}, found["metrics"], "planted").splitlines()
    assert (f"# planted: {decided} {mark}", f"| calibrated | {mark} {decided} | Because. |") == (lines[0], lines[-1])


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("a|b", "a\\|b"),
        ("<img src=x>", "&lt;img src=x>"),
        ("@somebody", "&#64;somebody"),
        ("two\nlines", "two lines"),
        ("two\r\n\tlines", "two lines"),
        ("a & b", "a &amp; b"),
        ("&lt;", "&amp;lt;"),
        ("plain", "plain"),
    ],
)
def test_names_are_escaped(raw: str, safe: str) -> None:
    """A name cannot end its cell or its line, start HTML, or mention somebody."""
    assert safe == escape(raw)


EVIL = "x|y<b>@who\nnext"
SAFE = "x\\|y&lt;b>&#64;who next"


def with_evil_names() -> Evidence:
    """The evidence with a hostile name wherever data or conf may put one."""
    found = evidence()
    found["cohorts"] = {
        EVIL: {EVIL: found["cohorts"]["place"]["north"]},
        "place": {"south": found["cohorts"]["place"]["south"]},
    }
    found["decision"]["too_small"][0]["cohort"] = EVIL
    gap = found["metrics"]["gaps"]["place"]
    gap["gaps"]["recall"] |= {"highest": EVIL, "lowest": EVIL}
    found["metrics"]["gaps"] = {EVIL: gap}
    found["slices"]["slices"][0]["slice"] = EVIL
    found["selection"]["cohorts"] = {EVIL: {one: {"predictions": 13, "labelled": 7} for one in (EVIL, "b")}}
    found["robustness"]["inputs"] = {
        EVIL: found["robustness"]["inputs"]["size"],
        "b": found["robustness"]["inputs"]["code"],
    }
    found["leaks"]["inputs"] |= {EVIL: alone(0.9999, None, EVIL)}
    del found["leaks"]["inputs"]["code"]
    found["drift"]["by_column"][0]["column"] = EVIL
    found["labels"]["by_source"] = {EVIL: found["labels"]["by_source"]["outcome"]}
    found["quality"]["total"]["rules"] = {EVIL: 29}
    found["decision"]["rules"] = [{"rule": EVIL, "verdict": "pass", "severity": "block", "reason": EVIL}]
    found["metrics"]["about"]["left_out"][0]["why"] = EVIL
    found["monitor"]["unknown_categories"] = {EVIL: 0.034}
    satisfied = found["monitor"]["satisfaction"]["groups"].pop("place")
    found["monitor"]["satisfaction"]["groups"] = {EVIL: [one | {"cohort": EVIL} for one in satisfied]}
    for one in found["voices"]["topics"]:
        one |= {"topic": EVIL, "input": EVIL}
    found["voices"]["rising"]["phrases"][0]["phrase"] = EVIL
    found["labels"]["quarantine"]["latest"][0] |= {"source": EVIL, "reason": EVIL}
    annotating = found["labels"]["annotators"]
    annotating["busiest"][0]["source"] = EVIL
    annotating["hotspots"]["worst"][0] |= {"source": EVIL, "value": EVIL}
    return found


def test_no_name_breaks_out_of_the_report() -> None:
    """Wherever a hostile name may stand it is escaped: as many lines as before, and nothing raw."""
    text = render(with_evil_names(), PARAMS.project, PARAMS.report)
    assert len(render(evidence(), PARAMS.project, PARAMS.report).splitlines()) == len(text.splitlines())
    assert (False, False) == ("<b>" in text, "@who" in text)
    assert 51 == text.count(SAFE)  # the cohort nine times, the input four times, the annotator three times


def test_the_name_of_the_event_does_not_break_its_table() -> None:
    """What a label of 1 means is free text in conf; it stands in the head of a table."""
    found = evidence()
    head = labels(found["labels"], found["feedback"], EVIL).splitlines()[4]
    assert f"| source | labels | share | {SAFE} |" == head


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0.12345, "0.123"), (-0.5, "-0.500"), (1234.5, "1,234.500"), (0.0, "0.000")]
)
def test_nothing_is_a_dash(value: float | None, said: str) -> None:
    """Null has no digits; numbers have fixed ones."""
    assert said == number(value, 3)


NULLABLE = [
    "metrics.candidate.auc",
    "metrics.champion.precision",
    "metrics.difference.champion.auc",
    "metrics.base_rate.log_loss",
    "metrics.gaps.place.gaps.recall.change",
    "metrics.gaps.place.gaps.recall.reference",
    "cohorts.place.north.champion.auc",
    "cohorts.place.north.difference.champion.log_loss",
    "leaks.served_at.auc",
    "leaks.inputs.size.auc",
    "leaks.inputs.age.one_class",
    "metrics.calibration.champion.slope",
    "cohorts.place.north.calibration.candidate.intercept",
    "robustness.inputs.size.missing.flipped",
    "robustness.inputs.code.perturbed.largest_jump",
    "slices.slices.0.difference",
    "slices.slices.0.p_worse",
    "slices.slices.0.p_corrected",
    "drift.by_column.0.distance",
    "labels.median_hours_to_label",
    "labels.agreement.with_outcome.report.share",
    "labels.agreement.between_votes.share",
    "labels.annotators.agreement.alpha",
    "labels.annotators.busiest.0.sensitivity",
    "labels.annotators.busiest.0.specificity",
    "labels.annotators.busiest.0.change",
    "labels.annotators.busiest.0.median_days",
    "labels.annotators.busiest.0.p90_days",
    "monitor.quality.0.served",
    "monitor.quality.0.champion",
    "monitor.service.0.error_rate",
    "monitor.service.0.latency_p50_ms",
    "monitor.service.0.latency_p95_ms",
    "monitor.service.0.mean_rating",
    "monitor.satisfaction.groups.place.1.gap",
    "voices.users",
    "voices.sentiment",
    "voices.topics.0.users",
    "voices.weeks.0.sentiment",
]


@pytest.mark.parametrize("dotted", NULLABLE)
def test_what_could_not_be_measured_is_never_written_as_none(dotted: str) -> None:
    """Where the evidence has null the report goes on: a dash in a table, or no sentence at all."""
    found = evidence()
    holder, key = at_path(found, tuple(int(part) if part.isdigit() else part for part in dotted.split(".")))
    holder[key] = triple(None) if isinstance(holder[key], dict) and "low" in holder[key] else None
    text = render(found, PARAMS.project, PARAMS.report)
    assert (False, False) == ("None" in text, "nan" in text)


def test_a_champion_without_a_version_is_not_called_none() -> None:
    """A champion that was put there by hand has no version on its card."""
    found = evidence()
    found["decision"]["champion"] = None
    assert "None" not in verdict(found["decision"], found["metrics"], "planted")


def test_without_a_champion_the_candidate_stands_beside_what_was_served() -> None:
    """The table has one column less, and no sentence speaks of a champion's number."""
    text = render(evidence(champion=False), PARAMS.project, PARAMS.report)
    assert "| metric | candidate | served | candidate − served |" in text.splitlines()
    assert (
        "A change: the candidate of 2030-01-31 against the served score, by vintages that stand in for them on 2 windows that "
        "they have not seen: 1,811 labelled predictions (62% of 2,903) served from"
    ) in text
    assert "champion itself" not in text
    assert "| 2030-01-07 (6 days) | 1,000 | 0.612 | – |" in text


def test_the_table_has_the_champion_where_there_is_one() -> None:
    """Candidate, champion, served, and the difference that the gate looked at."""
    lines = render(evidence(), PARAMS.project, PARAMS.report).splitlines()
    assert "| metric | candidate | champion | served | candidate − champion |" in lines
    auc = "| AUC | 0.1000 [0.0890, 0.1220] | 0.3000 [0.2890, 0.3220] | 0.5000 [0.4890, 0.5220] | -0.0700 [-0.0810, -0.0480] |"
    assert auc in lines


def test_the_windows_are_in_a_table_the_latest_first() -> None:
    """Rows, share of positives, losses, differences, and how vintages follow each other; by hand for the second one."""
    lines = render(evidence(), PARAMS.project, PARAMS.report).splitlines()
    first = lines.index("## Window by window")
    assert lines[first + 2].startswith(
        "In each window the candidate's recipe (feedfacecafe), as of the window's first day, "
    )
    head = (
        "| window | rows | positive | log loss, candidate | log loss, champion | difference | difference in AUC "
        "| shift | stretch | labels |"
    )
    assert (head, True, True) == (
        lines[first + 4],
        lines[first + 6].startswith("| 2030-01-24 to 2030-01-31 | 1,009 | 33.3% |"),
        lines[first + 7].startswith("| 2030-01-17 to 2030-01-24 | 802 | 33.3% | 0.1142 | 0.3142 | -0.0462"),
    )
    assert lines[first + 7].endswith("| +0.346 | 0.896 | 0.858 |")


def test_windows_that_were_left_out_are_said_with_the_reason() -> None:
    """And where none was, nothing."""
    found = evidence()
    said = "Left out: 2030-01-10 to 2030-01-17 (the history is too short)."
    assert said in windows(found["metrics"], "champion").splitlines()
    found["metrics"]["about"]["left_out"] = []
    assert "Left out" not in windows(found["metrics"], "champion")


def test_the_comparison_with_the_champion_itself_is_told_with_its_rows() -> None:
    """Where its recipe cannot be fitted it is what the table shows, and why is said; else on the days after its training."""
    found = evidence()["metrics"]
    said = "on the 733 labelled of 1,501 predictions from 2030-01-26 to 2030-01-31, after its training (5 days, 27.4% positive)"
    assert said in windows(found, "champion")
    found["as_it_is"] = None
    assert "itself" not in windows(found, "champion")
    found["about"]["why_as_it_is"] = "its card names <no> recipe"
    assert "The champion itself is compared: its card names &lt;no> recipe." in windows(found, "champion")


def test_a_vintage_that_does_not_exist_is_a_dash() -> None:
    """Nothing tells how it would follow."""
    found = evidence()["metrics"]
    found["windows"][1]["agreement"] = None
    assert windows(found, "champion").splitlines()[7].endswith("| – | – | – |")


def test_a_refresh_is_called_one() -> None:
    """And one window is not windows."""
    found = evidence()
    found["decision"]["kind"] = "refresh"
    del found["metrics"]["windows"][1]
    text = verdict(found["decision"], found["metrics"], "planted", None)
    assert (
        "A refresh: the candidate of 2030-01-31 against champion v0.7.0, by vintages that stand in for them on one window"
        in text
    )


def test_a_rule_that_only_warns_is_shown_as_such() -> None:
    """With its own verdict, beside that of the whole."""
    found = evidence()
    warned = {"rule": "utility not worse", "verdict": "fail", "severity": "warn", "reason": "Utility is lost."}
    found["decision"]["rules"].append(warned)
    lines = verdict(found["decision"], found["metrics"], "planted", None).splitlines()
    assert "| utility not worse | ❌ fail (only warns) | Utility is lost. |" in lines
    assert 1 == sum("only warns" in line for line in lines)


def test_only_cohorts_that_moved_beyond_chance_are_listed_and_all_are_counted() -> None:
    """The interval of the north lies below zero, that of the south reaches over it."""
    found = cohorts(evidence()["cohorts"], "champion", 0.95)
    assert "In 1 of 2 cohorts the log loss moved" in found
    assert (True, False) == ("place = north" in found, "place = south" in found)


def test_cohorts_are_listed_worst_first() -> None:
    """A higher log loss is worse."""
    members = {name: cohort(500, gap, 0.7, ["served"]) for name, gap in (("a", -0.1), ("b", 0.2), ("c", -0.3))}
    lines = cohorts({"place": members}, "served", 0.95).splitlines()
    assert ["place = b", "place = a", "place = c"] == [line.split(" | ")[0][2:] for line in lines if "place" in line]


def test_cohorts_that_are_too_small_are_named_with_what_they_have() -> None:
    """Hidden, they would look unharmed."""
    small = [{"cohort": f"place = {name}", "rows": 1400, "rarer": 6} for name in ("east", "west")]
    found = cohorts(evidence()["cohorts"], "champion", 0.95, small)
    each = [f"place = {name} (1,400 rows, 6 of the rarer class)" for name in ("east", "west")]
    assert f"\n\nToo small to judge: {each[0]}; {each[1]}.\n" in found


def test_no_cohort_that_moved_is_said_in_words() -> None:
    """There is a sentence and no empty table."""
    found = cohorts({"place": {"south": cohort(613, 0.002, 0.66, ["served"])}}, "served", 0.95)
    assert (
        "## Cohorts\n\nIn 0 of 1 cohorts the log loss moved by more than chance (95% interval; lower is better).\n"
        == found
    )


def test_gaps_between_cohorts_are_shown_with_their_change() -> None:
    """Of each group with how many are compared; where none are, a sentence says so."""
    found = evidence()["metrics"]
    row = "| place (2) | recall of alerts | 0.187 | 0.231 | north / south | +0.044 [+0.033, +0.066] |"
    assert row in gaps(found, "champion").splitlines()
    found["gaps"]["place"]["gaps"]["recall"] |= {"reference": None, "change": None}
    assert "| place (2) | recall of alerts | – | 0.231 | north / south | – |" in gaps(found, "champion").splitlines()
    found["gaps"]["place"] = {"cohorts": ["north"], "gaps": {}}
    assert "No group has two cohorts that are large enough to compare" in gaps(found, "champion")


def test_a_calibration_that_is_off_is_shown_for_large_cohorts() -> None:
    """Two cohorts are off; of a small one, and of one that may be right, nothing is said."""
    found = evidence()
    for member, one in found["cohorts"]["place"].items():
        one["calibration"]["candidate"] = {"slope": triple(0.8), "intercept": triple(0.0)} | {"name": member}
    text = calibration(found["metrics"], found["cohorts"])
    assert "| champion | 0.613 [0.602, 0.635] | +0.717 [+0.706, +0.739] |" in text.splitlines()
    assert "In 2 of 2 cohorts the candidate is off by more than chance." in text
    assert "| place = north | 0.800 [0.789, 0.822] | +0.000 [-0.011, +0.022] |" in text.splitlines()
    small = [{"cohort": "place = north", "rows": 9, "rarer": 1}]
    found["cohorts"]["place"]["south"]["calibration"]["candidate"]["slope"] = triple(1.0)
    assert "In 0 of 1 cohorts the candidate is off" in calibration(found["metrics"], found["cohorts"], small)


def test_the_interval_of_a_point_of_the_reliability_curve_is_drawn() -> None:
    """A vertical line from its low to its high end, for each point that has one."""
    curves = copy.deepcopy(CURVES)
    curves["served"]["reliability"][0] |= {"low": None, "high": None}
    bars = [bar for line in plots.roc_and_reliability(curves).axes[1].collections for bar in line.get_segments()]
    assert [[0.2, 0.25, 0.2, 0.3], [0.2, 0.15, 0.2, 0.3]] == [pytest.approx(bar.ravel().tolist()) for bar in bars]


def test_decisions_that_change_are_counted_for_all_and_for_those_with_most() -> None:
    """Shares of the rows, and of either direction how many and how many right; of seven cohorts the five that change most."""
    found = evidence()
    found["cohorts"]["place"] = {
        name: cohort(1000, 0.1, 0.7, ["champion"]) | {"flips": flips(100 + 10 * at)}
        for at, name in enumerate("abcdefg")
    }
    lines = decisions(found["metrics"], found["cohorts"], "champion").splitlines()
    assert "| all | 1,811 | 17.8% | 158 | 151 | 164 | 154 |" in lines
    assert "| place = g | 1,000 | 34.0% | 167 | 160 | 173 | 163 |" in lines
    assert [*"gfedc"] == [line[10] for line in lines if line.startswith("| place = ")]


def test_inputs_by_which_most_decisions_flip_are_listed_first() -> None:
    """The largest share of any way counts; what cannot be done to an input, and what no row says, is a dash. Five of six."""
    found = evidence()["robustness"]
    lines = robustness(found).splitlines()
    assert "| size | 4.3% | 31.1% | – | – | 22.2% | 0.454 |" == lines[6]
    assert "| code | 18.7% | – | 9.1% | – | – | 0.598 |" == lines[7]
    found["inputs"] |= {name: {"perturbed": response(None)} for name in "abcd"}
    assert ["size", "code", "a", "b", "c"] == [line.split(" | ")[0][2:] for line in robustness(found).splitlines()[6:]]


def test_slices_are_shown_with_what_other_days_say() -> None:
    """Where there are none, a sentence says so."""
    found = evidence()["slices"]
    row = "| size from 3.3 and place = north | 128 | 51 | 0.6113 | 0.5887 | +0.0226 [+0.0116, +0.0446] | 0.171 (0.017) | no |"
    assert row in slices(found, "champion").splitlines()
    assert "0 of 1 are confirmed" in slices(found, "champion")
    found["slices"][0]["is_confirmed"] = True
    assert "1 of 1 are confirmed" in slices(found, "champion")
    assert "No slice of one or two features" in slices(found | {"slices": []}, "champion")


def test_who_has_a_label_is_said_with_what_rows_count_and_both_ways() -> None:
    """Weighted or not; by what; where nothing tells; and what nothing stands for."""
    found = evidence()["selection"]
    text = who_has_a_label(found)
    assert "1,907 of the 2,311 predictions of the windows that have a score (82.5%) have a label" in text
    assert (
        "They tell as much as 1,733 rows that count alike; the largest weight is 5.71, and 23 propensities are below 0.057"
        in text
    )
    assert "Metrics and gate count rows like this." in text
    assert "On 4 days nothing has a label, so nothing stands for them." in text
    assert "| AUC | 0.6137 | 0.6180 | 0.6237 | 0.6280 | 0.6337 | 0.6380 |" in text.splitlines()
    assert "| place = south | 787 | 604 | 76.7% |" == text.splitlines()[-2]
    assert "Metrics and gate count all rows alike." in who_has_a_label(found | {"is_weighed": False})
    unknown = who_has_a_label(found | {"method": "none", "why_not": "nobody has an outcome", "is_weighed": False})
    assert "not known: nobody has an outcome. Metrics and gate count all rows alike." in unknown
    assert "| AUC |" not in unknown
    assert EVIL not in who_has_a_label(found | {"method": "none", "why_not": EVIL})
    assert "Every prediction has a label, so all rows count alike." in who_has_a_label(
        found | {"method": "all are labelled"}
    )
    found["cohorts"]["place"]["east"] = {"predictions": 31, "labelled": 0}
    assert "No label at all: place = east (31 predictions). No weight speaks for them" in who_has_a_label(found)
    assert "fewest labels" not in who_has_a_label(found | {"cohorts": {}})
    assert "On 0 days" not in who_has_a_label(found | {"days_without_label": 0})


def test_the_strongest_inputs_are_listed_and_what_is_suspicious_or_odd() -> None:
    """Five, strongest first, the moment among them; each suspicion and each hint by name."""
    found = evidence()["leaks"]
    found["inputs"] |= {"weight": alone(0.9912)}
    lines = leaks(found).splitlines()
    assert ["weight", "size", "age", "served_at (time of day)", "code"] == [
        line.split(" | ")[0][2:] for line in lines[6:11]
    ]
    assert "| weight | 0.9912 |" == lines[6]
    suspicious = (
        "weight alone has an AUC of 0.9912 (0.87 is the limit); age is missing only where the label is 1 (403 rows)"
    )
    assert ["", f"Suspicious: {suspicious}.", "", "Odd, though it need not be wrong: code (like an id)."] == lines[11:]


def test_inputs_that_could_not_be_measured_are_said_in_words() -> None:
    """A sentence with the reason, and no table."""
    found = evidence()["leaks"] | {"later_from": None, "why_not_measured": "the later days have 0 rows"}
    found["inputs"] = {"size": alone(None)}
    assert "## Does the answer leak?\n\nInputs alone could not be measured: the later days have 0 rows.\n" == leaks(
        found
    )


def test_drift_lists_as_many_columns_as_asked_for() -> None:
    """Two of three, in the order of the evidence."""
    lines = drift(evidence()["drift"], 2).splitlines()
    assert ["| size ", "| age "] == [
        line.split("|")[0] + "|" + line.split("|")[1] for line in lines if "wasser" in line
    ]


def test_the_service_table_ends_with_the_last_week() -> None:
    """Of two weeks one is asked for: the newest."""
    found = service(evidence()["monitor"], 1)
    assert (False, True) == ("2030-01-07" in found, "2030-01-14" in found)


def test_a_part_of_a_week_says_so_and_a_mean_rating_has_its_interval() -> None:
    """The first week is whole, the second one has four days."""
    found = evidence()["monitor"]
    found["service"][0]["days"] = 7
    lines = service(found, 2).splitlines()
    assert ["2030-01-07", "2030-01-14 (4 days)"] == [line.split(" | ")[0][2:] for line in lines if "| 2030" in line]
    assert "+0.32 [+0.31, +0.34]" in lines[5]


def test_many_unusual_days_are_counted_after_the_tenth() -> None:
    """Twelve days: ten are listed, two are counted."""
    found = evidence()["quality"]
    odd = [found["unusual_volume"][0] | {"day": f"2030-01-{n:02}"} for n in range(1, 13)]
    text = data_quality(found | {"unusual_volume": odd})
    assert (True, False) == ("(feedback high, 4,441 rows) and 2 more." in text, "2030-01-11" in text)


def test_clean_data_has_no_rules_and_no_unusual_days() -> None:
    """Nothing was rejected: one sentence is left."""
    clean = {"rows": 10, "rejected": 0, "rejected_share": 0.0, "duplicates": 0, "rules": {}}
    text = data_quality({"total": clean, "recent": clean | {"days": 7}, "unusual_volume": []})
    expected = "0 of 10 rows were rejected (0.00%; 0.00% in the last 7 days), 0 duplicates dropped."
    assert ["## Data quality", "", expected] == text.splitlines()


def test_what_was_replaced_in_texts_is_told_by_kind() -> None:
    """One sentence, the most frequent first; one is one."""
    clean = {"rows": 10, "rejected": 0, "rejected_share": 0.0, "duplicates": 0, "rules": {}}
    total = clean | {"personal": {"email": 12, "ip": 1, "name": 3}}
    text = data_quality({"total": total, "recent": clean | {"days": 7}, "unusual_volume": []})
    expected = "Personal data replaced in texts before they were stored: 12 e-mail addresses, 3 names, 1 IP address."
    assert expected == text.splitlines()[-1]


CURVES = {
    name: {
        "roc": [
            {"fall_out": 0.0, "recall": 0.0},
            {"fall_out": 0.3, "recall": 0.6 + add},
            {"fall_out": 1.0, "recall": 1.0},
        ],
        "reliability": [{"score": 0.2, "rate": 0.1 + add, "low": 0.05 + add, "high": 0.3, "n": 5}],
        "scores": [{"score": 0.25, "share": 0.4}, {"score": 0.75, "share": 0.6}],
    }
    for name, add in (("candidate", 0.2), ("champion", 0.1), ("served", 0.0))
}


RELIABLE: Any = {
    "place": {
        "north": [{"score": 0.2, "rate": 0.3, "low": 0.25, "high": 0.35, "n": 50}],
        "south": [{"score": 0.6, "rate": 0.5, "low": None, "high": None, "n": 70}],
    }
}


def pictures(found: Evidence, curves: Any = None, gains: Any = None, cohorts: Any = None) -> dict[str, bytes]:
    """The five pictures as bytes."""
    return {
        "cohorts": plots.png(plots.cohorts(cohorts or RELIABLE)),
        "models": plots.png(plots.roc_and_reliability(curves or CURVES)),
        "decision": plots.png(plots.decision(gains or GAINS)),
        "weekly": plots.png(plots.weekly(found["monitor"])),
        "drift": plots.png(plots.drift(found["drift"])),
    }


@pytest.mark.slow
def test_a_picture_has_the_same_bytes_when_it_is_drawn_twice() -> None:
    """No date, no random id."""
    assert pictures(evidence()) == pictures(evidence())


def test_the_largest_cohorts_are_drawn_the_largest_first() -> None:
    """Of 13 the smallest is left out; a panel without a cohort is not there."""
    many = {f"c{n:02}": [{"score": 0.5, "rate": 0.5, "low": 0.4, "high": 0.6, "n": n}] for n in range(1, 14)}
    titles = [axes.get_title(loc="left") for axes in plots.cohorts({"place": many}).axes]
    assert [f"place = c{n:02}" for n in range(13, 1, -1)] == titles
    assert [True, True, False, False] == [axes.get_visible() for axes in plots.cohorts(RELIABLE).axes]


def test_without_cohorts_there_is_no_picture_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the file nor the link."""
    monkeypatch.chdir(tmp_path)
    found = evidence()
    found["cohorts"] = {}
    write(found)
    files.write_json(files.CURVES / "cohorts.json", {})
    main(PARAMS)
    assert "plots/cohorts.png" not in files.REPORT.read_text()
    assert not (files.PLOTS / "cohorts.png").exists()


def test_a_part_of_a_week_is_drawn_hollow() -> None:
    """The second week has four days, the first one seven: only its points are white inside, and the axis says why."""
    found = evidence()["monitor"]
    found["service"][0]["days"] = 7
    figure = plots.weekly(found)
    hollow = [
        line.get_xdata().tolist()
        for panel in figure.axes
        for line in panel.lines
        if line.get_markerfacecolor() == "white"
    ]
    assert [[1]] * 7 == hollow  # AUC and Brier score of two scores each, satisfaction, two latencies
    assert "hollow" in figure.axes[2].get_xlabel()


def test_whole_weeks_are_all_drawn_alike() -> None:
    """Nothing is hollow, and nothing is explained."""
    found = evidence()["monitor"]
    for one in found["service"]:
        one["days"] = 7
    figure = plots.weekly(found)
    assert [] == [line for panel in figure.axes for line in panel.lines if line.get_markerfacecolor() == "white"]
    assert "week starting" == figure.axes[2].get_xlabel()


def test_the_axis_says_the_year_wherever_it_changes() -> None:
    """Two years of weeks: the year stands below the first label and below the first of each new one."""
    found = plots.tick_labels(["2012-12-24", "2012-12-31", "2013-07-01", "2014-01-06"])
    assert ["12-24\n2012", "12-31", "07-01\n2013", "01-06\n2014"] == found


def test_the_weekly_picture_labels_its_weeks_with_their_year() -> None:
    """As the reader sees it."""
    figure = plots.weekly(evidence()["monitor"])
    assert ["01-07\n2030", "01-14"] == [label.get_text() for label in figure.axes[2].get_xticklabels()]


@pytest.mark.slow
def test_a_picture_follows_its_numbers() -> None:
    """Another point, another week, another distribution: every picture changes."""
    changed, curves = evidence(), copy.deepcopy(CURVES)
    curves["candidate"]["roc"][1]["recall"] = 0.7
    changed["monitor"]["service"][0]["mean_rating"]["value"] = -0.5
    changed["drift"]["by_column"][0]["histogram"]["current"] = [0.9, 0.1]
    gains = copy.deepcopy(GAINS)
    gains["alert_all"][1]["gained"] = 5.5
    cohorts = copy.deepcopy(RELIABLE)
    cohorts["place"]["north"][0]["high"] = 0.4
    before, after = pictures(evidence()), pictures(changed, curves, gains, cohorts)
    assert [] == [name for name in before if before[name] == after[name]]


@pytest.mark.parametrize("names", [["north", "south"], ["$", "$$"], ["a_{", "$x_{$"], ["", "ü é"]])
def test_categories_of_any_name_can_be_drawn(names: list[str]) -> None:
    """A price band `$$` is a name, not a formula."""
    found = evidence()["drift"]
    histogram = {"categories": names, "reference": [0.5, 0.5], "current": [0.2, 0.8]}
    found["by_column"] = [column(names[1], 0.3, True) | {"histogram": histogram}]
    assert b"\x89PNG" == plots.png(plots.drift(found))[:4]


def test_pictures_can_be_drawn_where_nothing_was_measured() -> None:
    """No champion, no rating, no sure label, no column with a distance."""
    found = evidence(champion=False)
    for one in found["monitor"]["service"]:
        one.update(mean_rating=None, latency_p50_ms=None, latency_p95_ms=None)
    for one in found["monitor"]["quality"]:
        one["served"] = None
    for one in found["drift"]["by_column"]:
        one["distance"] = None
    assert {b"\x89PNG"} == {content[:4] for content in pictures(found, {"served": CURVES["served"]}).values()}


def test_a_service_without_a_week_does_not_cost_the_pictures() -> None:
    """Nothing is drawn there; what cannot be drawn must not delete what was."""
    found = evidence()
    found["monitor"]["service"] = []
    assert b"\x89PNG" == plots.png(plots.weekly(found["monitor"]))[:4]


GAINS = {
    name: [{"threshold": at, "gained": 9.0 - at * n, "low": 8.0 - at * n, "high": 10.0} for at in (0.1, 0.5, 0.9)]
    for n, name in enumerate(("candidate", "champion", "alert_all"))
}


def write(found: Evidence) -> None:
    """Put the evidence on disk, as the stages before do, and answers to users, as people do."""
    files.write_text(files.ANSWERS, "project: planted\nanswers: {}\n")
    files.write_json(files.CURVES / "decision.json", GAINS)
    files.write_json(files.CURVES / "cohorts.json", RELIABLE)
    for name, value in found.items():
        files.write_json(files.REPORTS / f"{name}.json", value)
    for name, curves in CURVES.items():
        for curve, points in curves.items():
            files.write_json(files.CURVES / name / f"{curve}.json", points)


def test_the_stage_writes_text_and_pictures_from_the_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the JSON files is there, and the report shows the pictures that were drawn."""
    monkeypatch.chdir(tmp_path)
    write(evidence())
    main(PARAMS)
    text = files.REPORT.read_text()
    assert render(evidence(), PARAMS.project, PARAMS.report) == text
    assert sorted(re.findall(r"\]\((plots/\w+\.png)\)", text)) == [
        f"plots/{path.name}" for path in sorted(files.PLOTS.iterdir())
    ]


def test_an_old_picture_does_not_outlive_its_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier run drew and this one did not is gone."""
    monkeypatch.chdir(tmp_path)
    write(evidence())
    files.write_text(files.PLOTS / "old.png", "")
    main(PARAMS)
    assert ["cohorts.png", "decision.png", "drift.png", "models.png", "voices.png", "weekly.png"] == sorted(
        path.name for path in files.PLOTS.iterdir()
    )


def test_a_panel_about_what_no_table_has_says_so_instead_of_being_empty() -> None:
    """Without ratings and latency two panels are left; the others are named and have no axes."""
    health = evidence()["monitor"]
    for week in health["service"]:
        week |= {"mean_rating": None, "latency_p50_ms": None, "latency_p95_ms": None}
    panels = {panel.get_title(loc="left"): panel.axison for panel in plots.weekly(health).axes}
    assert {title for title, is_drawn in panels.items() if not is_drawn} == {
        "Satisfaction (mean rating, -1 to +1, with its interval): not in the data",
        "Latency (ms): not in the data",
    }
    assert {"AUC", "Brier score (lower is better)"} == {title for title, is_drawn in panels.items() if is_drawn}


def test_weeks_below_an_axis_do_not_overlap() -> None:
    """A year has every sixth week."""
    health = evidence()["monitor"]
    weeks = [str(day.date()) for day in pd.date_range("2030-01-07", periods=52, freq="7D")]
    health["service"] = [{**health["service"][0], "week": week} for week in weeks]
    shown = plots.weekly(health).axes[-1].get_xticklabels()
    assert 5 <= len(shown) <= 9


QUALITY: Any = {
    "total": {"rows": 10, "rejected": 0, "rejected_share": 0.0, "duplicates": 0, "rules": {}},
    "recent": {"rejected_share": 0.0, "days": 7},
    "unusual_volume": [],
}


@pytest.mark.parametrize("nothing", [{}, {"late": {}, "corrections": []}])
def test_where_nothing_came_late_nothing_is_said_of_it(nothing: Any) -> None:
    """Nor in reports of an earlier version."""
    assert "data/late" not in data_quality(QUALITY | nothing)


def test_late_rows_are_told_with_the_command_that_brings_them_in() -> None:
    """How many of each table, the first and the last of their days; one alone is told of in the singular."""
    late = {
        "predictions": {"rows": 1, "days": {"2030-01-02": 1}},
        "feedback": {"rows": 1002, "days": {"2030-01-03": 1000, "2030-01-05": 2}},
    }
    assert (
        "\n1,003 rows came after their day was collected (predictions 1, feedback 1,002; 2030-01-02 to 2030-01-05), and wait "
        'in `data/late/`. Bring them in with: `flywheel backfill --from 2030-01-02 --to 2030-01-05 --why "…"`\n'
    ) in data_quality(QUALITY | {"late": late})
    one = {"predictions": late["predictions"]}
    assert "\n1 row came after its day was collected (predictions 1; 2030-01-02), and waits in" in data_quality(
        QUALITY | {"late": one}
    )


def test_corrections_are_shown_with_who_and_why_the_latest_first() -> None:
    """Neither name nor reason can break out of the table."""
    file = {"digests": ["a", "b"], "rows": [10, 12], "changed": 1200}
    first: Any = {
        "first": "2030-01-02",
        "last": "2030-01-05",
        "as_of": "2030-01-09",
        "who": "A|nn",
        "why": "<b>late</b>",
        "days": {"2030-01-03": {"predictions": file, "feedback": file}},
    }
    text = corrections(QUALITY | {"corrections": [first, first | {"as_of": "2030-01-16", "last": "2030-01-02"}]})
    assert text.startswith("## Corrections of history\n")
    assert [
        "| 2030-01-16 | 1 of 2030-01-02 | 2,400 | 20 → 24 | A\\|nn | &lt;b>late&lt;/b> |",
        "| 2030-01-09 | 1 of 2030-01-02 to 2030-01-05 | 2,400 | 20 → 24 | A\\|nn | &lt;b>late&lt;/b> |",
    ] == text.splitlines()[-2:]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "It does not take more than 2.7 times as long as the champion to answer. `flywheel cost`"),
        ({"slower": ["10,000 rows"]}, "It takes more than 2.7 times as long as the champion to answer 10,000 rows. "),
        ({"champion": None}, "There is no champion yet; a later candidate may not take more than 2.7 times"),
        ({"why_not_measured": "the champion needs <b>"}, "could not be measured: the champion needs &lt;b>. "),
    ],
)
def test_the_cost_is_said_in_one_sentence_with_the_sizes(change: Evidence, said: str) -> None:
    """Sizes of both models, or of the only one; the name of a feature cannot break out."""
    text = cost(evidence()["cost"] | change)
    assert said in text
    assert ("| bytes | 700,207 | 600,109 |" in text) == ("champion" not in change)
    assert ("| trees | 223 |\n" in text) == ("champion" in change)
