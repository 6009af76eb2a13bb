"""kill -9 during collect, thirty times, with files and with PostgreSQL: nothing is lost, nothing is doubled."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
import yaml

from flywheel import files
from flywheel.params import load
from flywheel.stages.collect import CollectParams, main
from tests.planted import ROOT, contents, settings
from tests.postgres import Postgres

pytestmark = pytest.mark.slow

KILLS = 30
DAYS = 40
COLUMNS = {"prediction_id": "id", "served_at": "at", "user_id": "who", "in_size": "size"}
OUTCOME = {"value": "late", "known_after": "30h", "values": {"yes": 1, "no": 0}}
# A process that has loaded what collect needs, and forks: the work begins at once, and may be killed anywhere in it.
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    [
        "flywheel.stages.collect",
        "flywheel.data.sources.sql",
        "flywheel.data.sources.files",
        "pyarrow.csv",
        "pandas",
        "psycopg",
    ]
)


def frame() -> pd.DataFrame:
    """Some rows a day; every tenth came twice."""
    n = np.arange(DAYS * 20)
    at = pd.Timestamp("2030-01-01", tz="UTC") + pd.to_timedelta(n * 72, unit="min")
    rows = pd.DataFrame(
        {"id": [f"p{one}" for one in n], "at": at, "who": n % 7, "size": n % 9, "late": np.where(n % 3, "yes", "no")}
    )
    return pd.concat([rows, rows[rows["size"] == 0]]).sort_values(["at", "id"], ignore_index=True)


def in_files() -> dict[str, Any]:
    frame().to_csv("served.csv", index=False)
    return {"predictions": {"path": "served.csv", "columns": COLUMNS}, "outcome": OUTCOME}


def in_postgres(server: Postgres) -> dict[str, Any]:
    rows = frame()
    with psycopg.connect(server.address()) as connection:
        connection.execute("drop table if exists killed")
        connection.execute("create table killed (id text, at timestamptz, who int, size int, late text)")
        with connection.cursor().copy("copy killed from stdin") as copy:
            for row in rows.itertuples(index=False):
                copy.write_row([one.item() if isinstance(one, np.generic) else one for one in row])
    return {"address_env": "WAREHOUSE_URL", "predictions": {"table": "killed", "columns": COLUMNS}, "outcome": OUTCOME}


def collect(folder: str, address: str) -> None:
    """The stage, in a process of its own."""
    os.chdir(folder)
    os.environ["WAREHOUSE_URL"] = address
    main(load(CollectParams))


@pytest.mark.parametrize("kind", ["files", "sql"])
def test_a_collect_that_is_killed_thirty_times_stores_the_bytes_of_an_undisturbed_one(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Wherever it is killed, the next one goes on; when it is done it begins anew."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("WAREHOUSE_URL", "")
    server = request.getfixturevalue("postgres") if kind == "sql" else None
    work = str(tmp_path), server.address() if server else ""
    options = in_postgres(server) if server else in_files()
    end = (pd.Timestamp("2030-01-01") + pd.Timedelta(days=DAYS)).date().isoformat()
    params = settings(CollectParams, clock={"as_of": end}, collect={"allow_demo_key": True}).model_dump(mode="json")
    params["source"] |= {"factory": kind, "options": options}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    started = time.monotonic()
    collect(*work)
    whole = time.monotonic() - started
    expected = contents(files.EVENTS)
    assert 2 * DAYS + 2 == len(expected)
    rng, kills, in_the_middle = random.Random(1), 0, 0
    shutil.rmtree(files.EVENTS)
    while kills < KILLS:
        process = FORKING.Process(target=collect, args=work)
        process.start()
        process.join(rng.uniform(0, whole))
        if process.is_alive():
            process.kill()
            process.join()
            kills += 1
            in_the_middle += 0 < len(contents(files.EVENTS)) < len(expected)
            continue
        assert process.exitcode == 0
        assert contents(files.EVENTS) == expected
        shutil.rmtree(files.EVENTS)
    collect(*work)
    assert contents(files.EVENTS) == expected
    assert in_the_middle > KILLS / 3
