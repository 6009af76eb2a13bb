"""Weeks, from Monday to Sunday, in UTC."""

from __future__ import annotations

import datetime as dt

import pandas as pd


def monday(moments: pd.Series) -> pd.Series:
    """The Monday of each moment's week, as text."""
    day = moments.dt.tz_localize(None).dt.normalize()
    first = day - pd.to_timedelta(day.dt.weekday, unit="D")
    text: pd.Series[str] = first.dt.strftime("%Y-%m-%d")
    return text


def days_of_week(week: str, first: dt.date, end: dt.date) -> int:
    """How many of the seven days of a week, named by its Monday, lie between the first day and, not included, the end."""
    start = dt.date.fromisoformat(week)
    return (min(start + dt.timedelta(days=7), end) - max(start, first)).days


def weeks_between(first: dt.date, end: dt.date) -> list[str]:
    """The Monday of each week that has a day from `first` up to, not including, `end`."""
    start = first - dt.timedelta(days=first.weekday())
    return [str(start + dt.timedelta(days=n)) for n in range(0, (end - start).days, 7)]
