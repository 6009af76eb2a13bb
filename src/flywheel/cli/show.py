"""How results are shown in a terminal, and in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from flywheel import files
from flywheel.evaluation.evidence import read_decision, read_evidence, verdict_in_words
from flywheel.labels.evidence import read_labels_made
from flywheel.loop.turn import Outcome
from flywheel.monitoring.evidence import read_drift

COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def say(text: str) -> None:
    """A line for a person who is waiting: shown at once, even in a pipe."""
    print(text, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in a terminal; in a pipe, one line a row, with tabs."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        for row in rows:
            print("\t".join(row))
        return
    shown = Table(*header, show_header=any(header), box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*(f"[{COLOURS[cell]}]{cell}[/]" if cell in COLOURS else cell for cell in row))
    console.print(shown)


def outcome(done: Outcome) -> None:
    """What came out of a run, in a few lines."""
    from rich.console import Console

    decision, (measured, *_) = read_decision(), read_evidence()
    made, drifted = read_labels_made(), read_drift()
    reference = decision["reference"]
    verdict = decision["verdict"]
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    said = verdict_in_words(decision).removeprefix(verdict)
    console.print(f"verdict   [bold {COLOURS[verdict]}]{verdict}[/]{said} (as of {decision['as_of']})")
    for metric in ("auc", "log_loss"):
        mine, other = measured["candidate"][metric]["value"], measured[reference][metric]["value"]
        gap = measured["difference"][reference][metric]
        between = (
            "no interval"
            if gap["value"] is None or gap["low"] is None or gap["high"] is None
            else f"{gap['value']:+.4f}, {measured['about']['confidence']:.0%} interval {gap['low']:+.4f} to {gap['high']:+.4f}"
        )
        shown = ["–" if one is None else f"{one:.4f}" for one in (mine, other)]
        console.print(
            f"{metric:<10}{shown[0]} candidate, {shown[1]} {reference.replace('_', ' ')} ({between})", markup=False
        )
    sources = ", ".join(f"{one['share']:.0%} {name}" for name, one in made["by_source"].items())
    console.print(f"labels    {made['labels']:,} of {made['predictions']:,} predictions: {sources}")
    console.print(f"drift     {drifted['drifted']} of {drifted['columns']} columns beyond {drifted['threshold']:g}")
    console.print(f"took      {done.seconds:.1f} s{'' if done.ran else ': everything was up to date'}")
    console.print(f"read      {files.REPORT}")
