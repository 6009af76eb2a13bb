"""Stage `collect` on a planted source of a few rows a day."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flywheel import files
from flywheel.data import tables
from flywheel.data.collection import expected, hash_key, hide_users
from flywheel.data.privacy import DEMO_KEY
from flywheel.errors import ConfigError, DataError
from flywheel.stages.collect import CollectParams, main
from tests.planted import SOURCES, PlantedSource, at, contents, day, feedback, prediction, settings


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLYWHEEL_HASH_KEY", raising=False)


def three_days() -> PlantedSource:
    """Three days with one prediction and one outcome each."""
    return PlantedSource(
        {n: [prediction(f"p{n}", f"0{n}T10")] for n in (1, 2, 3)},
        {n: [feedback(f"f{n}", f"p{n}", f"0{n}T12")] for n in (1, 2, 3)},
    )


def collect(source: PlantedSource, as_of: int, **options: Any) -> str:
    """Run the stage on a source with the clock on a day of the month, which does not follow the calendar."""
    SOURCES["planted"] = source
    clock = {"follow": "replay", "as_of": day(as_of).isoformat()}
    return main(settings(CollectParams, clock=clock, source={"options": options}))


def stored(table: str, number: int) -> pd.DataFrame:
    return files.read_parquet(tables.day_path(files.EVENTS, table, day(number)))


def hashed(name: str, key: str = DEMO_KEY) -> str:
    return hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()[:16]


def test_each_day_before_the_clock_becomes_one_file_of_each_table() -> None:
    """With the clock on the third day, the first two days are there and the third is not."""
    collect(three_days(), as_of=3)
    expected = [f"{table}/2030-01-0{n}.parquet" for table in ("feedback", "predictions") for n in (1, 2)]
    assert sorted([*expected, "ledger.json", "source.json"]) == sorted(contents(files.EVENTS))


def test_a_later_run_asks_for_new_days_only() -> None:
    """When the clock moves by a day, the source is asked for that day alone."""
    source = three_days()
    collect(source, as_of=3)
    source.asked.clear()
    collect(source, as_of=4)
    assert [("predictions", 3), ("feedback", 3)] == source.asked


def test_a_source_that_wants_to_know_is_told_the_days_first() -> None:
    """Those that are missing, before any of them is asked for."""

    class Foretelling(PlantedSource):
        def expect(self, days: Sequence[dt.date]) -> None:
            self.asked += [("expected", one.day) for one in days]

    three = three_days()
    source = Foretelling(three.rows["predictions"], three.rows["feedback"])
    collect(source, as_of=2)
    source.asked.clear()
    collect(source, as_of=4)
    assert [("expected", 2), ("expected", 3)] == source.asked[:2]
    assert [("predictions", 2), ("feedback", 2), ("predictions", 3), ("feedback", 3)] == source.asked[2:]


def test_a_stored_day_is_never_changed() -> None:
    """A source that later says something else about an old day changes no byte of it."""
    collect(three_days(), as_of=3)
    before = contents(files.EVENTS)
    source = three_days()
    source.rows["predictions"] = {n: [prediction(f"other{n}", f"0{n}T11")] for n in (1, 2, 3)}
    collect(source, as_of=4)
    after = contents(files.EVENTS)
    del before["ledger.json"]
    assert before == {name: after[name] for name in before}


def test_a_day_that_was_changed_after_it_arrived_stops_the_run() -> None:
    """An arrived day never changes: the message names the file and how to fix it; a deleted day is collected again."""
    collect(three_days(), as_of=3)
    path = tables.day_path(files.EVENTS, "feedback", day(1))
    before = path.read_bytes()
    path.write_bytes(before[:-10])
    with pytest.raises(DataError, match=rf"^{path} is not what was collected"):
        collect(three_days(), as_of=4)
    path.unlink()
    collect(three_days(), as_of=4)
    assert before == path.read_bytes()


@pytest.mark.parametrize("value", ["", None])
def test_a_lost_secret_stops_a_project_with_real_users(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is not there arrives as an empty text or not at all: the public key stands in only where that is said."""
    monkeypatch.delenv("FLYWHEEL_HASH_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("FLYWHEEL_HASH_KEY", value)
    demo = settings(CollectParams, collect={"allow_demo_key": True}).collect
    assert hash_key(demo) == DEMO_KEY
    key = hash_key(demo.model_copy(update={"allow_demo_key": False}))
    with pytest.raises(ConfigError, match=r"FLYWHEEL_HASH_KEY is empty or unset.*user_id"):
        hide_users(pd.DataFrame({"user_id": ["ann", None]}), key, "FLYWHEEL_HASH_KEY")


def test_where_nobody_is_named_no_key_is_needed_and_any_later_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outcomes of a machine need no secret; once somebody is named, they do."""
    demo = {"allow_demo_key": False}

    def run(as_of: int, **person: Any) -> str:
        rows = {n: [prediction(f"p{n}", f"0{n}T10", **person)] for n in (1, 2, 3)}
        SOURCES["planted"] = PlantedSource(rows, {n: [feedback(f"f{n}", f"p{n}", f"0{n}T12")] for n in (1, 2, 3)})
        clock = {"follow": "replay", "as_of": day(as_of).isoformat()}
        return main(settings(CollectParams, clock=clock, collect=demo))

    assert run(2, user_id=None).startswith("1 new days of 1")
    with pytest.raises(ConfigError, match="the column user_id names people"):
        run(3, user_id="ann")
    monkeypatch.setenv("FLYWHEEL_HASH_KEY", "secret")
    assert run(3, user_id="ann").startswith("1 new days of 2")
    monkeypatch.setenv("FLYWHEEL_HASH_KEY", "another")
    with pytest.raises(DataError, match="key_check was"):
        run(4, user_id="ann")


def test_a_row_without_an_id_gets_one_from_what_it_says() -> None:
    """The same row twice is a duplicate; another word makes another row. The id shows nothing of whom it names."""
    rows = [feedback("", "p1", "01T12", channel="report", source_id=who, value=1) for who in ("ann", "ann", "bob")]
    for row in rows:
        del row["feedback_id"]
    said = collect(PlantedSource({1: [prediction("p1", "01T10")]}, {1: rows}), as_of=2)
    assert "1 duplicates dropped" in said
    ids = stored("feedback", 1)["feedback_id"].tolist()
    assert (2, {20}) == (len(set(ids)), {len(one) for one in ids})


def test_day_by_day_gives_the_same_bytes_as_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three runs with a moving clock and one run to the same clock store the same files."""
    for as_of in (2, 3, 4):
        collect(three_days(), as_of=as_of)
    step_by_step = contents(files.EVENTS)
    (tmp_path / "again").mkdir()
    monkeypatch.chdir(tmp_path / "again")
    collect(three_days(), as_of=4)
    assert contents(files.EVENTS) == step_by_step


def test_the_first_of_two_rows_with_one_id_is_kept() -> None:
    """A prediction delivered twice on a day is there once, as it came first."""
    source = PlantedSource(
        {1: [prediction("p1", "01T10", score=0.1), prediction("p2", "01T11"), prediction("p1", "01T12", score=0.9)]}, {}
    )
    collect(source, as_of=2)
    assert [("p1", 0.1), ("p2", 0.5)] == list(
        stored("predictions", 1)[["prediction_id", "score"]].itertuples(index=False, name=None)
    )


def test_dropped_duplicates_are_counted_in_the_footer_of_their_file() -> None:
    """One prediction came twice and one outcome three times: 1 and 2 were dropped."""
    source = PlantedSource(
        {1: [prediction("p1", "01T10"), prediction("p1", "01T10")]},
        {1: [feedback("f1", "p1", "01T12"), feedback("f1", "p1", "01T12"), feedback("f1", "p1", "01T13")]},
    )
    line = collect(source, as_of=2)
    footers = {name: files.read_metadata(tables.day_path(files.EVENTS, name, day(1))) for name in tables.TABLES}
    assert {"predictions": {"duplicates": "1"}, "feedback": {"duplicates": "2"}} == footers
    assert "1 new days of 1, 3 duplicates dropped" == line


def test_user_ids_of_predictions_are_hashed_with_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored id is the keyed hash, so that it cannot be found by hashing a guess without the key."""
    monkeypatch.setenv("FLYWHEEL_HASH_KEY", "secret")
    collect(PlantedSource({1: [prediction("p1", "01T10", user_id="ann")]}, {}), as_of=2)
    assert [hashed("ann", "secret")] == stored("predictions", 1)["user_id"].tolist()


@pytest.mark.parametrize(
    ("channel", "value", "expected"),
    [
        ("outcome", 1.0, "ann"),
        ("annotation", 1.0, "ann"),
        ("report", 1.0, hashed("ann")),
        ("rating", 1.0, hashed("ann")),
        ("ticket", None, hashed("ann")),
    ],
)
def test_sources_who_are_users_are_hashed_and_systems_and_annotators_keep_their_names(
    channel: str, value: float | None, expected: str
) -> None:
    """Who says an outcome or an annotation is no user; who reports, rates or writes is."""
    row = feedback("f1", "p1", "01T12", channel=channel, value=value, source_id="ann")
    collect(PlantedSource({1: [prediction("p1", "01T10")]}, {1: [row]}), as_of=2)
    assert [expected] == stored("feedback", 1)["source_id"].tolist()


def test_a_source_of_an_unknown_channel_is_hashed() -> None:
    """What nobody has declared to be a system may be a user."""
    row = feedback("f1", "p1", "01T12", channel="survey", source_id="ann")
    collect(PlantedSource({1: [prediction("p1", "01T10")]}, {1: [row]}), as_of=2)
    assert [hashed("ann")] == stored("feedback", 1)["source_id"].tolist()


def test_the_same_user_has_one_hash_in_both_tables() -> None:
    """Whose prediction it was and who reported about it can be compared without knowing who that is."""
    row = feedback("f1", "p1", "01T12", channel="report", source_id="ann")
    collect(PlantedSource({1: [prediction("p1", "01T10", user_id="ann")]}, {1: [row]}), as_of=2)
    assert stored("predictions", 1)["user_id"].tolist() == stored("feedback", 1)["source_id"].tolist()


def test_a_user_with_a_number_for_a_name_has_one_hash_on_all_days() -> None:
    """Where another user of the day is unknown the column of numbers becomes one of fractions; user 5 is still user 5."""
    source = PlantedSource(
        {
            1: [prediction("p1", "01T10", user_id=5)],
            2: [prediction("p2", "02T10", user_id=5), prediction("p3", "02T11", user_id=None)],
        },
        {},
    )
    collect(source, as_of=3)
    assert stored("predictions", 1)["user_id"].iloc[0] == stored("predictions", 2)["user_id"].iloc[0]


def test_every_column_of_free_text_is_scrubbed() -> None:
    """What an error quotes, and an input that the settings name; an input that they do not name stays as it is."""
    source = PlantedSource(
        {1: [prediction("p1", "01T10", error="no mail to ann@example.com", in_note="Tel.5550123")]}, {}
    )
    SOURCES["planted"] = source
    clock = {"follow": "replay", "as_of": day(2).isoformat()}
    main(settings(CollectParams, clock=clock, privacy={"inputs": ["in_note"]}))
    found = stored("predictions", 1).iloc[0]
    assert ("no mail to [email]", "Tel.[phone]") == (found["error"], found["in_note"])
    for path in files.EVENTS.rglob("*.parquet"):
        path.unlink()
    main(settings(CollectParams, clock=clock))
    assert "Tel.5550123" == stored("predictions", 1)["in_note"].iloc[0]


def test_what_was_replaced_is_noted_in_the_footer_of_its_day() -> None:
    """By kind, in the rows that are stored: a row that came twice counts once. A day with nothing to replace has no note."""
    ticket = feedback("f1", "p1", "01T12", channel="ticket", value=None, text="I am Ann Lee, ann@example.com")
    source = three_days()
    source.rows["feedback"][1] = [ticket, ticket, ticket | {"feedback_id": "f2"}]
    collect(source, as_of=3)
    notes = [
        files.read_table(tables.day_path(files.EVENTS, "feedback", day(n))).schema.metadata.get(b"personal")
        for n in (1, 2)
    ]
    assert [b'{"email": 2, "name": 2}', None] == notes


def test_other_words_change_no_stored_day() -> None:
    """They hold from the next day on: what is stored was scrubbed by the words of its time, and stays."""
    source = three_days()
    for n in (1, 2):
        source.rows["feedback"][n][0]["text"] = "says Guru Anand"
    collect(source, as_of=2)
    before = contents(files.EVENTS)
    SOURCES["planted"] = source
    clock = {"follow": "replay", "as_of": day(3).isoformat()}
    main(settings(CollectParams, clock=clock, privacy={"also": {"titles": "Guru"}}))
    after = contents(files.EVENTS)
    assert all(before[name] == after[name] for name in before if name.endswith(".parquet"))
    assert ["says Guru Anand", "says Guru [name]"] == [stored("feedback", n)["text"].iloc[0] for n in (1, 2)]


def test_a_message_about_a_source_that_fails_names_nobody() -> None:
    """What the source says of its failure may quote a row."""

    class Failing(PlantedSource):
        def predictions(self, day: dt.date) -> pd.DataFrame:
            raise OSError("row 7 (ann@example.com) is broken")

    with pytest.raises(DataError, match=r"row 7 \(\[email\]\) is broken"):
        collect(Failing(three_days().rows["predictions"], {}), as_of=2)


def test_texts_are_scrubbed_before_they_are_stored() -> None:
    """Of an e-mail address in a ticket only a placeholder reaches the disk; a missing text stays missing."""
    rows = [
        feedback("f1", "p1", "01T12", channel="ticket", value=None, source_id="u", text="Write to ann@example.com now"),
        feedback("f2", "p1", "01T13"),
    ]
    collect(PlantedSource({1: [prediction("p1", "01T10")]}, {1: rows}), as_of=2)
    found = files.read_table(tables.day_path(files.EVENTS, "feedback", day(1)))
    assert ["Write to [email] now", None] == found["text"].to_pylist()


def test_another_hash_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a new key every user would be a new person, so the run stops and says what differs."""
    collect(three_days(), as_of=2)
    before = contents(files.EVENTS)
    monkeypatch.setenv("FLYWHEEL_HASH_KEY", "another")
    with pytest.raises(DataError, match=r"key_check was .* is .*make clean"):
        collect(three_days(), as_of=3)
    assert before == contents(files.EVENTS)


def test_the_key_itself_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the key only a few hashed digits are noted."""
    monkeypatch.setenv("FLYWHEEL_HASH_KEY", "secret")
    collect(three_days(), as_of=2)
    assert ({"factory", "first_day", "share", "options.name", "key_check"}, False) == (
        set(files.read_json(files.EVENTS / "source.json")),
        "secret" in (files.EVENTS / "source.json").read_text(),
    )


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"share": 0.5}, r"share was 1\.0, is 0\.5"),
        ({"first_day": "2030-01-02"}, "first_day was None, is '2030-01-02'"),
    ],
)
def test_another_part_of_the_source_is_refused(part: dict[str, Any], said: str) -> None:
    """A tenth of the days before and all of the days after would be two worlds."""
    collect(three_days(), as_of=2)
    with pytest.raises(DataError, match=said):
        main(settings(CollectParams, clock={"as_of": "2030-01-04"}, source=part))


def test_other_source_options_are_refused() -> None:
    """Days of two worlds do not mix: the message names the option, its old and its new value."""
    collect(three_days(), as_of=2, seed=1)
    with pytest.raises(DataError, match="seed was 1, is 2"):
        collect(three_days(), as_of=3, seed=2)


def test_a_difference_is_told_in_a_sentence() -> None:
    """Of a source.json that lost its keys not every option is printed: three, each shortened."""
    collect(three_days(), as_of=2)
    identity = files.EVENTS / "source.json"
    files.write_json(
        identity, {"key_check": files.read_json(identity)["key_check"], "options.name": "x" * 900, "was": 1}
    )
    with pytest.raises(DataError, match=r"factory was None.*; and 1 more") as caught:
        collect(three_days(), as_of=3)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("as_of", [1, 5])
def test_a_clock_outside_the_data_names_the_first_and_the_last_day_allowed(as_of: int) -> None:
    """Three days of data allow the clock to stand on the day after each of them."""
    with pytest.raises(ConfigError, match=rf"found 2030-01-0{as_of}.*2030-01-02 to 2030-01-04.*conf/state.yaml"):
        collect(three_days(), as_of=as_of)


def test_a_clock_behind_collected_days_is_not_outside_of_the_data() -> None:
    """Days that held feedback alone are no longer those of the source; the clock cannot go back, so it may stay."""
    collect(three_days(), as_of=4)
    shorter = three_days()
    shorter.last_day = day(2)
    assert "0 new days of 3" in collect(shorter, as_of=4)
    with pytest.raises(ConfigError, match=r"found 2030-01-05.*2030-01-02 to 2030-01-04"):
        collect(shorter, as_of=5)


def test_a_clock_outside_the_data_that_the_command_gave_is_looked_for_there() -> None:
    """Not in a file that does not say it."""
    Path("params.yaml").write_text('# Overrides: ["size=tiny", "clock.as_of=2030-01-05"]\n')
    with pytest.raises(ConfigError, match=r"found 2030-01-05.* Fix the override clock\.as_of=2030-01-05\.$"):
        collect(three_days(), as_of=5)


def test_a_clock_that_follows_the_calendar_may_be_ahead_of_the_source() -> None:
    """No day is stored before the source has it in full; what comes late is collected when it is there."""
    SOURCES["planted"] = three_days()
    ahead = settings(CollectParams, clock={"follow": "today", "as_of": day(9).isoformat()})
    assert "3 new days of 3, 0 duplicates dropped; the source ends 5 days before the clock" == main(ahead)
    assert [day(1), day(2), day(3)] == tables.stored_days(files.EVENTS, "feedback")
    SOURCES["planted"] = PlantedSource({n: [prediction(f"p{n}", f"0{n}T10")] for n in range(1, 9)}, {}, last=8)
    assert "5 new days of 8, 0 duplicates dropped" == main(ahead)
    assert ["p4"] == stored("predictions", 4)["prediction_id"].tolist()


def test_a_calendar_before_the_source_is_refused() -> None:
    """There is nothing to say of days before the first one."""
    SOURCES["planted"] = three_days()
    with pytest.raises(ConfigError, match="allowed is 2030-01-02 or later"):
        main(settings(CollectParams, clock={"follow": "today", "as_of": day(1).isoformat()}))


@pytest.mark.parametrize("as_of", [2, 4])
def test_a_clock_on_the_edge_of_the_data_is_allowed(as_of: int) -> None:
    """Both ends of the range that the message names are themselves allowed."""
    collect(three_days(), as_of=as_of)
    assert [day(n) for n in range(1, as_of)] == tables.stored_days(files.EVENTS, "feedback")


def test_the_clock_does_not_turn_back_over_collected_days() -> None:
    """A day that was collected cannot be in the future again."""
    collect(three_days(), as_of=4)
    with pytest.raises(ConfigError, match="found 2030-01-03, but data/events holds days up to 2030-01-03"):
        collect(three_days(), as_of=3)


def test_a_failure_in_the_middle_of_a_day_leaves_no_file_of_that_day() -> None:
    """The source breaks after it gave the predictions of the second day: only the first day is there."""
    source = three_days()
    source.broken_on = 2
    with pytest.raises(DataError, match="the source did not give 2030-01-02: the outside is gone"):
        collect(source, as_of=4)
    assert ["feedback/2030-01-01.parquet", "ledger.json", "predictions/2030-01-01.parquet", "source.json"] == sorted(
        contents(files.EVENTS)
    )


def test_after_a_failure_the_next_run_goes_on_where_it_stopped() -> None:
    """The first day is not asked for again, and the others arrive."""
    source = three_days()
    source.broken_on = 2
    with pytest.raises(DataError, match="the source did not give 2030-01-02: the outside is gone"):
        collect(source, as_of=4)
    source.broken_on = None
    source.asked.clear()
    collect(source, as_of=4)
    assert [(name, n) for n in (2, 3) for name in tables.TABLES] == source.asked
    assert [day(1), day(2), day(3)] == tables.stored_days(files.EVENTS, "feedback")


def test_a_day_with_only_one_of_its_tables_is_collected_again() -> None:
    """A kill between the two files of a day leaves the first; the next run writes both."""
    collect(three_days(), as_of=4)
    whole = contents(files.EVENTS)
    tables.day_path(files.EVENTS, "feedback", day(3)).unlink()
    collect(three_days(), as_of=4)
    assert whole == contents(files.EVENTS)


def test_an_empty_day_gives_an_empty_file() -> None:
    """A day on which nothing arrived is a day that was looked at."""
    source = PlantedSource({1: [prediction("p1", "01T10")], 3: [prediction("p3", "03T10")]}, {})
    collect(source, as_of=4)
    assert [1, 0, 1] == [len(stored("predictions", n)) for n in (1, 2, 3)]
    assert [0, 0, 0] == [len(stored("feedback", n)) for n in (1, 2, 3)]


def test_columns_of_mixed_types_are_kept_as_text() -> None:
    """A word among numbers is no reason to lose the day: `validate` will say what is wrong."""
    rows = [
        prediction("p1", "01T10", in_size=5),
        prediction("p2", "01T11", in_size="many"),
        prediction("p3", "01T12", in_size=None),
    ]
    collect(PlantedSource({1: rows}, {}), as_of=2)
    found = files.read_table(tables.day_path(files.EVENTS, "predictions", day(1)))
    assert ["5", "many", None] == found["in_size"].to_pylist()


def test_a_missing_column_is_kept_missing() -> None:
    """A source that lacks a column is stored as it is; `validate` will name the file and the column."""

    class WithoutTexts(PlantedSource):
        def _table(self, name: str, asked: Any) -> pd.DataFrame:
            return super()._table(name, asked).drop(columns=["text", "user_id"], errors="ignore")

    collect(WithoutTexts({1: [prediction("p1", "01T10")]}, {1: [feedback("f1", "p1", "01T12")]}), as_of=2)
    assert (False, False) == ("user_id" in stored("predictions", 1), "text" in stored("feedback", 1))


def test_times_keep_their_zone() -> None:
    """What arrived at ten UTC is read back as ten UTC."""
    collect(PlantedSource({1: [prediction("p1", "01T10")]}, {}), as_of=2)
    assert [at("01T10")] == stored("predictions", 1)["served_at"].tolist()


def test_a_column_that_nobody_expects_is_not_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is neither of the two tables nor an input may be personal: it stays outside."""
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"prediction_id": ["p1"], "in_size": [1.0], "email": ["jane@example.com"]})
    assert ["prediction_id", "in_size"] == list(expected(frame, "predictions").columns)
