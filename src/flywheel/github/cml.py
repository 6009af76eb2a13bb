"""The command `cml`, where it is installed. Whatever it does can be done without it, so a failure is told and never raised."""

from __future__ import annotations

import os
import shutil
import subprocess


def run(token: str, *arguments: str, timeout_s: float = 120) -> bool:
    """Whether `cml` did what the arguments say. False where it is not installed, or where it failed, which is printed."""
    if not shutil.which("cml"):
        return False
    env = {**os.environ, "REPO_TOKEN": token, "ITERATIVE_DO_NOT_TRACK": "1"}
    try:
        done = subprocess.run(
            ["cml", *arguments],
            env=env,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=timeout_s,
        )
        said = "" if done.returncode == 0 else (done.stderr or done.stdout).strip()[-300:] or "it gave no reason"
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said:
        print(f"`cml {' '.join(arguments[:2])}` failed ({said}); going on without CML.", flush=True)
    return not said
