"""A backfill stores new versions of days, whole and with a record or not at all, and refuses what would lose something."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from flywheel import files, git
from flywheel.data import forgetting, tables, tombstones
from flywheel.data.corrections import PENDING, agree, finish, since
from flywheel.data.evidence import Correction, read_corrections, read_late
from flywheel.data.privacy import DEMO_KEY, hash_id
from flywheel.data.tombstones import People, Tombstone, tombstone
from flywheel.errors import ConfigError, DataError
from flywheel.loop import backfill, objects, pipeline
from flywheel.loop.backfill import (
    Effect,
    Standing,
    changed_days,
    changed_labels,
    check_days,
    days_of,
    in_words,
    prepare,
)
from flywheel.loop.turn import Outcome
from flywheel.stages.collect import CollectParams, main
from tests.planted import SOURCES, CountingSource, contents, day, feedback, prediction, settings

LATE = feedback("f9", "p1", "01T15")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_HASH_KEY", raising=False)
    monkeypatch.delenv("GIT_AUTHOR_NAME", raising=False)


def three_days(*late: dict[str, Any], **second: Any) -> CountingSource:
    """Three days with one prediction and one outcome each; feedback that came late for the first, and a second prediction
    that was another one."""
    said = {n: [feedback(f"f{n}", f"p{n}", f"0{n}T12")] for n in (1, 2, 3)}
    served = {n: [prediction(f"p{n}", f"0{n}T10", **(second if n == 2 else {}))] for n in (1, 2, 3)}
    return CountingSource(served, said | {1: [*said[1], *late]})


def collect(source: CountingSource, as_of: int = 4) -> str:
    """Run the stage with the clock on a day of the month."""
    SOURCES["planted"] = source
    return main(settings(CollectParams, clock={"follow": "replay", "as_of": day(as_of).isoformat()}))


def correct(
    source: CountingSource, first: int = 1, last: int = 3, why: str = "late", emptied: bool = False
) -> Correction | None:
    """What a backfill prepares, carried through."""
    SOURCES["planted"] = source
    params: Any = settings(CollectParams, clock={"follow": "replay", "as_of": "2030-01-04"})
    found = prepare(params, tables.day_range(day(first), day(last + 1)), "Ann", why, lambda _: None, emptied)
    finish()
    return found


def test_what_the_source_gives_now_becomes_the_version_of_the_day() -> None:
    """As if it had been collected so: late feedback of the first day, another size on the second; late rows are no longer."""
    collect(three_days())
    collect(three_days(LATE))
    assert 1 == read_late()["feedback"]["rows"]
    before = contents(files.EVENTS)
    correction = correct(three_days(LATE, in_size=9))
    after = contents(files.EVENTS)
    assert {"feedback/2030-01-01.parquet", "predictions/2030-01-02.parquet", "ledger.json", "corrections.json"} == {
        name for name in after if after[name] != before.get(name)
    }
    assert ({}, ["ledger.json"]) == (read_late(), list(contents(files.LATE)))
    assert "0 new days of 3, 0 duplicates dropped" == collect(three_days(LATE, in_size=9))
    files.CORRECTIONS.unlink()
    made = contents(files.EVENTS)
    for path in files.EVENTS.rglob("*.*"):
        path.unlink()
    collect(three_days(LATE, in_size=9))
    assert made == contents(files.EVENTS)
    assert correction is not None


def test_the_record_says_what_changed_who_wanted_it_and_why() -> None:
    """Of each changed file both digests, both numbers of rows, and how many rows differ; in the order of the corrections."""
    collect(three_days())
    ledger = files.read_json(files.EVENTS / "ledger.json")
    correct(three_days(LATE), why="first")
    correct(three_days(LATE, in_size=9), first=2, last=2, why="second")
    first, second = read_corrections()
    assert ("2030-01-01", "2030-01-03", "2030-01-04", "Ann", "first") == tuple(
        first[name] for name in ("first", "last", "as_of", "who", "why")
    )
    assert {"2030-01-01": ["feedback"]} == {name: list(changed) for name, changed in first["days"].items()}
    file = first["days"]["2030-01-01"]["feedback"]
    assert ([1, 2], 1, ledger["2030-01-01"]["feedback"]) == (file["rows"], file["changed"], file["digests"][0])
    assert file["digests"][1] == files.read_json(files.EVENTS / "ledger.json")["2030-01-01"]["feedback"]
    assert ([1, 1], 1) == tuple(second["days"]["2030-01-02"]["predictions"][name] for name in ("rows", "changed"))


def test_where_nothing_differs_nothing_is_changed() -> None:
    """Not a byte, and nothing is left beside the data."""
    collect(three_days())
    before = contents(Path())
    assert correct(three_days()) is None
    assert before == contents(Path())


class Killed(BaseException):
    """What no code catches."""


def killed_at(monkeypatch: pytest.MonkeyPatch, n: int, work: Callable[[], object]) -> bool:
    """Let the n-th move of a file, or deletion of the pending record, be the last thing that happens; False if work ends."""
    count, replace, unlink = iter(range(10**6)), os.replace, Path.unlink

    def moved(*arguments: Any) -> None:
        if next(count) == n:
            raise Killed
        replace(*arguments)

    def deleted(path: Path, **options: Any) -> None:
        if path == PENDING and next(count) == n:
            raise Killed
        unlink(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", moved)
        patched.setattr(Path, "unlink", deleted)
        try:
            work()
        except Killed:
            return True
    return False


def test_killed_at_any_step_the_next_run_finds_the_old_days_or_the_new_ones_with_their_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a day that differs from the ledger, never a change that nobody recorded; before the record is whole: the old."""
    now = three_days(LATE, in_size=9)
    found: list[bool] = []
    for n in range(100):
        (tmp_path / str(n)).mkdir()
        monkeypatch.chdir(tmp_path / str(n))
        collect(three_days())
        old = contents(files.EVENTS)
        was_killed = killed_at(monkeypatch, n, lambda: correct(now))
        collect(now)  # which carries it through, and stops at a day that is not what was collected
        is_new = files.CORRECTIONS.exists()
        found.append(is_new)
        assert is_new == (old != contents(files.EVENTS))
        assert not files.BACKFILL.exists()
        if is_new:
            assert 1 == len(read_corrections())
            assert {"feedback/2030-01-01.parquet", "predictions/2030-01-02.parquet"} == {
                name for name in old if name != "ledger.json" and old[name] != contents(files.EVENTS)[name]
            }
        if not was_killed:
            break
    assert found == sorted(found)
    assert {True, False} == set(found)


def locked() -> str:
    """Let a cache hold the days as they are, as after a run; returns the hash that dvc.lock has of them."""
    name = objects.tree_hash(files.EVENTS)
    found = {path.relative_to(files.EVENTS).as_posix(): path for path in files.EVENTS.rglob("*.*")}
    listed = [{"md5": objects.md5(path), "relpath": one} for one, path in sorted(found.items())]
    for path in found.values():
        files.write_bytes(objects.place(CACHE, objects.md5(path)), path.read_bytes())
    files.write_text(objects.place(CACHE, name), json.dumps(listed, sort_keys=True))
    return name


CACHE = Path("cache")
FIRST = files.EVENTS / "feedback/2030-01-01.parquet"


@pytest.mark.parametrize("n_before", [0, 1])
def test_a_correction_that_no_run_has_followed_is_what_verify_believes(n_before: int) -> None:
    """Ledger and record vouch for its files, and the record goes on from that of the lock: not a byte is touched."""
    collect(three_days())
    if n_before:
        correct(three_days(in_size=9), why="before")
    name = locked()
    before = objects.place(CACHE, objects.md5(files.CORRECTIONS)) if n_before else None
    correct(three_days(LATE, in_size=9 * n_before))
    kept = contents(files.EVENTS)
    corrected = since(before)
    assert {FIRST, files.CORRECTIONS} <= corrected.keys()
    assert [] == objects.clean_workspace([(files.EVENTS, name)], CACHE, corrected)
    assert kept == contents(files.EVENTS)
    assert "0 new days of 3, 0 duplicates dropped" == collect(three_days(LATE, in_size=9 * n_before))


def test_what_neither_lock_nor_ledger_vouches_for_is_dropped_and_collected_again() -> None:
    """Other bytes on a corrected day come from the source, on another day from the cache; the record stays."""
    collect(three_days())
    name = locked()
    correct(three_days(LATE))
    kept = contents(files.EVENTS)
    other = files.EVENTS / "feedback/2030-01-02.parquet"
    for path in (FIRST, other):
        path.write_bytes(b"planted")
    assert [FIRST, other] == objects.clean_workspace([(files.EVENTS, name)], CACHE, since(None))
    assert (False, True) == (FIRST.exists(), other.exists())
    assert "1 new days of 3, 0 duplicates dropped" == collect(three_days(LATE))
    assert kept == contents(files.EVENTS)


def test_a_record_that_does_not_fit_vouches_for_nothing_and_the_ledger_follows_the_files() -> None:
    """Another past than the lock's, or another digest than the ledger's: the days are those of the lock, and can be used."""
    collect(three_days())
    correct(three_days(in_size=9), why="before")
    name, old, before = locked(), contents(files.EVENTS), Path("before.json")
    before.write_bytes(files.CORRECTIONS.read_bytes())
    correct(three_days(LATE, in_size=9))
    record = files.read_json(files.CORRECTIONS)
    files.write_json(files.CORRECTIONS, record[1:])
    assert {} == since(before)
    dropped = objects.clean_workspace([(files.EVENTS, name)], CACHE, {})
    agree(dropped)
    assert old.keys() == contents(files.EVENTS).keys()
    assert old[FIRST.relative_to(files.EVENTS).as_posix()] == FIRST.read_bytes()
    assert "0 new days of 3" in collect(three_days(in_size=9))


def distrust(name: str) -> list[str]:
    """What --verify says where dvc.lock has this hash of the days, and does before it runs."""
    out = SimpleNamespace(use_cache=True, fs_path=files.EVENTS.resolve(), hash_info=SimpleNamespace(value=name))
    legacy = SimpleNamespace(legacy=SimpleNamespace(path=CACHE))
    index = SimpleNamespace(stages=[SimpleNamespace(outs=[out])])
    said: list[str] = []
    pipeline._distrust(SimpleNamespace(index=index, root_dir=Path.cwd(), cache=legacy), said.append)
    return said


@pytest.mark.parametrize("n_before", [0, 1])
def test_at_an_earlier_commit_verify_takes_a_correction_back_that_a_run_has_followed(n_before: int) -> None:
    """The cache has its record, so another lock knows it: the days, the ledger and the record are those of this lock, and
    what was late is late again."""
    collect(three_days())
    if n_before:
        correct(three_days(in_size=9), why="before")
    name, old = locked(), contents(files.EVENTS)
    correct(three_days(LATE, in_size=9 * n_before or 3))
    locked()
    assert not any("no run has followed" in one for one in distrust(name))
    assert old == contents(files.EVENTS)
    assert "1 row came late" in collect(three_days(LATE))


def test_at_its_own_commit_verify_keeps_a_correction_that_no_run_has_followed() -> None:
    """The cache does not have its record yet."""
    collect(three_days())
    name = locked()
    correct(three_days(LATE))
    kept = contents(files.EVENTS)
    assert ["data      kept as corrected, which no run has followed yet: 1 file of days"] == distrust(name)
    assert kept == contents(files.EVENTS)


def test_a_correction_in_whose_days_somebody_was_forgotten_since_is_not_lost_by_verify() -> None:
    """The record has the digests of before, so nothing vouches for the days: it asks for a run first, and touches nothing."""
    collect(three_days())
    name = locked()
    files.FORGOTTEN.parent.mkdir()
    correct(three_days(LATE, feedback("f8", "p1", "01T16", channel="report", source_id="ann")))
    people = People(frozenset([tombstone(hash_id("ann", DEMO_KEY), DEMO_KEY)]), DEMO_KEY)
    tombstones.add(tombstones.read(), Tombstone(person=next(iter(people.tombstones)), as_of=day(4)), DEMO_KEY)
    assert forgetting.forget(people).files
    kept = contents(files.EVENTS)
    with pytest.raises(
        DataError, match=r"feedback/2030-01-01\.parquet was corrected and .* Finish the run first: flywheel run"
    ):
        distrust(name)
    assert kept == contents(files.EVENTS)
    FIRST.write_bytes(b"planted")
    assert not any("kept as corrected" in one for one in distrust(name))
    assert b"planted" != FIRST.read_bytes()


def test_a_pending_file_that_somebody_took_away_is_named() -> None:
    """It is neither prepared nor in its place, so nobody knows what the day should be."""
    collect(three_days())
    SOURCES["planted"] = three_days(LATE)
    params: Any = settings(CollectParams, clock={"follow": "replay", "as_of": "2030-01-04"})
    prepare(params, [day(1)], "Ann", "late", lambda _: None)
    (files.BACKFILL / "feedback/2030-01-01.parquet").unlink()
    with pytest.raises(
        DataError, match=r"feedback/2030-01-01.parquet: a correction of it was cut short.*flywheel backfill"
    ):
        finish()


def test_a_day_that_the_source_no_longer_has_is_not_emptied() -> None:
    """The source kept only its last days: to store the first as an empty one would lose it."""
    collect(three_days())
    before = contents(files.EVENTS)
    shorter = three_days()
    shorter.first_day = day(2)
    with pytest.raises(DataError, match="the source has no 2030-01-01 any more; it has 2030-01-02 to 2030-01-03"):
        correct(shorter)
    assert before == contents(files.EVENTS)


def without(source: CountingSource, *lost: str) -> CountingSource:
    """The source, which has no rows of these tables on the second day any more."""
    for table in lost:
        source.rows[table] = {**source.rows[table], 2: []}
    return source


@pytest.mark.parametrize(
    ("lost", "emptied"),
    [(["predictions"], False), (["predictions"], True), (tables.TABLES, True), (tables.TABLES, False)],
)
def test_a_day_between_others_that_the_source_has_lost_is_not_emptied(lost: Sequence[str], emptied: bool) -> None:
    """Its predictions are gone, as after a deletion, whatever is said of its feedback; the other days would be corrected."""
    collect(three_days())
    before = contents(files.EVENTS)
    source = without(three_days(LATE), *lost)
    with pytest.raises(DataError, match=r"no predictions of 2030-01-02 any more; .*: 1\. .*choose other days\.$"):
        correct(source, emptied=emptied)
    assert before == contents(files.EVENTS)
    finish()
    assert before == contents(files.EVENTS)


def plenty(n: int) -> CountingSource:
    """Three days, with so many pieces of feedback on the second."""
    source = three_days()
    source.rows["feedback"] = {**source.rows["feedback"], 2: [feedback(f"g{i}", "p2", "02T12") for i in range(n)]}
    return source


def test_a_day_whose_few_pieces_of_feedback_were_withdrawn_can_be_corrected() -> None:
    """Its predictions are there. The record says how many rows there were."""
    collect(plenty(20))
    correction = correct(without(plenty(20), "feedback"))
    assert correction is not None
    assert [20, 0] == correction["days"]["2030-01-02"]["feedback"]["rows"]
    assert "0 new days of 3, 0 duplicates dropped" == collect(without(plenty(20), "feedback"))


def test_a_day_that_lost_much_feedback_is_emptied_only_if_that_is_meant() -> None:
    """The message names the option."""
    collect(plenty(21))
    with pytest.raises(DataError, match=r"no feedback of 2030-01-02 any more; .*: 21\. .*say so with --emptied\.$"):
        correct(without(plenty(21), "feedback"))
    correction = correct(without(plenty(21), "feedback"), emptied=True)
    assert correction is not None
    assert [21, 0] == correction["days"]["2030-01-02"]["feedback"]["rows"]


def test_another_key_is_refused_before_anything_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The people of the corrected days would be other people."""
    collect(three_days())
    monkeypatch.setenv("FLYWHEEL_HASH_KEY", "another")
    with pytest.raises(DataError, match="key_check was"):
        correct(three_days(LATE))
    assert not files.BACKFILL.exists()


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2030-01-02", "2030-01-01", "--from: found 2030-01-02, which is after --to 2030-01-01"),
        ("yesterday", "2030-01-01", "--from: found 'yesterday'"),
        ("2030-01-01", "20300101x", "--to: found '20300101x'"),
    ],
)
def test_days_that_are_none_or_in_the_wrong_order_are_refused(first: str, last: str, said: str) -> None:
    """The option, what was found, what is allowed."""
    with pytest.raises(ConfigError, match=said):
        days_of(first, last)


def test_both_ends_are_corrected() -> None:
    """A single day, and the days between two."""
    assert [day(1)] == days_of("2030-01-01", "2030-01-01")
    assert [day(1), day(2), day(3)] == days_of("2030-01-01", "2030-01-03")


@pytest.mark.parametrize(
    ("span", "kind", "said"),
    [
        ([day(3), day(4)], ConfigError, "found 2030-01-04, but the clock is at 2030-01-04"),
        ([dt.date(2029, 12, 31), day(1)], DataError, "2029-12-31 was not collected.*2030-01-01 to 2030-01-03"),
    ],
)
def test_days_that_have_not_come_or_were_not_collected_are_refused(
    span: list[dt.date], kind: type[Exception], said: str
) -> None:
    """The first of them is named."""
    collect(three_days())
    with pytest.raises(kind, match=said):
        check_days(span, day(4))


@pytest.mark.parametrize("why", ["", "  ", "a\x07b", "x" * 501])
def test_a_reason_is_needed_and_is_short(why: str) -> None:
    """Before anything else is looked at."""
    with pytest.raises(ConfigError, match=r"^--why: found"):
        backfill.backfill("2030-01-01", "2030-01-01", why)


@pytest.fixture
def repository() -> None:
    """A repository in which dvc.lock is committed."""
    Path("dvc.lock").write_text("{}")
    for command in (
        ["init", "-q"],
        ["config", "user.email", "a@b"],
        ["config", "user.name", "Bob\x1b B."],
        ["add", "."],
    ):
        subprocess.run(["git", *command], check=True)
    subprocess.run(["git", "commit", "-qm", "start"], check=True)


@pytest.mark.usefixtures("repository")
def test_what_is_not_committed_is_refused() -> None:
    """Then no commit names the old version of the days."""
    backfill.check_committed()
    Path("dvc.lock").write_text("[]")
    with pytest.raises(DataError, match=r"dvc\.lock is not committed\. .* Commit first"):
        backfill.check_committed()


def test_a_run_that_did_not_finish_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could tell what the correction did from what the run would have done."""
    monkeypatch.setattr(pipeline, "is_current", lambda: False)
    with pytest.raises(DataError, match="Finish the run, and commit it: flywheel run"):
        backfill.check_current()


@pytest.mark.usefixtures("repository")
def test_who_corrects_is_who_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment stands before the configuration, as with Git; without control characters; nobody is an error."""
    assert "Bob B." == git.author()
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ann")
    assert "Ann" == git.author()
    monkeypatch.delenv("GIT_AUTHOR_NAME")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    subprocess.run(["git", "config", "--unset", "user.name"], check=True)
    with pytest.raises(DataError, match=r"git config user\.name"):
        git.author()


def test_the_effect_is_told_in_numbers() -> None:
    """One label is new, one is another; one day of features is another one; a metric that could not be measured is a dash."""
    before = Standing(
        {"auc": 0.7, "log_loss": None}, "pass", pd.Series({"p1": 1, "p2": 0, "p3": 1}), {"d1": "a", "d2": "b"}
    )
    after = Standing(
        {"auc": 0.71, "log_loss": 0.5}, "fail", pd.Series({"p1": 0, "p2": 0, "p3": 1, "p4": 1}), {"d1": "a", "d2": "c"}
    )
    file = {"digests": ["a", "b"], "rows": [10, 12], "changed": 3}
    record: Any = {"days": {"d1": {"feedback": file, "predictions": file}}}
    assert (2, 1) == (changed_labels(before.labels, after.labels), changed_days(before.features, after.features))
    assert {
        "days": "1 changed",
        "rows": "6 changed; 20 -> 24 in the files that differ",
        "labels": "2 changed",
        "features": "1 of 2 days changed",
        "auc": "0.7000 -> 0.7100, the candidate's",
        "log_loss": "– -> 0.5000, the candidate's",
        "verdict": "pass -> fail",
    } == dict(in_words(Effect(record, before, after, Outcome(True, 1.0))))
