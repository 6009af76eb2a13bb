"""What quarantine finds in the example's year, when, whom it accuses wrongly, and how far an attacker gets who knows of it.

python tests/flights/poisoning.py TREE, where TREE has run the pipeline for a clock at the end of the year. Prints JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from flights.reactions import draw_population
from flights.replay import PEOPLE, ReplayOptions, open_source
from flywheel.data import tables
from flywheel.data.privacy import DEMO_KEY, hash_ids
from flywheel.labels.quarantine import out_since, quarantine
from flywheel.labels.settings import Label
from flywheel.params import parse

COLUMNS = ["feedback_id", "prediction_id", "received_at", "channel", "source_id", "value"]
HONEST_FROM, STRIKES = pd.Timestamp("2013-05-01", tz="UTC"), pd.Timestamp("2013-05-31", tz="UTC")
ACCOUNTS = 30


def read_claims(tree: Path) -> pd.DataFrame:
    """All outcomes, reports and annotations of the year, in order."""
    feedback = tables.read_days(tree / "data/valid", "feedback", columns=COLUMNS)
    return tables.in_order(
        feedback[feedback["channel"].isin(("outcome", "report", "annotation"))], ["received_at", "feedback_id"]
    )


def people(options: ReplayOptions) -> pd.DataFrame:
    """Which of the users are in the burst, and which always say yes, by hashed id."""
    crowd = draw_population(
        options.reactions.people, options.reactions.burst, np.random.default_rng([options.seed, PEOPLE])
    )
    kind = np.where(crowd.is_always_yes, "always yes", "honest").astype(object)
    kind[crowd.burst] = "burst"
    return pd.DataFrame({"kind": kind}, index=hash_ids(pd.Series(crowd.ids), DEMO_KEY))


def days(found: pd.Series) -> dict[str, int]:
    """How many were found as of each morning."""
    return {str(day.date()): int(n) for day, n in found.value_counts().sort_index().items()}


def measure(claims: pd.DataFrame, kinds: pd.DataFrame, params: Any) -> dict[str, Any]:
    """What is found in the claims as they are."""
    begin = time.perf_counter()
    rows = quarantine(claims, params)
    seconds = time.perf_counter() - begin
    reports = claims[claims["channel"] == "report"]
    kind = rows["source_id"].map(kinds["kind"])
    first = rows.groupby("source_id")["known_at"].min()
    n = reports.groupby("source_id").size()
    honest = n.index[(n.index.map(kinds["kind"]) == "honest") & (n >= 20)]
    yes = rows[(kind == "always yes") & (rows["reason"] == "always one answer")].drop_duplicates("source_id")
    began = reports.groupby("source_id")["received_at"].min()
    needed = pd.DataFrame(yes["found"].tolist())["claims"]
    waited = (yes["known_at"].to_numpy() - began.reindex(yes["source_id"]).to_numpy()) / np.timedelta64(1, "D")
    every = (reports["received_at"].max() - reports["received_at"].min()).days / n.reindex(yes["source_id"])
    return {
        "seconds": round(seconds, 2),
        "claims": len(claims),
        "by_reason": {
            reason: {one: int(part["source_id"][kind[part.index] == one].nunique()) for one in kinds["kind"].unique()}
            for reason, part in rows.groupby("reason")
        },
        "burst_known_at": days(first[first.index.map(kinds["kind"]) == "burst"]),
        "burst_known_at_by_wrong_together": days(
            rows[(kind == "burst") & (rows["reason"] == "wrong together")].groupby("source_id")["known_at"].min()
        ),
        "always_yes": {
            "found": len(yes),
            "claims_needed": needed.quantile([0, 0.5, 0.9, 1]).tolist(),
            "days_since_first_claim": [round(float(one), 1) for one in np.quantile(waited, [0, 0.5, 0.9, 1])],
            "found_within_days": {str(k): int((waited <= k).sum()) for k in (1, 7, 14, 30, 60, 90)},
            "days_between_claims": [round(float(one), 1) for one in every.quantile([0, 0.5, 1])],
        },
        "honest_with_20_claims": len(honest),
        "honest_with_20_claims_in_quarantine": int(np.isin(honest, rows["source_id"]).sum()),
        "honest_in_quarantine": int((kind == "honest").sum()),
    }


def attack(claims: pd.DataFrame, served: pd.DataFrame, rate: float, params: Any) -> dict[str, Any]:
    """Thirty new accounts tell the truth once a day for 30 days; then each lies `rate` times a day, for 30 days, in threes."""
    rng = np.random.default_rng(11)
    before = served[(served["settled_at"] >= HONEST_FROM) & (served["settled_at"] < STRIKES)]
    after = served[(served["settled_at"] >= STRIKES) & (served["settled_at"] < STRIKES + pd.Timedelta(days=30))]
    after = after[(after["origin"] == "LGA") & (after["is_disrupted"] == 0)]
    truth = before.sample(30 * ACCOUNTS, random_state=1)
    true = pd.DataFrame(
        {"flight": truth.index, "account": np.tile(np.arange(ACCOUNTS), 30), "value": truth["is_disrupted"]}
    )
    lies = after.sample(round(rate * 30 * ACCOUNTS / 3), random_state=2)
    # Whose turn it is goes round in a random order, so that each speaks as often as the others.
    turns = np.concatenate([rng.permutation(ACCOUNTS).reshape(-1, 3) for _ in range(len(lies) // 10 + 1)])[: len(lies)]
    false = pd.DataFrame({"flight": np.repeat(lies.index, 3), "account": turns.ravel(), "value": 0 * turns.ravel() + 1})
    planted = pd.concat([true, false], ignore_index=True)
    at = served["settled_at"].reindex(planted["flight"]).array + pd.to_timedelta(
        rng.integers(60, 3600, len(planted)), unit="s"
    )
    rows = pd.DataFrame(
        {
            "feedback_id": pd.Series([f"planted-{n}" for n in range(len(planted))], dtype="str"),
            "prediction_id": served["prediction_id"].reindex(planted["flight"]).array,
            "received_at": at.astype("datetime64[us, UTC]"),
            "channel": "report",
            "source_id": ("sleeper-" + planted["account"].astype(str)).array,
            "value": planted["value"].to_numpy(claims["value"].dtype),
        }
    )
    everything = tables.in_order(pd.concat([claims, rows], ignore_index=True), ["received_at", "feedback_id"])
    found = quarantine(everything, params)
    lies_ids = rows.loc[len(true) :, "feedback_id"]
    mine = everything[everything["feedback_id"].isin(lies_ids)]
    known = found[found["source_id"].str.startswith("sleeper").fillna(False)].groupby("source_id")["known_at"].min()
    took = ((known - STRIKES) / pd.Timedelta(days=1)).sort_values()
    unknown = ~(mine["received_at"].array >= known.reindex(mine["source_id"]).array)
    return {
        "lies_a_day_and_account": rate,
        "lies": len(mine),
        "accounts_found": len(known),
        "days_until_half_is_found": float(took.iloc[ACCOUNTS // 2 - 1]) if len(took) >= ACCOUNTS // 2 else None,
        "lies_before_the_account_is_found": int(unknown.sum()),
        "lies_that_count_in_the_end": int(out_since(mine, found).isna().sum()),
    }


def main(tree: Path) -> None:
    """Print all figures."""
    written = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())
    params = parse(Label, written["label"]).quarantine
    options = ReplayOptions.model_validate(written["source"]["options"], strict=False)
    claims = read_claims(tree)
    found: dict[str, Any] = {"year": measure(claims, people(options), params)}
    replay = open_source(written["source"]["options"])
    flights = replay._flights
    served = replay.truth().assign(
        settled_at=pd.to_datetime(flights["settled_min"].to_numpy() * 60, unit="s", utc=True),
        origin=flights["origin"].astype(str),
    )
    found["attacker"] = [attack(claims, served, rate, params) for rate in (10.0, 3.0, 1.0, 0.5, 0.2)]
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(Path(sys.argv[1]))
