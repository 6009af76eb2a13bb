"""The learning curve of a model, logged by DVCLive."""

from __future__ import annotations

import os

import numpy as np

from flywheel import files


def log_losses(losses: np.ndarray) -> None:
    """Log the loss after each tree as plain files, for DVC to draw, and nothing else."""
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    from dvclive import Live

    live = Live(str(files.LEARNING), save_dvc_exp=False, dvcyaml=None, report=None, monitor_system=False)
    for value in losses.tolist():
        live.log_metric("later/log_loss", value)
        live.next_step()
    live.end()
