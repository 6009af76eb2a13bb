"""The annotators of the example come out as they are, though the flights that they look at have no outcome."""

from __future__ import annotations

import copy
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from flights.reactions import ReactionOptions, draw_population, react
from flywheel.labels.annotators import describe_annotators
from flywheel.labels.conclude import conclude
from flywheel.labels.settings import Label
from flywheel.params import parse

PARAMS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
N = 6000


def flights() -> pd.DataFrame:
    """Flights of one day: three in ten are disrupted, half are of an airline with a feed, two origins."""
    number = np.arange(N)
    at = (pd.Timestamp("2013-05-02", tz="UTC") + pd.to_timedelta(number, unit="s")).as_unit("us")
    return pd.DataFrame(
        {
            "prediction_id": [f"p{n:05}" for n in number],
            "served_at": at,
            "user_id": [f"user-{n % 100:05}" for n in number],
            "score": 0.3,
            "in_carrier": np.where(number % 2 == 0, "UA", "AA"),
            "in_flight_number": number % 900 + 1,
            "in_origin": np.where(number % 3 == 0, "LGA", "JFK"),
            "in_dest": "MIA",
            "is_disrupted": np.random.default_rng(3).random(N) < 0.3,
            "settled_at": at + pd.Timedelta(hours=5),
        }
    ).astype({"is_disrupted": "int64"})


def test_the_annotators_come_out_as_they_are() -> None:
    """Who is right in 98, 93 and 80 of 100 cases is so with intervals that hold it, from what users and the others say."""
    reactions = copy.deepcopy(PARAMS["source"]["options"]["reactions"])
    reactions["annotations"]["share"] = 0.5
    options = ReactionOptions.model_validate(reactions)
    served = flights()
    people = draw_population(options.people, options.burst, np.random.default_rng(1))
    said = react(served, people, options, np.random.default_rng(2)).drop_duplicates("feedback_id", ignore_index=True)
    label, end = parse(Label, PARAMS["label"]), dt.date(2013, 5, 12)
    found = describe_annotators(conclude(said, served, label, end), served, label, end)
    assert {one["with_outcome"] for one in found["busiest"]} == {0}
    by_name = {one["source"]: one for one in found["busiest"]}
    assert list(reactions["annotations"]["accuracy"]) == sorted(by_name)
    for coin in ("sensitivity", "specificity"):
        values = []
        for name, right in reactions["annotations"]["accuracy"].items():
            estimate = by_name[name][coin]  # type: ignore[literal-required]
            values.append(estimate["value"])
            assert estimate["low"] - 0.01 <= right <= estimate["high"] + 0.01
        assert values == sorted(values, reverse=True)
    assert found["agreement"]["alpha"]
    assert 1 < (by_name["annotator-a"]["median_days"] or 0) < 5
