"""What the evidence says, in words: names of metrics, and which of them are better when higher."""

from __future__ import annotations

HIGHER_IS_BETTER = {
    "auc": True,
    "average_precision": True,
    "log_loss": False,
    "brier": False,
    "ece": False,
    "precision": True,
    "recall": True,
    "utility": True,
}


IN_WORDS = {
    "auc": "AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "precision": "precision of alerts",
    "recall": "recall of alerts",
    "alert_rate": "share of alerts",
    "utility": "utility per 1,000 predictions",
}
