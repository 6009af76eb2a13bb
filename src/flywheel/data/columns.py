"""The columns of the two tables: those that the loop needs, whatever the project, and those that it uses where they are."""

from __future__ import annotations

REQUIRED = {
    "predictions": ("prediction_id", "served_at"),
    "feedback": ("feedback_id", "prediction_id", "received_at", "channel", "value"),
}
OPTIONAL = {
    "predictions": ("user_id", "model_version", "score", "latency_ms", "error"),
    "feedback": ("source_id", "text", "rubric"),
}
# What the answers of annotators bring with them besides (`data/annotations`): why the loop asked. No table from outside has it.
ASKED = "asked"
