"""The command that makes the repository yours: init."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from flywheel.cli import show

Column = Annotated[str | None, typer.Option(help="The column, if the guess is wrong.")]


def init(
    predictions: Annotated[
        str | None, typer.Argument(help="The table of predictions: CSV, Parquet, JSON lines, a folder or a glob.")
    ] = None,
    feedback: Annotated[
        str | None, typer.Argument(help="The table of what is said about them, if it is another.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The project's name, such as rain; by default from the file's.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the project that is here, such as the example, away.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take the likeliest answer.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say what is still to be filled in.")] = False,
    id: Annotated[str | None, typer.Option(help="The column, or columns as a+b, that name a prediction.")] = None,  # noqa: A002
    time: Annotated[str | None, typer.Option(help="The column that says when a prediction was served.")] = None,
    label: Annotated[str | None, typer.Option(help="The column that says what happened.")] = None,
    known_at: Annotated[
        str | None, typer.Option(help="The column that says when that was known; or a time such as 6h.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="The time zone of times that do not say theirs.")] = None,
    positive: Annotated[str | None, typer.Option(help="The value of the label that means 1.")] = None,
) -> None:
    """Look at two tables, and write conf/project/NAME.yaml: no code, and the loop runs on them."""
    from flywheel.errors import ConfigError
    from flywheel.loop import pipeline
    from flywheel.start import beginning
    from flywheel.start.propose import Answers
    from flywheel.start.writing import QUESTION

    if check:
        _check()
        return
    if predictions is None:
        raise ConfigError(
            "which table? Say: flywheel init PREDICTIONS [FEEDBACK], such as flywheel init tables/predictions.csv"
        )
    answers = Answers(id, time, label, known_at, timezone, positive)
    ask = _nobody if yes or not sys.stdin.isatty() else _ask
    with pipeline.alone():
        begun = beginning.look(predictions, feedback, name, answers, ask, dt.datetime.now(dt.UTC).date(), replace)
        show.table(["", ""], [list(one) for one in begun.proposal.guesses])
        for why in begun.proposal.suspicions.values():
            print(f"\nCAREFUL   {why}. {QUESTION}")
        if replace and not yes and sys.stdin.isatty():
            typer.confirm(f"Delete the project {begun.before} and all that was made for it?", abort=True)
        for line in beginning.write(begun, replace):
            print(line)
    if begun.proposal.unknown:
        print("\nStill yours to say, in the file: " + "; ".join(begun.proposal.unknown) + ".")
    print("Then: make run")


def _check() -> None:
    from flywheel.errors import ConfigError
    from flywheel.start.beginning import placeholders

    found = placeholders()
    if found:
        raise ConfigError("still to be filled in:\n" + "\n".join(found))
    print("Nothing is left to fill in.")


def _ask(question: str, choices: Sequence[str], likeliest: str | None) -> str | None:
    return str(typer.prompt(f"{question} ({', '.join(choices)})" if choices else question, default=likeliest))


def _nobody(question: str, choices: Sequence[str], likeliest: str | None) -> str | None:
    return None


COMMANDS = (init,)
