"""Stage `label`: conclude from all feedback what happened, how certain that is, and since when it is known.

Run it with `python -m flywheel.stages.label`.
"""

from __future__ import annotations

import json

from flywheel import files, shapes
from flywheel.data import tables
from flywheel.data.ledger import Ledger, fingerprint
from flywheel.labels import verdicts
from flywheel.labels.annotators import describe_annotators
from flywheel.labels.audit import describe_answers
from flywheel.labels.conclude import conclude
from flywheel.labels.quarantine import describe, out_since, quarantine
from flywheel.labels.revisions import known_before
from flywheel.labels.settings import Label, Voices
from flywheel.labels.summary import describe_feedback, summarize
from flywheel.labels.texts.said import with_texts
from flywheel.labels.voices import describe_voices, understand
from flywheel.params import Clock, Params
from flywheel.stages import run_stage


class LabelParams(Params):
    """`params.yaml` as the stage `label` sees it."""

    clock: Clock
    label: Label
    voices: Voices


def main(params: LabelParams) -> str:
    """Write labels, quarantine and topics into `data/`; `labels.json`, `feedback.json` and `voices.json` into `reports/`.

    `data/without_outcome.parquet` has the labels that voices alone would give to predictions with an outcome.
    """
    upstream = shapes.read(files.VALID / "ledger.json", Ledger)["fingerprint"]
    said_of = verdicts.read()
    judged_by = {name: one.model_dump(mode="json") for name, one in said_of.items()}
    mark = fingerprint("label", params.label.model_dump(), judged_by, upstream)
    days = [day for day in tables.stored_days(files.VALID, "feedback") if day < params.clock.as_of]
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
    feedback = tables.read_days(files.VALID, "feedback", days, columns)
    inputs = [f"in_{name}" for name in params.label.prior_by]
    predictions = tables.read_days(files.VALID, "predictions", days, ["prediction_id", "served_at", *inputs])
    claims = with_texts(feedback, params.label.texts)
    rows = quarantine(claims, params.label.quarantine)
    judged = verdicts.judge(rows, said_of)
    files.write_parquet(files.QUARANTINE, judged.assign(found=judged["found"].map(json.dumps).astype("str")))
    out = out_since(claims, judged)
    concluded = conclude(claims, predictions, params.label, params.clock.as_of, out)
    annotators = describe_annotators(concluded, predictions, params.label, params.clock.as_of)
    predictions = predictions[["prediction_id", "served_at"]]
    revisions = concluded.revisions.merge(predictions, on="prediction_id", how="left")
    files.write_parquet(files.LABELS, revisions, {"fingerprint": mark})
    files.write_parquet(files.WITHOUT_OUTCOME, concluded.without_outcome)
    current = known_before(revisions, tables.timestamp(params.clock.as_of))
    found = summarize(current, predictions, claims, concluded)
    found["quarantine"] = describe(judged, out, verdicts.idle(rows, said_of))
    found["annotators"] = annotators
    answers = describe_answers(feedback, revisions)
    if answers is not None:
        found["answers"] = answers
    files.write_json(files.LABEL_REPORT, found)
    files.write_json(files.FEEDBACK_REPORT, describe_feedback(feedback, current))
    voices = understand(
        feedback[feedback["rubric"].isna()], params.voices
    )  # annotators' comments are no words of users
    files.write_parquet(files.VOICES, voices.drop(columns="text"))
    files.write_json(files.VOICES_REPORT, describe_voices(voices, days[0], params.clock.as_of, params.voices))
    return f"{len(current):,} labels for {len(predictions):,} predictions ({found['coverage']:.1%})"


if __name__ == "__main__":
    run_stage(main, LabelParams)
