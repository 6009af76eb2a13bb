"""Commands about people: forget."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flywheel.cli import show


def forget(
    user: Annotated[
        str, typer.Argument(help="The raw id, or the hash as the data has it; - reads it from the standard input.")
    ],
    versions: Annotated[
        bool,
        typer.Option("--versions", help="List what still holds them, and the commands that purge it; change nothing."),
    ] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete from cache and DVC remote the files that hold somebody forgotten.")
    ] = False,
) -> None:
    """Forget a person: their feedback and their id leave the data, for good; run, and show what that changed."""
    from flywheel.errors import ConfigError
    from flywheel.loop import forget, holders, pipeline

    if versions and purge:
        raise ConfigError("--versions lists and --purge deletes. Give one of them.")
    name = sys.stdin.readline() if user == "-" else user
    with pipeline.alone():
        if versions or purge:
            found = holders.purge(name) if purge else holders.find(name)
            for line in holders.in_words(found, purge):
                print(line)
            return
        effect = forget.forget(name, show.say)
        if effect is not None:
            if not effect.later:
                show.outcome(effect.outcome)
            show.table(["", ""], [("", ""), *forget.in_words(effect)])


COMMANDS = (forget,)
