"""Everything about people and the service that is simulated, on top of flights that are real.

No public data set says what passengers told an airline app, so this module invents it. Nothing else is invented. Every
number named here is an option in the project's file under `conf/`; the figures are its defaults.

The service
- Which user asked: drawn by activity. Latency: log-normal, median 45 ms; eight times that on an incident day.
- Errors: 0.2 % of the predictions fail ("timeout"); in an outage of two hours all do ("unavailable"). They have no score.

The people
- 20,000 users. Activity is very unequal (Pareto weights). Each is right with a probability of their own (Beta, mean 0.85).
- 40 of the more active users always say "disrupted", whatever happened.
- For three days 30 users send coordinated false "disrupted" reports: three on each of half of the flights from one airport
  that were not disrupted.
- Everybody speaks some time after landing (log-normal, median 40 minutes, at most two days). For a flight that was cancelled or
  diverted, its scheduled arrival stands for the landing, here and below.

The feedback
- outcome: for the airlines with a feed (about 70 % of the flights), ten minutes after landing, always right.
- report: a Poisson number of different users a flight, mean 2.0 when it was disrupted and 1.5 when not. 0.05 % name a
  prediction that does not exist, as an old version of the app would.
- rating: on 8 % of the predictions, by the user who asked; thumb up with 85 % when the app was right (it alerts from a
  score of 0.3 on) and with 25 % when it was wrong; none where there was no answer.
- ticket: on about 1 % of the predictions, more often where the app was wrong or the flight disrupted, by the user who
  asked. The texts are in `flights.ticket_texts`; what they are about depends on what happened.
- annotation: one to three of three annotators (right in 98, 93 and 80 %) look at 1.5 % of the flights without a feed, one to
  four days after landing.
- 0.2 % of the events are delivered twice.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from flights.ticket_texts import write_ticket
from flywheel.params import Count, Day, Names, Params, Share

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

Positive = Annotated[float, Field(gt=0)]
Hour = Annotated[int, Field(ge=0, le=24)]


class Service(Params):
    """How long answers take, and when they fail."""

    latency_median_ms: Positive
    latency_sigma: Annotated[float, Field(ge=0)]
    incident_day: Day
    incident_factor: Positive
    error_share: Share
    outage_day: Day
    outage_from_hour: Hour
    outage_to_hour: Hour


class People(Params):
    """Who uses the app."""

    users: Count
    activity_tail: Positive
    reliability_mean: Annotated[float, Field(gt=0, lt=1)]
    reliability_weight: Positive
    always_yes: Annotated[int, Field(ge=0)]


class Lag(Params):
    """How long people take to say something."""

    median_min: Positive
    sigma: Annotated[float, Field(ge=0)]
    max_h: Positive


class Outcomes(Params):
    """Which airlines tell what became of a flight."""

    carriers: Names
    delay_min: Annotated[int, Field(ge=0)]


class Reports(Params):
    """How many reports a flight gets."""

    mean_disrupted: Annotated[float, Field(ge=0)]
    mean_on_time: Annotated[float, Field(ge=0)]
    orphan_share: Share


class Burst(Params):
    """Coordinated false reports."""

    first_day: Day
    days: Annotated[int, Field(ge=0)]
    origin: str
    users: Annotated[int, Field(ge=0)]
    flight_share: Share
    reports_per_flight: Count
    within_min: Count


class Ratings(Params):
    """Thumbs up and down."""

    share: Share
    alert_threshold: Share
    up_when_right: Share
    up_when_wrong: Share


class Tickets(Params):
    """Complaints and questions."""

    share: Share
    more_when_wrong: Share
    more_when_disrupted: Share


class Annotations(Params):
    """People who look flights up."""

    share: Share
    accuracy: dict[str, Share]
    min_lag_days: Annotated[float, Field(ge=0)]
    max_lag_days: Positive


class ReactionOptions(Params):
    """How people behave; each key is explained in the project's file under `conf/`."""

    people: People
    lag: Lag
    outcomes: Outcomes
    reports: Reports
    burst: Burst
    ratings: Ratings
    tickets: Tickets
    annotations: Annotations
    redelivered_share: Share


@dataclasses.dataclass(frozen=True)
class Population:
    """The users by number: their ids, cumulated activity, reliability, and who belongs to which odd group."""

    ids: npt.NDArray[np.object_]
    activity: Floats
    reliability: Floats
    is_always_yes: Bools
    burst: Ints

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """The numbers of `n` users, the active ones more often."""
        return self.activity.searchsorted(rng.random(n), side="right")


def draw_population(people: People, burst: Burst, rng: np.random.Generator) -> Population:
    """The users. The always-yes users are among the most active twentieth, the burst group is among the others."""
    weight = rng.pareto(people.activity_tail, people.users) + 1
    a = people.reliability_mean * people.reliability_weight
    reliability = rng.beta(a, people.reliability_weight - a, people.users)
    by_activity = np.argsort(-weight, kind="stable")
    n_active = max(people.users // 20, people.always_yes)
    is_always_yes = np.zeros(people.users, dtype=np.bool_)
    is_always_yes[rng.permutation(by_activity[:n_active])[: people.always_yes]] = True
    activity = np.cumsum(weight) / weight.sum()
    activity[-1] = 1.0
    return Population(
        ids=np.array([f"user-{number:05d}" for number in range(people.users)], dtype=object),
        activity=activity,
        reliability=reliability,
        is_always_yes=is_always_yes,
        burst=rng.permutation(by_activity[n_active:])[: burst.users],
    )


def serve(served_at: pd.Series, population: Population, service: Service, rng: np.random.Generator) -> pd.DataFrame:
    """Who asked, how long the answer took and what went wrong, for the predictions of one day: user_id, latency_ms, error."""
    n = len(served_at)
    user = population.draw(n, rng)
    latency = service.latency_median_ms * np.exp(service.latency_sigma * rng.standard_normal(n))
    day = served_at.dt.normalize()
    latency[day == pd.Timestamp(service.incident_day, tz="UTC")] *= service.incident_factor
    error = pd.Series([None] * n, index=served_at.index, dtype="str")
    error = error.mask(rng.random(n) < service.error_share, "timeout")
    hour = served_at.dt.hour
    is_out = (hour >= service.outage_from_hour) & (hour < service.outage_to_hour)
    error = error.mask(is_out & (day == pd.Timestamp(service.outage_day, tz="UTC")), "unavailable")
    user_id = pd.array(population.ids[user], dtype="str")
    return pd.DataFrame(
        {"user_id": user_id, "latency_ms": latency.round(1), "error": error.array}, index=served_at.index
    )


def longest_lag_min(options: ReactionOptions) -> int:
    """No feedback comes later than this many minutes after landing."""
    people_min = max(options.lag.max_h * 60, options.annotations.max_lag_days * 24 * 60)
    return int(np.ceil(max(people_min, options.outcomes.delay_min, options.burst.within_min)))


def react(
    served: pd.DataFrame, population: Population, options: ReactionOptions, rng: np.random.Generator
) -> pd.DataFrame:
    """All feedback about the predictions of one served day, sorted by received_at and feedback_id, with raw source ids.

    `served` is the table of predictions plus what became of the flights: is_disrupted (0 or 1) and settled_at (UTC). Each
    channel has its own random numbers, so an option of one changes nothing in the others.
    """
    for_reports, for_burst, for_ratings, for_tickets, for_annotations, for_delivery = rng.spawn(6)
    has_answer = served["score"].notna().to_numpy()
    is_alert = (served["score"] >= options.ratings.alert_threshold).to_numpy()
    is_right = has_answer & (is_alert == (served["is_disrupted"] == 1).to_numpy())
    said = {
        "outcome": _outcomes(served, options.outcomes),
        "report": _reports(served, population, options, for_reports, for_burst),
        "rating": _ratings(served, has_answer, is_right, options, for_ratings),
        "ticket": _tickets(served, is_right, options, for_tickets),
        "annotation": _annotations(served, options, for_annotations),
    }
    events = _assemble(served, said, options.reports.orphan_share, for_delivery)
    is_again = for_delivery.random(len(events)) < options.redelivered_share
    return in_order(pd.concat([events, events[is_again]]))


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """The events sorted by received_at and feedback_id."""
    keys = pa.table({name: pa.array(events[name]) for name in ("received_at", "feedback_id")})
    order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    return events.take(order.to_numpy()).reset_index(drop=True)


class _Said(NamedTuple):
    """What one channel says: about which row of `served` (in order), how long after landing, who, what."""

    row: Ints
    lag_s: Ints
    source_id: npt.NDArray[np.object_]
    value: npt.NDArray[Any]
    text: npt.NDArray[np.object_] | None = None


def _assemble(
    served: pd.DataFrame, said: dict[str, _Said], orphan_share: float, rng: np.random.Generator
) -> pd.DataFrame:
    """The events of all channels in the columns of the contract."""
    channel = np.repeat(np.array([*said], dtype=object), [len(events.row) for events in said.values()])
    number = np.concatenate([np.arange(len(e.row)) - np.searchsorted(e.row, e.row) + 1 for e in said.values()])
    row = np.concatenate([events.row for events in said.values()])
    text = [np.full(len(e.row), None) if e.text is None else e.text for e in said.values()]
    about = served["prediction_id"].to_numpy(dtype=object)[row]
    names = zip(about, channel, number.tolist(), strict=True)
    is_orphan = (channel == "report") & (rng.random(len(row)) < orphan_share)
    settled = served["settled_at"].dt.tz_localize(None).to_numpy()[row]
    lag = np.concatenate([events.lag_s for events in said.values()]).astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "feedback_id": pd.array([f"{about}:{channel}:{n}" for about, channel, n in names], dtype="str"),
            "prediction_id": pd.array(np.where(is_orphan, "old-app-" + about, about), dtype="str"),
            "received_at": pd.DatetimeIndex((settled + lag).astype("datetime64[us]")).tz_localize("UTC"),
            "channel": pd.array(channel, dtype="str"),
            "source_id": pd.array(np.concatenate([events.source_id for events in said.values()]), dtype="str"),
            "value": np.concatenate([events.value for events in said.values()]).astype(np.float64),
            "text": pd.array(np.concatenate(text), dtype="str"),
        }
    )


def _outcomes(served: pd.DataFrame, outcomes: Outcomes) -> _Said:
    row = np.flatnonzero(served["in_carrier"].isin(outcomes.carriers))
    source = np.full(len(row), "airline-feed", dtype=object)
    return _Said(row, np.full(len(row), outcomes.delay_min * 60), source, served["is_disrupted"].to_numpy()[row])


def _reports(
    served: pd.DataFrame,
    population: Population,
    options: ReactionOptions,
    rng: np.random.Generator,
    rng_burst: np.random.Generator,
) -> _Said:
    """Honest, wrong and always-yes reports, and those of the burst; a user reports a flight once."""
    truth = served["is_disrupted"].to_numpy()
    mean = np.where(truth == 1, options.reports.mean_disrupted, options.reports.mean_on_time)
    row = np.repeat(np.arange(len(served)), rng.poisson(mean))
    user = population.draw(len(row), rng)
    is_true = rng.random(len(row)) < population.reliability[user]
    claim = np.where(is_true, truth[row], 1 - truth[row])
    claim[population.is_always_yes[user]] = 1
    lag_s = _lags_s(len(row), options.lag, rng)
    false_row, false_user, false_lag_s = _burst(served, population, options.burst, rng_burst)
    row, user = np.concatenate([false_row, row]), np.concatenate([false_user, user])
    claim, lag_s = np.concatenate([np.ones_like(false_row), claim]), np.concatenate([false_lag_s, lag_s])
    _, first = np.unique(row * len(population.ids) + user, return_index=True)
    return _Said(row[first], lag_s[first], population.ids[user[first]], claim[first])


def _burst(
    served: pd.DataFrame, population: Population, burst: Burst, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    """Row, user and lag of the coordinated false reports."""
    start = pd.Timestamp(burst.first_day, tz="UTC")
    is_target = served["served_at"].between(start, start + pd.Timedelta(days=burst.days), inclusive="left")
    is_target &= (served["in_origin"] == burst.origin) & (served["is_disrupted"] == 0)
    is_target &= rng.random(len(served)) < burst.flight_share
    target = np.flatnonzero(is_target)
    order = rng.random((len(target), len(population.burst))).argsort(axis=1)[:, : burst.reports_per_flight]
    row = np.repeat(target, order.shape[1])
    return row, population.burst[order].ravel(), rng.integers(60, burst.within_min * 60 + 1, len(row))


def _ratings(
    served: pd.DataFrame, has_answer: Bools, is_right: Bools, options: ReactionOptions, rng: np.random.Generator
) -> _Said:
    ratings = options.ratings
    row = np.flatnonzero((rng.random(len(served)) < ratings.share) & has_answer)
    up = np.where(is_right[row], ratings.up_when_right, ratings.up_when_wrong)
    value = np.where(rng.random(len(row)) < up, 1, -1)
    return _Said(row, _lags_s(len(row), options.lag, rng), served["user_id"].to_numpy(dtype=object)[row], value)


def _tickets(served: pd.DataFrame, is_right: Bools, options: ReactionOptions, rng: np.random.Generator) -> _Said:
    tickets = options.tickets
    is_disrupted = (served["is_disrupted"] == 1).to_numpy()
    chance = tickets.share + tickets.more_when_wrong * ~is_right + tickets.more_when_disrupted * is_disrupted
    row = np.flatnonzero(rng.random(len(served)) < chance)
    flights = served[["in_carrier", "in_flight_number", "in_origin", "in_dest"]].iloc[row]
    texts = [
        write_ticket(f"{carrier}{number}", origin, dest, bool(is_right[i]), bool(is_disrupted[i]), rng)
        for i, (carrier, number, origin, dest) in zip(row, flights.itertuples(index=False), strict=True)
    ]
    lag_s, user_id = _lags_s(len(row), options.lag, rng), served["user_id"].to_numpy(dtype=object)[row]
    return _Said(row, lag_s, user_id, np.full(len(row), np.nan), np.array(texts, dtype=object))


def _annotations(served: pd.DataFrame, options: ReactionOptions, rng: np.random.Generator) -> _Said:
    annotations = options.annotations
    has_feed = served["in_carrier"].isin(options.outcomes.carriers).to_numpy()
    work = np.flatnonzero(~has_feed & (rng.random(len(served)) < annotations.share))
    names = sorted(annotations.accuracy)
    order = rng.random((len(work), len(names))).argsort(axis=1)
    place, who = np.nonzero(order < rng.integers(1, len(names) + 1, len(work))[:, None])
    row = work[place]
    truth = served["is_disrupted"].to_numpy()[row]
    is_true = rng.random(len(row)) < np.array([annotations.accuracy[name] for name in names])[who]
    lag_days = rng.uniform(annotations.min_lag_days, annotations.max_lag_days, len(row))
    lag_s = (lag_days * 24 * 3600).astype(np.int64)
    return _Said(row, lag_s, np.array(names, dtype=object)[who], np.where(is_true, truth, 1 - truth))


def _lags_s(n: int, lag: Lag, rng: np.random.Generator) -> Ints:
    """Seconds between landing and speaking: at least a minute, at most `lag.max_h`."""
    minutes = lag.median_min * np.exp(lag.sigma * rng.standard_normal(n))
    return (np.clip(minutes, 1, lag.max_h * 60) * 60).astype(np.int64)
