"""The model: LightGBM, calibrated by isotonic regression, kept as text. Fit, predict, save, load; never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from flywheel import files
from flywheel.errors import DataError
from flywheel.params import Model as ModelParams
from flywheel.params import Train

if TYPE_CHECKING:  # slow to import, and a release needs only the files
    import lightgbm as lgb

NOT_FEATURES = ("prediction_id", "served_at", "served_score")
FILES = ("model.txt", "calibration.json", "card.json")
LIBRARIES = ("lightgbm", "numpy", "pandas", "scikit-learn")


@dataclass(frozen=True)
class Model:
    """A fitted model. `card` says what it is; `calibration` maps raw scores (`x`) to probabilities (`y`)."""

    booster: lgb.Booster
    calibration: dict[str, list[float]]
    card: dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """Rows to learn from: features, label (0/1), weight, and the slice (`fit`, `stop` or `calibrate`) that each is in."""

    features: pd.DataFrame
    label: np.ndarray
    weight: np.ndarray
    part: np.ndarray


def describe_features(table: pd.DataFrame, categorical: tuple[str, ...]) -> dict[str, Any]:
    """The features in a table in their order, with the categories of the categorical ones, sorted."""
    numeric = [name for name in table.columns if name not in (*NOT_FEATURES, *categorical)]
    return {
        "numeric": numeric,
        "categorical": {name: sorted(table[name].dropna().unique().tolist()) for name in categorical},
    }


def matrix(table: pd.DataFrame, features: dict[str, Any]) -> np.ndarray:
    """Features as floats (rows x features): numeric ones first, then category codes. A category never seen is missing."""
    numeric: np.ndarray = table[features["numeric"]].to_numpy("float64")
    codes = [pd.Index(known, dtype="str").get_indexer(table[n]) for n, known in features["categorical"].items()]
    if not codes:
        return numeric
    coded: np.ndarray = np.column_stack(codes).astype("float64")
    coded[coded < 0] = np.nan
    return np.hstack([numeric, coded])


def missing_columns(table: pd.DataFrame, card: dict[str, Any]) -> list[str]:
    """The features that a model needs and a table does not have."""
    needed = [*card["features"]["numeric"], *card["features"]["categorical"]]
    return [name for name in needed if name not in table.columns]


def fit(
    rows: Rows, features: dict[str, Any], params: ModelParams, train: Train, callbacks: list[Callable[..., Any]]
) -> tuple[lgb.Booster, dict[str, list[float]]]:
    """Fit on the slice `fit`, stop on `stop`, calibrate on `calibrate`. The same rows give the same model, to the byte.

    The weights are the confidences of the labels.
    """
    import lightgbm as lgb

    names = [*features["numeric"], *features["categorical"]]
    table = matrix(rows.features, features)
    settings = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": params.learning_rate,
        "num_leaves": params.num_leaves,
        "min_child_samples": params.min_child_samples,
        "feature_fraction": params.feature_fraction,
        "bagging_fraction": params.bagging_fraction,
        "bagging_freq": 1 if params.bagging_fraction < 1 else 0,
        "lambda_l2": params.lambda_l2,
        "seed": train.seed,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }

    def data(part: str, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        mine = rows.part == part
        return lgb.Dataset(
            table[mine],
            rows.label[mine],
            weight=rows.weight[mine],
            feature_name=names,
            categorical_feature=list(features["categorical"]),
            reference=reference,
        )

    fitted = data("fit")
    booster = lgb.train(
        settings,
        fitted,
        num_boost_round=params.max_trees,
        valid_sets=[fitted, data("stop", fitted)],
        valid_names=["fit", "stop"],
        callbacks=[lgb.early_stopping(train.early_stopping_rounds, verbose=False, first_metric_only=True), *callbacks],
    )
    mine = rows.part == "calibrate"
    raw = predict_raw(booster, table[mine])
    return booster, calibrate(raw, rows.label[mine], rows.weight[mine])


def calibrate(raw: np.ndarray, label: np.ndarray, weight: np.ndarray) -> dict[str, list[float]]:
    """Isotonic regression of the label on the raw score (Zadrozny and Elkan, 2002), as the corners of its curve.

    Nothing is ever certain: the curve stays within 1 / (n + 2) of 0 and 1.
    """
    from sklearn.isotonic import IsotonicRegression

    edge = 1 / (len(raw) + 2)
    curve = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(raw, label, sample_weight=weight)
    return {"x": [float(x) for x in curve.X_thresholds_], "y": [float(y) for y in curve.y_thresholds_]}


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


def importance(booster: lgb.Booster) -> dict[str, float]:
    """Each feature's share of the total gain, largest first."""
    gain = booster.feature_importance("gain")
    shares = pd.Series(gain / max(gain.sum(), 1e-12), index=booster.feature_name())
    return {str(name): float(share) for name, share in shares.sort_values(ascending=False, kind="stable").items()}


def libraries() -> dict[str, str]:
    """The versions of the libraries that a model depends on."""
    return {name: version(name) for name in LIBRARIES}


def save(model: Model, folder: Path) -> None:
    """Write `model.txt`, `calibration.json` and, last, `card.json` with their digests, in place of what was there."""
    texts = {
        "model.txt": model.booster.model_to_string(num_iteration=model.booster.best_iteration or -1),
        "calibration.json": json.dumps(model.calibration, indent=1) + "\n",
    }
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    files.write_folder(folder, {**texts, "card.json": _card_text({**model.card, "sha256": digests})})


def load(folder: Path) -> Model:
    """Read a model. DataError when a file is missing or is not the one that the card describes.

    The digests are compared first, because LightGBM reads beyond the end of a file that was cut off.
    """
    import lightgbm as lgb

    lacking = [name for name in FILES if not (folder / name).exists()]
    if lacking:
        raise DataError(f"{folder} lacks {', '.join(lacking)}. Restore it from Git, or make it with: flywheel run")
    card = files.read_json(folder / "card.json")
    if not isinstance(card, dict) or "features" not in card or card.get("sha256", {}).keys() != set(FILES[:2]):
        raise DataError(f"{folder / 'card.json'} does not describe a model. Restore it from Git.")
    for name, digest in card["sha256"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise DataError(f"{folder / name} is not the file that card.json describes. Restore both from Git.")
    return Model(lgb.Booster(model_file=str(folder / "model.txt")), files.read_json(folder / "calibration.json"), card)


def load_if_there(folder: Path) -> Model | None:
    """Read a model, or None where the folder holds none of its files: before the first release there is no champion."""
    return load(folder) if any((folder / name).exists() for name in FILES) else None


def add_score(features: pd.DataFrame, champion: Model | None) -> pd.DataFrame:
    """Features with the column `champion_score`, where there is a champion that can score them."""
    if champion is None or missing_columns(features, champion.card):
        return features
    return features.assign(champion_score=predict(champion, features))


def identity(folder: Path) -> str | None:
    """A digest of what a model does: its trees and calibration, not its card. None where there is no model."""
    found = [folder / name for name in ("model.txt", "calibration.json")]
    return files.digest(found)[:16] if all(path.exists() for path in found) else None


def card_with_version(card: str, version: str) -> str:
    """The text of a card with the version under which its model was released."""
    return _card_text(json.loads(card) | {"version": version})


def _card_text(card: dict[str, Any]) -> str:
    return json.dumps(card, indent=1, ensure_ascii=False) + "\n"
