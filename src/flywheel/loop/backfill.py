"""Collecting days again because the source was corrected, or because rows came late; and what that did to the last metrics."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flywheel import files, git
from flywheel.data.evidence import CollectedDay, CorrectedFile, Correction
from flywheel.errors import ConfigError, DataError
from flywheel.evaluation.evidence import read_decision, read_evidence
from flywheel.loop import pipeline, turn
from flywheel.loop.compose import write
from flywheel.loop.settings import AllParams
from flywheel.release.messages import reason

if TYPE_CHECKING:  # table libraries load slowly
    import pandas as pd

    from flywheel.data.annotations.arriving import Arriving
    from flywheel.data.collection import Hiding
    from flywheel.data.sources import Source

LONGEST_WHY = 500
MOST_WITHDRAWN = 20  # rows of feedback of a day that may all be gone without --emptied
METRICS = ("auc", "log_loss")


@dataclass(frozen=True)
class Standing:
    """Where the loop stands: the candidate's metrics, the verdict, and what they rest on."""

    metrics: Mapping[str, float | None]
    verdict: str
    labels: pd.Series
    features: Mapping[str, str]


@dataclass(frozen=True)
class Effect:
    """What a correction did: its record, where the loop stood before and after, and the run that brought it there."""

    correction: Correction
    before: Standing
    after: Standing
    outcome: turn.Outcome


def backfill(first: str, last: str, why: str, say: turn.Say = print, emptied: bool = False) -> Effect | None:
    """Collect the days from `first` to `last` again, store what differs as their new versions, and run; None if nothing does.

    What can be refused is refused before anything is read. The old versions stay in the cache under the commit's `dvc.lock`:
    so the results must be complete, and committed. With `emptied` a day may lose all its feedback.
    """
    span = days_of(first, last)
    why = reason("--why", why)
    if len(why) > LONGEST_WHY:
        raise ConfigError(f"--why: found {len(why)} letters; at most {LONGEST_WHY} are allowed. Say it in fewer words.")
    who = git.author()
    pipeline.finish_correction(say)
    now = turn.as_before(say)
    check_days(span, now.params.clock.as_of)
    check_committed()
    write(now)
    check_current()
    before = standing()
    correction = prepare(now.params, span, who, why, say, emptied)
    if correction is None:
        return None
    from flywheel.data.corrections import finish

    finish()
    say(f"backfill  {len(correction['days'])} of {len(span)} days have changed; new versions are stored")
    ran, seconds = pipeline.run(say=say)
    return Effect(correction, before, standing(), turn.Outcome(ran, seconds))


def days_of(first: str, last: str) -> list[dt.date]:
    """The days from `first` to `last`, both included. ConfigError when these are no days, or in the wrong order."""
    found = []
    for option, given in (("--from", first), ("--to", last)):
        try:
            found.append(dt.date.fromisoformat(given))
        except ValueError:
            raise ConfigError(f"{option}: found {given!r}; allowed is a day such as 2013-03-01.") from None
    if found[0] > found[1]:
        raise ConfigError(f"--from: found {first}, which is after --to {last}; allowed is a day up to that. Swap them.")
    return [found[0] + dt.timedelta(days=n) for n in range((found[1] - found[0]).days + 1)]


def check_days(span: Sequence[dt.date], as_of: dt.date) -> None:
    """ConfigError when a day has not come yet; DataError when one was not collected."""
    from flywheel.data.collection import open_ledger, whole_days

    if span[-1] >= as_of:
        raise ConfigError(
            f"--to: found {span[-1]}, but the clock is at {as_of}; allowed is a day before it. Later days are collected once "
            "the clock has passed them: flywheel tick"
        )
    here = whole_days(open_ledger())
    missing = [day for day in span if day not in here]
    if missing:
        collected = f"{min(here)} to {max(here)}" if here else "none; make them with: flywheel run"
        raise DataError(f"{missing[0]} was not collected, so it cannot be corrected. Collected are {collected}.")


def check_committed() -> None:
    """DataError where something is not committed: then nothing would name the old versions of what is corrected."""
    changed = git.changed_files()
    if changed:
        raise DataError(
            f"{changed[0]} is not committed{f', and {len(changed) - 1} more' if len(changed) > 1 else ''}. The commit's "
            "dvc.lock is what names the old versions, and its reports are what the correction is compared with. Commit first."
        )


def check_current() -> None:
    """DataError where the results are not those of the data here: what a correction does could not be told from the rest."""
    if not pipeline.is_current():
        raise DataError(
            "the results are not those of the data and settings here. Finish the run, and commit it: flywheel run"
        )


def prepare(
    params: AllParams, span: Sequence[dt.date], who: str, why: str, say: turn.Say, emptied: bool = False
) -> Correction | None:
    """Read the days again, keep what differs beside `data/`, and make it count; None, and nothing kept, where nothing does."""
    from flywheel.data import corrections
    from flywheel.data.annotations import arriving
    from flywheel.data.collection import check_clock, check_identity, hiding, key_check, same_world
    from flywheel.data.identity import KEY_CHECK, identity
    from flywheel.data.sources import Foretold, open_source

    source, how = open_source(params.source), hiding(params.collect, params.privacy)
    check_clock(params.clock, source)
    world = identity(params.source) | {KEY_CHECK: key_check(how.key)}
    same_world(world)
    gone = [day for day in span if not source.first_day <= day <= source.last_day]
    if gone:
        raise DataError(
            f"the source has no {gone[0]} any more; it has {source.first_day} to {source.last_day}. To store that day as an "
            "empty one would lose it, so nothing was changed. Choose other days."
        )
    if isinstance(source, Foretold):
        source.expect(span)
    answers = arriving.read(
        how.vocabulary, how.key or "", params.source.first_day is not None or params.source.share < 1
    )
    files.empty_folder(files.BACKFILL)
    days: dict[str, CollectedDay] = {}
    changed: dict[str, dict[str, CorrectedFile]] = {}
    for day in span:
        noted, differing = collect_again(source, day, how, answers, emptied)
        if differing:
            days[day.isoformat()], changed[day.isoformat()] = noted, differing
    if not changed:
        corrections.finish()  # which throws away what does not count
        say("backfill  the source gives these days as they were collected. Nothing was changed.")
        return None
    check_identity(world)
    correction: Correction = {
        "first": span[0].isoformat(),
        "last": span[-1].isoformat(),
        "as_of": params.clock.as_of.isoformat(),
        "who": who,
        "why": why,
        "days": changed,
    }
    corrections.prepare({"correction": correction, "days": days})
    return correction


def collect_again(
    source: Source, day: dt.date, how: Hiding, answers: Arriving, emptied: bool = False
) -> tuple[CollectedDay, dict[str, CorrectedFile]]:
    """Write the files of a day that differ from the stored ones beside `data/`; returns the day's new entry in the ledger,
    and what is recorded of these files. DataError when the source has lost the day (`check_emptied`)."""
    from flywheel.data import tables
    from flywheel.data.collection import came_in, digests, entry, store
    from flywheel.data.ledger import digest_of
    from flywheel.monitoring.versions import row_changes

    came = came_in(source, day, how, answers)
    changed: dict[str, CorrectedFile] = {}
    was = digests(day)
    now = dict(was)
    n_served = len(came["predictions"].rows)
    for table, one in came.items():
        old, new = (tables.day_path(folder, table, day) for folder in (files.EVENTS, files.BACKFILL))
        store(new, one, f"{table} of {day}", how)
        before, after = files.read_table(old), files.read_table(new)
        if before.num_rows and not after.num_rows:
            check_emptied(table, day, before.num_rows, n_served, emptied)
        if digest_of(new) == was[table] or after.equals(before, check_metadata=True):
            new.unlink()
        else:
            now[table] = digest_of(new)
            differing = row_changes(files.as_frame(before), files.as_frame(after), [tables.ID[table]])
            changed[table] = {
                "digests": [was[table] or "", now[table] or ""],
                "rows": [before.num_rows, after.num_rows],
                "changed": differing.total,
            }
    return entry(source, now, came), changed


def check_emptied(table: str, day: dt.date, n: int, n_served: int, emptied: bool) -> None:
    """DataError when the source has lost a table of a day, of which `n` rows are stored. Feedback may have been withdrawn:
    a few rows where the day's predictions (`n_served`) are there, any where a person says with `emptied` that it is meant."""
    may_be_meant = table == "feedback"
    if may_be_meant and (emptied or (n_served and n <= MOST_WITHDRAWN)):
        return
    meant = "; if it was all withdrawn, say so with --emptied" if may_be_meant else ""
    raise DataError(
        f"the source has no {table} of {day} any more; rows that are stored of it: {n:,}. To store that day as an empty one "
        f"would lose them, so nothing was changed. Mend the source, or choose other days{meant}."
    )


def standing() -> Standing:
    """The last metrics and verdict, the labels that hold, and a digest of each day of features."""
    from flywheel.data import tables
    from flywheel.features import days
    from flywheel.labels.revisions import known_before

    measured, decision = read_evidence()[0], read_decision()
    as_of = dt.date.fromisoformat(decision["as_of"])
    held = known_before(files.read_parquet(files.LABELS), tables.timestamp(as_of)).set_index("prediction_id")["label"]
    features = {day.isoformat(): days.outputs(day) for day in tables.days_in(files.FEATURES)}
    return Standing(
        {name: measured["candidate"][name]["value"] for name in METRICS}, decision["verdict"], held, features
    )


def changed_labels(before: pd.Series, after: pd.Series) -> int:
    """How many predictions have a label that is new, gone, or another one."""
    one, other = before.align(after)
    return int((one.fillna(-1) != other.fillna(-1)).sum())


def changed_days(before: Mapping[str, str], after: Mapping[str, str]) -> int:
    """How many days of features are new, gone, or other ones."""
    return sum(before.get(day) != after.get(day) for day in before.keys() | after.keys())


def in_words(effect: Effect) -> list[tuple[str, str]]:
    """What a correction did, a pair of name and sentence each."""
    changed = [file for tables in effect.correction["days"].values() for file in tables.values()]
    rows = [sum(file["rows"][at] for file in changed) for at in (0, 1)]
    n_rows = sum(file["changed"] for file in changed)
    before, after = effect.before, effect.after
    said = [
        ("days", f"{len(effect.correction['days'])} changed"),
        ("rows", f"{n_rows:,} changed; {rows[0]:,} -> {rows[1]:,} in the files that differ"),
        ("labels", f"{changed_labels(before.labels, after.labels):,} changed"),
        ("features", f"{changed_days(before.features, after.features)} of {len(after.features)} days changed"),
    ]
    for name in METRICS:
        values = ["–" if one.metrics[name] is None else f"{one.metrics[name]:.4f}" for one in (before, after)]
        said.append((name, f"{values[0]} -> {values[1]}, the candidate's"))
    return [*said, ("verdict", f"{before.verdict} -> {after.verdict}")]
