"""`python -m flywheel.cli` is the command `flywheel`."""

from flywheel.cli import main

main()
