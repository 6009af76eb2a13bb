"""Whoever is forgotten leaves the stored days, and every day to come; all else stays as it is, to the byte."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel import files
from flywheel.data import forgetting, tables, tombstones
from flywheel.data.collection import LEDGER, open_ledger
from flywheel.data.evidence import read_late
from flywheel.data.ledger import digest_of
from flywheel.data.privacy import DEMO_KEY, hash_id
from flywheel.data.tombstones import People, Tombstone, tombstone
from flywheel.errors import ConfigError, DataError
from flywheel.labels.settings import Texts
from flywheel.loop.backfill import prepare
from flywheel.loop.forget import claiming, look, persons
from flywheel.loop.settings import AllParams
from flywheel.stages.collect import CollectParams, main
from flywheel.stages.validate import ValidateParams
from flywheel.stages.validate import main as validate
from tests.planted import (
    ON_DISK,
    SOURCES,
    CountingSource,
    PlantedSource,
    contents,
    day,
    feedback,
    furnish,
    prediction,
    settings,
)

USERS = ("ann", "bob", "eve")
Rows = dict[int, list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_HASH_KEY", raising=False)
    furnish(tmp_path)


def collect(source: PlantedSource, as_of: int = 4, **changes: Any) -> str:
    """Run the stage with the clock on a day of the month."""
    SOURCES["planted"] = source
    return main(settings(CollectParams, clock={"follow": "replay", "as_of": day(as_of).isoformat()}, **changes))


def bury(*names: str, key: str = DEMO_KEY) -> None:
    """Write the tombstones of some people."""
    for name in names:
        one = Tombstone(person=tombstone(hash_id(name, key), key), as_of=dt.date(2030, 1, 4))
        tombstones.add(tombstones.read(), one, key)


def nobody() -> None:
    files.FORGOTTEN.write_text("key_check: null\npeople: []\n")


def served(number: int, *users: str | None) -> list[dict[str, Any]]:
    """A prediction of a day for each user."""
    return [prediction(f"p{number}{n}", f"{number:02}T1{n}", user_id=user) for n, user in enumerate(users)]


def said(number: int, *by: tuple[str, str | None], **changes: Any) -> list[dict[str, Any]]:
    """Feedback of a day, by channel and source."""
    return [
        feedback(f"f{number}{n}", f"p{number}0", f"{number:02}T1{n}:30", channel=channel, source_id=source, **changes)
        for n, (channel, source) in enumerate(by)
    ]


def world() -> CountingSource:
    """Three days: each of three people is served on the first two; on the third only one is."""
    mixed = [("outcome", "feed"), ("report", "ann"), ("ticket", "bob"), ("annotation", "eve"), ("rating", "ann")]
    return CountingSource(
        {1: served(1, "ann", "bob", "eve"), 2: served(2, "bob", "ann", None), 3: served(3, "eve")},
        {1: said(1, *mixed), 2: said(2, ("report", "ann")), 3: said(3, ("report", "bob"), ("outcome", "ann"))},
    )


def ids_of(table: str) -> list[str | None]:
    """Who is named in the stored days of a table, in order of arrival."""
    found = tables.read_days(files.EVENTS, table)[forgetting.COLUMN[table]]
    return [None if pd.isna(one) else one for one in found]


def test_feedback_goes_predictions_stay_without_an_id_and_so_do_outcomes() -> None:
    """An annotator is known by a name that was never hashed; the same person may be both."""
    collect(world())
    was = [hash_id(name, DEMO_KEY) for name in USERS]
    assert [*was, was[1], was[0], None, was[2]] == ids_of("predictions")
    bury("ann", "eve")
    line = collect(world())
    assert "4 rows and 5 ids of people who were forgotten left 6 files" in line
    assert [None, was[1], None, was[1], None, None, None] == ids_of("predictions")
    assert ["feed", was[1], was[1], None] == ids_of("feedback")
    assert [] == forgetting.remaining(People(frozenset(one.person for one in tombstones.read().people), DEMO_KEY))


def test_what_may_have_taught_a_model_is_found_by_its_day() -> None:
    """A ticket of the first day counts where texts claim; a report of the third always does."""
    collect(world())
    [bob] = persons("bob", DEMO_KEY)
    texts = Texts(accuracy=0.8, says_1={"en": ("late",)}, says_0={}, negations={})
    label = settings(AllParams).label
    for one, days in ((None, [3]), (texts, [1, 3])):
        found = look(bob, claiming(label.model_copy(update={"texts": one})))
        assert [day(n) for n in days] == sorted(found.votes)


def test_days_without_them_are_not_touched(tmp_path: Path) -> None:
    """Not even written anew; and a second run has nothing to do."""
    collect(world())
    before = {path: path.stat().st_mtime_ns for path in files.EVENTS.rglob("*.parquet")}
    bury("eve")
    collect(world())
    after = {path: path.stat().st_mtime_ns for path in files.EVENTS.rglob("*.parquet")}
    changed = {path.relative_to(files.EVENTS).as_posix() for path in before if before[path] != after[path]}
    assert {
        "predictions/2030-01-01.parquet",
        "feedback/2030-01-01.parquet",
        "predictions/2030-01-03.parquet",
    } == changed
    assert "forgotten" not in collect(world())


who = st.sampled_from((*USERS, None))
channels = st.sampled_from(("outcome", "report", "rating", "ticket", "annotation"))
texts = st.sampled_from((None, "late", "mail ann@example.com"))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """Two tables of three days, with gaps, rows without an id, and rows that came twice."""
    predictions, heard = dict[int, Any](), dict[int, Any]()
    for number in (1, 2, 3):
        predictions[number] = served(number, *draw(st.lists(who, min_size=1, max_size=4)))
        rows = [
            feedback(
                draw(st.sampled_from([f"f{number}{n}", f"f{number}0", None])),
                f"p{number}0",
                f"{number:02}T1{n}",
                channel=draw(channels),
                source_id=draw(who),
                text=draw(texts),
            )
            for n in range(draw(st.integers(0, 5)))
        ]
        heard[number] = rows
    return predictions, heard


@ON_DISK
@given(tables_of=worlds(), first=st.sampled_from(USERS), then=st.sampled_from(USERS))
def test_forgetting_one_after_the_other_is_the_same_as_never_having_stored_them(
    tables_of: tuple[Rows, Rows], first: str, then: str
) -> None:
    """A fresh clone that collects again has the bytes of the tree that forgot; and bytes of other days are as before."""
    for folder in ("data", ".flywheel"):
        shutil.rmtree(folder, ignore_errors=True)
    nobody()
    collect(CountingSource(*tables_of))
    before = contents(files.EVENTS)
    for name in dict.fromkeys((first, then)):
        bury(name)
        collect(CountingSource(*tables_of))
    forgot = contents(files.EVENTS)
    shutil.rmtree("data")
    collect(CountingSource(*tables_of))
    assert contents(files.EVENTS) == forgot
    gone = {first, then}
    for number in (1, 2, 3):
        named = {"predictions": {row["user_id"] for row in tables_of[0][number]}}
        named["feedback"] = {row["source_id"] for row in tables_of[1][number]}
        for table, people in named.items():
            place = f"{table}/2030-01-0{number}.parquet"
            if not people & gone:
                assert forgot[place] == before[place]


def test_a_new_day_a_late_row_and_a_backfill_bring_nobody_back() -> None:
    """What a forgotten person says tomorrow is not stored, what they said too late does not wait."""
    source = world()
    collect(source, as_of=3)
    bury("bob")
    late = feedback("f9", "p10", "01T15", channel="report", source_id="bob")
    heard = {**source.rows["feedback"], 1: [*source.rows["feedback"][1], late]}
    more = CountingSource(source.rows["predictions"], heard)
    assert "came late" not in collect(more)
    assert {} == read_late()
    bob = hash_id("bob", DEMO_KEY)
    assert bob not in ids_of("predictions") + ids_of("feedback")
    params = settings(CollectParams, clock={"follow": "replay", "as_of": "2030-01-04"})
    again = prepare(_as_all(params), [day(1), day(2), day(3)], "me", "why", lambda _: None)
    assert again is None


def _as_all(params: CollectParams) -> AllParams:
    """What a backfill reads of the settings."""
    return AllParams.model_construct(
        **{name: getattr(params, name) for name in ("clock", "source", "collect", "privacy")}
    )


def test_a_prediction_that_lost_its_id_is_good_and_one_that_came_without_is_not() -> None:
    """The contract does not allow null; it is broken by what came, not by what was forgotten."""
    source = world()
    collect(source)
    bury("ann")
    collect(source)
    validate(settings(ValidateParams, clock={"as_of": "2030-01-04"}, validate={"max_rejected_share": 1.0}))
    good = tables.read_days(files.VALID, "predictions")
    assert ["p10", "p11", "p12", "p20", "p21", "p30"] == good["prediction_id"].tolist()
    rejected = files.read_parquet(tables.day_path(files.REJECTED, "predictions", day(2)))
    assert [("p22", "user_id: null")] == list(zip(rejected["prediction_id"], rejected["rule"], strict=True))
    assert "f31" in tables.read_days(files.VALID, "feedback")["feedback_id"].tolist()  # the outcome
    quality = files.read_json(files.QUALITY)
    assert {"people": 1, "first": "2030-01-04", "last": "2030-01-04", "models": {}} == quality["forgotten"]


def test_where_nobody_was_forgotten_the_report_of_the_data_says_nothing() -> None:
    """Its bytes are those of a project that has never heard of forgetting."""
    collect(world())
    validate(settings(ValidateParams, clock={"as_of": "2030-01-04"}, validate={"max_rejected_share": 1.0}))
    assert "forgotten" not in files.read_json(files.QUALITY)


def test_a_tombstone_is_neither_the_id_nor_the_hash_and_needs_the_key() -> None:
    """Who has the file and the data, but not the key, cannot tell which of them belong together."""
    bury("ann")
    text = files.FORGOTTEN.read_text()
    hashed = hash_id("ann", DEMO_KEY)
    assert "ann" not in text.split("people:")[1]
    assert hashed not in text
    assert tombstone(hashed, DEMO_KEY) != tombstone(hashed, "another key")
    assert tombstone(hashed, DEMO_KEY)[:16] != hash_id(hashed, DEMO_KEY)


def test_without_the_key_or_with_another_one_nothing_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would come back, under another hash perhaps."""
    bury("ann")
    with pytest.raises(ConfigError, match=r"FLYWHEEL_HASH_KEY is empty or unset, and docs/forgotten\.yaml"):
        collect(world(), collect={"allow_demo_key": False})
    monkeypatch.setenv("FLYWHEEL_HASH_KEY", "another")
    with pytest.raises(ConfigError, match="is not the key that the people in"):
        collect(world())
    assert not LEDGER.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- nobody", "must have the keys"),
        ("key_check: null\npeople: [", "is not YAML"),
        ("key_check: null\npeople: [{person: ann, as_of: 2030-01-01}]", r"people\.0\.person"),
        (f"key_check: null\npeople: [{{person: '{'a' * 32}', as_of: 2030-01-01}}]", "key_check is null"),
        ("people: []", "key_check"),
        ("<<<<<<< ours\nkey_check: null\n=======\npeople: []\n>>>>>>> theirs\n", "is not YAML"),
    ],
)
def test_a_broken_list_stops_the_run(text: str, said: str) -> None:
    """Nobody comes back because somebody mistyped."""
    files.FORGOTTEN.write_text(text)
    with pytest.raises(ConfigError, match=said) as error:
        tombstones.read()
    assert "git checkout docs/forgotten.yaml" in str(error.value)
    assert "In the middle of a merge keep the entries of both sides" in str(error.value)


def test_somebody_whom_two_branches_forgot_is_one_person() -> None:
    """Their merge has two entries; the report counts people, and people whom a model had learned from."""
    entries = [
        {"person": letter * 32, "as_of": day(n), "models": ("v1",)} for letter, n in (("a", 2), ("a", 1), ("b", 3))
    ]
    found = tombstones.describe(
        tombstones.Tombstones(key_check="0" * 8, people=tuple(Tombstone(**one) for one in entries))
    )
    assert {"people": 2, "first": f"{day(1)}", "last": f"{day(3)}", "models": {"v1": 2}} == found


def dies_after(steps: int, names: Sequence[str], **changes: Any) -> bool:
    """Collect in a process of its own, which dies at its n-th move of a file; whether it lived to the end."""
    child = os.fork()
    if child == 0:  # nothing here may return
        left, move = [steps], os.replace

        def counted(*arguments: Any) -> None:
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            move(*arguments)

        os.replace = counted  # type: ignore[assignment]
        try:
            bury(*names)
            collect(world(), **changes)
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def test_a_death_at_any_step_leaves_nothing_half_done_and_loses_nothing() -> None:
    """Before the tombstone is there nothing has happened; after it the next run carries it through, whichever file was last."""
    collect(world())
    before = contents(Path("data"))
    shutil.copytree("data", "as it was")
    bury("ann")
    collect(world())
    expected = contents(Path("data"))
    assert expected != before
    steps = 0
    while True:
        for folder in ("data", ".flywheel"):
            shutil.rmtree(folder)
        shutil.copytree("as it was", "data")
        nobody()
        is_whole = dies_after(steps, ["ann"])
        is_buried = bool(tombstones.read().people)
        assert is_buried == (steps > 0)
        collect(world())
        assert contents(Path("data")) == (expected if is_buried else before)
        assert not files.FORGET.exists()
        steps += 1
        if is_whole:
            break
    assert steps > 10


def test_a_day_that_somebody_changed_meanwhile_is_not_believed() -> None:
    """One sentence that says what to do, and nothing is overwritten."""
    collect(world())
    place = "feedback/2030-01-01.parquet"
    files.write_json(forgetting.PENDING, {"files": {place: "0" * 16}, "days": {}})
    with pytest.raises(DataError, match="dvc checkout --force data/events"):
        forgetting.finish()
    assert tables.day_path(files.EVENTS, "feedback", day(1)).exists()


def test_the_ledger_follows_the_files() -> None:
    """So the next run finds no day that is not what was collected."""
    collect(world())
    bury("ann", "bob", "eve")
    collect(world())
    for name, entry in open_ledger().items():
        for table in tables.TABLES:
            path = files.EVENTS / table / f"{name}.parquet"
            assert digest_of(path) == dict(entry)[table]
