"""The learning curve of a fit, logged by DVCLive."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from flywheel import files


def learning_curve() -> Any:
    """A DVCLive logger that writes plain files and nothing else."""
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    from dvclive import Live

    return Live(str(files.LEARNING), save_dvc_exp=False, dvcyaml=None, report=None, monitor_system=False)


def log_iteration(live: Any) -> Callable[[Any], None]:
    """A LightGBM callback that logs each iteration, rounded, because the last bits depend on the number of threads."""

    def callback(env: Any) -> None:
        for data, metric, value, *_ in env.evaluation_result_list:
            live.log_metric(f"{data}/{metric}", round(value, 6))
        live.next_step()

    return callback
