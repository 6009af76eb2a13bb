"""A part of a source: both tables fit together, and it is the same part every time."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from flywheel.data.settings import Source as SourceParams
from flywheel.data.sources import Counted, Part, Source, open_source
from flywheel.errors import ConfigError
from tests.planted import SOURCES, CountingSource, PlantedSource, day, feedback, prediction


def planted(n: int = 40) -> PlantedSource:
    """On each of four days `n` predictions, each with an outcome on the next day; and an outcome about nothing a day."""
    return PlantedSource(
        {d: [prediction(f"p{d}-{i}", f"0{d}T10") for i in range(n)] for d in (1, 2, 3, 4)},
        {
            d: [feedback(f"f{d}-{i}", f"p{d - 1}-{i}", f"0{d}T12") for i in range(n)]
            + [feedback(f"lost{d}", f"lost{d}", f"0{d}T13")]
            for d in (1, 2, 3, 4)
        },
    )


def served(source: Source) -> set[str]:
    """The ids of all predictions from the 1st to the 4th."""
    return {name for d in (1, 2, 3, 4) for name in source.predictions(day(d))["prediction_id"]}


def spoken_of(source: Source) -> set[str]:
    """The predictions that feedback from the first day of the source on is about."""
    days = [day(d) for d in (1, 2, 3, 4) if day(d) >= source.first_day]
    return {name for one in days for name in source.feedback(one)["prediction_id"]}


def test_a_share_is_the_same_every_time_and_part_of_a_larger_one() -> None:
    """A hash of the id decides; about so many are there as the share says."""
    small, again, large = (served(Part(planted(400), None, share)) for share in (0.25, 0.25, 0.5))
    assert small == again
    assert small < large < served(planted(400))
    assert (0.25 * 1600, 0.5 * 1600) == (pytest.approx(len(small), rel=0.15), pytest.approx(len(large), rel=0.15))


def test_feedback_is_about_the_predictions_of_the_share() -> None:
    """What was left out is not spoken of, and all that was said about the others is there."""
    part = Part(planted(), None, 0.5)
    about = {name for name in spoken_of(part) if not name.startswith(("lost", "p0"))}
    assert {name for name in served(part) if not name.startswith("p4")} == about


def test_a_part_begins_on_its_first_day() -> None:
    """Nothing was served before it, and late feedback about what was is left out; feedback about nothing is kept."""
    part = Part(planted(), day(3), 1.0)
    assert (day(3), day(4)) == (part.first_day, part.last_day)
    assert {"p3", "p4"} == {name.split("-")[0] for name in served(part)}
    assert {"p3", "lost3", "lost4"} == {name.split("-")[0] for name in spoken_of(part)}


def test_earlier_days_are_read_once() -> None:
    """To know what to leave out, the predictions of the days before are read when the first feedback is asked for."""
    source = planted()
    part = Part(source, day(3), 1.0)
    assert [] == source.asked
    for d in (3, 4):
        part.feedback(day(d))
    assert [("feedback", 3), ("predictions", 1), ("predictions", 2), ("feedback", 4)] == source.asked


def test_a_source_that_can_start_later_is_asked_to() -> None:
    """It knows a quicker way than reading what came before."""

    class Quick(PlantedSource):
        def starting(self, first_day: dt.date) -> PlantedSource:
            days = range(first_day.day, 5)
            return PlantedSource(
                {d: self.rows["predictions"][d] for d in days},
                {d: [row for row in self.rows["feedback"][d] if row["prediction_id"] in kept] for d in days},
            )

    plain = planted()
    kept = {f"p{d}-{i}" for d in (3, 4) for i in range(40)}
    quick = Quick(plain.rows["predictions"], plain.rows["feedback"])
    part = Part(quick, day(3), 1.0)
    assert (kept, {f"p3-{i}" for i in range(40)}) == (served(part), spoken_of(part))
    assert [] == quick.asked


def test_a_first_day_before_the_source_is_the_first_day_of_the_source() -> None:
    """A project may start earlier than its data."""
    part = Part(planted(), dt.date(2029, 12, 1), 1.0)
    assert (day(1), served(planted())) == (part.first_day, served(part))


def test_a_first_day_after_the_source_is_a_mistake_in_conf() -> None:
    """The message names the key, the day and the end of the source."""
    with pytest.raises(ConfigError, match=r"source\.first_day: found 2030-01-09; the source ends on 2030-01-04"):
        Part(planted(), day(9), 1.0)


def test_a_table_without_ids_passes_as_it_is() -> None:
    """What is wrong with it is for `validate` to say."""

    class Nameless(PlantedSource):
        def _table(self, name: str, asked: dt.date) -> pd.DataFrame:
            return super()._table(name, asked).drop(columns="prediction_id")

    source = planted()
    part = Part(Nameless(source.rows["predictions"], source.rows["feedback"]), day(2), 0.5)
    assert (40, 41) == (len(part.predictions(day(2))), len(part.feedback(day(2))))


def test_a_part_can_count_where_its_source_can() -> None:
    """From its first day on; a part of a source that cannot says so, and nobody asks it."""
    plain = planted()
    counting = Part(CountingSource(plain.rows["predictions"], plain.rows["feedback"]), day(3), 0.5)
    assert isinstance(counting, Counted)
    assert {day(3): 40, day(4): 40} == counting.counts("predictions")
    assert not isinstance(Part(plain, day(3), 0.5), Counted)


def test_a_whole_source_is_opened_as_it_is() -> None:
    """No first day and a share of 1: nothing stands between."""
    SOURCES["planted"] = source = planted()
    whole = {"factory": "tests.planted:open_source", "first_day": None, "share": 1.0, "options": {"name": "planted"}}
    params = SourceParams.model_validate(whole | {"tiny": {"first_day": None, "share": 0.1}})
    assert source is open_source(params)
    part = open_source(params.model_copy(update={"share": 0.5}))
    assert served(part) < served(source)
