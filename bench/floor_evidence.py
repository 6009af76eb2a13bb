"""The evidence of the floor, floor.py: windows, cohorts, gaps, curves, behaviours, robustness and slices."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from floor_metrics import (
    calibration,
    compare,
    count,
    days_of,
    draws,
    flips,
    lines,
    others_of,
    p_above,
    p_worse,
    threshold,
    triple,
    values_of,
    weight_of,
)


def counts(n, rows):
    """How many predictions there were, and what was labelled of them."""
    days = rows["served_at"].dt.date.nunique()
    return {"predictions": n, "rows": len(rows), "days": days, "positives": int(rows["label"].sum())}


def metrics(rows, scores, params):
    """All windows together."""
    found, _ = compare(rows, scores, params)
    more = {"gaps": gaps(rows, scores, params), "calibration": calibration(rows, scores, params)}
    return found | more | {"flips": flips(rows, scores, params)}


def by_window(rows, scores, parts, params):
    """The comparison in each window, and how the scores of the next younger vintage follow the stand-in's in log odds."""
    found = {}
    for start, n, at, younger in parts:
        mine = {name: score[at] for name, score in scores.items()}
        one = counts(n, rows.iloc[at]) | values_of(compare(rows.iloc[at], mine, params)[0], mine)
        if younger is not None:
            x, y = (np.log(s / (1 - s)) for s in (np.clip(s, 1e-6, 1 - 1e-6) for s in (mine["candidate"], younger)))
            spread = x - x.mean()
            if spread.any():
                label = rows["label"].to_numpy()[at]
                told = lines(
                    mine["candidate"], label, np.zeros(len(label), dtype=int), np.ones((1, 1)), np.ones(len(label))
                )[1, 0]
                one["agreement"] = {"shift": (y - x).mean(), "slope": spread @ y / (spread @ spread), "labels": told}
        found[str(start.date())] = one
    return found


def as_it_is(itself, params):
    """The candidate's stand-ins against the champion itself."""
    if itself is None or itself[0]["label"].nunique() < 2:
        return None
    rows, scores, n = itself
    found, _ = compare(rows, scores, params)
    return counts(n, rows) | {name: found[name]["champion"] for name in ("difference", "check")}


def cohort_of(rows, cohort):
    """The cohort of each row: the value, or the band that a number falls into."""
    group, edges = rows[cohort["column"]], cohort.get("edges")
    if not edges:
        return group
    names = [f"{low:g}-{high:g}" for low, high in pairwise(edges)]
    names = [f"under {edges[0]:g}", *names, f"{edges[-1]:g} and more"]
    return pd.cut(group, [-np.inf, *edges, np.inf], right=False, labels=names).astype("str")


def cohorts(rows, scores, params):
    """The comparison within each cohort."""
    others, found = others_of(scores), {}
    for name, cohort in params["cohorts"].items():
        group, found[name] = cohort_of(rows, cohort), {}
        for value in sorted(group.dropna().unique()):
            is_in = (group == value).to_numpy()
            mine, its = rows[is_in], {model: scores[model][is_in] for model in ("candidate", *others)}
            one, drawn = compare(mine, its, params, is_cohort=True)
            n_days = mine["served_at"].dt.date.nunique()
            found[name][value] = {
                "rows": len(mine),
                "days": n_days,
                "positives": int(mine["label"].sum()),
                **values_of(one, its),
                "p_worse": {other: p_worse(drawn, other, n_days, params) for other in others},
                "calibration": calibration(mine, its, params),
                "flips": flips(mine, its, params),
            }
    return found


def gaps(rows, scores, params):
    """How far apart the cohorts of each group are in alert rate, recall and calibration, and what became of it."""
    label, day, found = rows["label"].to_numpy(), days_of(rows), {}
    weights, limits = draws(day.max() + 1, params["bootstrap"]), params["gaps"]
    models = ["candidate", *(name for name in others_of(scores)[:1] if name != "base_rate")]
    for name, cohort in params["cohorts"].items():
        group = cohort_of(rows, cohort)
        by_name = rows["label"].groupby(group.to_numpy()).agg(["size", "sum"])
        is_large = by_name["size"] >= limits["min_share"] * len(rows)
        is_large &= np.minimum(by_name["sum"], by_name["size"] - by_name["sum"]) >= limits["min_positives"]
        names = by_name.index[is_large].tolist()
        code, n, gap, found[name] = pd.Index(names).get_indexer(group), len(names), {}, {"gaps": {}}
        if n < 2:
            continue
        for model in models:
            alert, cell, is_in = scores[model] >= threshold(params["costs"]), day * n + code, code >= 0

            def total(one, cell=cell, is_in=is_in, n=n):
                by_day = np.bincount(cell[is_in], (one * weight_of(rows))[is_in], weights.shape[1] * n).reshape(-1, n)
                return weights @ by_day

            size, yes = total(np.ones(len(rows))), total(label)
            with np.errstate(all="ignore"):
                rates = {"alert_rate": total(alert) / size, "recall": total(alert & (label == 1)) / yes}
                rates["calibration"] = (total(scores[model]) - yes) / size
            gap[model] = {m: np.ptp(one, axis=-1) for m, one in rates.items()}
        for m, mine in gap["candidate"].items():
            one = {"candidate": mine[0]}
            if len(models) > 1:
                change = mine - gap[models[1]][m]
                one |= {"reference": gap[models[1]][m][0], "change": triple(change, params)}
                one["p_larger"] = p_above(change, weights.shape[1], params)
            found[name]["gaps"][m] = one
    return found


def curves(rows, scores, params):
    """The points of the curves that the report draws: of each model, and of what alerts gain by threshold."""
    found, bins, label, day = {}, params["ece_bins"], rows["label"].to_numpy(), days_of(rows)
    weights = draws(day.max() + 1, params["bootstrap"])
    names, weight = ("candidate", *others_of(scores)), weight_of(rows)
    for name in (one for one in names if one != "base_rate"):
        _, positives, negatives = count(scores[name], label, np.zeros(len(rows), dtype=int), weight)
        hits, false = (np.concatenate([[0], one[0, ::-1].cumsum()]) for one in (positives, negatives))
        at = np.unique(np.linspace(0, len(hits) - 1, 201).astype(int))
        recall, precision = hits / max(hits[-1], 1), hits / np.maximum(hits + false, 1)
        fall_out = false / max(false[-1], 1)
        found[f"{name}/roc"] = [{"fall_out": fall_out[i], "recall": recall[i]} for i in at]
        found[f"{name}/precision_recall"] = [{"recall": recall[i], "precision": precision[i]} for i in at if i]
        cell = day * bins + np.minimum((scores[name] * bins).astype(int), bins - 1)
        n, yes, total = (
            np.bincount(cell, one * weight, weights.shape[1] * bins).reshape(-1, bins)
            for one in (np.ones(len(rows)), label, scores[name])
        )
        with np.errstate(invalid="ignore"):
            rate, mean = (weights @ yes) / (weights @ n), total.sum(0) / n.sum(0)
        share = n.sum(0) / n.sum()
        found[f"{name}/scores"] = [{"score": (b + 0.5) / bins, "share": share[b]} for b in range(bins)]
        n_rows = np.bincount(cell % bins, minlength=bins)
        there = [(b, triple(rate[:, b], params)) for b in np.flatnonzero(n.sum(0))]
        found[f"{name}/reliability"] = [
            {"score": mean[b], "rate": one["value"], "low": one["low"], "high": one["high"], "n": n_rows[b]}
            for b, one in there
        ]
    costs, n_rows = params["costs"], np.bincount(day, weight)
    worth, found["decision"] = 1000 * (costs["alert_right"] - costs["missed"]), {}
    shown = {name: scores[name] for name in names[:2] if name != "base_rate"} | {"alert_all": np.ones(len(rows))}
    for name, score in shown.items():
        found["decision"][name] = []
        for limit in sorted({*(round(0.05 * k, 2) for k in range(1, 20)), threshold(costs)}):
            right = np.where(label == 1, 1.0, -limit / (1 - limit)) * (score >= limit) * weight
            one = triple(worth * (weights @ np.bincount(day, right)) / (weights @ n_rows), params)
            found["decision"][name].append({"threshold": limit, "gained": one.pop("value"), **one})
    return found


def behaviours(rows, models, predict, params):
    """What the scores do when one input is set to a telling value."""
    found, as_expected = {}, {"higher": np.greater, "lower": np.less, "same": np.equal}
    before = {name: predict(model, rows) for name, model in models.items()}
    for name, one in params["behaviours"].items():
        has, value = rows[one["column"]], one["set"]
        asked = max((has < value, has > value), key=sum) | (one["expect"] == "same")
        changed = rows[asked].assign(**{one["column"]: value})
        found[name] = {"set": value, "rows": int(asked.sum())}
        for model_name, model in models.items():
            shift = predict(model, changed) - before[model_name][asked]
            moved, right = (shift != 0).mean(), as_expected[one["expect"]](shift, 0).mean()
            share = right if one["expect"] == "same" else right / moved if moved else None
            found[name][model_name] = {"share_moved": moved, "share_as_expected": share, "mean_shift": shift.mean()}
    return found


def robustness(rows, model, predict, params):
    """What becomes of the decisions when an input is slightly off, missing, unknown or extreme."""
    settings, limit = params["robustness"], threshold(params["costs"])
    chosen = np.linspace(0, len(rows) - 1, min(settings["rows"], len(rows))).astype(int)
    rows = rows.iloc[np.unique(chosen)].reset_index(drop=True)
    before, described, found = predict(model, rows), model["features"], {}
    for name in [*described["numeric"], *described["categorical"]]:
        has = rows[name]
        if name in described["categorical"]:
            known = described["categorical"][name]
            following = dict(zip(known, [*known[1:], *known[:1]], strict=True))
            ways = {"perturbed": has.map(following).astype("object").where(has.isin(known), has)}
            ways |= {"missing": pd.Series(None, rows.index, dtype="object"), "unknown": "\x00 unknown"}
        else:
            has = has.astype("float64")
            step = settings["shift"] * np.nan_to_num(has.std(ddof=0)) * np.where(rows.index % 2, -1, 1)
            ways = {"perturbed": (has + step).clip(has.min(), has.max()), "missing": np.nan}
            ways |= {"smallest": has.where(has.isna(), has.min()), "largest": has.where(has.isna(), has.max())}
        changed = [rows.assign(**{name: values}) for values in ways.values()]
        after, found[name] = predict(model, pd.concat(changed)).reshape(len(ways), -1), {}
        for way, one, scores in zip(ways, changed, after, strict=True):
            same = (one[name] == has) | (one[name].isna() & has.isna())
            old, new = before[~same], scores[~same]
            found[name][way] = {
                "rows": len(old),
                "flipped": ((old >= limit) != (new >= limit)).mean() if len(old) else None,
                "largest_jump": np.abs(new - old).max() if len(old) else None,
                "no_score": int((~((new >= 0) & (new <= 1))).sum()),
            }
    return {"rows": len(rows), "shift": settings["shift"], "inputs": found}


def cut(column, is_category, settings):
    """A feature in parts: their names, and the part of each row."""
    name = column.name
    if is_category:
        often = column.value_counts()
        kept = sorted(often.index, key=lambda value: (-often[value], str(value)))[: settings["categories"]]
        code = pd.Index(kept).get_indexer(column)
        names = [*(f"{name} = {value}" for value in kept), f"{name} other", f"{name} missing"]
        return names, np.where(column.isna(), len(kept) + 1, np.where(code < 0, len(kept), code))
    values = column.to_numpy("float64", na_value=np.nan)
    known = values[np.isfinite(values)]
    edges = np.unique(np.quantile(known, np.arange(1, settings["bins"]) / settings["bins"])) if len(known) else known
    edges = edges[edges > known.min()] if len(known) else edges
    between = [f"{name} from {low:g} to {high:g}" for low, high in pairwise(edges)]
    bands = [f"{name} below {edges[0]:g}", *between, f"{name} from {edges[-1]:g}"] if len(edges) else [f"{name} any"]
    code = np.where(np.isfinite(values), np.searchsorted(edges, values, side="right"), len(edges) + 1)
    return [*bands, f"{name} missing"], code


def slices(rows, inputs, categorical, scores, params):
    """Where the candidate loses most, by one or two features: looked for on every other block of days, tested between."""
    settings, label, day = params["slices"], rows["label"].to_numpy(), days_of(rows)
    length = max(params["bootstrap"][name] for name in ("block_days", "check_block_days"))
    losses = []
    for name in ("candidate", others_of(scores)[0]):
        sure = np.clip(scores[name], 1e-6, 1 - 1e-6)
        losses.append(-np.log(np.where(label == 1, sure, 1 - sure)))
    loss, is_odd = losses[0] - losses[1], day // length % 2 == 0
    said = {"block_days": length, "rows": {"looked": int(is_odd.sum()), "tested": int((~is_odd).sum())}, "slices": []}
    if day.max() + 1 < 4 * length:
        return said
    parts, lost, ranked = [cut(rows[name], name in categorical, settings) for name in inputs], loss[is_odd], []
    for at in (*((one,) for one in range(len(parts))), *combinations(range(len(parts)), 2)):
        sizes = tuple(len(parts[one][0]) for one in at)
        cell, n = np.ravel_multi_index([parts[one][1] for one in at], sizes), int(np.prod(sizes))
        size, between = (np.bincount(cell[half], minlength=n) for half in (is_odd, ~is_odd))
        enough = (size >= settings["min_share"] * len(lost)) & (size > 1)
        enough &= between >= settings["min_share"] * (~is_odd).sum()
        with np.errstate(all="ignore"):
            mean, square = (np.bincount(cell[is_odd], one, n) / size for one in (lost, lost**2))
            strength = mean / np.sqrt(np.maximum(square - mean**2, 1e-12) / size)
        for place in np.flatnonzero(enough & (mean > 0)):
            ranked.append((-round(strength[place], 9), len(at), at, place, cell))
    ranked.sort(key=lambda one: one[:4])
    found = []
    for *_, at, place, cell in ranked:
        mine = cell == place
        if len(found) == settings["tested"]:
            break
        if all((mine & one).sum() <= settings["max_overlap"] * (mine | one).sum() for _, one in found):
            sizes = tuple(len(parts[one][0]) for one in at)
            places = np.unravel_index(place, sizes)
            found.append((" and ".join(parts[one][0][k] for one, k in zip(at, places, strict=True)), mine))
    tested = []
    for name, found_in in found:
        mine = found_in & ~is_odd
        its = days_of(rows[mine])
        weights = draws(its.max() + 1, params["bootstrap"])
        by_day = np.bincount(its, loss[mine])
        values = (weights @ by_day) / (weights @ np.bincount(its))
        one = {"slice": name, "rows": int(mine.sum()), "positives": int(label[mine].sum())}
        one |= {"candidate": losses[0][mine].mean(), "reference": losses[1][mine].mean()}
        one |= {"difference": triple(values, params), "p_worse": p_above(values, weights.shape[1], params)}
        tested.append(one)
    by_p = sorted((one for one in tested if one["p_worse"] is not None), key=lambda one: (one["p_worse"], one["slice"]))
    at_least = 0.0
    for n_tested, one in enumerate(by_p):
        at_least = one["p_corrected"] = max(at_least, min(one["p_worse"] * (len(by_p) - n_tested), 1.0))
    return said | {"slices": {one["slice"]: one for one in tested}}
