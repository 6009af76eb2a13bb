"""What the report says of people who were forgotten: how many, since when, and which models had learned from them."""

from __future__ import annotations

from flywheel import files
from flywheel.data.evidence import Forgotten
from flywheel.report.markdown import escape, table


def forgotten(found: Forgotten, champion: str | None) -> str:
    """How many people left the data and when, and the released models that knew what they said; `champion` is the one that
    serves."""
    n, first, last = found["people"], found["first"], found["last"]
    since = f"as of {first}" if first == last else f"the first as of {first}, the last as of {last}"
    they = "people were" if n > 1 else "person was"
    rows = [
        [f"{escape(name)}, the champion" if name == champion else escape(name), f"{count:,}"]
        for name, count in found["models"].items()
    ]
    learned = (
        "\nThese models were made before, and had learned from what they said. They stay as they were released:\n\n"
        + table(["model", "people"], rows)
        if rows
        else "\nNo released model had learned from what they said.\n"
    )
    return (
        "## Forgotten people\n\n"
        f"{n:,} {they} forgotten, {since}. Their feedback and ids left all days, and stay out "
        f"(`{files.FORGOTTEN}`); the candidate is made without them. Data of earlier commits may still have them: "
        "`flywheel forget USER --versions`.\n" + learned
    )
