"""What happened, by trust in who says so: the plain script's way, with all of history looked at again on each morning."""

import numpy as np
import pandas as pd

FOREVER = pd.Timestamp("2200-01-01", tz="UTC")
CHANNELS = ["report", "annotation"]
DAY = pd.Timedelta(days=1)


def coins(right, wrong, group, start, weight):
    """How often each source is right: few claims are drawn towards its channel, as far as the sources of that are alike."""
    n, found = right + wrong, np.empty(len(right))
    for code, believed in enumerate(start):
        mine = group == code
        total, mean = n[mine].sum(), (right[mine].sum() + weight * believed) / (n[mine].sum() + weight)
        spoke = mine & (n > 0)
        strength = weight
        if spoke.sum() > 1:
            spread = (n[spoke] * (right[spoke] / n[spoke] - mean) ** 2).sum() - (spoke.sum() - 1) * mean * (1 - mean)
            variance = spread / (total - (n[mine] ** 2).sum() / total)
            strength = np.clip(mean * (1 - mean) / variance - 1, 2, 200) if variance > 0 else 200
        found[mine] = (right[mine] + strength * mean) / (n[mine] + strength)
    return found.clip(0.01, 0.99)


def weights(sensitivity, specificity):
    """What a claim adds to the log odds, by value and source; nothing where its source is no better than a coin."""
    return np.stack(
        [
            np.minimum(np.log((1 - sensitivity) / specificity), 0),
            np.maximum(np.log(sensitivity / (1 - specificity)), 0),
        ]
    )


def shares(yes, n, cohort, weight):
    """The log odds of each cohort's day: from those of the day, of the cohort, of all, of a coin."""
    (yes, more_yes), (n, more_n) = yes, n
    cohort_yes, cohort_n = np.bincount(cohort, yes) + more_yes, np.bincount(cohort, n) + more_n
    overall = (cohort_yes.sum() + 0.5 * weight) / (cohort_n.sum() + weight)
    share = (cohort_yes + overall * weight) / (cohort_n + weight)
    found = (yes + share[cohort] * weight) / (n + weight)
    return np.log(found / (1 - found))


def trust_of(standing, believed, cohort, key_of, group, params):
    """Trust in each source, as weights, and the log odds before anybody speaks, from all that stands on a morning."""
    weight, start = params["prior_weight"], [params["accuracy"][name] for name in CHANNELS]
    is_outcome = standing["channel"] == "outcome"
    truth = np.full(len(key_of), -1)
    truth[standing["prediction"][is_outcome]] = standing["value"][is_outcome]
    known = np.flatnonzero(truth >= 0)
    n, keys = len(group), len(cohort)
    yes, count = np.bincount(key_of[known], truth[known], keys), np.bincount(key_of[known], minlength=keys)
    votes = standing[~is_outcome]
    value, source = votes["value"].to_numpy(), votes["source"].to_numpy()
    its_truth = truth[votes["prediction"]]
    free = its_truth < 0
    about, prediction = np.unique(votes["prediction"][free], return_inverse=True)
    key = key_of[about]
    value_free, source_free = value[free], source[free]
    table = {
        (one, said): np.bincount(source[(its_truth == one) & (value == said)], minlength=n)
        for one in (0, 1)
        for said in (0, 1)
    }
    n_cohorts = cohort.max(initial=-1) + 1
    # Claims that are alone tell nothing about who made them.
    tells = np.bincount(prediction, minlength=len(about)) > 1
    compared, key_told = tells[prediction], key[tells]
    value_told, source_told = value_free[compared], source_free[compared]
    more = np.bincount(cohort[key_told], minlength=n_cohorts)
    odds = shares((yes, np.zeros(n_cohorts)), (count, np.zeros(n_cohorts)), cohort, weight)
    probability = (1 / (1 + np.exp(-odds)))[key]
    sensitivity, specificity = believed
    for _ in range(params["max_iterations"]):
        before = probability
        told = np.bincount(prediction, weights(sensitivity, specificity)[value_free, source_free], len(about))
        probability = 1 / (1 + np.exp(-(odds[key] + told)))
        p = probability[prediction][compared]
        said = {
            (one, v): table[one, v]
            + np.bincount(source_told[value_told == v], (p if one else 1 - p)[value_told == v], minlength=n)
            for one in (0, 1)
            for v in (0, 1)
        }
        sensitivity = coins(said[1, 1], said[1, 0], group, start, weight)
        specificity = coins(said[0, 0], said[0, 1], group, start, weight)
        odds = shares(
            (yes, np.bincount(cohort[key_told], probability[tells], n_cohorts)), (count, more), cohort, weight
        )
        if np.abs(probability - before).max(initial=0) < 0.005:
            return sensitivity, specificity, odds, True
    return sensitivity, specificity, odds, False


def in_quarantine(claims, quarantine):
    """The morning as of which each claim no longer counts."""
    held = quarantine[quarantine["decision"] != "release"]
    both = claims[["at", "source_id", "channel", "received_at"]].merge(held, on=["source_id", "channel"])
    both = both[(both["received_at"] >= both["first"]) & ~(both["received_at"] >= both["until"])]
    return both.groupby("at")["known_at"].min().reindex(claims["at"]).fillna(FOREVER).array


def claims_of(feedback, quarantine):
    """The claims in order of prediction and time, when each is replaced or out, and the channel of each source."""
    claims = feedback[feedback["channel"].isin(["outcome", *CHANNELS])]
    claims = claims.sort_values(["prediction_id", "received_at", "feedback_id"], ignore_index=True)
    claims["prediction"], names = pd.factorize(claims["prediction_id"])
    claims["value"] = claims["value"].astype("int64")
    claims["day"] = claims["received_at"].dt.floor("D")
    vote = claims["channel"] != "outcome"
    who = claims["channel"] + " " + claims["source_id"]
    claims["source"], people = pd.factorize(who.where(vote))
    group = np.array([CHANNELS.index(one.split(" ")[0]) for one in people], dtype="int64")
    voter = claims.groupby([claims["prediction"], who.where(vote, "outcome")])
    claims["at"] = claims.index
    claims["until"] = voter["day"].shift(-1).fillna(FOREVER)
    claims["replaced"] = voter["at"].shift(-1).fillna(len(claims)).astype("int64")
    claims["out"] = in_quarantine(claims, quarantine)
    claims["until"] = claims["until"].where(claims["until"] < claims["out"], claims["out"] - DAY)
    return claims, names, group


def keys_of(names, predictions, params):
    """The key of each prediction, its cohort on its day, and the cohort of each key."""
    served = predictions.set_index("prediction_id").loc[names]
    inputs = served[[f"in_{name}" for name in params["prior_by"]]].assign(one="all")
    cohort_of = inputs.groupby([*inputs]).ngroup().to_numpy()
    key_of, keys = pd.factorize(pd.MultiIndex.from_arrays([cohort_of, served["served_at"].dt.floor("D")]))
    return key_of, keys.get_level_values(0).to_numpy()


def conclude(feedback, predictions, quarantine, params, as_of):
    """What was believed about each prediction after each claim (label -1: nothing yet), spans of it, and the last trust."""
    claims, names, group = claims_of(feedback, quarantine)
    key_of, cohort = keys_of(names, predictions, params)
    believed = [np.array([params["accuracy"][name] for name in CHANNELS])[group] for _ in range(2)]
    newest, spoke = np.full(len(names), -1), pd.Series(pd.NaT, range(len(names)), dtype="datetime64[us, UTC]")
    by_day = dict(list(claims.groupby("day")))
    day, parts, settled_on = claims["day"].min(), [], []
    while day <= as_of:
        standing = claims[(claims["day"] < day) & (claims["until"] >= day)]
        *believed, odds, is_settled = trust_of(standing, believed, cohort, key_of, group, params)
        settled_on.append(is_settled)
        told, odds = weights(*believed), odds[key_of]
        due = ((day - spoke) / DAY).isin(params["revisit_days"]).to_numpy(copy=True)
        due[claims.loc[(claims["out"] == day) & (claims["day"] < day), "prediction"]] = True
        late = standing_votes(standing, due & (newest < 0), told, odds, group)
        parts.append(late.assign(said_at=day - pd.Timedelta("1us"), at=len(claims), outcome=-1))
        if day < as_of and day in by_day:
            today = by_day[day]
            parts.append(during(today, claims[claims["day"] <= day], told, odds, group))
            settled = today[today["channel"] == "outcome"].drop_duplicates("prediction", keep="last")
            newest[settled["prediction"]] = settled["value"]
            spoke[today["prediction"].unique()] = day
        day += DAY
    states = pd.concat(parts).sort_values(["prediction", "said_at", "at"], ignore_index=True)
    states["prediction_id"] = names[states["prediction"]]
    spans = decided(states, params)
    now = standing_votes(standing, (newest < 0) & spoke.notna().to_numpy(), told, odds, group)
    trust = {"mornings": len(settled_on), "unsettled": settled_on.count(False)}
    return (
        states,
        spans,
        trust | {"voices": voices(believed, claims, group), "hindsight": hindsight(now, states, params)},
    )


def standing_votes(standing, about, told, odds, group):
    """What stands on a morning about some predictions."""
    votes = standing[(standing["channel"] != "outcome") & about[standing["prediction"]]]
    mine = np.flatnonzero(about)
    return weighed(votes, votes["prediction"], told, odds, group, pd.Series(mine, mine))


def during(today, past, told, odds, group):
    """What is believed after each claim of a day."""
    past = past[past["prediction"].isin(today["prediction"])]
    both = today[["prediction", "at"]].merge(past, on="prediction", suffixes=("_now", ""))
    both = both[(both["at"] <= both["at_now"]) & (both["replaced"] > both["at_now"])]
    both = both[(both["channel"] == "outcome") | (both["until"] >= today["day"].iloc[0])]
    is_outcome = both["channel"] == "outcome"
    votes, today = both[~is_outcome], today.set_index("at")
    found = weighed(votes, votes["at_now"], told, odds, group, today["prediction"])
    outcome = both[is_outcome].set_index("at_now")["value"].reindex(found.index).fillna(-1).astype("int64")
    return found.assign(at=found.index, said_at=today["received_at"], outcome=outcome)


def settles(states, params):
    """The label that votes give, -1 where they are not enough, and how sure it is."""
    score = states["score"].round(9)
    sure = (1 / (1 + np.exp(-score.abs()))).round(6)
    enough = (states["n"] >= params["min_votes"]) & (score != 0) & (sure >= params["min_confidence"])
    return (score > 0).astype("int64").where(enough, -1), sure


def decided(states, params):
    """Add the label, its confidence, its source and since when it is known; the spans in which a label held."""
    outcome, (label, sure) = states["outcome"], settles(states, params)
    label = outcome.where(outcome >= 0, label)
    states["label"], states["confidence"] = label, sure.where(outcome < 0, params["accuracy"]["outcome"])
    annotated = states["yes"].where(label == 1, states["no"]) > 0
    states["source"] = np.select([outcome >= 0, annotated], ["outcome", "annotation"], "report")
    is_new = (states["prediction"] != states["prediction"].shift()) | (label != label.shift())
    states["known_at"] = states["said_at"].where(is_new).ffill()
    spans = states[is_new]
    is_last = spans["prediction_id"] != spans["prediction_id"].shift(-1)
    spans = spans.assign(until=spans["known_at"].shift(-1).mask(is_last, FOREVER))
    return spans[spans["label"] >= 0]


def weighed(votes, of, told, odds, group, prediction_of):
    """The log odds that follow from some votes by what they are grouped `of`, how many there are, and annotators' for each."""
    weight = pd.Series(told[votes["value"], votes["source"]], votes.index)
    annotator = group[votes["source"]] == CHANNELS.index("annotation")
    yes, no = (annotator & (votes["value"] == value) for value in (1, 0))
    found = pd.DataFrame({"score": weight, "n": 1, "yes": yes.astype("int64"), "no": no.astype("int64")})
    found = found.groupby(of.to_numpy()).sum()
    found = found.reindex(prediction_of.index, fill_value=0)
    found["prediction"] = prediction_of
    found["score"] += odds[found["prediction"]]
    return found


def voices(believed, claims, group):
    """How far the sources of each channel are believed in the end."""
    spoke = np.zeros(len(group), dtype=bool)
    spoke[claims["source"][claims["source"] >= 0]] = True
    found = {}
    for code, name in enumerate(CHANNELS):
        mine = spoke & (group == code)
        found[name] = {"sources": int(mine.sum())}
        for coin, of in zip(("sensitivity", "specificity"), believed, strict=True):
            found[name][coin] = {f"p{q}": np.quantile(of[mine], q / 100) for q in (5, 50, 95)}
    return found


def hindsight(now, states, params):
    """What the last trust would say of predictions without an outcome, beside what holds."""
    then = settles(now, params)[0]
    held = states.drop_duplicates("prediction", keep="last").set_index("prediction")["label"].reindex(now.index)
    said = (
        states[states["label"] >= 0].drop_duplicates("prediction").set_index("prediction")["label"].reindex(now.index)
    )
    return {
        "predictions": len(now),
        "labels": int((held >= 0).sum()),
        "labels_in_hindsight": int((then >= 0).sum()),
        "other_way": int(((held >= 0) & (then >= 0) & (held != then)).sum()),
        "first_other_way": int((said.notna() & (then >= 0) & (said != then)).sum()),
    }
