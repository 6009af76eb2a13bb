"""Commands about the past of the data: backfill, diff-data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flywheel.cli import show


def backfill(
    first: Annotated[str, typer.Option("--from", help="The first day to collect again, such as 2013-03-01.")],
    last: Annotated[str, typer.Option("--to", help="The last of these days.")],
    why: Annotated[str, typer.Option(help="The reason; it is kept with the data, and the report shows it.")],
    emptied: Annotated[
        bool, typer.Option("--emptied", help="All feedback of a day may be gone: it was withdrawn, not lost.")
    ] = False,
) -> None:
    """Collect days again that the source has corrected, or to which rows came late; run, and show what that changed."""
    from flywheel.loop import backfill, pipeline

    with pipeline.alone():
        effect = backfill.backfill(first, last, why, show.say, emptied)
        if effect is not None:
            show.outcome(effect.outcome)
            show.table(["", ""], [("", ""), *backfill.in_words(effect)])


def diff_data(
    before: Annotated[str, typer.Argument(help="A commit, tag or branch.")] = "HEAD",
    after: Annotated[str | None, typer.Argument(help="Another one; by default the working tree.")] = None,
    markdown: Annotated[
        str | None, typer.Option(help="Write it as Markdown into this file; - prints it instead of the table.")
    ] = None,
) -> None:
    """Which days, rows and columns of the data differ between two versions, and how far the distributions moved."""
    from flywheel import files
    from flywheel.loop.versions import differences
    from flywheel.report.data_difference import MOVED, OVERVIEW, moved, overview, render

    old, new, found = differences(before, after)
    text = render(old, new, found)
    if markdown == "-":
        print(text, end="")
        return
    print(f"{old} -> {new}{'' if found else ': the data is the same'}")
    if found:
        show.table(OVERVIEW, overview(found))
        show.table(MOVED, moved(found))
    if markdown:
        files.write_text(Path(markdown), text)
        print(f"{markdown} is written.")


COMMANDS = (backfill, diff_data)
