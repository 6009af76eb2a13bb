"""The simulated people and service do what the options say, on planted flights."""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from flights.reactions import Population, ReactionOptions, Service, draw_population, longest_lag_min, react, serve
from flights.ticket_texts import PATTERNS, SIGNATURES, TOPIC_CHANCES, write_ticket

PARAMS = Path(__file__).parents[2] / "params.yaml"
OPTIONS = yaml.safe_load(PARAMS.read_text())["source"]["options"]
BURST_DAY = "2013-03-19"
N = 6000


def people_options(**changes: dict[str, Any]) -> ReactionOptions:
    """The real options; each argument is a section with the keys to change."""
    real = copy.deepcopy(OPTIONS["reactions"])
    for section, keys in changes.items():
        real[section] |= keys
    return ReactionOptions.model_validate(real)


def served(n: int = N, day: str = "2013-05-02", **columns: Any) -> pd.DataFrame:
    """Flights of one day, served every second: half are disrupted, the app alerts on half of each, half have a feed."""
    number = np.arange(n)
    at = pd.Timestamp(day, tz="UTC") + pd.to_timedelta(number, unit="s")
    frame = pd.DataFrame(
        {
            "prediction_id": [f"p{i:05}" for i in number],
            "served_at": at.as_unit("us"),
            "user_id": [f"user-{i % 100:05}" for i in number],
            "score": np.where(number % 4 < 2, 0.1, 0.9),
            "in_carrier": np.where(number % 8 < 4, "UA", "AA"),
            "in_flight_number": number % 900 + 1,
            "in_origin": np.where(number % 3 == 0, "LGA", "JFK"),
            "in_dest": "MIA",
            "is_disrupted": number % 2,
            "settled_at": (at + pd.Timedelta(hours=5)).as_unit("us"),
        }
    )
    return frame.assign(**columns)


@pytest.fixture(scope="module")
def population() -> Population:
    options = people_options()
    return draw_population(options.people, options.burst, np.random.default_rng(1))


def reactions(frame: pd.DataFrame, population: Population, seed: int = 1, **changes: dict[str, Any]) -> pd.DataFrame:
    """Feedback about the flights, each event once, with what is known about its flight."""
    events = react(frame, population, people_options(**changes), np.random.default_rng(seed))
    return events.drop_duplicates("feedback_id").merge(frame, on="prediction_id", how="left")


def channel(events: pd.DataFrame, name: str) -> pd.DataFrame:
    return events[events["channel"] == name]


def only(population: Population, **fields: Any) -> Population:
    return Population(**{**population.__dict__, **fields})


# ---- people ----


def test_activity_is_very_unequal(population: Population) -> None:
    """The most active twentieth of the users says several times its share, and most users are still heard."""
    user = population.draw(200_000, np.random.default_rng(2))
    heard = np.sort(np.bincount(user, minlength=len(population.ids)))[::-1]
    assert heard[: len(heard) // 20].sum() / heard.sum() > 0.15
    assert (heard > 0).mean() > 0.9


def test_reliability_differs(population: Population) -> None:
    """Users are right in 85 % of the cases on average, some hardly ever wrong and some little better than a coin."""
    low, high = np.quantile(population.reliability, [0.05, 0.95])
    assert population.reliability.mean() == pytest.approx(0.85, abs=0.005)
    assert low < 0.7
    assert high > 0.95


def test_groups_of_users(population: Population) -> None:
    """The always-yes users are 40 of the active ones; the burst has 30 other users."""
    weight = np.diff(population.activity, prepend=0)
    assert population.is_always_yes.sum() == 40
    assert weight[population.is_always_yes].min() > np.median(weight)
    assert len(set(population.burst)) == 30
    assert not population.is_always_yes[population.burst].any()


# ---- the service ----


def test_latency_has_an_incident_day(population: Population) -> None:
    """The median latency is 45 ms, and eight times that on the incident day."""
    service = Service.model_validate(OPTIONS["service"])
    for day, median in ((dt.date(2013, 5, 2), 45), (service.incident_day, 8 * 45)):
        frame = served(day=str(day))
        answers = serve(frame["served_at"], population, service, np.random.default_rng(1))
        assert answers["latency_ms"].median() == pytest.approx(median, rel=0.05)
        assert answers["latency_ms"].quantile(0.95) > 2 * median


def test_errors_are_rare_but_for_the_outage(population: Population) -> None:
    """0.2 % of the predictions time out; in the two hours of the outage none is answered, and before and after they are."""
    service = Service.model_validate(OPTIONS["service"])
    at = pd.Series(pd.date_range(str(service.outage_day), periods=24 * 600, freq="6s", tz="UTC"))
    error = serve(at, population, service, np.random.default_rng(1))["error"]
    is_out = (at.dt.hour >= 14) & (at.dt.hour < 16)
    assert (error[is_out] == "unavailable").all()
    assert set(error[~is_out].dropna()) == {"timeout"}
    assert error[~is_out].notna().mean() == pytest.approx(0.002, abs=0.0015)


# ---- the feedback ----


def test_outcomes_are_right_and_only_for_airlines_with_a_feed(population: Population) -> None:
    """Each flight of these airlines has one outcome, true, ten minutes after landing; the others have none."""
    outcomes = channel(reactions(served(), population), "outcome")
    assert len(outcomes) == N / 2
    assert set(outcomes["in_carrier"]) == {"UA"}
    assert (outcomes["value"] == outcomes["is_disrupted"]).all()
    assert (outcomes["received_at"] - outcomes["settled_at"] == pd.Timedelta(minutes=10)).all()


def test_reports_are_more_when_disrupted(population: Population) -> None:
    """There are 2.0 reports a disrupted flight and 1.5 another one, from different users."""
    reports = channel(reactions(served(), population), "report").dropna(subset="is_disrupted")
    per_flight = reports.groupby("is_disrupted").size() / (N / 2)
    assert per_flight.tolist() == pytest.approx([1.5, 2.0], rel=0.05)
    assert not reports.duplicated(["prediction_id", "source_id"]).any()


def test_reports_come_from_minutes_to_two_days_after_landing(population: Population) -> None:
    """Half of the reports come within 40 minutes of landing, none within the first minute or after two days."""
    reports = channel(reactions(served(), population), "report").dropna(subset="settled_at")
    lag_min = (reports["received_at"] - reports["settled_at"]).dt.total_seconds() / 60
    assert lag_min.median() == pytest.approx(40, rel=0.1)
    assert lag_min.quantile(0.99) > 8 * 60
    assert lag_min.between(1, 48 * 60).all()


def test_users_are_right_as_often_as_they_are_reliable(population: Population) -> None:
    """Of two groups of users, one right in 95 % and one in 60 %, the reports are right that often."""
    is_good = np.arange(len(population.ids)) % 2 == 0
    honest = only(
        population,
        reliability=np.where(is_good, 0.95, 0.6),
        is_always_yes=np.zeros_like(is_good),
    )
    reports = channel(reactions(served(), honest), "report").dropna(subset="is_disrupted")
    is_right = reports["value"] == reports["is_disrupted"]
    by_group = is_right.groupby(reports["source_id"].isin(population.ids[is_good])).mean()
    assert by_group.tolist() == pytest.approx([0.6, 0.95], abs=0.03)


def test_always_yes_users_always_say_yes(population: Population) -> None:
    """Whatever happened, they report a disruption."""
    everyone = only(population, is_always_yes=np.ones(len(population.ids), dtype=bool))
    assert (channel(reactions(served(), everyone), "report")["value"] == 1).all()
    some = channel(reactions(served(), population), "report")
    assert (some.loc[some["source_id"].isin(population.ids[population.is_always_yes]), "value"] == 1).all()


def test_burst_is_false_and_coordinated(population: Population) -> None:
    """For half of the undisrupted flights from the airport, three members each say "disrupted" within the hour."""
    frame = served(day=BURST_DAY)
    none = {"mean_disrupted": 0.0, "mean_on_time": 0.0, "orphan_share": 0.0}
    reports = channel(reactions(frame, population, reports=none), "report")
    target = frame[(frame["in_origin"] == "LGA") & (frame["is_disrupted"] == 0)]
    assert set(reports["prediction_id"]) < set(target["prediction_id"])
    assert reports["prediction_id"].nunique() / len(target) == pytest.approx(0.5, abs=0.06)
    assert (reports.groupby("prediction_id")["source_id"].nunique() == 3).all()
    assert (reports["value"] == 1).all()
    assert set(reports["source_id"]) == set(population.ids[population.burst])
    assert (reports["received_at"] - reports["settled_at"]).max() <= pd.Timedelta(hours=1)


@pytest.mark.parametrize(
    ("day", "expected"), [("2013-03-17", 0), ("2013-03-18", 1), ("2013-03-20", 1), ("2013-03-21", 0)]
)
def test_burst_lasts_three_days(population: Population, day: str, expected: int) -> None:
    """It begins on its first day and is over after the third."""
    none = {"mean_disrupted": 0.0, "mean_on_time": 0.0}
    assert (len(channel(reactions(served(300, day), population, reports=none), "report")) > 0) == expected


def test_ratings_depend_on_whether_the_app_was_right(population: Population) -> None:
    """8 % of the answers get a thumb from who asked: up in 85 % of the cases when right, in 25 % when wrong."""
    ratings = channel(reactions(served(30_000), population), "rating")
    is_right = (ratings["score"] >= 0.3) == (ratings["is_disrupted"] == 1)
    assert len(ratings) / 30_000 == pytest.approx(0.08, rel=0.07)
    assert (ratings["value"] == 1).groupby(is_right).mean().tolist() == pytest.approx([0.25, 0.85], abs=0.04)
    assert set(ratings["value"]) == {-1, 1}
    assert (ratings["source_id"] == ratings["user_id"]).all()


def test_no_answer_gets_no_rating(population: Population) -> None:
    """Where the service failed there is nothing to rate, but the flight still has its outcome and reports."""
    events = reactions(served(score=np.nan), population)
    assert channel(events, "rating").empty
    assert len(channel(events, "outcome")) == N / 2
    assert len(channel(events, "report")) > N


def test_tickets_come_when_something_went_wrong(population: Population) -> None:
    """Tickets are few, by who asked, more where the app was wrong or the flight disrupted, and they are texts, not values."""
    tickets = channel(reactions(served(60_000), population), "ticket")
    is_right = (tickets["score"] >= 0.3) == (tickets["is_disrupted"] == 1)
    share = tickets.groupby([is_right, "is_disrupted"]).size() / 15_000
    assert share[True, 0] == pytest.approx(OPTIONS["reactions"]["tickets"]["share"], rel=0.3)
    assert share[False, 0] > 1.5 * share[True, 0]
    assert share[True, 1] > 1.5 * share[True, 0]
    assert tickets["text"].notna().all()
    assert tickets["value"].isna().all()
    assert (tickets["source_id"] == tickets["user_id"]).all()


def test_only_tickets_have_texts_and_no_value(population: Population) -> None:
    """All other channels have a value and no text."""
    others = reactions(served(), population).query("channel != 'ticket'")
    assert others["text"].isna().all()
    assert others["value"].notna().all()


def test_annotators_differ(population: Population) -> None:
    """They are right in 98, 93 and 80 % of the cases, one to four days after landing, for flights without a feed only."""
    annotations = channel(reactions(served(), population, annotations={"share": 1.0}), "annotation")
    is_right = annotations["value"] == annotations["is_disrupted"]
    lag = annotations["received_at"] - annotations["settled_at"]
    per_flight = annotations.groupby("prediction_id")["source_id"].agg(["size", "nunique"])
    assert is_right.groupby(annotations["source_id"]).mean().to_dict() == pytest.approx(
        {"annotator-a": 0.98, "annotator-b": 0.93, "annotator-c": 0.8}, abs=0.025
    )
    assert set(annotations["in_carrier"]) == {"AA"}
    assert lag.between(pd.Timedelta(days=1), pd.Timedelta(days=4)).all()
    assert set(per_flight["size"]) == {1, 2, 3}
    assert (per_flight["size"] == per_flight["nunique"]).all()


def test_annotators_see_a_small_share(population: Population) -> None:
    """1.5 % of the flights without a feed are on the worklist."""
    annotations = channel(reactions(served(40_000), population), "annotation")
    assert annotations["prediction_id"].nunique() / 20_000 == pytest.approx(0.015, rel=0.25)


# ---- delivery ----


def test_some_events_come_twice(population: Population) -> None:
    """0.2 % of the events are there twice, and the second is the same row."""
    events = react(served(30_000), population, people_options(), np.random.default_rng(1))
    again = events[events.duplicated("feedback_id")]
    assert len(again) / len(events) == pytest.approx(0.002, rel=0.3)
    assert events.duplicated().sum() == len(again)


def test_some_reports_are_about_nothing(population: Population) -> None:
    """0.05 % of the reports, and nothing else, name a prediction that does not exist."""
    events = reactions(served(60_000), population)
    orphans = events[events["is_disrupted"].isna()]
    assert set(orphans["channel"]) == {"report"}
    assert len(orphans) / len(channel(events, "report")) == pytest.approx(0.0005, rel=0.5)


def test_nothing_comes_later_than_the_longest_lag(population: Population) -> None:
    """The bound that tells how many days to look back holds for every channel, also when people are very slow."""
    slow = {"lag": {"median_min": 6000.0}, "annotations": {"share": 1.0}}
    frame = served()
    events = react(frame, population, people_options(**slow), np.random.default_rng(1)).merge(frame, on="prediction_id")
    bound = pd.Timedelta(minutes=longest_lag_min(people_options(**slow)))
    assert (events["received_at"] - events["settled_at"]).max() <= bound


def test_the_same_seed_gives_the_same_feedback(population: Population) -> None:
    """Feedback comes from the flights and the random numbers alone; ids are unique and in order."""
    first, again, other = (
        react(served(), population, people_options(), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again)
    assert len(first) != len(other)
    pd.testing.assert_frame_equal(first, first.sort_values(["received_at", "feedback_id"], ignore_index=True))


def test_an_option_of_one_channel_leaves_the_others_alone(population: Population) -> None:
    """With twice the ratings, all outcomes, reports, tickets and annotations are what they were."""
    usual = reactions(served(), population)
    more = reactions(served(), population, ratings={"share": 0.16})
    assert len(channel(more, "rating")) > 1.5 * len(channel(usual, "rating"))
    for name in ("outcome", "report", "ticket", "annotation"):
        pd.testing.assert_frame_equal(
            channel(usual, name).reset_index(drop=True), channel(more, name).reset_index(drop=True)
        )


def test_no_flights_no_feedback(population: Population) -> None:
    """A day without flights gives an empty table with the same columns."""
    usual, empty = (react(served(n), population, people_options(), np.random.default_rng(1)) for n in (50, 0))
    assert empty.empty
    pd.testing.assert_series_equal(empty.dtypes, usual.dtypes)


# ---- ticket texts ----


def test_there_are_a_few_dozen_patterns_of_five_topics() -> None:
    """Every topic has patterns, no pattern is there twice, and the chances of the topics add up to one."""
    patterns = [pattern for some in PATTERNS.values() for pattern in some]
    assert set(PATTERNS) == {"complaint", "praise", "feature_request", "wrong_data", "late_alert"}
    assert len(patterns) == len(set(patterns)) >= 36
    assert all(sum(chances) == pytest.approx(1) for chances in TOPIC_CHANCES.values())
    assert all(len(chances) == len(PATTERNS) for chances in TOPIC_CHANCES.values())


@pytest.fixture(scope="module")
def texts() -> dict[tuple[bool, bool], list[str]]:
    rng = np.random.default_rng(1)
    return {case: [write_ticket("UA1545", "EWR", "IAH", *case, rng) for _ in range(800)] for case in TOPIC_CHANCES}


def test_all_slots_are_filled(texts: dict[tuple[bool, bool], list[str]]) -> None:
    """No text has a brace left, and flight and airports appear."""
    everything = "\n".join(text for some in texts.values() for text in some)
    assert "{" not in everything
    assert "}" not in everything
    assert {"UA1545", "EWR", "IAH"} <= set(everything.replace(",", " ").replace(".", " ").split())


def test_topics_depend_on_what_happened(texts: dict[tuple[bool, bool], list[str]]) -> None:
    """Praise comes when the app was right and complaints when it was wrong; alerts are late only for disrupted flights."""

    def share(case: tuple[bool, bool], topic: str) -> float:
        starts = tuple(pattern.split("{")[0] for pattern in PATTERNS[topic] if len(pattern.split("{")[0]) > 8)
        return float(np.mean([text.startswith(starts) for text in texts[case]]))

    assert share((True, True), "praise") > 3 * share((False, True), "praise")
    assert share((False, True), "complaint") > 3 * share((True, True), "complaint")
    assert share((False, False), "late_alert") == 0
    assert share((False, True), "late_alert") > 0.1


def test_personal_data_is_there_and_invented(texts: dict[tuple[bool, bool], list[str]]) -> None:
    """There is something to scrub of each kind; addresses are of example domains, telephone numbers are 555-01xx."""
    everything = pd.Series([text for some in texts.values() for text in some])
    address = everything.str.extract(r"@([\w.]+\w)")[0].dropna()
    phone = everything.str.extract(r"(\d{3}[ -]\d{4})")[0].dropna()
    booking = everything.str.extract(r"\b([A-Z]{3}\d\d[A-Z])\b")[0].dropna()
    name = everything.str.extract(r"(?:name is|egards,|hanks,|- |I am|This is)\s([A-Z]\w+ [A-Z]\w+)")[0].dropna()
    assert set(address) == {"example.com", "example.org"}
    assert phone.str.match(r"555[ -]01\d\d").all()
    assert min(len(address), len(phone), len(booking), len(name)) > 30
    assert everything.str.len().max() < 300
    assert all(any(slot in text for text in SIGNATURES) for slot in ("{name}", "{email}", "{phone}", "{booking}"))
