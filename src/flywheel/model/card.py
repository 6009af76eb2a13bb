"""The card of a model: what it is, what it was trained on, and the digests of its files."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NotRequired

from pydantic import AfterValidator
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.errors import DataError
from flywheel.model.recipe import Recipe
from flywheel.shapes import DayText

FILES = ("model.txt", "calibration.json", "card.json")
DOES = FILES[:2]  # the files that say what a model does
CONTRACT = "contract.json"  # what it asks of a service; a model that was made before there were contracts has none


class Features(TypedDict):
    """The features of a model in their order: numeric ones, then categorical ones with the categories that it knows."""

    numeric: list[str]
    categorical: dict[str, list[str]]


class EarlierFit(TypedDict):
    """A fit as of an earlier day that told how many trees are right: its rows, and those of the days after it."""

    as_of: DayText
    rows: int
    later_rows: int


class Weights(TypedDict):
    """How rows with a label counted for those without: as many as so many that count alike, the largest weight (1 on average),
    how many would be larger, and why all count alike, where they do.
    """

    effective: float
    largest: float
    clipped: int
    why_alike: str | None


class Card(TypedDict):
    """`card.json`. `version` is null until the model is released; the keys that may be missing are for people."""

    version: str | None
    as_of: DayText
    training_window: Annotated[list[DayText], AfterValidator(shapes.of_length(2))]
    labels_known_before: DayText
    positive_share: float
    importance: dict[str, float]
    features: Features
    sha256: Annotated[dict[str, str], AfterValidator(shapes.having(DOES))]
    name: NotRequired[str]
    rows: NotRequired[dict[str, int]]
    label_source: NotRequired[dict[str, int]]  # of those it learned from, where some are pseudo-labels
    weights: NotRequired[Weights]  # of these rows, where the recipe weighs them
    trees: NotRequired[int]
    earlier_fits: NotRequired[list[EarlierFit]]
    recipe: NotRequired[Recipe]
    recipe_hash: NotRequired[str]
    libraries: NotRequired[dict[str, str]]


class Calibration(TypedDict):
    """`calibration.json`: the corners of the curve from raw scores (`x`) to probabilities (`y`)."""

    x: list[float]
    y: list[float]


def read_card(folder: Path) -> Card:
    """The card of a model. DataError when it is missing or has another shape."""
    return shapes.read(folder / "card.json", Card)


def read_champion() -> Card | None:
    """The champion's card; None where there is no champion yet."""
    return shapes.read_if_there(files.CHAMPION / "card.json", Card)


def trained_on(card: Card) -> tuple[dt.date, dt.date]:
    """The first day of a model's training window, and the day before which it knew labels."""
    return dt.date.fromisoformat(card["training_window"][0]), dt.date.fromisoformat(card["labels_known_before"])


def identity(folder: Path) -> str | None:
    """The identity of the model in a folder; None if there is no model."""
    found = {name: folder / name for name in DOES}
    if not all(path.exists() for path in found.values()):
        return None
    return identity_of({name: path.read_bytes() for name, path in found.items()})


def identity_of(contents: Mapping[str, bytes]) -> str:
    """A digest of what a model does, 16 hexadecimal digits: of its trees and calibration, not of its card."""
    total = hashlib.sha256()
    for name in sorted(DOES):
        total.update(name.encode() + b"\0" + contents[name] + b"\0")
    return total.hexdigest()[:16]


def file_digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    """What a card says of the other files of its model: the SHA-256 of each."""
    return {name: hashlib.sha256(contents[name]).hexdigest() for name in (*DOES, CONTRACT) if name in contents}


def card_with_version(card: str, version: str) -> str:
    """The text of a card with the version under which its model was released. DataError when it is no card."""
    try:
        found = json.loads(card)
    except json.JSONDecodeError as error:
        raise DataError(f"the card.json of {version} is not JSON ({error}). Roll back to another version.") from None
    return card_text(shapes.check(found, Card, f"the card.json of {version}") | {"version": version})


def card_text(card: Card) -> str:
    """A card as it is written."""
    return json.dumps(card, indent=1, ensure_ascii=False) + "\n"
