"""The recipe of a model: everything that decides a fit, except the day and what was known then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from typing_extensions import TypedDict

from flywheel.features.settings import Features
from flywheel.labels.settings import Label
from flywheel.model.settings import Model, Train, Windows
from flywheel.params import Days, Params


class Recipe(TypedDict):
    """A recipe as it is on a card: sections of params.yaml, the project's own features and the days that a fit looks at."""

    features: dict[str, Any]
    derive: str | None
    code: str | None
    label: dict[str, Any]
    model: dict[str, Any]
    train: dict[str, Any]
    train_days: int
    step_days: int


class Fit(Params):
    """What a recipe says of the fit itself, in the types of today's settings."""

    train: Train
    model: Model
    train_days: Days
    step_days: Days

    @property
    def reach(self) -> int:
        """How many days before the day as of which it is made a fit looks at, its earlier fits included."""
        return self.train_days + self.step_days * self.train.earlier_fits


# Settings that came later. Where one is off, the recipe is what it was before there was such a setting.
CAME_LATER = ("texts", "pseudo", "weigh")


def recipe(
    features: Features,
    derive: str | None,
    code: str | None,
    label: Label,
    model: Model,
    train: Train,
    windows: Windows,
) -> Recipe:
    """The recipe of these settings. `code` is the digest of the project's own code that derives features, if it has any."""
    return {
        "features": features.model_dump(mode="json"),
        "derive": derive,
        "code": code,
        "label": _of(label),
        "model": model.model_dump(mode="json"),
        "train": _of(train),
        "train_days": windows.train_days,
        "step_days": windows.evaluation_days,
    }


def _of(section: Params) -> dict[str, Any]:
    values = section.model_dump(mode="json")
    return {name: value for name, value in values.items() if name not in CAME_LATER or value is not None}


def hash_of(one: Recipe) -> str:
    """The name of a recipe: 12 hexadecimal digits. Whether two are the same is asked of the recipes, never of their names."""
    return hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest()[:12]


def how_to_fit(one: Recipe) -> Fit | None:
    """How a recipe is fitted; None where today's code no longer knows a setting of it."""
    try:
        return Fit.model_validate({name: one[name] for name in Fit.model_fields})  # type: ignore[literal-required]
    except ValidationError:
        return None


def why_not_fitted(one: Recipe | None, mine: Recipe, names: Sequence[str], columns: Sequence[str]) -> str | None:
    """Why the champion's recipe cannot be fitted on today's features, as half a sentence; None if it can.

    `names` are the features that it reads, `columns` those that there are. A column of the same name means the same only
    where it was derived by the same code, from labels that were concluded in the same way.
    """
    if one is None:
        return "its card names no recipe, because it was made by older code"
    lacking = sorted(set(names) - set(columns))
    if lacking:
        return f"its recipe needs features that no longer exist: {', '.join(lacking)}"
    reasons = {
        "its labels were concluded with other settings": one["label"] != mine["label"],
        "its features were derived by other code of the project's own": (
            (one["derive"], one["code"]) != (mine["derive"], mine["code"])
        ),
        "its calendar is that of another time zone": _time_zone(one) != _time_zone(mine),
        "its recipe has settings that today's code does not know": how_to_fit(one) is None,
        "its recipe has, by chance, the name of today's": one != mine and hash_of(one) == hash_of(mine),
    }
    return next((reason for reason, is_so in reasons.items() if is_so), None)


def _time_zone(one: Recipe) -> object:
    calendar = one["features"].get("calendar")
    return calendar.get("timezone") if isinstance(calendar, dict) else None
