"""The card of a model: what it is, what it was trained on, and the digests of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flywheel.data.ledger import digest

if TYPE_CHECKING:  # slow to import, and a release needs only the files
    pass


FILES = ("model.txt", "calibration.json", "card.json")


def identity(folder: Path) -> str | None:
    """A digest of what a model does: its trees and calibration, not its card. None where there is no model."""
    found = [folder / name for name in ("model.txt", "calibration.json")]
    return digest(found)[:16] if all(path.exists() for path in found) else None


def card_with_version(card: str, version: str) -> str:
    """The text of a card with the version under which its model was released."""
    return _card_text(json.loads(card) | {"version": version})


def _card_text(card: dict[str, Any]) -> str:
    return json.dumps(card, indent=1, ensure_ascii=False) + "\n"
