"""The card of a model: what it is, what it was trained on, and the digests of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import AfterValidator
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.data.ledger import digest

FILES = ("model.txt", "calibration.json", "card.json")


class Features(TypedDict):
    """The features of a model in their order: numeric ones, then categorical ones with the categories that it knows."""

    numeric: list[str]
    categorical: dict[str, list[str]]


class Card(TypedDict):
    """`card.json`. `version` is null until the model is released; the keys that may be missing are for people."""

    version: str | None
    as_of: str
    training_window: Annotated[list[str], AfterValidator(shapes.of_length(2))]
    labels_known_before: str
    positive_share: float
    importance: dict[str, float]
    features: Features
    sha256: Annotated[dict[str, str], AfterValidator(shapes.having(FILES[:2]))]
    name: NotRequired[str]
    rows: NotRequired[dict[str, int]]
    trees: NotRequired[int]
    params: NotRequired[dict[str, Any]]
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


def identity(folder: Path) -> str | None:
    """A digest of what a model does: its trees and calibration, not its card. None if there is no model."""
    found = [folder / name for name in ("model.txt", "calibration.json")]
    return digest(found)[:16] if all(path.exists() for path in found) else None


def card_with_version(card: str, version: str) -> str:
    """The text of a card with the version under which its model was released."""
    return card_text(shapes.check(json.loads(card), Card, "card.json") | {"version": version})


def card_text(card: Card) -> str:
    """A card as it is written."""
    return json.dumps(card, indent=1, ensure_ascii=False) + "\n"
