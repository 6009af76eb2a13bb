"""What users write: its topics and sentiment, by week, what changed lately, and which phrases rise: `reports/voices.json`."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from flywheel.data import tables
from flywheel.data.weeks import days_of_week, monday, weeks_between
from flywheel.labels.settings import OTHER, Voices
from flywheel.labels.shares import mean, share_difference, wilson
from flywheel.labels.texts.phrases import rising
from flywheel.labels.texts.sentiment import sentiment_of
from flywheel.labels.texts.topics import topics_of, words_of
from flywheel.labels.voices_evidence import Period, TopicSaid, Trend, VoicesHeard, WeekSaid

CONFIDENCE = 0.95


def understand(feedback: pd.DataFrame, params: Voices) -> pd.DataFrame:
    """The rows of feedback that have a text, with topic, sentiment and whether the text was too long to be read whole.

    Columns: feedback_id, prediction_id, received_at, source_id, topic, sentiment, is_cut, and the text itself. What the same
    text says is found once. They are in order of arrival.
    """
    columns = ["feedback_id", "prediction_id", "received_at", "source_id", "text"]
    said = tables.in_order(feedback.loc[feedback["text"].notna(), columns], ["received_at", "feedback_id"])
    codes, unique = pd.factorize(said["text"])
    texts = [str(one) for one in unique]
    words = [words_of(one, params.max_chars) for one in texts]
    topics = pd.Series(topics_of(words, params.topics), dtype="str")
    sentiment = (
        sentiment_of(texts, params.max_chars, params.neutral) if texts else pd.Series([], dtype="float64").to_numpy()
    )
    is_cut = pd.Series([len(one) > params.max_chars for one in texts], dtype="bool")
    return said.assign(
        topic=topics.to_numpy()[codes] if texts else topics.to_numpy(),
        sentiment=sentiment[codes],
        is_cut=is_cut.to_numpy()[codes],
    )


def describe_voices(voices: pd.DataFrame, first: dt.date, as_of: dt.date, params: Voices) -> VoicesHeard:
    """`reports/voices.json`, from what was understood of the texts that came from `first` up to the clock.

    Shares have Wilson's interval, means Student's: both take texts as independent. The change of a topic is corrected for how
    many topics there are (Bonferroni).
    """
    names = [*params.topics, OTHER]
    recent_start = max(as_of - dt.timedelta(days=params.rising.recent_days), first)
    before_start = max(recent_start - dt.timedelta(days=params.rising.before_days), first)
    recent, before = _between(voices, recent_start, as_of), _between(voices, before_start, recent_start)
    confidence = 1 - (1 - CONFIDENCE) / len(names)
    return {
        "texts": len(voices),
        "users": _users(voices),
        "cut": int(voices["is_cut"].sum()),
        "max_chars": params.max_chars,
        "min_texts": params.min_texts,
        "without_feeling": int((voices["sentiment"] == 0).sum()),
        "confidence": CONFIDENCE,
        "sentiment": mean(voices["sentiment"], CONFIDENCE, params.min_texts),
        "start": str(first),
        "end": str(as_of),
        "recent": _period(recent, recent_start, as_of),
        "before": _period(before, before_start, recent_start),
        "topics": [_topic(name, voices, recent, before, params, confidence) for name in names],
        "weeks": _weeks(voices, names, first, as_of, params),
        "rising": rising(_said(recent, params), _said(before, params), params.rising, 1 - CONFIDENCE),
    }


def _topic(
    name: str, voices: pd.DataFrame, recent: pd.DataFrame, before: pd.DataFrame, params: Voices, confidence: float
) -> TopicSaid:
    mine = voices[voices["topic"] == name]
    topic = params.topics.get(name)
    now, then = (int((one["topic"] == name).sum()) for one in (recent, before))
    change = share_difference(now, len(recent), then, len(before), confidence)
    trend: Trend = "not shown"
    if min(len(recent), len(before), now + then) < params.min_texts:
        trend = "too few"
    elif (change["low"] or 0.0) > 0:
        trend = "more"
    elif (change["high"] or 0.0) < 0:
        trend = "less"
    return {
        "topic": name,
        "about": topic.about if topic else OTHER,
        "input": topic.input if topic else None,
        "texts": len(mine),
        "users": _users(mine),
        "share": wilson(len(mine), len(voices), CONFIDENCE),
        "sentiment": mean(mine["sentiment"], CONFIDENCE, params.min_texts),
        "recent_texts": now,
        "before_texts": then,
        "change": change,
        "trend": trend,
    }


def _weeks(voices: pd.DataFrame, names: list[str], first: dt.date, as_of: dt.date, params: Voices) -> list[WeekSaid]:
    """Every week of the data, also one in which nobody wrote."""
    by_week = dict(list(voices.groupby(monday(voices["received_at"]))))
    nothing = voices.iloc[:0]
    found: list[WeekSaid] = []
    for week in weeks_between(first, as_of):
        mine = by_week.get(week, nothing)
        counts = {name: int((mine["topic"] == name).sum()) for name in names}
        found.append(
            {
                "week": week,
                "days": days_of_week(week, first, as_of),
                "texts": len(mine),
                "users": _users(mine) if len(voices) else None,
                "sentiment": mean(mine["sentiment"], CONFIDENCE, params.min_texts),
                "shares": {name: wilson(n, len(mine), CONFIDENCE) for name, n in counts.items()},
                "by_topic": counts,
            }
        )
    return found


def _between(voices: pd.DataFrame, start: dt.date, end: dt.date) -> pd.DataFrame:
    moments = voices["received_at"]
    return voices[(moments >= tables.timestamp(start)) & (moments < tables.timestamp(end))]


def _period(voices: pd.DataFrame, start: dt.date, end: dt.date) -> Period:
    return {"start": str(start), "end": str(end), "days": (end - start).days, "texts": len(voices)}


def _users(voices: pd.DataFrame) -> int | None:
    """How many different people wrote; None where nothing says who did."""
    known = voices["source_id"].dropna()
    return int(known.nunique()) if len(known) or not len(voices) else None


def _said(voices: pd.DataFrame, params: Voices) -> list[tuple[str, list[str]]]:
    """Who wrote each text (empty: nobody knows), and its words."""
    users = voices["source_id"].fillna("")
    return [
        (str(user), words_of(str(text), params.max_chars)) for user, text in zip(users, voices["text"], strict=True)
    ]
