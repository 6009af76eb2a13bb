"""Vintages: a recipe trained on what was known before a day.

The candidate has seen everything, so nothing is left to measure it on. Its stand-ins have not: window by window, today's recipe
trained as of the window's first day is compared with the champion's recipe trained as much earlier as the champion is older
than the candidate. Neither has seen the window, and every window asks today's question. `data/vintages/` holds exactly these.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flywheel import files, shapes
from flywheel.data import tables
from flywheel.errors import DataError
from flywheel.labels.revisions import known_before
from flywheel.model import artifact, fit, pseudo, trees
from flywheel.model.card import Card, Features, Weights
from flywheel.model.index import INDEX, Index, LeftOut, Window
from flywheel.model.memo import Memo
from flywheel.model.recipe import Fit, Recipe, hash_of
from flywheel.model.weigh import OUTCOME, weigh_rows

if TYPE_CHECKING:  # slow to import, and evaluate needs only what is written
    import lightgbm as lgb

Days = tuple[dt.date, dt.date]  # the first, and the one after the last


@dataclass(frozen=True)
class Way:
    """A recipe with the features that it reads, in their order, and how it is fitted."""

    recipe: Recipe
    how: Fit
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @property
    def n_needed(self) -> int:
        """How many labelled rows of the rarer class it needs."""
        return self.how.train.min_events_per_feature * (len(self.numeric) + len(self.categorical))


@dataclass(frozen=True)
class Grown:
    """A fit with all the trees that its recipe allows, and the seconds that it took; None: the memo spared it.

    Its rows, their first day and their share of 1 are those that have a label; pseudo-labels are not among them.
    """

    features: Features
    booster: lgb.Booster
    n_rows: int
    first_day: dt.date
    positive_share: float
    seconds: float | None
    sources: dict[str, int] | None = None  # rows by where their label is from, where some have none but a score
    weights: Weights | None = None  # how rows count for predictions without a label, where the recipe weighs them


@dataclass
class Vintages:
    """Makes vintages from the features of all predictions `served` and the `revisions` of their labels, each fit once."""

    name: str
    served: pd.DataFrame
    revisions: pd.DataFrame
    memo: Memo
    grown: dict[tuple[str, dt.date], Grown] = field(default_factory=dict)
    lost: dict[tuple[str, dt.date], np.ndarray] = field(default_factory=dict)

    @property
    def first(self) -> dt.date:
        """The first day of the features."""
        day: dt.date = self.served["served_at"].min().date()
        return day

    @cached_property
    def labels(self) -> pd.DataFrame:
        """The revisions, each with the place of its prediction among those served."""
        return fit.with_places(self.revisions, self.served)

    @cached_property
    def ids(self) -> pd.DataFrame:
        """The predictions without their features: enough to count labels."""
        return self.served[["prediction_id", "served_at"]]

    def learned(self, way: Way, day: dt.date) -> fit.Rows:
        """The rows that a recipe learns from as of a day."""
        return fit.labelled_rows(self.served, self.labels, day - dt.timedelta(days=way.how.train_days), day)

    def grow(self, way: Way, day: dt.date, threads: int = 0) -> Grown:
        """The recipe fitted as of a day, with all the trees that it allows. DataError when too few rows have a label."""
        name = (hash_of(way.recipe), day)
        if name not in self.grown:
            how, start = way.how, day - dt.timedelta(days=way.how.train_days)
            rows = self.learned(way, day)
            fit.check(rows, len(way.numeric) + len(way.categorical), how.train, start, day)
            features = fit.describe_features(rows.features[[*way.numeric, *way.categorical]], way.categorical)
            took: list[float] = []
            weighed, weights = self._weighed(way, day, rows)
            more = self._pseudo(way, day, rows, features, threads, took)
            learned = pseudo.together(weighed, more) if more else weighed
            booster = fit.fit(
                learned, features, how.model, how.train.seed, how.model.max_trees, self.memo, threads, took
            )
            self.grown[name] = Grown(
                features,
                booster,
                len(rows.label),
                rows.features["served_at"].min().date(),
                round(float(rows.label.mean()), 6),
                sum(took) if took else None,
                self._sources(way, day) | {pseudo.PSEUDO: len(more.label)} if more else None,
                weights,
            )
        return self.grown[name]

    def _weighed(self, way: Way, day: dt.date, rows: fit.Rows) -> tuple[fit.Rows, Weights | None]:
        """The rows of a fit, each weighed for predictions like it without a label, by what was known on its day; as they are
        where the recipe does not weigh them.
        """
        how = way.how
        if how.train.weigh is None:
            return rows, None
        rest = fit.unlabelled(self.served, self.labels, day - dt.timedelta(days=how.train_days), day)
        asked = pd.concat([rows.features, rest])[[*way.numeric, *way.categorical]]
        features = fit.describe_features(asked, way.categorical)  # also the categories of which no row has a label
        n_outcomes = self._sources(way, day).get(OUTCOME, 0)
        return weigh_rows(rows, n_outcomes, rest, features, how.train.weigh, how.train.seed)

    def _pseudo(
        self, way: Way, day: dt.date, rows: fit.Rows, features: Features, threads: int, took: list[float]
    ) -> fit.Rows | None:
        """The pseudo-labels of a fit, from what was known on its day; None where the recipe wants none."""
        how = way.how
        if how.train.pseudo is None:
            return None

        def scores(others: fit.Rows, table: pd.DataFrame) -> np.ndarray:
            one = fit.fit(others, features, how.model, how.train.seed, how.model.trees, self.memo, threads, took)
            return np.asarray(one.predict(artifact.matrix(table, features)), dtype="float64")

        table = fit.unlabelled(self.served, self.labels, day - dt.timedelta(days=how.train_days), day)
        return pseudo.pseudo_rows(rows, table, how.train.pseudo, scores)

    def _sources(self, way: Way, day: dt.date) -> dict[str, int]:
        """How many labels of each source a fit learns from."""
        held = known_before(self.labels, tables.timestamp(day))
        start = tables.timestamp(day - dt.timedelta(days=way.how.train_days))
        served = self.served["served_at"].to_numpy()[held["place"]]
        counts = held.loc[(served >= start) & (served < tables.timestamp(day)), "label_source"].value_counts()
        return {str(source): int(n) for source, n in counts.sort_index().items()}

    def grow_all(self, asked: Iterable[tuple[Way, dt.date]]) -> None:
        """Make the fits that these vintages need, and those that tell their numbers of trees, one a processor at a time.

        Threads of one fit wait for each other at every leaf, several fits do not. What cannot be fitted is left to `grow`.
        """
        todo: dict[tuple[dt.date, str], Way] = {}
        for way, day in asked:
            how = way.how
            before = trees.earlier_days(self.first, day, how.train_days, how.step_days, how.train.earlier_fits)
            todo |= {(at, hash_of(way.recipe)): way for at in (day, *before) if self.can(way, at)}
        n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        n_workers = max(1, min(n_cores, len(todo)))
        threads = max(1, n_cores // n_workers)
        with ThreadPoolExecutor(n_workers) as pool:  # LightGBM does not hold Python's lock; the largest fits begin
            list(pool.map(lambda name: self.grow(todo[name], name[0], threads), sorted(todo, reverse=True)))

    def can(self, way: Way, day: dt.date) -> bool:
        """Whether a recipe can be fitted as of a day: enough rows of both classes have a label."""
        start = day - dt.timedelta(days=way.how.train_days)
        return fit.rarer(fit.labelled_rows(self.ids, self.labels, start, day)) >= max(way.n_needed, 1)

    def earlier(self, way: Way, day: dt.date) -> list[trees.EarlierFit]:
        """The earlier fits that tell how many trees are right as of a day."""
        how, found = way.how, []
        for at in trees.earlier_days(self.first, day, how.train_days, how.step_days, how.train.earlier_fits):
            later = fit.labelled_rows(self.served, self.labels, at, at + dt.timedelta(days=how.step_days))
            if fit.rarer(later) and self.can(way, at):
                one = self.grow(way, at)
                losses = self._losses(way, at, one, later)
                found.append(trees.EarlierFit(at, one.n_rows, len(later.label), losses))
        return found

    def _losses(self, way: Way, at: dt.date, one: Grown, later: fit.Rows) -> np.ndarray:
        name = (hash_of(way.recipe), at)
        if name not in self.lost:
            self.lost[name] = fit.losses(one.booster, later, one.features)
        return self.lost[name]

    def vintage(self, way: Way, day: dt.date) -> tuple[artifact.Model, list[trees.EarlierFit]]:
        """The recipe trained as of a day, and the earlier fits that told its number of trees.

        DataError when the rows are too few.
        """
        one = self.grow(way, day)
        earlier = self.earlier(way, day)
        n_trees = trees.number_of_trees(earlier, way.how.model.trees)
        booster = fit.first_trees(one.booster, n_trees)
        card: Card = {
            "name": self.name,
            "version": None,
            "as_of": day.isoformat(),
            "training_window": [one.first_day.isoformat(), day.isoformat()],
            "labels_known_before": day.isoformat(),
            "rows": {"fit": one.n_rows},
            **({"label_source": one.sources} if one.sources else {}),  # type: ignore[typeddict-item]
            **({"weights": one.weights} if one.weights else {}),  # type: ignore[typeddict-item]
            "positive_share": one.positive_share,
            "trees": booster.num_trees(),
            "earlier_fits": [
                {"as_of": at.as_of.isoformat(), "rows": at.rows, "later_rows": at.later_rows} for at in earlier
            ],
            "recipe_hash": hash_of(way.recipe),
            "recipe": way.recipe,
            "libraries": fit.libraries(),
            "importance": {name: round(share, 6) for name, share in fit.importance(booster).items()},
            "features": one.features,
            "sha256": {},  # of the files, once they are written
        }
        return artifact.Model(booster, fit.straight(one.n_rows), card), earlier


def folder_of(way: Way, day: dt.date) -> str:
    """The name of a vintage's folder in `data/vintages/`."""
    return f"{hash_of(way.recipe)}-{day}"


def plan(
    made: Vintages,
    as_of: dt.date,
    windows: Sequence[tuple[dt.date, dt.date]],
    mine: Way,
    champion: Card | None,
    theirs: Way | None,
    why: str | None,
) -> tuple[Index, list[tuple[Way, dt.date]]]:
    """What is compared with what, and the vintages that this needs.

    `theirs` is how the champion's recipe is fitted, None where there is no champion or, for the reason `why`, where it cannot
    be. A window is left out when a stand-in would have less than half the days to learn from that its model has, or too few
    labels: it would not ask today's question. Where no window has both stand-ins, the champion itself is compared, on the days
    after its training.
    """
    since = dt.date.fromisoformat(champion["labels_known_before"]) if champion else None
    age = as_of - since if since else dt.timedelta(0)
    is_refresh = champion is not None and champion.get("recipe") == mine.recipe
    is_itself = is_refresh and theirs is not None  # then the candidate's stand-in as of `since` is the champion
    if theirs and age < dt.timedelta(0):
        theirs, why = None, f"it was trained on days up to {since}, after the clock"
    problems: dict[Days, str] = {}

    def possible(found: Sequence[tuple[dt.date, dt.date]], way: Way, back: dt.timedelta, whose: str) -> list[Days]:
        """Those for which a recipe can be fitted as of so many days before they start; the others are noted."""
        kept = []
        for start, end in found:
            problem = _too_short(made, way, start - back, as_of - back)
            if problem:
                problems[start, end] = f"{whose} stand-in {problem}"
            else:
                kept.append((start, end))
        return kept

    can = possible(windows, mine, dt.timedelta(0), "the candidate's")
    both = possible(can, theirs, age, "the champion's") if theirs else []
    if theirs and not both:
        theirs, why = None, "the history is too short for a stand-in of it"
    # Compared with itself the champion does no harm, however bad it is.
    unseen = [days for days in can if since and (days[0] > since or (days[0] == since and not is_itself))]
    if since and since < as_of and not unseen and not is_refresh and not _too_short(made, mine, since, as_of):
        unseen = [(since, as_of)]
    obstacle = None
    taken = both if theirs else can
    if why and unseen:
        taken = unseen
        problems |= dict.fromkeys(can, f"the champion, which is compared as it is, was trained on days up to {since}")
    elif why:
        itself = is_itself and since is not None and since < as_of
        nothing = "on the days after its training it would be compared with itself"
        nothing = nothing if itself else "there are no days after its training to compare it on"
        obstacle = f"the champion cannot be compared: {why}, and {nothing}"
    needed: dict[str, tuple[Way, dt.date]] = {}

    def window(days: Days, other: Way | None) -> Window:
        for way, day in ((mine, days[0]), *(((other, days[0] - age),) if other else ())):
            needed[folder_of(way, day)] = (way, day)
        return {
            "start": days[0].isoformat(),
            "end": days[1].isoformat(),
            "candidate": folder_of(mine, days[0]),
            "champion": folder_of(other, days[0] - age) if other else None,
        }

    left_out: list[LeftOut] = [
        {"start": start.isoformat(), "end": end.isoformat(), "why": problems[start, end]}
        for start, end in windows
        if (start, end) not in taken
    ]
    index: Index = {
        "kind": "refresh" if is_refresh else "change",
        "recipe": hash_of(mine.recipe),
        "windows": [window(days, theirs) for days in taken],
        "left_out": left_out,
        "why_as_it_is": why,
        "why_not_compared": obstacle,
        "as_it_is": [window(days, None) for days in unseen],
    }
    return index, list(needed.values())


def _too_short(made: Vintages, way: Way, day: dt.date, end: dt.date) -> str | None:
    """Why a recipe as of a day cannot stand in for the one as of `end`, as half a sentence."""
    if not trees.is_long(made.first, day, end, way.how.train_days):
        days = max((day - made.first).days, 0)
        return f"as of {day} would have {days} days to learn from, less than half of what its model has"
    return None if made.can(way, day) else f"as of {day} would have too few labels to learn from"


def read_vintage(name: str) -> artifact.Model:
    """A vintage of `data/vintages/`. DataError when a file is missing or not what its card says, or the name is no name."""
    if "/" in name or name.startswith("."):
        raise DataError(f"{INDEX}: found the folder {name!r}; a name as train gives it is expected. {shapes.DELETE}")
    return artifact.load(files.VINTAGES / name)


def write(index: Index, models: dict[str, artifact.Model]) -> None:
    """Let `data/vintages/` hold exactly these."""
    files.empty_folder(files.VINTAGES)
    for name, model in models.items():
        artifact.save(model, files.VINTAGES / name)
    files.write_json(INDEX, index)
