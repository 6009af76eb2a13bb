"""Commands that set models side by side: cost, compare-experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flywheel.cli import show
from flywheel.errors import ConfigError, DataError

HOW = "Make some with: dvc exp run -S model.num_leaves=15,31 --queue, then: dvc queue start"


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


def compare_experiments(
    last: Annotated[int, typer.Option(min=1, help="How many of the last experiments of `dvc exp`.")] = 10,
    output: Annotated[
        Path | None, typer.Option(help="Write it into this Markdown file, and a picture beside it.")
    ] = None,
) -> None:
    """HEAD and the last experiments of `dvc exp`: quality, worst cohort, utility, size and latency; ★ is the Pareto front."""
    from flywheel import files
    from flywheel.loop.experiments import experiments
    from flywheel.params import load
    from flywheel.release.settings import ReleaseParams

    if output is not None and output.suffix != ".md":
        raise ConfigError(
            f"--output: found {str(output)!r}; allowed is the name of a Markdown file, such as experiments.md."
        )
    found, left = experiments(last, load(ReleaseParams).project.name)
    if not found:
        print(f"There is no experiment here. {HOW}")
        return
    from flywheel.report import experiments as in_words
    from flywheel.report.plots import png

    if output is not None:
        picture = output.with_suffix(".png")
        files.write_bytes(picture, png(in_words.drawn(found)))
        files.write_text(output, in_words.markdown(found, picture.name, left))
        print(f"{output} and {picture} are written.")
        return
    show.table(in_words.HEADER, in_words.rows(found))
    print("\n".join([*in_words.notes(found), *filter(None, [left]), in_words.explained(found)]))


COMMANDS = (cost, compare_experiments)
