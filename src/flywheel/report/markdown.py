"""Markdown for reports and comments: tables, numbers, and text that cannot break out of its place."""

from __future__ import annotations

from collections.abc import Iterable

from flywheel.evaluation.evidence import Interval
from flywheel.labels.shares import Estimate

MARKS = {"pass": "✅", "fail": "❌", "inconclusive": "❔"}


def table(header: Iterable[str], rows: Iterable[Iterable[object]], words: int = 1) -> str:
    """A Markdown table; the first columns, so many as hold words, are aligned left, the others right."""
    head = list(header)
    lines = [
        "| " + " | ".join(escape(cell) for cell in head) + " |",
        "|" + "|".join([*[" --- "] * words, *[" ---: "] * (len(head) - words)]) + "|",
    ]
    lines += ["| " + " | ".join(escape(str(cell)) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text that cannot break out of its table cell, mention somebody, or carry HTML, a link or a picture."""
    plain = (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace("|", "\\|")
        .replace("@", "&#64;")
        .replace("](", "]&#40;")
    )
    return " ".join(plain.split())


def number(value: float | None, digits: int, sign: bool = False) -> str:
    """A number with fixed digits; a dash for None."""
    return "–" if value is None else f"{value:{'+' if sign else ''},.{digits}f}"


def percent(value: float | None, digits: int) -> str:
    """A share in percent; a dash for None."""
    return "–" if value is None else f"{value:.{digits}%}"


def with_interval(found: Interval | Estimate, digits: int, sign: bool = False) -> str:
    """A value with its interval."""
    value, low, high = (number(one, digits, sign) for one in (found["value"], found["low"], found["high"]))
    return f"{value} [{low}, {high}]" if found["low"] is not None else value
