"""The commands that make the repository yours, and keep its engine new: init, upgrade."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flywheel.cli import show

if TYPE_CHECKING:
    from flywheel.start.upgrading import Conf, Upgrade

Column = Annotated[str | None, typer.Option(help="The column, if the guess is wrong.")]


def init(
    predictions: Annotated[
        str | None, typer.Argument(help="The table of predictions: CSV, Parquet, JSON lines, a folder or a glob.")
    ] = None,
    feedback: Annotated[
        str | None, typer.Argument(help="The table of what is said about them, if it is another.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The project's name, such as late-parcels; by default from the file's.")
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
    encoding: Annotated[str | None, typer.Option(help="How letters of a CSV are written, such as cp1252.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="What is between two values of a CSV, such as ;")] = None,
    decimal: Annotated[
        str | None, typer.Option(help="What is before the decimals in a CSV: a point or a comma.")
    ] = None,
) -> None:
    """Look at two tables, and write conf/project/NAME.yaml: no code, and the loop runs on them."""
    from flywheel.errors import ConfigError
    from flywheel.loop import pipeline
    from flywheel.start import beginning
    from flywheel.start.looking import Answers
    from flywheel.start.writing import QUESTION

    if check:
        _check()
        return
    if predictions is None:
        raise ConfigError(
            "which table? Say: flywheel init PREDICTIONS [FEEDBACK], such as flywheel init tables/predictions.csv"
        )
    tab = delimiter.replace("\\t", "\t") if delimiter is not None else None  # a shell hands on both signs
    said = {"encoding": encoding, "delimiter": tab, "decimal": decimal}
    written = {key: value for key, value in said.items() if value is not None}
    answers = Answers(id, time, label, known_at, timezone, positive, written)
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


def upgrade(
    source: Annotated[str, typer.Option("--from", help="The template: the folder or the address of its repository.")],
    to: Annotated[
        str | None, typer.Option(help="A tag of the template; by default the end of its main branch.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="The commit or tag of the template that this repository is from, if the guess is wrong."),
    ] = None,
    add_keys: Annotated[
        bool, typer.Option("--add-keys", help="Put keys that are new in conf/ there, with comments.")
    ] = False,
) -> None:
    """Bring the engine of a newer template here: one commit on a new branch. Your files stay as they are."""
    from flywheel.errors import DataError
    from flywheel.loop import pipeline
    from flywheel.start import upgrading

    with pipeline.alone():
        done = upgrading.upgrade(source, to, base, add_keys)
    print(f"template  {done.new} of {done.source}")
    print(f"here      {done.old}, {done.how}")
    if done.branch is None:
        print("Up to date: nothing of the engine is newer there.")
        for path in done.waiting:
            print(
                f"waiting   {path}: merge it by hand, from {upgrading.NOTES}, and delete its line in {upgrading.RECORD}"
            )
        return
    _show_merge(done)
    for conf in done.conf:
        _show_conf(conf)
    print(f"\nbranch    {done.branch}: one commit; nothing else has changed")
    for line in upgrading.next_steps(done):
        print(line)
    if done.merged.conflicts:
        raise DataError(
            f"{len(done.merged.conflicts)} files changed here and in the template: the branch has yours. Merge them by hand, "
            f"from {upgrading.NOTES}, and take them out of {upgrading.RECORD}: docs/upgrading.md says how."
        )


def _show_merge(done: Upgrade) -> None:
    from flywheel.start import upgrading

    merged = done.merged
    gone = sum(entry is None for entry in merged.changes.values())
    print(f"engine    {len(merged.changes) - gone} files newer, {gone} deleted")
    if merged.example == "yours":
        print("example   it has changed here, so it stays as it is")
    for path in merged.kept:
        print(f"yours     {path} stays; the template's has changed as well")
    for one in merged.conflicts:
        print(f"\nCONFLICT  {one.path}: {one.why}")
        for line in upgrading.hunks(one):
            print(f"    {line}")


def _show_conf(conf: Conf) -> None:
    from flywheel.start.upgrading import dotted, printable

    if conf.is_new:
        print(f"\nconf      {conf.path} is new in the template")
    if conf.text:
        print(
            f"\nnew in {conf.path}"
            + (", the template's example; yours may need it too:\n" if conf.is_example else ":\n")
        )
        for line in conf.text.splitlines():
            print(printable(line))
    for key in conf.added:
        print(f"added     {dotted(key)}")
    for key in conf.left:
        print(
            f"could not be added: {dotted(key)}: what it belongs to in {conf.path} is in braces or has another form. Put it "
            "there by hand"
        )
    for key in conf.news.gone:
        print(f"gone      {dotted(key)}: take it out of {conf.path}")
    for key, then, now in conf.news.changed:
        print(f"default   {dotted(key)} of {conf.path} was {then!r} in the template, and is {now!r} now; yours stays")


COMMANDS = (init, upgrade)
