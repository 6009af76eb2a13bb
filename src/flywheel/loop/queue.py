"""The queue for annotators: what is known at the clock, read; what is most worth a look, written. Answers are never lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flywheel import files
from flywheel.data.settings import Collect, Contract
from flywheel.errors import DataError
from flywheel.evaluation.settings import Evaluate
from flywheel.labels.settings import Label, Queue
from flywheel.params import Clock, Params

if TYPE_CHECKING:  # table libraries load slowly
    import pandas as pd

    from flywheel.labels.queue import Known


class QueueParams(Params):
    """What making a queue needs."""

    clock: Clock
    collect: Collect
    contract: Contract
    label: Label
    queue: Queue
    evaluate: Evaluate


def hashed_annotator(annotator: str, collect: Collect) -> str:
    """The keyed hash under which an annotator is known. ConfigError where there is no key."""
    import pandas as pd

    from flywheel.data.collection import hash_key, hashed

    name = pd.Series([annotator.strip()], name="annotator")
    return str(hashed(name, hash_key(collect), collect.hash_key_env)[0])


def rows_of(params: QueueParams, annotator: str | None = None) -> list[dict[str, object]]:
    """The rows of the queue: what was asked and why, the inputs, and cells to fill; `annotator` is a hash that is filled in.

    DataError where the data is not there yet, and for an annotator who was forgotten: their hash would be in Git again.
    """
    from flywheel.data.annotations import rubric
    from flywheel.data.annotations.answers import drawn
    from flywheel.data.annotations.form import AUDIT
    from flywheel.data.collection import hash_key
    from flywheel.data.tombstones import forgotten
    from flywheel.labels.queue import choose

    version, key = rubric.versions()[-1], hash_key(params.collect) or ""
    if annotator and forgotten(key, params.collect.hash_key_env).has(annotator):
        raise DataError("this annotator was forgotten, so their answers would stay out. Nothing was written.")
    known = read(params)
    chosen = choose(known, params.queue, params.label, params.clock.as_of, version, annotator)
    served = known.predictions.set_index("prediction_id")["served_at"]
    inputs = _inputs(chosen["prediction_id"], served, params)
    return [
        {
            "prediction_id": row["prediction_id"],
            "served_at": served[row["prediction_id"]].strftime("%Y-%m-%dT%H:%M:%SZ"),
            "asked": row["asked"],
            "why": row["why"],
            **inputs[row["prediction_id"]],
            "value": "",
            "annotator": annotator or "",
            "answered_on": "",
            "comment": "",
            "rubric": version,
            "drawn": drawn(row["prediction_id"], key) if row["asked"] == AUDIT else "",
        }
        for row in chosen.to_dict("records")
    ]


def read(params: QueueParams) -> Known:
    """What is known at the clock, from `data/`."""
    import pandas as pd

    from flywheel.data import tables
    from flywheel.evaluation.bands import cohort_names
    from flywheel.labels.quarantine import out_since
    from flywheel.labels.queue import Known
    from flywheel.labels.revisions import known_before
    from flywheel.labels.texts.said import with_texts

    as_of = params.clock.as_of
    days = [day for day in tables.stored_days(files.VALID, "predictions") if day < as_of]
    cohorts = {
        name: one for name, one in params.evaluate.cohorts.items() if f"in_{one.column}" in params.contract.predictions
    }
    used = dict.fromkeys([*params.label.prior_by, *(one.column for one in cohorts.values())])
    columns = ["prediction_id", "served_at", *(f"in_{name}" for name in used)]
    predictions = tables.read_days(files.VALID, "predictions", days, columns)
    columns = [
        "feedback_id",
        "prediction_id",
        "received_at",
        "channel",
        "source_id",
        "value",
        "text",
        "rubric",
        "asked",
    ]
    claims = with_texts(tables.read_days(files.VALID, "feedback", days, columns), params.label.texts)
    judged = files.read_parquet(files.QUARANTINE)
    labels = known_before(files.read_parquet(files.LABELS), tables.timestamp(as_of))
    return Known(
        predictions,
        pd.DataFrame({name: cohort_names(predictions[f"in_{one.column}"], one) for name, one in cohorts.items()}),
        claims,
        out_since(claims, judged),
        out_since(claims, judged[judged["decision"].isna()]).notna(),
        labels[["prediction_id", "label"]],
    )


def _inputs(chosen: pd.Series, served: pd.Series, params: QueueParams) -> dict[str, dict[str, object]]:
    """The inputs of some predictions, by their id, as people read them: whole numbers without a point, nothing for null."""
    from flywheel.data import tables

    columns = {name: one for name, one in params.contract.predictions.items() if name.startswith("in_")}
    days = sorted({moment.date() for moment in served[chosen]})
    if not days:
        return {}
    rows = tables.read_days(files.VALID, "predictions", days, ["prediction_id", *columns])
    rows = rows[rows["prediction_id"].isin(chosen)]

    return {
        row["prediction_id"]: {name: _plain(row[name], columns[name].type) for name in columns}
        for row in rows.to_dict("records")
    }


def _plain(value: Any, kind: str) -> object:
    """A value as a person reads it: a whole number without a point, nothing for null."""
    if value is None or value != value:  # noqa: PLR0124 - what is not itself is no number
        return ""
    if kind == "datetime":
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return int(value) if kind != "string" and float(value).is_integer() else value


def write(rows: list[dict[str, object]], path: Path = files.QUEUE) -> None:
    """Write a queue as CSV. DataError where the one that is there has answers: they would be lost."""
    from flywheel.data.annotations.form import ANSWERS, TO_FILL, from_csv, to_csv

    if path.exists():
        columns, before = from_csv(path.read_bytes(), path.as_posix())
        filled = sum(any(cells.get(name, "").strip() for name in TO_FILL) for _, cells in before)
        if filled or "prediction_id" not in columns:
            what = (
                f"{filled:,} {'row' if filled == 1 else 'rows'} of {path} {'is' if filled == 1 else 'are'} filled in"
                if filled
                else f"{path} is no queue"
            )
            raise DataError(
                f"{what}, so nothing was changed: a new queue would overwrite it. Keep it under another name, such as "
                f"{path.with_name('week-15.csv')}, and run again."
            )
    files.write_text(path, to_csv(list(rows[0]) if rows else ANSWERS, rows))


def write_tasks(rows: list[dict[str, object]], path: Path) -> None:
    """Write a queue as tasks of Label Studio. DataError where another file is there already."""
    import json

    from flywheel.data.annotations.label_studio import tasks

    text = json.dumps(tasks(rows), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if path.exists() and path.read_bytes() != text.encode():
        raise DataError(f"{path} is there already, and may hold answers. Nothing was changed; give another name.")
    files.write_text(path, text)
