"""Commands that show what models cost: cost."""

from __future__ import annotations

from typing import Annotated

import typer

from flywheel.cli import show
from flywheel.errors import DataError


def cost(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print it as Markdown.")] = False,
) -> None:
    """What the models cost: bytes, trees, latency, the fit, memory, and prices at evaluate.cost.price_per_hour."""
    from flywheel import files
    from flywheel.evaluation.cost import read_timed
    from flywheel.evaluation.evidence import read_cost
    from flywheel.loop.settings import AllParams
    from flywheel.model.card import identity
    from flywheel.model.fitted import read_fitted
    from flywheel.params import load
    from flywheel.report import cost as in_words
    from flywheel.report import markdown as text

    params = load(AllParams).evaluate.cost
    found, timed, fitted = read_cost(), read_timed(), read_fitted()
    if found["candidate"]["identity"] != identity(files.CANDIDATE):
        raise DataError(
            f"{files.COST} is about another model than {files.CANDIDATE}. Measure this one with: flywheel run"
        )
    rows = in_words.rows(found, timed, fitted, params)
    said = [*in_words.missing(found, timed, fitted), f"Prices are at {params.price_per_hour:g} an hour."]
    if markdown:
        print(f"{text.table(in_words.HEADER, rows)}\n" + "\n".join(f"{text.escape(one)}\n" for one in said))
        return
    show.table(in_words.HEADER, rows)
    print("\n".join(said))


COMMANDS = (cost,)
