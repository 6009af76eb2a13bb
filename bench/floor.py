"""The floor: what the pipeline does after `collect`, as a plain script that uses no module of the project.

`python bench/floor.py OUT`, in a folder where a run has ended, reads the collected events and params.yaml, checks the
contract (floor_tables.py), concludes labels, computes the same features point in time, fits the same LightGBM,
measures it with the same bootstrap, cohorts and behaviours, compares the same windows for drift (floor_reports.py), and
writes the numbers of the reports to one JSON. bench.py checks that they are the run's. What the floor leaves out is the
price of structure: it keeps no day files, cannot go on from yesterday, explains no error, draws no plots.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import yaml
from floor_reports import behaviours, between, cohorts, compare, curves, drift, monitor
from floor_tables import good_rows, labels_and_voices, service_by_week

P = yaml.safe_load(Path("params.yaml").read_text())
AS_OF = pd.Timestamp(P["clock"]["as_of"], tz="UTC")
CATEGORICAL = P["features"]["categorical"]
VOTES = {name: P["label"]["accuracy"][name] for name in ("report", "annotation")}
DAY = pd.Timedelta(days=1)
FOREVER = pd.Timestamp("2200-01-01", tz="UTC")
IDENTITY = ["prediction_id", "served_at", "served_score"]


def conclude(feedback):
    """What was believed about each prediction after each vote (label -1: nothing yet), and the spans in which it held.

    The newest outcome wins, else the weighted majority of at least `min_votes` voters.
    """
    votes = feedback[feedback["channel"].isin(["outcome", *VOTES])]
    votes = votes.sort_values(["prediction_id", "received_at", "feedback_id"], ignore_index=True)
    prediction = pd.Series(pd.factorize(votes["prediction_id"])[0])
    outcome = votes["value"].where(votes["channel"] == "outcome").groupby(prediction).ffill()
    score, voters = 0.0, {}
    for channel, accuracy in VOTES.items():
        is_mine = votes["channel"] == channel
        sign = (2 * votes["value"] - 1)[is_mine]
        # Who speaks again takes the earlier vote back.
        before = sign.groupby([prediction[is_mine], votes["source_id"][is_mine]]).shift()
        net = (sign - before.fillna(0)).reindex(votes.index, fill_value=0).groupby(prediction).cumsum()
        voters[channel] = before.isna().reindex(votes.index, fill_value=False).groupby(prediction).cumsum()
        score = score + net * np.log(accuracy / (1 - accuracy))
        # How many stand for 1, and for 0; after the loop, of the annotators.
        stand = [(sign == one).astype(int) - (before == one) for one in (1, -1)]
        yes, no = (one.reindex(votes.index, fill_value=0).groupby(prediction).cumsum() for one in stand)
    is_settled = (sum(voters.values()) >= P["label"]["min_votes"]) & (score != 0)
    label = outcome.fillna((score > 0).where(is_settled, -1).astype("float64")).astype("int64")
    said_at = votes["received_at"]
    is_new = (prediction != prediction.shift()) | (label != label.shift())
    states = pd.DataFrame({"prediction_id": votes["prediction_id"], "label": label, "said_at": said_at})
    states["confidence"] = np.where(outcome.notna(), P["label"]["accuracy"]["outcome"], 1 / (1 + np.exp(-score.abs())))
    states["source"] = np.select([outcome.notna(), yes.where(label == 1, no) > 0], ["outcome", "annotation"], "report")
    states["known_at"] = said_at.where(is_new).ffill()
    spans = states[is_new]
    is_last = spans["prediction_id"] != spans["prediction_id"].shift(-1)
    spans = spans.assign(until=spans["known_at"].shift(-1).mask(is_last, FOREVER))
    return states, spans[spans["label"] >= 0]


def known_before(states, moment):
    """The label of each prediction as it was known just before a moment."""
    last = states[states["said_at"] < moment].drop_duplicates("prediction_id", keep="last")
    return last[last["label"] >= 0]


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


def matrix(table, described):
    """The features as numbers: a category is its place among the known ones, and missing when it is none of them."""
    places = [{value: at for at, value in enumerate(known)} for known in described["categorical"].values()]
    codes = [
        table[name].map(place).astype("float64") for name, place in zip(described["categorical"], places, strict=True)
    ]
    return np.column_stack([table[described["numeric"]].to_numpy("float64"), *codes])


def fit(learned, earlier):
    """Booster, and the learning curve: as many trees as the fits as of earlier days did best with on the days after these."""
    train, model = P["train"], P["model"]
    numeric = [name for name in learned.columns if name not in (*IDENTITY, *CATEGORICAL, "label", "confidence")]
    described = {"numeric": numeric, "categorical": {c: sorted(learned[c].dropna().unique()) for c in CATEGORICAL}}
    settings = {name: value for name, value in model.items() if name not in ("trees", "max_trees")}
    settings |= {"objective": "binary", "metric": "binary_logloss", "bagging_freq": int(model["bagging_fraction"] < 1)}
    settings |= {"seed": train["seed"], "deterministic": True, "force_col_wise": True, "verbosity": -1}
    names = [*numeric, *CATEGORICAL]

    def grow(rows, n_trees, later=None):
        def data(mine, reference=None):
            x, y, w = matrix(mine, described), mine["label"], mine["confidence"]
            return lgb.Dataset(x, y, reference, w, feature_name=names, categorical_feature=CATEGORICAL or "auto")

        curve, fitted = {}, data(rows)
        watch = [data(later, fitted)] if later is not None else []
        calls = [lgb.record_evaluation(curve)] if watch else []
        booster = lgb.train(settings, fitted, n_trees, watch, ["later"] * len(watch), callbacks=calls)
        return booster, curve

    curves = [grow(rows, model["max_trees"], later)[1]["later"]["binary_logloss"] for rows, later in earlier]
    mean = np.mean(np.round(curves, 6), axis=0).round(6) if curves else np.array([])
    booster, _ = grow(learned, int(mean.argmin()) + 1 if curves else model["trees"])
    edge = 1 / (len(learned) + 2)
    straight = {"x": [edge, 1 - edge], "y": [edge, 1 - edge]}
    return {"booster": booster, "calibration": straight, "features": described, "curve": mean.tolist()}


def load_champion():
    """The model that serves, with what its card says of it; nothing before the first release."""
    folder = Path("models/champion")
    if not (folder / "card.json").exists():
        return {}
    card, calibration = (json.loads((folder / f"{name}.json").read_text()) for name in ("card", "calibration"))
    return {"champion": card | {"booster": lgb.Booster(model_file=folder / "model.txt"), "calibration": calibration}}


def predict(model, table):
    """Calibrated scores."""
    raw = model["booster"].predict(matrix(table, model["features"]))
    return np.round(np.interp(raw, model["calibration"]["x"], model["calibration"]["y"]), 6)


def main(out):
    """Do the work of the pipeline once and write the numbers of its reports."""
    predictions, quality = good_rows("predictions", "served_at", P)
    feedback, said = good_rows("feedback", "received_at", P, predictions.set_index("prediction_id")["served_at"])
    states, spans = conclude(feedback)
    known = known_before(states, AS_OF)
    labels, voices = labels_and_voices(known, predictions, feedback)
    table = features(predictions, spans)

    params, windows = P["evaluate"], P["windows"]
    end = AS_OF - DAY * windows["evaluation_days"]
    start = max(end - DAY * windows["train_days"], table["served_at"].min().floor("D"))

    def labelled(first, last):
        return between(table, first, last).merge(known_before(states, last)[["prediction_id", "label", "confidence"]])

    learned, length = labelled(start, end), DAY * windows["train_days"]
    days = [end - DAY * windows["evaluation_days"] * k for k in range(1, P["train"]["earlier_fits"] + 1)]
    spans_of = [day - max(day - length, table["served_at"].min().floor("D")) for day in days]
    days = [day for day, span in zip(days, spans_of, strict=True) if 2 * span >= end - start]
    earlier = [(labelled(day - length, day), labelled(day, day + DAY * windows["evaluation_days"])) for day in days]
    models = {"candidate": fit(learned, earlier)} | load_champion()
    sure = known.loc[known["confidence"] >= params["min_confidence"], ["prediction_id", "label"]]
    judged = between(table, end, AS_OF).merge(sure, on="prediction_id").dropna(subset="served_score")
    scores = {name: predict(model, judged) for name, model in models.items()}
    scores["served"] = judged["served_score"].to_numpy()
    base_rate = {"base_rate": np.full(len(judged), learned["label"].mean())}

    champion = models.get("champion")
    if champion:
        table["champion_score"] = predict(champion, table)
        window = [pd.Timestamp(day, tz="UTC") for day in champion["training_window"]]
        start, end = window if len(between(table, *window)) else (start, end)
    current = between(table, AS_OF - DAY * windows["current_days"], AS_OF)
    found = {
        "quality": {"predictions": quality, "feedback": said},
        "labels": labels,
        "feedback": voices,
        "metrics": compare(judged, scores | base_rate, params),
        "cohorts": cohorts(judged, scores, params),
        "behaviour": behaviours(judged, models, scores, predict, params),
        "curves": curves(judged, scores, params),
        "learning": models["candidate"]["curve"],
        "drift": {"by_column": drift(between(table, start, end), current, CATEGORICAL, P["monitor"]["drift"])},
        "monitor": monitor(table, (start, end), sure, known, champion, P),
    }
    found["monitor"]["service"] = service_by_week(predictions, feedback)
    Path(out).write_text(json.dumps(found, indent=1, default=float))


main(sys.argv[1])
