"""Commands for annotators: queue, import-annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flywheel.cli import show


def queue(
    annotator: Annotated[
        str | None, typer.Option(help="Who will answer: leaves out what they have answered, and fills in their hash.")
    ] = None,
    label_studio: Annotated[
        str | None, typer.Option("--label-studio", help="Write tasks for Label Studio into this JSON file instead.")
    ] = None,
) -> None:
    """Write annotations/queue.csv: the predictions most worth a person's look, with the reason of each."""
    from collections import Counter

    from flywheel import files
    from flywheel.data.annotations.form import REASONS
    from flywheel.data.annotations.label_studio import CONFIG
    from flywheel.loop import pipeline
    from flywheel.loop import queue as queueing
    from flywheel.params import load

    params = load(queueing.QueueParams)
    with pipeline.alone():
        person = queueing.hashed_annotator(annotator, params.collect) if annotator else None
        rows = queueing.rows_of(params, person)
        if label_studio:
            queueing.write_tasks(rows, Path(label_studio))
        else:
            queueing.write(rows)
    counts = Counter(str(row["asked"]) for row in rows)
    show.table(["reason", "predictions"], [[name, f"{counts[name]:,}"] for name in REASONS])
    print(f"{label_studio or files.QUEUE} is written, with {len(rows):,} predictions.")
    if label_studio:
        print(f"The labeling interface of the project in Label Studio:\n\n{CONFIG}")


def import_annotations(
    file: Annotated[str, typer.Argument(help="A filled queue (.csv), or an export of Label Studio (.json).")],
    name: Annotated[str, typer.Option(help="Writes annotations/NAME.csv; name it after when or what, not a person.")],
    annotator: Annotated[str | None, typer.Option(help="Who answered, where the file does not say.")] = None,
    answered_on: Annotated[
        str | None,
        typer.Option("--answered-on", help="The UTC day for all answers, such as the day of handing them in."),
    ] = None,
) -> None:
    """Bring in what annotators answered: hashed, scrubbed and checked, as a file to commit."""
    from flywheel.loop import answering, pipeline
    from flywheel.params import load

    with pipeline.alone():
        taken = answering.take(Path(file), name, load(answering.AnswerParams), annotator, answered_on)
    answers, annotators = (
        f"{n:,} {word if n == 1 else f'{word}s'}"
        for n, word in ((taken.answers, "answer"), (taken.annotators, "annotator"))
    )
    print(f"{taken.path} is written: {answers} of {annotators}. Commit it.")
    if taken.late:
        first, last = taken.late[0], taken.late[-1]
        print(
            f"Answers of {first} to {last} are of days that are collected. They count after: flywheel backfill --from {first} "
            f"--to {last} --why ANSWERS. Or give the day of handing them in: --answered-on"
        )


COMMANDS = (queue, import_annotations)
