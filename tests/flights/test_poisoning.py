"""The poisoning that is planted in the example is found from what was known at the time, and honest users are left alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from flights.reactions import Population, draw_population
from flights.replay import PEOPLE, ReplayOptions, open_source
from flywheel.labels.quarantine import out_since, quarantine
from flywheel.labels.settings import Label
from flywheel.params import parse

pytestmark = pytest.mark.slow  # some weeks of flights are replayed

PARAMS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
FIRST_DAY, LAST_DAY = dt.date(2013, 2, 10), dt.date(2013, 3, 24)
COLUMNS = ["feedback_id", "prediction_id", "received_at", "channel", "source_id", "value"]


def morning(day: int) -> pd.Timestamp:
    return pd.Timestamp(2013, 3, day, tz="UTC")


@pytest.fixture(scope="module")
def people() -> Population:
    options = ReplayOptions.model_validate(PARAMS["source"]["options"], strict=False)
    rng = np.random.default_rng([options.seed, PEOPLE])
    return draw_population(options.reactions.people, options.reactions.burst, rng)


@pytest.fixture(scope="module")
def claims() -> pd.DataFrame:
    """Six weeks of claims, up to some days after the burst."""
    replay = open_source(PARAMS["source"]["options"])
    days = [FIRST_DAY + dt.timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days)]
    feedback = pd.concat([replay.feedback(day)[COLUMNS] for day in days], ignore_index=True)
    feedback = feedback.drop_duplicates("feedback_id", ignore_index=True)
    return feedback[feedback["channel"].isin(("outcome", "report", "annotation"))].reset_index(drop=True)


@pytest.fixture(scope="module")
def found(claims: pd.DataFrame) -> pd.DataFrame:
    return quarantine(claims, parse(Label, PARAMS["label"]).quarantine)


def test_the_burst_is_found_within_a_day_of_its_start(found: pd.DataFrame, people: Population) -> None:
    """It starts on 18 March. One of the thirty says so little on that day that it takes another."""
    burst = found[found["source_id"].isin(people.ids[people.burst])]
    first = burst.groupby("source_id")["known_at"].min()
    assert len(first) == 30
    assert (first == morning(19)).sum() >= 28
    assert first.max() <= morning(20)


def test_no_false_claim_of_the_burst_counts_from_the_second_morning_on(
    claims: pd.DataFrame, found: pd.DataFrame, people: Population
) -> None:
    said = claims[claims["source_id"].isin(people.ids[people.burst]) & (claims["value"] == 1)]
    since = out_since(said, found)
    is_burst = (said["received_at"] >= morning(18)) & (said["received_at"] < morning(22))
    on_time = since[is_burst] <= said.loc[is_burst, "received_at"].clip(lower=morning(20))
    assert is_burst.sum() > 700
    assert on_time.mean() >= 0.995


def test_honest_users_are_left_alone(claims: pd.DataFrame, found: pd.DataFrame, people: Population) -> None:
    reports = claims[claims["channel"] == "report"].groupby("source_id").size()
    odd = {*people.ids[people.burst], *people.ids[people.is_always_yes]}
    honest = [name for name in reports.index[reports >= 20] if name not in odd]
    assert len(honest) > 50
    assert np.isin(honest, found["source_id"]).mean() <= 0.01
    assert len(set(found["source_id"]) - odd) <= 5  # of 19,930
    assert set(found["channel"]) == {"report"}


def test_who_always_says_yes_is_found_when_that_can_be_known(
    claims: pd.DataFrame, found: pd.DataFrame, people: Population
) -> None:
    """Chance makes five equal answers; these users speak once in three or four days, so it takes weeks."""
    names = people.ids[people.is_always_yes]
    said = claims[claims["source_id"].isin(names)].groupby("source_id").size()
    often = said.index[said >= 19]
    assert len(often) >= 3
    mine = found[(found["reason"] == "always one answer") & found["source_id"].isin(names)]
    assert np.isin(often, mine["source_id"]).all()
    assert mine["source_id"].nunique() >= 15  # of 40
    assert pd.DataFrame(mine["found"].tolist())["claims"].between(5, 15).all()
