"""`python bench/sql.py`: rows a second from a real PostgreSQL over loopback into day files, against plain reads.

A million predictions and as many reports, ten days of each, in a server of its own (the package pgserver). Plain reads of the
same rows are `COPY … TO STDOUT`, which nobody looks at, and psycopg's rows as Python objects; both store nothing. Memory is
measured on half of the days as well: rows beyond a quarter of a GiB wait on disk. The figures go to bench/sql.json; `--quick`
measures a tenth and writes nothing.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from collecting import collect

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]
from tests.postgres import Postgres

A_DAY = 10_000 if "--quick" in sys.argv else 100_000  # predictions
DAYS = 10
TRIES = 3
SERVED = {
    "prediction_id": "id",
    "served_at": "at",
    "user_id": "who",
    "model_version": "version",
    "score": "score",
    "latency_ms": "ms",
    "error": "error",
    "in_place": "place",
    "in_size": "size",
    "in_wind": "wind",
}
SAID = {"prediction_id": "id", "received_at": "at", "source_id": "who", "value": "value"}
PLANT = f"""
create table served as select 'p' || lpad(g::text, 9, '0') as id, timestamptz '2030-01-01+00' + g * interval '1 day' / {A_DAY}
  as at, 'user ' || g % 5000 as who, 'v1.2.0' as version, random() as score, 20 + random() * 50 as ms, null::text as error,
  (array['north', 'south', 'east', 'west'])[1 + g % 4] as place, g % 9 as size, random() as wind
  from generate_series(0, {A_DAY * DAYS - 1}) g;
create table said as select id, at + interval '1 second' as at, who, case when random() < 0.3 then 'late' else 'fine' end
  as value from served where at < timestamptz '2030-01-01+00' + interval '{DAYS} days' - interval '1 second';
create index on served (at);
create index on said (at);
analyze;
"""


def main() -> None:
    """Measure, print and write the results."""
    server = Postgres()
    try:
        with psycopg.connect(server.address(), autocommit=True) as connection:
            connection.execute(PLANT)
            counted = connection.execute(
                "select (select count(*) from served) + (select count(*) from said)"
            ).fetchone()
        n = counted[0] if counted else 0
        found = measure(server.address(), n)
    finally:
        server.close()
    print(json.dumps(found, indent=1))
    if "--quick" not in sys.argv:
        (ROOT / "bench/sql.json").write_text(json.dumps(found, indent=1) + "\n")


def measure(address: str, n: int) -> dict[str, Any]:
    """All figures. What is compared takes turns, and the best counts: noise only adds."""
    turns = [(read(address, DAYS), best(lambda: copied(address)), best(lambda: fetched(address))) for _ in range(TRIES)]
    (seconds, peak), copy, fetch = (
        min(turn[0] for turn in turns),
        min(turn[1] for turn in turns),
        min(turn[2] for turn in turns),
    )
    _, half = read(address, DAYS // 2)
    return {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "rows": n,
        "rows_a_second_into_day_files": round(n / seconds),
        "rows_a_second_copy": round(n / copy),
        "rows_a_second_psycopg": round(n / fetch),
        "ratio_to_copy": round(seconds / copy, 2),
        "ratio_to_psycopg": round(seconds / fetch, 2),
        "peak_mib": round(peak),
        "peak_mib_half_of_the_days": round(half),
    }


def best(work: Callable[[], None]) -> float:
    """The seconds of some work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def copied(address: str) -> None:
    """Both tables as COPY gives them, thrown away."""
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        for columns, table in ((SERVED, "served"), (SAID, "said")):
            with cursor.copy(f"copy (select {', '.join(columns.values())} from {table}) to stdout") as copy:
                for _ in copy:
                    pass


def fetched(address: str) -> None:
    """Both tables as Python objects, through a cursor on the server, thrown away."""
    with psycopg.connect(address) as connection:
        for columns, table in ((SERVED, "served"), (SAID, "said")):
            with connection.cursor("plain") as cursor:
                cursor.execute(f"select {', '.join(columns.values())} from {table}")
                while cursor.fetchmany(20_000):
                    pass


def read(address: str, days: int) -> tuple[float, float]:
    """The stage in a process of its own: its seconds, and its peak memory in MiB."""
    options = {
        "address_env": "WAREHOUSE_URL",
        "predictions": {"table": "served", "columns": SERVED},
        "feedback": [{"table": "said", "columns": SAID, "channel": "report", "values": {"late": 1, "fine": 0}}],
    }
    return collect("sql", options, f"2030-01-{1 + days:02}", WAREHOUSE_URL=address)


if __name__ == "__main__":
    main()
