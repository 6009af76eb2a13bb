"""A model as text files, never a pickle: load, save, predict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flywheel import files, shapes
from flywheel.errors import DataError
from flywheel.model import boosting
from flywheel.model.card import CONTRACT, DOES, FILES, Calibration, Card, Features, card_text, file_digests, read_card
from flywheel.model.contract import Contract, read_contract

if TYPE_CHECKING:  # slow to import, and a release needs only the files
    import lightgbm as lgb


@dataclass(frozen=True)
class Model:
    """A fitted model. `card` says what it is; `calibration` maps raw scores (`x`) to probabilities (`y`).

    `contract` says what a service has to send; a model that was made before there were contracts has none.
    """

    booster: lgb.Booster
    calibration: Calibration
    card: Card
    contract: Contract | None = None


def matrix(table: pd.DataFrame, features: Features) -> np.ndarray:
    """Features as floats (rows x features): numeric ones first, then category codes. An unknown category is missing."""
    numeric: np.ndarray = table[features["numeric"]].to_numpy("float64")
    codes = [
        pd.Index(known, dtype="str").get_indexer(pd.Index(table[n])) for n, known in features["categorical"].items()
    ]
    if not codes:
        return numeric
    coded: np.ndarray = np.column_stack(codes).astype("float64")
    coded[coded < 0] = np.nan
    return np.hstack([numeric, coded])


def missing_columns(table: pd.DataFrame, card: Card) -> list[str]:
    """The features that a model needs and a table lacks."""
    needed = [*card["features"]["numeric"], *card["features"]["categorical"]]
    return [name for name in needed if name not in table.columns]


def predict_raw(booster: lgb.Booster, table: np.ndarray) -> np.ndarray:
    """Scores in [0, 1] before calibration."""
    return np.asarray(booster.predict(table), dtype="float64")


def predict(model: Model, table: pd.DataFrame) -> np.ndarray:
    """Calibrated probabilities, one a row, rounded to 6 digits. DataError when a feature is missing.

    A category that the model never saw is treated as missing.
    """
    lacking = missing_columns(table, model.card)
    if lacking:
        raise DataError(f"the model needs features that the table lacks: {', '.join(lacking)}. Run `flywheel run`.")
    if table.empty:
        return np.empty(0)
    raw = predict_raw(model.booster, matrix(table, model.card["features"]))
    calibrated: np.ndarray = np.interp(raw, model.calibration["x"], model.calibration["y"])
    return np.round(calibrated, 6)


def save(model: Model, folder: Path) -> None:
    """Write `model.txt`, `calibration.json`, `contract.json` and, last, `card.json` with their digests.

    They replace what was there.
    """
    texts = {
        "model.txt": model.booster.model_to_string(),
        "calibration.json": json.dumps(model.calibration, indent=1) + "\n",
    }
    if model.contract is not None:
        texts[CONTRACT] = json.dumps(model.contract, indent=1, ensure_ascii=False) + "\n"
    digests = file_digests({name: text.encode() for name, text in texts.items()})
    files.write_folder(folder, {**texts, "card.json": card_text({**model.card, "sha256": digests})})


def load(folder: Path) -> Model:
    """Read a model. DataError when a file is missing or does not match the card.

    The digests are compared first, because LightGBM reads past the end of a truncated file.
    """
    _refuse_without(folder, FILES)
    card = read_card(folder)
    has_contract = CONTRACT in card["sha256"]
    named = (*DOES, CONTRACT) if has_contract else DOES
    _refuse_without(folder, named)
    for name, digest in file_digests({name: (folder / name).read_bytes() for name in named}).items():
        if digest != card["sha256"][name]:
            raise DataError(f"{folder / name} does not match its digest in card.json. Restore both from Git.")
    return Model(
        boosting.lightgbm().Booster(model_file=str(folder / "model.txt")),
        shapes.read(folder / "calibration.json", Calibration),
        card,
        read_contract(folder) if has_contract else None,
    )


def _refuse_without(folder: Path, names: tuple[str, ...]) -> None:
    lacking = [name for name in names if not (folder / name).exists()]
    if lacking:
        raise DataError(f"{folder} lacks {', '.join(lacking)}. Restore it from Git, or make it with: flywheel run")


def load_if_there(folder: Path) -> Model | None:
    """Read a model, or None if the folder holds none of its files: before the first release there is no champion."""
    return load(folder) if any((folder / name).exists() for name in FILES) else None


def add_score(features: pd.DataFrame, champion: Model | None) -> pd.DataFrame:
    """Features with the column `champion_score`, if there is a champion that can score them."""
    if champion is None or missing_columns(features, champion.card):
        return features
    return features.assign(champion_score=predict(champion, features))
