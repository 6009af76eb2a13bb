"""Stage `collect`: fetch the days that are missing, without personal data. The only stage that talks to the outside.

Run it with `python -m flywheel.stages.collect`.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Sequence

from flywheel import files
from flywheel.data import forgetting
from flywheel.data.annotations import arriving
from flywheel.data.collection import (
    LEDGER,
    check_clock,
    check_identity,
    collect_day,
    complete_days,
    hiding,
    key_check,
    open_ledger,
    whole_days,
)
from flywheel.data.corrections import finish
from flywheel.data.identity import KEY_CHECK, identity
from flywheel.data.late import keep_late
from flywheel.data.settings import Collect, Privacy, Source
from flywheel.data.sources import Foretold, LeavesOut, open_source
from flywheel.errors import ConfigError
from flywheel.params import Clock, Params, Project, clock_place, remembered
from flywheel.project import own_files
from flywheel.stages import run_stage


class CollectParams(Params):
    """`params.yaml` as the stage `collect` sees it."""

    clock: Clock
    project: Project
    source: Source
    collect: Collect
    privacy: Privacy


def main(params: CollectParams) -> str:
    """Write one file a day and table to `data/events/`, from the first day up to the clock, and late rows to `data/late/`.

    Whoever was forgotten is in none of them, and leaves those that are here."""
    own_files(
        params.source.factory, "source.factory", params.project.code
    )  # all of them are where DVC sees them change
    source = open_source(params.source)
    how = hiding(params.collect, params.privacy)
    as_of = params.clock.as_of
    check_clock(params.clock, source)
    check_identity(identity(params.source) | {KEY_CHECK: key_check(how.key)})
    finish()
    answers = arriving.read(
        how.vocabulary, how.key or "", params.source.first_day is not None or params.source.share < 1
    )
    answers.check_before(source.first_day)
    forgetting.finish()
    here = whole_days(open_ledger())
    taken = forgetting.forget(how.forgotten)
    ledger = open_ledger()
    if here and max(here) >= as_of:
        raise ConfigError(
            f"clock.as_of: found {as_of}, but data/events holds days up to {max(here)}. The clock cannot go back over "
            f"collected days. {clock_place(remembered())} Or look back in a fresh clone (or here, after `make clean`)."
        )
    days = [day for day in complete_days(source, as_of) if day not in here]
    if isinstance(source, Foretold):
        source.expect(days)
    dropped = 0
    for day in shown(days):
        ledger[day.isoformat()], twice = collect_day(source, day, how, answers)
        dropped += twice
        files.write_json(LEDGER, dict(sorted(ledger.items())))
    late = keep_late(source, ledger, how, answers)
    n_days = len(here) + len(days)
    behind = (as_of - source.last_day).days - 1
    n_late = sum(one["rows"] for one in late.values())
    said = f"; {n_late:,} {'row' if n_late == 1 else 'rows'} came late" if n_late else ""
    said += f"; {forgetting.in_words(taken)}" if taken.files else ""
    said += f"; the source ends {behind} days before the clock" if behind > 0 else ""
    n_waiting = answers.later(max(here | set(days), default=source.first_day))
    said += (
        f"; {n_waiting:,} {'answer' if n_waiting == 1 else 'answers'} of annotators for later days" if n_waiting else ""
    )
    for place, n in source.left_out.items() if isinstance(source, LeavesOut) else ():
        said += f"; {n:,} {'row' if n == 1 else 'rows'} with a moment beyond the calendar in {place} left out"
    return f"{len(days)} new days of {n_days}, {dropped} duplicates dropped{said}"


def shown(days: Sequence[dt.date]) -> Iterable[dt.date]:
    """The days, with a bar that moves on for a person who waits. Where nobody looks, nothing is loaded to draw it."""
    if not sys.stderr.isatty():
        return days
    from rich.console import Console
    from rich.progress import track

    return track(days, "collect", console=Console(stderr=True), transient=True)


if __name__ == "__main__":
    run_stage(main, CollectParams)
