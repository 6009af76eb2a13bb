"""The models of the floor, floor.py: the candidate, its stand-ins and the champion's, and the windows they are compared on."""

from __future__ import annotations

import json
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

DAY = pd.Timedelta(days=1)
IDENTITY = ["prediction_id", "served_at", "served_score"]


def between(table, start, end):
    """The rows served from `start` up to, not including, `end`."""
    return table[(table["served_at"] >= start) & (table["served_at"] < end)]


def known_before(states, moment):
    """The label of each prediction as it was known just before a moment."""
    last = states[states["said_at"] < moment].drop_duplicates("prediction_id", keep="last")
    return last[last["label"] >= 0]


def matrix(table, described):
    """The features as numbers: a category is its place among the known ones, and missing when it is none of them."""
    places = [{value: at for at, value in enumerate(known)} for known in described["categorical"].values()]
    codes = [
        table[name].map(place).astype("float64") for name, place in zip(described["categorical"], places, strict=True)
    ]
    return np.column_stack([table[described["numeric"]].to_numpy("float64"), *codes])


def predict(model, table):
    """Scores, calibrated."""
    raw = model["booster"].predict(matrix(table, model["features"]), num_iteration=model["trees"])
    return np.round(np.interp(raw, model["calibration"]["x"], model["calibration"]["y"]), 6)


def load_champion():
    """The model that serves, with what its card says of it; None before the first release."""
    folder = Path("models/champion")
    if not (folder / "card.json").exists():
        return None
    card, calibration = (json.loads((folder / f"{name}.json").read_text()) for name in ("card", "calibration"))
    return card | {"booster": lgb.Booster(model_file=folder / "model.txt"), "calibration": calibration}


def rarer(label):
    """How many rows the rarer class has."""
    return min((label == 1).sum(), (label == 0).sum())


class Recipe:
    """What conf says of a model, fitted as of any day on the days before it."""

    def __init__(self, table, states, params):
        """Fit nothing yet."""
        self.table, self.ids, self.params = table, table[["prediction_id", "served_at"]], params
        self.first = table["served_at"].min().floor("D")
        self.length, self.step = (DAY * params["windows"][name] for name in ("train_days", "evaluation_days"))
        self.categorical = params["features"]["categorical"]
        self.numeric = [name for name in table.columns if name not in (*IDENTITY, *self.categorical)]
        known = cache(lambda end: known_before(states, end)[["prediction_id", "label", "confidence"]])
        self.labelled = lambda rows, start, end: between(rows, start, end).merge(known(end))
        self.grow, self.can = cache(self.grow), cache(self.can)  # each fit once

    def can(self, day):
        """Whether there are labels enough to fit as of a day."""
        needed = self.params["train"]["min_events_per_feature"] * (len(self.numeric) + len(self.categorical))
        return rarer(self.labelled(self.ids, day - self.length, day)["label"]) >= max(needed, 1)

    def is_long(self, day, end):
        """Whether a fit as of `day` has at least half as many days to learn from as that as of `end`."""
        return 2 * min(day - self.first, self.length) >= min(end - self.first, self.length)

    def grow(self, day):
        """All trees that conf allows, and the loss after each of them on the days that came next."""
        rows, later = (self.labelled(self.table, *days) for days in ((day - self.length, day), (day, day + self.step)))
        described = {"numeric": self.numeric}
        described["categorical"] = {name: sorted(rows[name].dropna().unique()) for name in self.categorical}
        model = self.params["model"]
        settings = {name: value for name, value in model.items() if name not in ("trees", "max_trees")}
        settings |= {"objective": "binary", "metric": "binary_logloss", "seed": self.params["train"]["seed"]}
        settings |= {"bagging_freq": int(model["bagging_fraction"] < 1)}
        settings |= {"deterministic": True, "force_col_wise": True, "verbosity": -1}
        names, categorical = [*self.numeric, *self.categorical], self.categorical or "auto"

        def data(mine, reference=None):
            x, y, w = matrix(mine, described), mine["label"], mine["confidence"]
            return lgb.Dataset(x, y, reference, w, feature_name=names, categorical_feature=categorical)

        curve, fitted = {}, data(rows)
        watch = [data(later, fitted)] if rarer(later["label"]) else []
        calls = [lgb.record_evaluation(curve)] if watch else []
        booster = lgb.train(settings, fitted, model["max_trees"], watch, ["later"] * len(watch), callbacks=calls)
        losses = np.round(curve["later"]["binary_logloss"], 6) if watch else None
        return booster, described, len(rows), rows["label"].mean(), losses

    def vintage(self, day):
        """The model as of a day, with as many trees as the fits as of earlier days did best with on the days after these."""
        booster, described, n, share, _ = self.grow(day)
        days = [day - self.step * k for k in range(1, self.params["train"]["earlier_fits"] + 1)]
        curves = [self.grow(at)[-1] for at in days if self.is_long(at, day) and self.can(at)]
        curves = [one for one in curves if one is not None]
        mean = np.mean(curves, axis=0).round(6) if curves else np.array([])
        straight = {"x": [1 / (n + 2), 1 - 1 / (n + 2)], "y": [1 / (n + 2), 1 - 1 / (n + 2)]}
        n_trees = int(mean.argmin()) + 1 if curves else self.params["model"]["trees"]
        return {
            "booster": booster,
            "trees": n_trees,
            "calibration": straight,
            "features": described,
            "positive_share": round(share, 6),
        }

    def windows(self, champion, as_of):
        """What is compared: (start, end, the day of the champion's stand-in or "itself" or None) of each window, the latest
        first; and the windows on which the champion itself is compared beside that.
        """
        days = [as_of - self.step * k for k in range(self.params["windows"]["evaluation_windows"] + 1)]
        possible = [(start, end) for end, start in pairwise(days) if self.is_long(start, as_of) and self.can(start)]
        if not champion:
            return [(*one, None) for one in possible], []
        since, is_refresh = pd.Timestamp(champion["labels_known_before"], tz="UTC"), self.is_own(champion.get("recipe"))
        unseen = [one for one in possible if one[0] > since or (one[0] == since and not is_refresh)]
        age = as_of - since
        if is_refresh and age >= 0 * DAY:
            both = [
                (start, end, start - age)
                for start, end in possible
                if self.is_long(start - age, since) and self.can(start - age)
            ]
            if both:
                return both, unseen
        elif age > 0 * DAY and not unseen and self.is_long(since, as_of) and self.can(since):
            unseen = [(since, as_of)]
        return [(*one, "itself") for one in unseen] or [(*one, None) for one in possible], []

    def is_own(self, recipe):
        """Whether the champion was made by what conf says today; the digest of the project's own code is not asked."""
        sections = {name: self.params[name] for name in ("features", "label", "model", "train")}
        days = {"train_days": self.length // DAY, "step_days": self.step // DAY}
        own = sections | days | {"derive": self.params["project"]["derive"]}
        for section, later in (
            ("label", "texts"),
            ("train", "pseudo"),
            ("train", "weigh"),
        ):  # a recipe has no setting that came later and is off
            own[section] = {name: value for name, value in own[section].items() if name != later or value is not None}
        if recipe and {name: recipe[name] for name in own} != own:
            sys.exit("the floor knows a champion with the recipe of conf, or without one; this one has another")
        return bool(recipe)


def pool(recipe, candidate, champion, judged, as_of):
    """The judged rows of all windows, the scores on them, what each window has, and the rows for the champion itself."""
    windows, beside = recipe.windows(champion, as_of)
    is_in = np.zeros(len(judged), dtype=bool)
    for start, end, _ in windows:
        is_in |= judged["served_at"].between(start, end, inclusive="left").to_numpy()
    rows = judged[is_in].reset_index(drop=True)
    names = ["candidate", "base_rate", *(["champion"] if windows[0][2] else [])]
    scores, parts, younger, until = {name: np.empty(len(rows)) for name in names}, [], candidate, as_of
    for start, end, other in windows:
        mine = between(rows, start, end)
        if not len(mine):
            continue
        model, at = recipe.vintage(start), mine.index.to_numpy()
        scores["candidate"][at], scores["base_rate"][at] = predict(model, mine), model["positive_share"]
        if other:
            scores["champion"][at] = predict(champion if isinstance(other, str) else recipe.vintage(other), mine)
        n = len(between(recipe.ids, start, end))
        parts.append((start, n, at, predict(younger, mine) if until == end else None))
        younger, until = model, start
    if rows["served_score"].notna().any():
        scores["served"] = rows["served_score"].to_numpy()
    itself = None
    if beside:
        parts_of = [between(judged, *one) for one in beside]
        of_mine = np.concatenate(
            [predict(recipe.vintage(one[0]), part) for one, part in zip(beside, parts_of, strict=True)]
        )
        unseen = pd.concat(parts_of, ignore_index=True)
        n = sum(len(between(recipe.ids, *one)) for one in beside)
        itself = unseen, {"candidate": of_mine, "champion": predict(champion, unseen)}, n
    return rows, scores, parts, itself
