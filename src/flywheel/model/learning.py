"""The learning curve of a model, logged by DVCLive."""

from __future__ import annotations

import os

import numpy as np

from flywheel import files
from flywheel.errors import ConfigError


def log_losses(losses: np.ndarray) -> None:
    """Log the loss after each tree as plain files, for DVC to draw, and nothing else.

    ConfigError in a repository without a commit: DVCLive tells runs apart by the commit that they begin from.
    """
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    from dvclive import Live
    from scmrepo.exceptions import SCMError

    try:
        live = Live(str(files.LEARNING), save_dvc_exp=False, dvcyaml=None, report=None, monitor_system=False)
    except SCMError as error:
        raise ConfigError(
            f"fits are logged by the commit that they begin from, and there is none ({error}). "
            "Make the first one: git add --all && git commit --message start"
        ) from None
    for step, value in enumerate(losses.tolist()):
        live.step = step  # next_step would write the summary as well, and wait for the disk, after each tree
        live.log_metric("later/log_loss", value)
    live.end()
