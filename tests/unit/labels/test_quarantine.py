"""Quarantine: planted poisoning is found, honest people are left alone, and no morning knows what came after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.labels.poison.one_answer import one_answer
from flywheel.labels.poison.said import prepare, tail
from flywheel.labels.quarantine import out_since, quarantine
from flywheel.labels.settings import (
    FastClaims,
    Lockstep,
    OneAnswer,
    Quarantine,
    RegularClaims,
    SharedErrors,
)

START = pd.Timestamp("2030-01-01", tz="UTC")
PARAMS = Quarantine(
    rest_days=14,
    one_answer=OneAnswer(false_alarm=0.001, min_claims=5, memory_days=28),
    fast=FastClaims(per_minute=10),
    regular=RegularClaims(gaps=10, max_gap_h=12.0, false_alarm=1e-6),
    shared_errors=SharedErrors(days=3, members=5, false_alarm=0.003),
    lockstep=Lockstep(days=28, meetings=3, false_alarm=0.01, members=5, predictions=8, agreement=0.9),
)
RULES = {
    "always one answer": "one_answer",
    "too fast": "fast",
    "too regular": "regular",
    "wrong together": "shared_errors",
    "lockstep": "lockstep",
}
PER_DAY = 400  # predictions
SOURCES = 1500  # honest ones, each with 0.4 claims a day on average
Row = tuple[float, str, str, str | None, int]  # day, prediction, channel, source, value


def only(reason: str) -> Quarantine:
    """The settings with one rule, the others off."""
    return PARAMS.model_copy(update={rule: None for name, rule in RULES.items() if name != reason})


def day(n: float) -> pd.Timestamp:
    return START + pd.Timedelta(days=n)


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """Claims as the rules want them: in order of time."""
    frame = pd.DataFrame(rows, columns=["day", "prediction_id", "channel", "source_id", "value"])
    frame["received_at"] = (START + pd.to_timedelta((frame["day"] * 86_400).round(), unit="s")).astype(
        "datetime64[us, UTC]"
    )
    for name in ("prediction_id", "channel", "source_id"):
        frame[name] = frame[name].astype("str")
    frame = frame.sort_values("received_at", kind="stable", ignore_index=True)
    frame.insert(0, "feedback_id", pd.Series([f"f{n:06}" for n in range(len(frame))], dtype="str"))
    return frame.drop(columns="day").astype({"value": "float64"})


class World:
    """Days of predictions with a truth, outcomes for most, and an honest crowd that reports them with errors of its own."""

    def __init__(self, days: int, seed: int = 1, outcomes: float = 0.7, outcome_delay: float = 0.1) -> None:
        self.rng = np.random.default_rng(seed)
        rng = self.rng
        self.days = days
        self.n = days * PER_DAY
        self.served = np.repeat(np.arange(days), PER_DAY) + 0.8 * rng.random(self.n)
        share = np.clip(rng.normal(0.35, 0.1, days), 0.1, 0.8)  # there are good days and bad days
        self.truth = (rng.random(self.n) < np.repeat(share, PER_DAY)).astype(int)
        self.has_outcome = rng.random(self.n) < outcomes
        self.outcome_delay = outcome_delay
        self.reliability = rng.beta(10.2, 1.8, SOURCES)
        self.rows: list[Row] = []
        activity = rng.pareto(2.0, SOURCES) + 1
        claims = np.repeat(np.arange(self.n), rng.poisson(1.6, self.n))
        sources = rng.choice(SOURCES, len(claims), p=activity / activity.sum())
        is_right = rng.random(len(claims)) < self.reliability[sources]
        at = self.served[claims] + 0.05 + 0.1 * rng.random(len(claims))
        value = np.where(is_right, self.truth[claims], 1 - self.truth[claims])
        for one in zip(at.tolist(), claims.tolist(), sources.tolist(), value.tolist(), strict=True):
            self.say(one[0], one[1], f"honest-{one[2]}", one[3])

    def say(self, at: float, prediction: int, source: str | None, value: int, channel: str = "report") -> None:
        self.rows.append((at, f"p{prediction}", channel, source, value))

    def served_on(self, first: int, days: int = 1, truth: int | None = None) -> np.ndarray:
        """The predictions of some days, all of them or those with one truth."""
        found = np.arange(first * PER_DAY, (first + days) * PER_DAY)
        return found if truth is None else found[self.truth[found] == truth]

    def burst(self, first: int, days: int = 3, users: int = 30, name: str = "attacker", share: float = 0.25) -> int:
        """Three of the users say 1 of some predictions that were 0, within an hour; how many claims that makes."""
        chosen = self.served_on(first, days, truth=0)
        chosen = chosen[self.rng.random(len(chosen)) < share]
        for one in chosen:
            for user in self.rng.permutation(users)[:3]:
                self.say(self.served[one] + 0.04 * self.rng.random(), int(one), f"{name}-{user}", 1)
        return 3 * len(chosen)

    def claims(self) -> pd.DataFrame:
        settled = np.flatnonzero(self.has_outcome)
        at = (self.served[settled] + self.outcome_delay).tolist()
        truth = self.truth[settled].tolist()
        feed: list[Row] = [
            (when, f"p{one}", "outcome", "feed", value)
            for when, one, value in zip(at, settled.tolist(), truth, strict=True)
        ]
        return table([*self.rows, *feed])


def sources(rows: pd.DataFrame, start: str = "") -> set[str]:
    return {name for name in rows["source_id"] if name.startswith(start)}


def honest_share(claims: pd.DataFrame, rows: pd.DataFrame, least: int = 20) -> float:
    """The share of the honest sources with so many claims that is ever in quarantine."""
    n = claims[claims["channel"] == "report"].groupby("source_id").size()
    busy = {name for name in n.index[n >= least] if name.startswith("honest")}
    return len(busy & sources(rows)) / len(busy)


def test_honest_people_are_left_alone() -> None:
    """1,500 people of all reliabilities, on good days and bad ones, over four months."""
    claims = World(120).claims()
    rows = quarantine(claims, PARAMS)
    assert honest_share(claims, rows) <= 0.01
    assert len(sources(rows)) <= SOURCES * 0.005
    assert set(rows["reason"]) <= {"always one answer"}  # the rule whose rate of false alarms is for each source


def test_a_burst_is_found_the_morning_after_it_begins() -> None:
    world = World(40)
    n_false = world.burst(30)
    claims = world.claims()
    rows = quarantine(claims, only("wrong together"))
    assert sources(rows) == {f"attacker-{n}" for n in range(30)}
    assert (rows["known_at"] == day(31)).mean() >= 0.9
    assert rows["known_at"].max() <= day(32)
    since = out_since(claims, rows)
    false = claims["source_id"].str.startswith("attacker").fillna(False)
    assert (since[false] <= day(33)).sum() == n_false  # not one of them counts in the end
    assert since[~false].isna().all()


def test_a_burst_is_found_when_outcomes_take_their_time() -> None:
    world = World(50, outcome_delay=8.0)
    world.burst(30)
    rows = quarantine(world.claims(), only("wrong together"))
    assert sources(rows) == {f"attacker-{n}" for n in range(30)}
    assert rows["known_at"].min() >= day(38)
    assert rows["known_at"].max() <= day(42)
    assert rows["first"].max() < day(33)  # what they said then is out, although it was found later


def test_a_burst_is_found_where_there_are_no_outcomes() -> None:
    """Without outcomes it takes longer: pairs have to meet again and again."""
    world = World(40, outcomes=0.0)
    world.burst(30)
    claims = world.claims()
    rows = quarantine(claims, PARAMS)
    found = rows[rows["reason"] == "lockstep"]
    assert len(sources(found, "attacker")) >= 27
    assert found["known_at"].min() <= day(33)
    assert honest_share(claims, rows) <= 0.01


def test_what_a_quarantined_source_says_counts_again_after_the_rest() -> None:
    world = World(60)
    world.burst(30, days=1)
    world.say(40.0, 10, "attacker-0", 0)
    world.say(55.0, 11, "attacker-0", 0)
    claims = world.claims()
    rows = quarantine(claims, only("wrong together"))
    mine = claims["source_id"] == "attacker-0"
    since = out_since(claims, rows)[mine]
    assert since.isna().tolist() == [False] * (int(mine.sum()) - 1) + [True]
    assert rows["until"].max() <= day(31 + 2 + PARAMS.rest_days)


def test_who_always_says_yes_is_found_after_some_claims() -> None:
    """They speak twice a day. Chance makes the first five or so equal answers, so nobody can know before."""
    world = World(60)
    for user in range(20):
        for at in range(20, 60):
            for one in world.rng.choice(world.served_on(at), 2, replace=False):
                world.say(world.served[one] + 0.1, int(one), f"yes-{user}", 1)
    claims = world.claims()
    rows = quarantine(claims, only("always one answer"))
    mine = rows[rows["source_id"].str.startswith("yes")]
    assert len(mine) == len(sources(mine)) == 20
    assert mine["known_at"].max() <= day(20 + 14)
    assert mine["known_at"].median() <= day(20 + 8)
    assert mine["first"].max() < day(21)  # from the first claim on
    assert mine["until"].isna().all()  # it still goes on
    numbers = pd.DataFrame(mine["found"].tolist())
    assert (numbers["answer"] == 1).all()
    assert numbers["claims"].between(5, 20).all()
    assert (numbers["probability"] <= 0.001 / 4).all()
    assert honest_share(claims, rows) <= 0.01


def test_another_answer_ends_always_the_same() -> None:
    world = World(60)
    for at in range(20, 50):
        world.say(at + 0.9, int(world.served_on(at)[0]), "yes", 1)
    world.say(50.9, int(world.served_on(50)[0]), "yes", 0)
    rows = quarantine(world.claims(), only("always one answer"))
    (until,) = rows.loc[rows["source_id"] == "yes", "until"]
    assert until == day(51)


def test_to_be_right_is_never_always_the_same() -> None:
    """What one source is asked about is always 1, and where there are outcomes they say so too."""
    world = World(60)
    for at in range(20, 60):
        for one in world.served_on(at, truth=1)[:2]:
            world.say(world.served[one] + 0.15, int(one), "unlucky", 1)
    assert "unlucky" not in sources(quarantine(world.claims(), PARAMS))


@pytest.mark.parametrize("outcomes", [0.7, 0.0])
def test_a_bad_day_accuses_nobody(outcomes: float) -> None:
    """On one day everything goes wrong, and everybody says so, many times."""
    world = World(40, outcomes=outcomes)
    today = world.served_on(30)
    world.truth[today] = 1
    world.rows = [row for row in world.rows if not 30 <= row[0] < 31]
    for source in range(200):
        for one in world.rng.choice(today, 20, replace=False):
            world.say(world.served[one] + 0.1, int(one), f"honest-{source}", 1)
    rows = quarantine(world.claims(), PARAMS)
    assert len(sources(rows)) <= 3


def test_a_bad_day_in_two_places_accuses_nobody() -> None:
    """As above, without outcomes; everybody speaks of two thirds of the predictions, so people of a place meet more often."""
    world = World(40, outcomes=0.0)
    today = world.served_on(30)
    world.truth[today] = 1
    world.rows = [row for row in world.rows if not 30 <= row[0] < 31]
    for source in range(200):
        for one in world.rng.choice(today[:270] if source % 2 else today[130:], 20, replace=False):
            world.say(world.served[one] + 0.1, int(one), f"honest-{source}", 1)
    assert "lockstep" not in set(quarantine(world.claims(), PARAMS)["reason"])


def test_a_broken_feed_of_outcomes_accuses_nobody() -> None:
    """For a day the feed says the reverse, so it refutes all honest people together."""
    world = World(40)
    today = world.served_on(30)
    world.rows = [row for row in world.rows if not 30 <= row[0] < 31]
    for source in range(200):
        for one in world.rng.choice(today, 4, replace=False):
            world.say(world.served[one] + 0.1, int(one), f"honest-{source}", int(world.truth[one]))
    world.truth[today] = 1 - world.truth[today]  # what the feed says
    rows = quarantine(world.claims(), PARAMS)
    assert set(rows["reason"]) <= {"always one answer"}
    assert len(sources(rows)) <= 3


def test_friends_who_travel_together_are_left_alone() -> None:
    """Eight friends on the same four predictions, six times in two months: they see the same, and say the same."""
    world = World(70)
    for trip in range(6):
        for one in world.rng.choice(world.served_on(5 + 10 * trip, 2), 4, replace=False):
            for friend in range(8):
                is_right = world.rng.random() < 0.9
                value = int(world.truth[one]) if is_right else 1 - int(world.truth[one])
                world.say(world.served[one] + 0.1 + 0.001 * friend, int(one), f"honest-friend-{friend}", value)
    assert sources(quarantine(world.claims(), PARAMS), "honest-friend") == set()


@pytest.mark.parametrize("reliability", [0.9, 1.0])
def test_annotators_are_asked_to_be_together(reliability: float) -> None:
    """Six of them get the same list each day, hand it in at once, and nobody else looks at it."""
    world = World(40)
    for at in range(40):
        for one in world.served_on(at)[:20]:
            world.has_outcome[one] = False
            for who in "abcdef":
                is_right = world.rng.random() < reliability
                value = int(world.truth[one]) if is_right else 1 - int(world.truth[one])
                world.say(at + 0.99, int(one), f"annotator-{who}", value, "annotation")
    assert sources(quarantine(world.claims(), PARAMS), "annotator") == set()


def test_colleagues_who_share_all_they_see_are_confirmed_by_outcomes() -> None:
    """Six say the same of everything at once. Where there is an outcome they are right: together, and honest."""
    world = World(40)
    for at in range(10, 40):
        for one in world.served_on(at)[:4]:
            for who in range(6):
                world.say(world.served[one] + 0.15, int(one), f"honest-office-{who}", int(world.truth[one]))
    assert sources(quarantine(world.claims(), PARAMS), "honest-office") == set()


def test_colleagues_who_judge_for_themselves_are_not_in_lockstep() -> None:
    """Six look at the same things, nothing has an outcome, and they differ as often as honest people do."""
    world = World(40, outcomes=0.0)
    for at in range(10, 40):
        for one in world.served_on(at)[:4]:
            for who in range(6):
                value = int(world.truth[one]) ^ int(world.rng.random() < 0.15)
                world.say(world.served[one] + 0.15, int(one), f"honest-office-{who}", value)
    assert sources(quarantine(world.claims(), PARAMS), "honest-office") == set()


def test_one_journey_together_is_not_lockstep() -> None:
    """Eight friends agree on the six predictions of a journey; nothing has an outcome."""
    world = World(40, outcomes=0.0)
    for one in world.served_on(30)[:6]:
        for who in range(8):
            world.say(world.served[one] + 0.15, int(one), f"honest-friend-{who}", int(world.truth[one]))
    assert sources(quarantine(world.claims(), PARAMS), "honest-friend") == set()


def test_in_a_small_place_everybody_meets_everybody() -> None:
    """Ten sources report half of twenty predictions a day each, and are always right. Chance makes them meet."""
    rng = np.random.default_rng(3)
    rows: list[Row] = [
        (at + 0.5 + n / 100 + who / 1e4, f"p{at}-{n}", "report", f"s{who}", int(n % 3 == 0))
        for at in range(40)
        for who in range(10)
        for n in rng.choice(20, 10, replace=False).tolist()
    ]
    assert set(quarantine(table(rows), PARAMS)["reason"]) == set()


def test_a_claim_is_out_since_the_first_morning_that_found_it() -> None:
    """Two rules found the source, one earlier."""
    claims = table([(3.5, "p", "report", "s", 1), (3.5, "p", "report", "other", 1), (9.5, "q", "report", "s", 1)])
    rows = pd.DataFrame(
        {
            "source_id": ["s", "s"],
            "channel": ["report", "report"],
            "first": [day(3), day(3)],
            "until": [day(9), pd.NaT],
            "known_at": [day(4), day(6)],
        }
    )
    since = out_since(claims, rows)
    assert since.isna().tolist() == [False, True, False]
    assert since[0] == day(4)
    assert since[2] == day(6)


def test_two_claims_a_minute_are_not_too_fast() -> None:
    world = World(30)
    for n in range(20):
        world.say(20.5 + n / 24 / 120, n, "busy", n % 2)
    assert len(quarantine(world.claims(), only("too fast"))) == 0


@pytest.mark.parametrize("same", [True, False])
def test_ten_thousand_claims_in_a_minute(same: bool) -> None:
    """One source floods: about one prediction, or about many. It is out, nobody else is, and it takes no longer."""
    world = World(30)
    honest = len(world.rows)
    for n in range(10_000):
        world.say(20.5 + n / 10_000 / 24 / 60, int(world.served_on(20)[0]) if same else n % world.n, "flood", n % 2)
    claims = world.claims()
    begin = time.perf_counter()
    rows = quarantine(claims, PARAMS)
    seconds = time.perf_counter() - begin
    (found,) = rows.index[rows["reason"] == "too fast"]
    assert rows.loc[found, "source_id"] == "flood"
    assert rows.loc[found, "known_at"] == day(21)
    assert rows.loc[found, "until"] == day(21 + PARAMS.rest_days)
    since = out_since(claims, rows)
    assert since[claims["source_id"] == "flood"].eq(day(21)).all()
    assert len(sources(rows, "honest")) <= honest * 0.001
    assert seconds < 5


def test_the_same_flood_without_a_source_is_nobodys() -> None:
    """Nobody says that two claims without a source come from one, so there is no source to put into quarantine."""
    world = World(30)
    before = quarantine(world.claims(), PARAMS)
    for n in range(10_000):
        world.say(20.5 + n / 10_000 / 24 / 60, n % world.n, None, 1)
    claims = world.claims()
    after = quarantine(claims, PARAMS)
    pd.testing.assert_frame_equal(after, before)  # and it changes nothing for those who have one
    assert out_since(claims, after)[claims["source_id"].isna()].isna().all()


def test_a_machine_is_too_regular_and_a_habit_is_not() -> None:
    world = World(40)
    for n in range(15):
        world.say(20 + n / 24, int(world.served_on(20)[n]), "machine", int(world.truth[world.served_on(20)[n]]))
        world.say(20 + n + 0.3, int(world.served_on(20 + n)[0]), "habit", int(world.truth[world.served_on(20 + n)[0]]))
    rows = quarantine(world.claims(), only("too regular"))
    assert sources(rows) == {"machine"}
    assert rows["known_at"].tolist() == [day(21)]


def test_outcomes_that_contradict_each_other_refute_nobody() -> None:
    """Of each prediction of the burst there is an outcome that says 0, and one that says 1 in the same hour."""
    world = World(40)
    world.burst(30)
    claims = world.claims()
    other = claims[claims["channel"] == "outcome"].assign(source_id="other feed")
    doubted = other[other["received_at"] >= day(29)]
    doubted = doubted.assign(value=1 - doubted["value"], feedback_id="z" + doubted["feedback_id"])
    both = pd.concat([claims, doubted]).sort_values(["received_at", "feedback_id"], ignore_index=True)
    assert len(sources(quarantine(claims, only("wrong together")))) == 30
    assert len(quarantine(both, only("wrong together"))) == 0


def test_a_rule_that_is_null_is_off() -> None:
    """Each of the rules finds what is planted for it, and nothing when it is off."""
    world = World(40, outcomes=0.5)
    world.burst(30)
    for n in range(20):
        world.say(25 + n / 24 / 3600, n, "fast", n % 2)
        world.say(25 + n / 24 / 3, n, "regular", n % 2)
    claims = world.claims()
    everything = quarantine(claims, PARAMS)
    assert set(everything["reason"]) == set(RULES)
    for reason, rule in RULES.items():
        rows = quarantine(claims, PARAMS.model_copy(update={rule: None}))
        assert set(rows["reason"]) == set(RULES) - {reason}
        pd.testing.assert_frame_equal(
            rows, everything[everything["reason"] != reason].reset_index(drop=True), check_dtype=False
        )


def test_no_claims_and_no_sources_are_no_error() -> None:
    nothing = quarantine(table([]), PARAMS)
    assert list(nothing) == ["source_id", "channel", "first", "until", "known_at", "reason", "found"]
    assert len(nothing) == 0
    assert len(quarantine(table([(0.5, "p", "report", None, 1), (0.6, "p", "outcome", "feed", 0)]), PARAMS)) == 0
    assert len(quarantine(table([(0.5, "p", "outcome", "feed", 0)]), PARAMS)) == 0


def test_outcomes_are_gold() -> None:
    """A feed that says one thing all day, many times a minute, is not a source to put into quarantine."""
    world = World(30)
    claims = world.claims()
    assert "feed" not in sources(quarantine(claims.assign(value=1.0), PARAMS))


# ---- how likely an honest source is accused


def test_false_alarms_of_always_the_same_are_as_stated() -> None:
    """At a rate of 5 % some of the honest sources are found, and not more than that."""
    params = OneAnswer(false_alarm=0.05, min_claims=5, memory_days=28)
    said = prepare(World(200, seed=3).claims())
    busy = np.flatnonzero(np.bincount(said.source) >= 20)
    found = np.intersect1d(one_answer(said, params)["source"].unique(), busy)
    assert 0 < len(found) <= 0.05 * len(busy)


@given(n=st.integers(1, 30), share=st.floats(0.01, 0.9), k=st.integers(0, 30))
def test_the_tail_is_never_too_small(n: int, share: float, k: int) -> None:
    """It bounds the binomial tail from above, and is exact where every try hits."""
    k = min(k, n)
    exact = sum(comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(k, n + 1))
    (bound,) = tail(np.array([n]), np.array([k]), np.array([share]))
    assert bound >= exact - 1e-12
    if k == n:
        assert bound == pytest.approx(share**n)


# ---- point in time


def as_of(rows: pd.DataFrame, morning: pd.Timestamp) -> pd.DataFrame:
    """What a morning knows of some rows: those found by then, without an end that is still to come."""
    known = rows[rows["known_at"] <= morning].reset_index(drop=True)
    return known.assign(until=known["until"].mask(known["until"] > morning))


def check_point_in_time(claims: pd.DataFrame, params: Quarantine, mornings: Sequence[int]) -> None:
    everything = quarantine(claims, params)
    for n in mornings:
        before = quarantine(claims[claims["received_at"] < day(n)].reset_index(drop=True), params)
        pd.testing.assert_frame_equal(as_of(before, day(n)), as_of(everything, day(n)), check_exact=True)
        assert (before["known_at"] <= day(n)).all()
        assert (before["first"] < before["known_at"]).all()


def test_no_morning_knows_what_comes_after_it() -> None:
    """All rules find something, and every morning finds the same whatever is said later."""
    world = World(40, outcomes=0.5, outcome_delay=2.0)
    world.burst(15)
    world.burst(30, name="again")
    for n in range(20):
        world.say(25 + n / 24 / 3600, n, "fast", n % 2)
        world.say(26 + n / 24 / 3600, n, "fast", n % 2)
        world.say(25 + n / 24 / 3, n, "regular", n % 2)
        world.say(10 + n, int(world.served_on(10 + n)[0]), "yes", int(n != 17))
    claims = world.claims()
    assert set(quarantine(claims, PARAMS)["reason"]) == set(RULES)
    check_point_in_time(claims, PARAMS, [14, 21, 26, 27, 30, 31, 32, 33, 34, 40])


EAGER = Quarantine(
    rest_days=2,
    one_answer=OneAnswer(false_alarm=0.05, min_claims=2, memory_days=2),
    fast=FastClaims(per_minute=2),
    regular=RegularClaims(gaps=5, max_gap_h=12.0, false_alarm=0.05),
    shared_errors=SharedErrors(days=2, members=3, false_alarm=0.05),
    lockstep=Lockstep(days=3, meetings=2, false_alarm=0.05, members=3, predictions=2, agreement=0.5),
)


def small_world(seed: int, n_sources: int) -> pd.DataFrame:
    """Few sources that say much about few predictions, with late, false and contradictory outcomes, and no source at all."""
    rng = np.random.default_rng(seed)
    n = 250
    names = [*(f"s{k}" for k in range(n_sources)), None]
    channels = rng.choice(["report", "report", "annotation", "outcome"], n)
    rows: list[Row] = [
        (
            float(rng.integers(0, 6 * 24 * 4)) / 96,
            f"p{rng.integers(0, 80)}",
            str(channels[k]),
            names[rng.integers(0, len(names))],
            int(rng.random() < 0.3),
        )
        for k in range(n)
    ]
    for _ in range(12):  # a clique that agrees
        at, one = float(rng.integers(0, 6 * 96)) / 96, f"p{rng.integers(0, 80)}"
        rows += [(at + k / 5000, one, "report", f"clique-{k}", 1) for k in range(4)]
    for k in range(12):
        rows.append((2 + k / 4, f"p{k}", "report", "yes", 1))
        rows.append((1 + k / 24, f"p{k}", "report", "machine", k % 2))
        rows.append((rng.integers(1, 5) + k / 1e5, f"p{k}", "report", "fast", k % 2))
    return table(rows)


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_no_morning_knows_what_comes_after_it_in_any_small_world(seed: int, n_sources: int) -> None:
    check_point_in_time(small_world(seed, n_sources), EAGER, range(1, 7))


def test_small_worlds_are_not_empty() -> None:
    """What the property above is asserted of: in such worlds the eager rules find sources."""
    found = pd.concat([quarantine(small_world(seed, 8), EAGER) for seed in range(20)])
    assert set(found["reason"]) == set(RULES)


# ---- an attacker who knows the rules


class Attack(NamedTuple):
    """How far an attack got."""

    false: int  # claims
    counted_at_first: (
        int  # those that counted until the next morning at least: from what came before the account was found
    )
    counted_in_the_end: int  # those that count as of the last morning
    days: float | None  # until half of the accounts were found


def attack(lie: Callable[[World, int], object], days: int = 45) -> Attack:
    """Thirty accounts that are honest for 30 days, once a day each, and then do as `lie` says, every day."""
    world = World(days)
    for at in range(30):
        for user in range(30):
            one = int(world.rng.choice(world.served_on(at)))
            world.say(world.served[one] + 0.1, one, f"sleeper-{user}", int(world.truth[one]))
    for at in range(30, days):
        lie(world, at)
    claims = world.claims()
    rows = quarantine(claims, PARAMS)
    assert honest_share(claims, rows) <= 0.01
    found = rows[rows["source_id"].str.startswith("sleeper")].groupby("source_id")["known_at"].min().sort_values()
    false = claims[claims["source_id"].str.startswith("sleeper").fillna(False) & (claims["received_at"] >= day(30))]
    unknown = ~(false["received_at"].array >= found.reindex(false["source_id"]).array)
    in_the_end = out_since(false, rows).isna()
    took = (found.iloc[14] - day(30)) / pd.Timedelta(days=1) if len(found) >= 15 else None
    return Attack(len(false), int(unknown.sum()), int(in_the_end.sum()), took)


def test_a_patient_attacker_is_caught_the_morning_after_he_strikes() -> None:
    """Good behaviour buys him one day: from the next morning on nothing that he said in it counts, nor what he says then."""
    got = attack(lambda world, at: world.burst(at, 1, name="sleeper"))
    assert got.days == 1
    assert got.false > 2000
    assert got.counted_at_first < 2 * got.false / 15  # of 15 days: all of the first, and a few of the second
    assert got.counted_in_the_end == 0


def test_a_slow_attacker_is_left_to_trust() -> None:
    """Each account lies once in five days, three of them together: that is no burst, and quarantine does not see it.

    It is a known limit. He gets 90 false claims in where the burst above makes 200 a day, and most of them are refuted, so that
    trust in these accounts falls. If this test fails because he is found, the limits in the documents are out of date.
    """

    def slowly(world: World, at: int) -> None:
        team = range(6 * (at % 5), 6 * (at % 5) + 6)
        for first in (0, 3):
            one = int(world.rng.choice(world.served_on(at, truth=0)))
            for user in team[first : first + 3]:
                world.say(world.served[one] + 0.02, one, f"sleeper-{user}", 1)

    assert attack(slowly) == Attack(false=90, counted_at_first=90, counted_in_the_end=90, days=None)
