"""The command `flywheel`: what people and workflows do with the loop. `flywheel --help` lists the commands."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from flywheel.cli import annotating, collaborating, comparing, correcting, forgetting, releasing, starting, turning
from flywheel.errors import OUTSIDE, FlywheelError, told
from flywheel.loop.pipeline import in_the_root

app = typer.Typer(
    help="Closes the loop between users and a model. Start with: flywheel run",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (starting, turning, annotating, comparing, correcting, forgetting, releasing, collaborating):
    for command in commands.COMMANDS:
        app.command()(command)


def main() -> None:
    """Run the command. A problem that a person can fix is one message and an exit code, never a traceback."""
    try:
        if len(sys.argv) > 1 and "--help" not in sys.argv:
            in_the_root()
        app()
    except FlywheelError as error:
        _say(error)
    except OUTSIDE as error:
        _say(told(error))


def _say(error: FlywheelError) -> NoReturn:
    from flywheel.github.actions import summary
    from flywheel.report.markdown import escape

    print(f"flywheel: {error}", file=sys.stderr)
    summary(f"**flywheel:** {escape(str(error))}")
    sys.exit(error.exit_code)
