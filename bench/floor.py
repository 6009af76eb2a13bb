"""The floor: what the pipeline does after `collect`, as a plain script that uses no module of the project.

`python bench/floor.py OUT`, in a folder where a run has ended, reads the collected events and params.yaml, checks the
contract (floor_tables.py), concludes labels, computes the same features point in time, fits the same LightGBM for the
candidate and all stand-ins (floor_models.py), measures them with the same bootstrap (floor_metrics.py) in the same windows,
cohorts, slices and behaviours (floor_evidence.py), compares the same windows for drift (floor_monitor.py), and writes the
numbers of the reports to one JSON. bench.py checks that they are the run's. What the floor leaves out is the price of
structure: it keeps no day files, cannot go on from yesterday, explains no error, draws no plots. What else it leaves out is
in bench.py. It knows no champion of another recipe than that of conf, unless its card names none.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from floor_evidence import as_it_is, behaviours, by_window, cohorts, curves, metrics, robustness, slices
from floor_labels import conclude, with_texts
from floor_models import DAY, Recipe, between, known_before, load_champion, pool, predict
from floor_monitor import drift, monitor
from floor_tables import good_rows, labels_and_voices, service_by_week

P = yaml.safe_load(Path("params.yaml").read_text())
AS_OF = pd.Timestamp(P["clock"]["as_of"], tz="UTC")
CATEGORICAL = P["features"]["categorical"]


def of_flights(predictions):
    """What the example's own function computes, written here once more."""
    speed = predictions["in_wind_speed_mph"]
    angle = np.deg2rad(predictions["in_wind_direction_deg"].mask(speed == 0, 0.0))
    return {
        "planned_minutes": (predictions["in_scheduled_arrival_min"] - predictions["in_scheduled_departure_min"]) % 1440,
        "wind_north_mph": (speed * np.cos(angle)).round(3),
        "wind_east_mph": (speed * np.sin(angle)).round(3),
        "dew_point_gap_f": predictions["in_temperature_f"] - predictions["in_dew_point_f"],
    }


def derived(predictions):
    """The project's own features; those of another project than the example by the function that it names."""
    name = P["project"]["derive"]
    if not name or name == "flights.features:derive":
        return of_flights(predictions) if name else {}
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)(predictions)


def features(predictions, spans):
    """One row a prediction: inputs, calendar, history as it was known when it was served, and the project's own."""
    inputs = predictions.rename(columns=lambda name: name.removeprefix("in_"))
    table = inputs[["prediction_id", "served_at", *P["features"]["numeric"], *CATEGORICAL]].copy()
    table.insert(2, "served_score", inputs["score"])
    local = inputs["served_at"].dt.tz_convert(P["features"]["calendar"]["timezone"]).dt
    for part in P["features"]["calendar"]["parts"]:
        table[f"served_{part}"] = getattr(local, part).astype("float64")
    told = spans.merge(inputs[["prediction_id", *{key for one in P["features"]["history"] for key in one["key"]}]])
    at, start, until = (
        column.to_numpy("datetime64[us]") for column in (inputs["served_at"], told["known_at"], told["until"])
    )
    is_yes = told["label"].to_numpy() == 1
    for item in P["features"]["history"]:
        mine = told.groupby(item["key"], dropna=False).indices
        asked = inputs.groupby(item["key"], dropna=False).indices
        for window in item["windows"]:
            length = pd.Timedelta(window.replace("d", "D")).to_numpy()
            count, positive = np.zeros(len(at)), np.zeros(len(at))
            for key, rows in asked.items():
                known = mine.get(key, np.empty(0, dtype="int64"))
                for total, these in ((count, known), (positive, known[is_yes[known]])):
                    began, ended = start[these], np.minimum(until[these], start[these] + length)
                    total[rows] = np.searchsorted(np.sort(began), at[rows]) - np.searchsorted(np.sort(ended), at[rows])
            stem = "_".join(item["key"])
            table[f"{stem}_rate_{window}"] = np.divide(positive, count, out=np.full(len(at), np.nan), where=count > 0)
            table[f"{stem}_count_{window}"] = count
    return table.assign(**derived(predictions))


def weighed(rows, of):
    """Rows with how much each counts, which the run has found."""
    found = pd.read_parquet("data/weights.parquet")
    mine = found.loc[found["of"] == of].set_index("prediction_id")["weight"]
    return rows.assign(label_weight=mine.reindex(rows["prediction_id"]).to_numpy())


def main(out):
    """Do the work of the pipeline once and write the numbers of its reports."""
    predictions, quality = good_rows("predictions", "served_at", P)
    feedback, said = good_rows("feedback", "received_at", P, predictions.set_index("prediction_id")["served_at"])
    claims = with_texts(feedback, P["label"]["texts"])
    states, spans, trust = conclude(claims, predictions, pd.read_parquet("data/quarantine.parquet"), P["label"], AS_OF)
    known = known_before(states, AS_OF)
    labels, voices = labels_and_voices(known, predictions, feedback, claims)
    labels["trust"] = trust
    table = features(predictions, spans)

    params, recipe, champion = P["evaluate"], Recipe(table, states, P), load_champion()
    candidate = recipe.vintage(AS_OF)
    sure = known.loc[known["confidence"] >= params["min_confidence"], ["prediction_id", "label"]]
    judged = table.merge(sure, on="prediction_id")
    judged = judged.dropna(subset="served_score") if judged["served_score"].notna().any() else judged
    rows, scores, parts, itself = pool(recipe, candidate, champion, judged, AS_OF)
    if params["selection"]["weigh"]:
        rows = weighed(rows, "windows")
        itself = itself and (weighed(itself[0], "as_it_is"), *itself[1:])
    latest, inputs = rows.iloc[parts[0][2]], sorted([*recipe.numeric, *CATEGORICAL])
    models = {"candidate": candidate} | ({"champion": champion} if "champion" in scores else {})

    reference = max(AS_OF - recipe.length, recipe.first), AS_OF - DAY * P["windows"]["current_days"]
    if champion:
        table["champion_score"] = predict(champion, table)
        window = tuple(pd.Timestamp(day, tz="UTC") for day in champion["training_window"])
        reference = window if len(between(table, *window)) else reference
    current = between(table, AS_OF - DAY * P["windows"]["current_days"], AS_OF)
    found = {
        "quality": {"predictions": quality, "feedback": said},
        "labels": labels,
        "feedback": voices,
        "metrics": metrics(rows, scores, params)
        | {"windows": by_window(rows, scores, parts, params), "as_it_is": as_it_is(itself, params)},
        "cohorts": cohorts(rows, scores, params),
        "behaviour": behaviours(latest, models, predict, params),
        "robustness": robustness(latest, candidate, predict, params),
        "slices": slices(rows, inputs, CATEGORICAL, scores, params),
        "drift": {"by_column": drift(between(table, *reference), current, CATEGORICAL, P["monitor"]["drift"])},
        "monitor": monitor(table, reference, sure, known, champion, P),
    }
    found |= {f"curves/{name}": points for name, points in curves(rows, scores, params).items()}
    found["monitor"]["service"] = service_by_week(predictions, feedback)
    Path(out).write_text(json.dumps(found, indent=1, default=float))


main(sys.argv[1])
