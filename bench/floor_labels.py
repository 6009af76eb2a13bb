"""What happened, by trust in who says so: the plain script's way, with all that is known counted again on each morning."""

import re

import numpy as np
import pandas as pd

FOREVER = pd.Timestamp("2200-01-01", tz="UTC")
CHANNELS = ["report", "annotation", "text"]
WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
EPOCH = pd.Timestamp(0, tz="UTC")
DAY_US = 86_400_000_000
NEVER = 1_000_000  # days


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


def weights(sensitivity, specificity, speaks):
    """What a claim adds to the log odds, by value and source; nothing where its source is no better than a coin."""
    return np.stack(
        [
            np.minimum(np.log((1 - sensitivity) / specificity) + speaks, 0),
            np.maximum(np.log(sensitivity / (1 - specificity)) + speaks, 0),
        ]
    )


def says(text, phrases, negations):
    """What a text says by its phrases, pairs of a pattern and a value: 1, 0, or -1 for nothing."""
    found = []
    for sentence in re.split(r"(?<=[.!?])\s+|\n", text[:5000]):
        if sentence.endswith("?"):
            continue
        for part in re.split(r"[.!?,;:]+(?=\s|$)|[()]|\s[-–—]\s|\[[a-z_]+\]", sentence):
            told = f" {' '.join(WORDS.findall(part.lower().replace('’', chr(39))))} "
            for phrase, pattern, value in phrases:
                for match in pattern.finditer(told):
                    near = told[: match.start()].split()[-3:] + [w for w in match[0].split() if w not in phrase.split()]
                    turns = sum(word in negations for word in near)
                    if turns < 2:
                        found.append((len(found), match[0].strip(), part, 1 - value if turns else value))
    longest = {
        one[-1] for one in found if not any(one[1] != it[1] and one[1] in it[1] for it in found if it[2] == one[2])
    }
    return longest.pop() if len(longest) == 1 else -1


def with_texts(feedback, texts):
    """The claims: outcomes, reports, annotations, and what other texts say."""
    is_claim = feedback["channel"].isin(["outcome", "report", "annotation"])
    claims = feedback[is_claim]
    if texts is None:
        return claims
    phrases = [
        (one, re.compile(f" {one} ".replace(" ... ", "(?: [^ ]+){0,5} ").replace("* ", "[^ ]* ")), value)
        for value in (0, 1)
        for side in texts[f"says_{value}"].values()
        for one in side
    ]
    negations = {word for words in texts["negations"].values() for word in words}
    written = feedback[~is_claim & feedback["text"].notna()]
    value = written["text"].map({text: says(text, phrases, negations) for text in written["text"].unique()})
    return pd.concat([claims, written.assign(channel="text", value=value)[value >= 0]], ignore_index=True)


def shares(yes, n, cohort, weight):
    """The log odds of each cohort's day: from those of the day, of the cohort, of all, of a coin."""
    (yes, more_yes), (n, more_n) = yes, n
    cohort_yes, cohort_n = np.bincount(cohort, yes) + more_yes, np.bincount(cohort, n) + more_n
    overall = (cohort_yes.sum() + 0.5 * weight) / (cohort_n.sum() + weight)
    share = (cohort_yes + overall * weight) / (cohort_n + weight)
    found = (yes + share[cohort] * weight) / (n + weight)
    return np.log(found / (1 - found))


def speaking(table, yes, no, group, weight):
    """How much more often texts speak of what is 1 than of what is 0, as a log; of other sources nothing is asked."""
    found = np.zeros(len(group))
    for one in np.flatnonzero(group == CHANNELS.index("text")):
        of_yes, of_no = table[1, :, one].sum(), table[0, :, one].sum()
        if of_yes + of_no:
            usual = (of_yes + of_no) / (yes + no)
            share = [(k + weight / 2) / (n + weight / 2 / usual) for k, n in ((of_yes, yes), (of_no, no))]
            found[one] = np.log(share[0] / share[1])
    return found


def trust_of(votes, table, yes, count, believed, cohort, key_of, group, params):
    """Trust in each source, and the log odds before anybody speaks: from the votes about what is open, the table of how often
    who said what of what is known, and the outcomes of each cohort's day: how many are 1, and how many there are."""
    weight, n = params["prior_weight"], len(group)
    start = starts(params)
    prediction, source, value = votes
    speaks = speaking(table, yes.sum(), count.sum() - yes.sum(), group, weight)
    about, prediction = np.unique(prediction, return_inverse=True)
    key, n_cohorts = key_of[about], cohort.max(initial=-1) + 1
    # Claims that are alone tell nothing about who made them.
    tells = np.bincount(prediction, minlength=len(about)) > 1
    compared, key_told = tells[prediction], key[tells]
    of, said = prediction[compared], (value * n + source)[compared]
    total, more = np.bincount(said, minlength=2 * n), np.bincount(cohort[key_told], minlength=n_cohorts)
    odds = shares((yes, np.zeros(n_cohorts)), (count, np.zeros(n_cohorts)), cohort, weight)
    probability = (1 / (1 + np.exp(-odds)))[key]
    sensitivity, specificity, _ = believed
    for _ in range(params["max_iterations"]):
        before = probability
        told = np.bincount(prediction, weights(sensitivity, specificity, speaks)[value, source], len(about))
        probability = 1 / (1 + np.exp(-(odds[key] + told)))
        ones = np.bincount(said, probability[of], 2 * n)
        of_one, of_zero = table[1] + ones.reshape(2, n), table[0] + (total - ones).reshape(2, n)
        sensitivity = coins(of_one[1], of_one[0], group, start, weight)
        specificity = coins(of_zero[0], of_zero[1], group, start, weight)
        told = np.bincount(cohort[key_told], probability[tells], n_cohorts)
        odds = shares((yes, told), (count, more), cohort, weight)
        if np.abs(probability - before).max(initial=0) < 0.005:
            return (sensitivity, specificity, speaks), odds, True
    return (sensitivity, specificity, speaks), odds, False


def starts(params):
    """How often each channel is believed to be right before anything is known."""
    return [
        params["accuracy"]["report"],
        params["accuracy"]["annotation"],
        (params["texts"] or {"accuracy": 0.5})["accuracy"],
    ]


def in_quarantine(claims, quarantine):
    """The morning as of which each claim no longer counts."""
    held = quarantine[quarantine["decision"] != "release"]
    mine = claims[["at", "source_id", "channel", "received_at"]].replace({"channel": {"text": "report"}})
    both = mine.merge(held, on=["source_id", "channel"])
    both = both[(both["received_at"] >= both["first"]) & ~(both["received_at"] >= both["until"])]
    return both.groupby("at")["known_at"].min().reindex(claims["at"]).fillna(FOREVER).array


def claims_of(claims, quarantine):
    """The claims in order of prediction and time, when each is replaced or out, and the channel of each source."""
    claims = claims.sort_values(["prediction_id", "received_at", "feedback_id"], ignore_index=True)
    # Who has reported adds nothing by writing.
    is_text, known = claims["channel"] == "text", claims["source_id"].notna()
    voted = (
        claims["channel"]
        .isin(["report", "annotation"])
        .groupby([claims["prediction_id"], claims["source_id"]])
        .cumsum()
    )
    claims = claims[~(is_text & known & (voted > 0))].reset_index(drop=True)
    claims["prediction"], names = pd.factorize(claims["prediction_id"])
    claims["value"] = claims["value"].astype("int64")
    claims["day"] = day_of(claims["received_at"])
    vote, is_text = claims["channel"] != "outcome", claims["channel"] == "text"
    who = (claims["channel"] + " " + claims["source_id"]).mask(is_text, "text")
    claims["source"], people = pd.factorize(who.where(vote))
    group = np.array([CHANNELS.index(one.split(" ")[0]) for one in people], dtype="int64")
    claims["at"] = claims.index
    by = claims.groupby([claims["prediction"], who.where(vote, "outcome")])
    claims["until"], claims["replaced"] = by["day"].shift(-1), by["at"].shift(-1)
    # Who reports after writing takes the text back.
    mine = claims[is_text | vote].copy()
    mine = mine[mine["prediction"].isin(mine.loc[is_text, "prediction"])]
    mine["text"] = mine["at"].where(is_text).groupby(mine["prediction"]).ffill()
    backs = mine[(mine["channel"] != "text") & mine["text"].notna()].drop_duplicates(["text", "source_id"])
    backs = backs[backs["source_id"].to_numpy() == claims["source_id"].reindex(backs["text"]).to_numpy()]
    claims.loc[backs["text"].astype("int64"), "until"] = backs["day"].to_numpy()
    claims.loc[backs["text"].astype("int64"), "replaced"] = backs["at"].to_numpy()
    claims["until"] = claims["until"].fillna(NEVER).astype("int64")
    claims["replaced"] = claims["replaced"].fillna(len(claims)).astype("int64")
    claims["out"] = day_of(pd.Series(in_quarantine(claims, quarantine)))
    claims["until"] = claims["until"].where(claims["until"] < claims["out"], claims["out"] - 1)
    return claims, names, group


def day_of(moments):
    """The number of the day of each moment, from 1970 on."""
    return moments.dt.tz_localize(None).astype("datetime64[us]").astype("int64") // 86_400_000_000


def keys_of(names, predictions, params):
    """The key of each prediction, its cohort on its day, and the cohort of each key."""
    served = predictions.set_index("prediction_id").loc[names]
    inputs = served[[f"in_{name}" for name in params["prior_by"]]].assign(one="all")
    cohort_of = inputs.groupby([*inputs]).ngroup().to_numpy()
    key_of, keys = pd.factorize(pd.MultiIndex.from_arrays([cohort_of, served["served_at"].dt.floor("D")]))
    return key_of, keys.get_level_values(0).to_numpy()


def conclude(said, predictions, quarantine, params, as_of):
    """What was believed about each prediction after each claim (label -1: nothing yet), spans of it, and the last trust."""
    claims, names, group = claims_of(said, quarantine)
    key_of, cohort = keys_of(names, predictions, params)
    n, n_keys, last = len(group), len(cohort), (as_of - EPOCH).days
    prediction, source, value, day, until, out = (
        claims[name].to_numpy() for name in ("prediction", "source", "value", "day", "until", "out")
    )
    votes, outcomes = np.flatnonzero(source >= 0), np.flatnonzero(source < 0)
    settled = np.full(len(names), NEVER)
    np.minimum.at(settled, prediction[outcomes], day[outcomes])
    open_ones = votes[np.minimum(until, settled[prediction])[votes] > day[votes]]
    # How long each vote stands beside an outcome of the same prediction.
    both = claims.loc[votes, ["prediction", "source", "value", "day", "until"]].merge(
        claims.loc[outcomes, ["prediction", "value", "day", "until"]], on="prediction", suffixes=("", "_known")
    )
    both_code = (both["value_known"] * 2 + both["value"]).to_numpy() * n + both["source"].to_numpy()
    both_from, both_to = (
        both[["day", "day_known"]].max(axis=1).to_numpy(),
        both[["until", "until_known"]].min(axis=1).to_numpy(),
    )
    first = np.searchsorted(prediction, np.arange(len(names) + 1))
    by_day = claims.groupby("day").indices
    believed = [np.array(starts(params))[group], np.array(starts(params))[group], np.zeros(n)]
    newest, spoke = np.full(len(names), -1), np.full(len(names), -1)
    parts, settled_on = [], []
    for today in range(day.min(), last + 1):
        votes = open_ones[
            (day[open_ones] < today) & (until[open_ones] >= today) & (settled[prediction[open_ones]] >= today)
        ]
        holds = (both_from < today) & (both_to >= today)
        known = outcomes[(day[outcomes] < today) & (until[outcomes] >= today)]
        believed, odds, is_settled = trust_of(
            (prediction[votes], source[votes], value[votes]),
            np.bincount(both_code[holds], minlength=4 * n).reshape(2, 2, n),
            np.bincount(key_of[prediction[known]], value[known], n_keys),
            np.bincount(key_of[prediction[known]], minlength=n_keys),
            believed,
            cohort,
            key_of,
            group,
            params,
        )
        settled_on.append(is_settled)
        told, odds = weights(*believed), odds[key_of]
        due = np.isin(today - spoke, params["revisit_days"]) & (spoke >= 0)
        due[prediction[(out == today) & (day < today)]] = True
        votes = votes[due[prediction[votes]]]
        late = weighed(prediction[votes], votes, told, odds, claims, group, np.flatnonzero(due & (newest < 0)))
        parts.append(
            late | {"said_at": np.full(len(late["n"]), today * DAY_US - 1), "at": np.full(len(late["n"]), len(claims))}
        )
        if today < last and today in by_day:
            parts.append(during(by_day[today], today, first, told, odds, claims, group))
            mine = by_day[today][source[by_day[today]] < 0]
            newest[prediction[mine]] = value[mine]  # the last one stays
            spoke[prediction[by_day[today]]] = today
    joined = {name: np.concatenate([one[name] for one in parts]) for name in parts[0]}
    states = pd.DataFrame(joined).sort_values(["prediction", "said_at", "at"], ignore_index=True)
    states["said_at"] = pd.to_datetime(states["said_at"], unit="us", utc=True).astype("datetime64[us, UTC]")
    states["prediction_id"] = names[states["prediction"]]
    spans = decided(states, params)
    votes = open_ones[(until[open_ones] >= last) & (newest[prediction[open_ones]] < 0)]
    now = weighed(prediction[votes], votes, told, odds, claims, group, np.flatnonzero((newest < 0) & (spoke >= 0)))
    trust = {"mornings": len(settled_on), "unsettled": settled_on.count(False)}
    now = pd.DataFrame(now).set_index("prediction", drop=False)
    return (
        states,
        spans,
        trust | {"voices": voices(believed, claims, group), "hindsight": hindsight(now, states, params)},
    )


def during(mine, today, first, told, odds, claims, group):
    """What is believed after each claim of a day."""
    prediction, until, replaced = (claims[name].to_numpy() for name in ("prediction", "until", "replaced"))
    start, n = first[prediction[mine]], mine - first[prediction[mine]] + 1  # it and those before it
    now = np.repeat(np.arange(len(mine)), n)
    past = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + start[now]
    is_vote = claims["source"].to_numpy()[past] >= 0
    stands = (replaced[past] > mine[now]) & (~is_vote | (until[past] >= today))
    outcome = np.full(len(mine), -1)
    told_it = stands & ~is_vote
    outcome[now[told_it]] = claims["value"].to_numpy()[past[told_it]]
    voted = stands & is_vote
    found = weighed(now[voted], past[voted], told, odds, claims, group, np.arange(len(mine)), prediction[mine])
    moments = claims["received_at"].to_numpy("datetime64[us]")[mine].astype("int64")
    return found | {"said_at": moments, "at": mine, "outcome": outcome}


def weighed(of, votes, told, odds, claims, group, about, prediction=None):
    """The log odds that follow from votes, by what each is a vote `of`, for all that it is asked `about`; how many votes there
    are, and how many of each channel say 1 and 0."""
    prediction = about if prediction is None else prediction
    size = int(about.max(initial=-1)) + 1
    value, source = claims["value"].to_numpy()[votes], claims["source"].to_numpy()[votes]

    def count(which, how=None):
        return np.bincount(of[which], None if how is None else how[which], size)[about]

    everything = np.ones(len(votes), dtype=bool)
    found = {"prediction": prediction, "n": count(everything), "outcome": np.full(len(about), -1)}
    found["score"] = count(everything, told[value, source]) + odds[prediction]
    for code, name in enumerate(CHANNELS):
        for said in (0, 1):
            found[f"{name}_{said}"] = count((group[source] == code) & (value == said))
    return found


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
    won = {name: states[f"{name}_1"].where(label == 1, states[f"{name}_0"]) > 0 for name in ("annotation", *CHANNELS)}
    only_texts = (states["n"] > 0) & (states["text_0"] + states["text_1"] == states["n"])
    states["source"] = np.select([outcome >= 0, *won.values(), only_texts], ["outcome", *won, "text"], "report")
    is_new = (states["prediction"] != states["prediction"].shift()) | (label != label.shift())
    states["known_at"] = states["said_at"].where(is_new).ffill()
    spans = states[is_new]
    is_last = spans["prediction_id"] != spans["prediction_id"].shift(-1)
    spans = spans.assign(until=spans["known_at"].shift(-1).mask(is_last, FOREVER))
    return spans[spans["label"] >= 0]


def voices(believed, claims, group):
    """How far the sources of each channel are believed in the end."""
    spoke = np.zeros(len(group), dtype=bool)
    spoke[claims["source"][claims["source"] >= 0]] = True
    found = {}
    for code, name in enumerate(CHANNELS):
        mine = spoke & (group == code)
        if name == "text" and not mine.any():
            continue
        found[name] = {"sources": int(mine.sum())}
        for coin, of in zip(("sensitivity", "specificity"), believed, strict=False):
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
