"""`python bench/files.py`: a million predictions and two million reports of Parquet files into day files, and a large CSV.

Limits: a minute and 2 GB for the Parquet files; a CSV of 2 GB in bounded memory. Both are made here, in a temporary folder. The
figures go to bench/files.json; `--quick` measures a tenth and writes nothing.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from collecting import collect

ROOT = Path(__file__).parents[1]
QUICK = "--quick" in sys.argv
DAYS = 100
ROWS = 100_000 if QUICK else 1_000_000  # predictions
CSV_BYTES = 2 * 10**8 if QUICK else 2 * 10**9
SERVED = {"prediction_id": "id", "served_at": "at", "in_place": "place", "in_size": "size", "in_wind": "wind"}
SAID = {"prediction_id": "id", "received_at": "at", "source_id": "who", "value": "value"}


def main() -> None:
    """Measure, print and write the results."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder))
    print(json.dumps(found, indent=1))
    if not QUICK:
        (ROOT / "bench/files.json").write_text(json.dumps(found, indent=1) + "\n")


def measure(folder: Path) -> dict[str, Any]:
    """All figures."""
    plant(folder)
    parquet = read(options(folder / "served.parquet", folder / "said.parquet"))
    half = read(options(folder / "half.parquet", None), DAYS // 2)
    whole = read(options(folder / "served.csv", None))
    return {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "rows": 3 * ROWS,
        "parquet_seconds": round(parquet[0], 1),
        "parquet_peak_mib": round(parquet[1]),
        "half_of_the_predictions_alone_seconds": round(half[0], 1),
        "csv_bytes": (folder / "served.csv").stat().st_size,
        "csv_seconds": round(whole[0], 1),
        "csv_peak_mib": round(whole[1]),
    }


def plant(folder: Path) -> None:
    """The tables, in files: reports come an hour and two hours after their predictions."""
    rng = np.random.default_rng(1)
    served = pd.DataFrame(
        {
            "id": [f"p{n:09}" for n in range(ROWS)],
            "at": pd.Timestamp("2030-01-01", tz="UTC")
            + pd.to_timedelta(np.arange(ROWS) * (DAYS * 86400 / ROWS), unit="s"),
            "place": rng.choice(["north", "south", "east", "west"], ROWS),
            "size": rng.integers(1, 10, ROWS),
            "wind": rng.random(ROWS),
        }
    )
    served.to_parquet(folder / "served.parquet")
    served.iloc[: ROWS // 2].to_parquet(folder / "half.parquet")
    said = [
        pd.DataFrame(
            {
                "id": served["id"],
                "at": served["at"] + pd.Timedelta(hours=hours),
                "who": [f"user {n % 5000}" for n in range(ROWS)],
                "value": np.where(rng.random(ROWS) < 0.3, "late", "fine"),
            }
        )
        for hours in (1, 2)
    ]
    pd.concat(said).to_parquet(folder / "said.parquet")
    written = served.assign(note="x" * 200).to_csv(index=False).encode()
    header, rows = written.split(b"\n", 1)
    with (folder / "served.csv").open("wb") as file:
        file.write(header + b"\n")
        while file.tell() < CSV_BYTES:  # the ids repeat, which is for another stage to tell
            file.write(rows)


def options(served: Path, said: Path | None) -> dict[str, Any]:
    """What conf would say of the files."""
    feedback = (
        [{"path": str(said), "columns": SAID, "channel": "report", "values": {"late": 1, "fine": 0}}] if said else []
    )
    return {"predictions": {"path": str(served), "columns": SERVED}, "feedback": feedback}


def read(found: dict[str, Any], days: int = DAYS) -> tuple[float, float]:
    """Seconds and peak memory of collecting so many days."""
    return collect("files", found, str((pd.Timestamp("2030-01-01") + pd.Timedelta(days=days)).date()))


if __name__ == "__main__":
    main()
