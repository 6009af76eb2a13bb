"""Every path of the project, and all its reads and writes.

A write goes to `.flywheel/tmp/` first and is then moved over its target in one step. So a reader, or a run after
`kill -9`, sees the old file or the new one, never part of one.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flywheel.errors import DataError, refusal, told

if TYPE_CHECKING:  # table libraries load slowly, and the commands use only paths and JSON
    import pandas as pd
    import pyarrow as pa


EVENTS = Path("data/events")
CORRECTIONS = EVENTS / "corrections.json"
LATE = Path("data/late")
LATE_LEDGER = LATE / "ledger.json"
VALID = Path("data/valid")
REJECTED = Path("data/rejected")
LABELS = Path("data/labels.parquet")
QUARANTINE = Path("data/quarantine.parquet")
VOICES = Path("data/voices.parquet")
WITHOUT_OUTCOME = Path("data/without_outcome.parquet")
WEIGHTS = Path("data/weights.parquet")
FEATURES = Path("data/features")
VINTAGES = Path("data/vintages")
CANDIDATE = Path("models/candidate")
CHAMPION = Path("models/champion")
REPORTS = Path("reports")
QUALITY = REPORTS / "quality.json"
LABEL_REPORT = REPORTS / "labels.json"
FEEDBACK_REPORT = REPORTS / "feedback.json"
VOICES_REPORT = REPORTS / "voices.json"
LEARNING = REPORTS / "learning"
METRICS = REPORTS / "metrics.json"
COHORTS = REPORTS / "cohorts.json"
BEHAVIOUR = REPORTS / "behaviour.json"
LEAKS = REPORTS / "leaks.json"
ROBUSTNESS = REPORTS / "robustness.json"
SLICES = REPORTS / "slices.json"
SELECTION = REPORTS / "selection.json"
COST = REPORTS / "cost.json"
CURVES = REPORTS / "curves"
DECISION = REPORTS / "decision.json"
MONITOR = REPORTS / "monitor.json"
DRIFT = REPORTS / "drift.json"
TRIGGER = REPORTS / "trigger.json"
REPORT = REPORTS / "report.md"
YOU_SAID = REPORTS / "you_said.md"
ANSWERS = Path("docs/answers.yaml")
FORGOTTEN = Path("docs/forgotten.yaml")
ANNOTATIONS = Path("annotations")
QUEUE = ANNOTATIONS / "queue.csv"
PLOTS = REPORTS / "plots"
PIPELINE = Path("dvc.yaml")
LOCAL = Path(".flywheel")
TMP = LOCAL / "tmp"
BACKFILL = LOCAL / "backfill"
FORGET = LOCAL / "forget"
LATENCY = LOCAL / "cost.json"  # how long models take is true of one machine, so it is no output
FITTED = LOCAL / "fit.json"
MADE_BY = re.compile(r"([1-9][0-9]{0,8})-")  # the process that a name in TMP begins with


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file, then move it to `path` in one step. DataError when the disk refuses."""
    temporary = TMP / f"{mine()}{path.name}"
    try:
        TMP.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path} could not be written: {refusal(error)} What was there is unchanged.") from error
    finally:
        with contextlib.suppress(OSError):  # the first error says more
            temporary.unlink(missing_ok=True)


def mine() -> str:
    """How the names in `.flywheel/tmp/` begin that this process gives."""
    return f"{os.getpid()}-"


def drop_abandoned() -> None:
    """Delete from `.flywheel/tmp/` what no living process has made: its name begins with no number, or that of a dead one."""
    for path in TMP.iterdir() if TMP.is_dir() else ():
        pid = MADE_BY.match(path.name)
        if pid and _is_alive(int(pid[1])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def _is_alive(pid: int) -> bool:
    """Whether a process of this number is at work, whoever started it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one step."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes in one step."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def write_json(path: Path, value: Any, digits: int = 6) -> None:
    """Write JSON with floats rounded to `digits`, so that two machines write the same bytes. NaN becomes null."""
    text = json.dumps(_rounded(value, digits), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read JSON. DataError when the file is missing or broken, or holds NaN or Infinity, which are no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise DataError(f"{path} is missing. Make it with: flywheel run") from None
    except OSError as error:
        raise told(error) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}). Delete it and make it again with: flywheel run") from None


def _refuse(constant: str) -> None:
    raise ValueError(f"it holds {constant}")


def write_parquet(path: Path, frame: pd.DataFrame, metadata: Mapping[str, str] | None = None) -> None:
    """Write a frame, without its index, in one step; `metadata` goes into the file's footer."""
    import pyarrow as pa

    write_table(path, pa.Table.from_pandas(frame, preserve_index=False), metadata)


def write_table(path: Path, table: pa.Table, metadata: Mapping[str, str] | None = None) -> None:
    """Write an Arrow table in one step; `metadata` goes into the file's footer."""
    import pyarrow.parquet as pq

    noted = table.replace_schema_metadata(dict(metadata or {}))
    write_atomically(path, lambda temporary: pq.write_table(noted, temporary, compression="zstd"))


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read one Parquet file. DataError when it is missing or broken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=columns)
    except FileNotFoundError:
        raise DataError(f"{path} is missing. Make it with: flywheel run") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}). Restore it with `dvc checkout`, "
            "or delete it and run `flywheel run`, which makes it again."
        ) from None


def as_frame(table: pa.Table) -> pd.DataFrame:
    """An Arrow table as a frame."""
    frame: pd.DataFrame = table.to_pandas()
    return frame


def read_parquet(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Read one Parquet file as a frame. DataError when it is missing or broken."""
    return as_frame(read_table(path, columns))


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata in the footer of a Parquet file; empty if there is none."""
    return {key.decode(): value.decode() for key, value in (_read_schema(path).metadata or {}).items()}


def read_names(path: Path) -> list[str]:
    """The names of the columns of a Parquet file. DataError when it is missing or broken."""
    names: list[str] = _read_schema(path).names
    return names


def _read_schema(path: Path) -> pa.Schema:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except FileNotFoundError:
        raise DataError(f"{path} is missing. Make it with: flywheel run") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet ({error}). Delete it and run `flywheel run`.") from None


def write_folder(target: Path, texts: Mapping[str, str | bytes]) -> None:
    """Make a folder hold exactly these files, written in their order, each in one step."""
    # All before anything is replaced.
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in texts.items()}
    for name, content in contents.items():
        write_bytes(target / name, content)
    for path in target.iterdir():
        if path.name not in texts:
            path.unlink()


def empty_folder(path: Path) -> None:
    """Make sure that the folder exists and is empty."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True, exist_ok=True)


def _rounded(value: Any, digits: int) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item, digits) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return round(value, digits) + 0.0  # no negative zero
    return value
