"""Label Studio's JSON: tasks out, and what people answered there in.

The format is that of its documentation (labelstud.io/guide/task_format): a task has `data`, and comes back with the same `data`
and with `annotations`, each with the items of its `result`, who completed it, and when.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

from flywheel.data.annotations.form import Row
from flywheel.errors import DataError

INPUTS = "in_"
KEPT = ("prediction_id", "served_at", "asked", "why", "rubric", "drawn")  # of a row of the queue, beside the inputs
# What to paste into the labeling interface of a project: the names are those that `answers` looks for.
CONFIG = """<View>
  <Header value="$why"/>
  <Table name="prediction" value="$inputs"/>
  <Choices name="value" toName="prediction" choice="single" required="true">
    <Choice value="it happened" alias="1"/>
    <Choice value="it did not happen" alias="0"/>
  </Choices>
  <TextArea name="comment" toName="prediction" placeholder="what makes it hard"/>
</View>"""


def tasks(rows: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    """The rows of a queue as tasks to import."""
    return [
        {
            "data": {name: row[name] for name in KEPT}
            | {"inputs": {name.removeprefix(INPUTS): row[name] for name in row if name.startswith(INPUTS)}}
        }
        for row in rows
    ]


def answers(content: bytes, name: str) -> list[Row]:
    """The annotations of an export, as rows with the cells of `form.ANSWERS`; their numbers are those of the tasks.

    `annotator` is who completed it, raw: an address, or Label Studio's number of the user. The day is that of the last change,
    in UTC. What was skipped is left out. DataError when this is no export of Label Studio.
    """
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise DataError(f"{name}: not UTF-8. Export it from Label Studio as JSON again.") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name} is not JSON ({error}). Export it from Label Studio as JSON again.") from None
    if not isinstance(found, list):
        raise DataError(
            f"{name}: found no list of tasks. Export it from Label Studio as JSON, which is neither JSON-MIN nor CSV."
        )
    rows: list[Row] = []
    for number, task in enumerate(found, 1):
        data, said = (task.get(key) for key in ("data", "annotations")) if isinstance(task, dict) else (None, None)
        if not isinstance(data, dict) or not isinstance(said, list) or "prediction_id" not in data:
            raise DataError(
                f"{name}, task {number}: found no data with a prediction_id, or no annotations. Export the tasks that "
                "`flywheel queue --label-studio` made, from Label Studio as JSON, which is neither JSON-MIN nor CSV."
            )
        rows += [(number, _cells(data, one)) for one in said if isinstance(one, dict) and not one.get("was_cancelled")]
    return rows


def _cells(data: Mapping[str, Any], annotation: Mapping[str, Any]) -> dict[str, str]:
    """One annotation of a task as cells; what it does not say is empty."""
    moment = annotation.get("updated_at") or annotation.get("created_at")
    kept = {name: str(data.get(name) or "") for name in ("prediction_id", "asked", "rubric", "drawn")}
    return kept | {
        "value": ", ".join(_said(annotation, "value", "choices")),
        "comment": "\n".join(_said(annotation, "comment", "text")),
        "annotator": _who(annotation.get("completed_by")),
        "answered_on": _day(moment),
    }


def _said(annotation: Mapping[str, Any], control: str, kind: str) -> list[str]:
    """What was chosen or written in the control of a name."""
    result = annotation.get("result")
    items = [one for one in result if isinstance(one, dict)] if isinstance(result, list) else []
    values = [one.get("value") for one in items if one.get("from_name") == control]
    found = [one.get(kind) for one in values if isinstance(one, dict)]
    return [str(text) for one in found for text in (one if isinstance(one, list) else [one])]


def _who(completed_by: object) -> str:
    """Who completed it: an address where the export has it, else the number under which Label Studio knows somebody."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    if completed_by is None:
        return ""
    return f"label studio {completed_by}" if isinstance(completed_by, int) else str(completed_by)


def _day(moment: object) -> str:
    """The UTC day of a moment such as 2030-01-31T22:16:08.728353Z; as it is, if it is none."""
    try:
        found = dt.datetime.fromisoformat(str(moment))
    except ValueError:
        return "" if moment is None else str(moment)
    return (found if found.tzinfo is None else found.astimezone(dt.UTC)).date().isoformat()
