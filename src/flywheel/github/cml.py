"""The command `cml`, if it is installed. Everything it does works without it too, so a failure is printed and never raised."""

from __future__ import annotations

import os
import shutil
import subprocess


def run(token: str, *arguments: str, timeout_s: float = 120) -> bool:
    """Whether `cml` did what the arguments say. False if it is not installed or failed; a failure is printed."""
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
        print(f"`cml {' '.join(arguments[:2])}` failed ({said}); continuing without CML.", flush=True)
    return not said
