"""The command `flywheel`: what people and workflows do with the loop. `flywheel --help` lists the commands."""

from __future__ import annotations

import sys

import typer

from flywheel.cli import collaborating, releasing, turning
from flywheel.errors import FlywheelError

app = typer.Typer(
    help="Closes the loop between users and a model. Start with: flywheel run",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for commands in (turning, releasing, collaborating):
    for command in commands.COMMANDS:
        app.command()(command)


def main() -> None:
    """Run the command. A problem that a person can fix is one message and an exit code, never a traceback."""
    try:
        app()
    except FlywheelError as error:
        from flywheel.github.actions import summary
        from flywheel.report.markdown import escape

        print(f"flywheel: {error}", file=sys.stderr)
        summary(f"**flywheel:** {escape(str(error))}")
        sys.exit(error.exit_code)
