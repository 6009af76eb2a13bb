"""Small worlds that are planted: two tables of a few rows, a source that gives them, and the settings to run stages on them."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import yaml
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from threadpoolctl import threadpool_limits

from flywheel import files
from flywheel.data import tables
from flywheel.data.collection import storable
from flywheel.features.days import LEDGER
from flywheel.labels.claims import VOTES
from flywheel.labels.conclude import conclude
from flywheel.labels.quarantine import quarantine
from flywheel.labels.verdicts import judge
from flywheel.labels.voices import understand
from flywheel.model import artifact, contract
from flywheel.model.fit import Rows, describe_features, fit, importance, straight
from flywheel.params import Params, parse, sections
from flywheel.stages.label import LabelParams
from flywheel.stages.train import TrainParams

ROOT = Path(__file__).parents[1]
P = TypeVar("P", bound=Params)

# A planted model is so small that more than one thread only waits for the others.
threadpool_limits(1)

# Properties that run stages on disk: few examples, the same ones every time.
ON_DISK = hypothesis_settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
)

# The planted project: a place and a size are all that is known of a prediction.
PROJECT: dict[str, Any] = {
    "clock": {"follow": "today", "as_of": "2030-01-03"},
    "project": {"name": "planted", "code": "src/planted", "event": "late", "derive": None},
    "source": {
        "factory": "tests.planted:open_source",
        "first_day": None,
        "share": 1.0,
        "tiny": {"first_day": None, "share": 0.1},
        "options": {"name": "planted"},
    },
    "contract": {
        "predictions": {
            "prediction_id": {"type": "string", "unique": True},
            "served_at": {"type": "datetime"},
            "user_id": {"type": "string"},
            "model_version": {"type": "string"},
            "score": {"type": "number", "nullable": True, "min": 0, "max": 1},
            "latency_ms": {"type": "number", "min": 0},
            "error": {"type": "string", "nullable": True},
            "in_place": {"type": "string", "allowed": ["north", "south"]},
            "in_size": {"type": "integer", "nullable": True, "min": 1, "max": 9},
        },
        "feedback": {
            "feedback_id": {"type": "string", "unique": True},
            "prediction_id": {"type": "string"},
            "received_at": {"type": "datetime"},
            "channel": {"type": "string", "allowed": ["outcome", "report", "rating", "ticket", "annotation"]},
            "source_id": {"type": "string"},
            "value": {"type": "number", "nullable": True, "allowed": [-1, 0, 1]},
            "text": {"type": "string", "nullable": True},
        },
    },
    "features": {
        "numeric": ["size"],
        "categorical": ["place"],
        "calendar": {"timezone": "UTC", "parts": ["hour"]},
        "history": [{"key": ["place"], "windows": ["3h", "2d"]}],
    },
}


def settings(params_class: type[P], **changes: Any) -> P:
    """The engine's own settings, with the planted project in them, and with `changes` such as `clock={"as_of": ...}`."""
    everything = engine_params() | PROJECT
    for section, values in changes.items():
        everything[section] = merge(everything[section], values)
    return parse(params_class, {name: everything[name] for name in sections(params_class)})


@functools.cache
def engine_params() -> dict[str, Any]:
    """What conf/ says for any project, and what the planted one says of collecting and evaluating."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "conf/config.yaml").read_text(encoding="utf-8"))
    found["model"] = yaml.safe_load((ROOT / "conf/model/lightgbm.yaml").read_text(encoding="utf-8"))
    found["privacy"] |= yaml.safe_load((ROOT / "conf/privacy/words.yaml").read_text(encoding="utf-8"))
    found["collect"]["allow_demo_key"] = True
    costs = {"alert_right": 1.0, "alert_wrong": -0.6, "missed": -0.4, "quiet_right": 0.0}
    cohorts = {"place": {"column": "place"}, "size_band": {"column": "size", "edges": [3, 6]}}
    behaviours = {"large": {"column": "size", "set": 9.0, "expect": "higher"}}
    return found | {"evaluate": found["evaluate"] | {"costs": costs, "cohorts": cohorts, "behaviours": behaviours}}


def merge(old: Any, new: Any) -> Any:
    """`old` with the keys of `new` put in, at every depth; what is not a mapping is replaced."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return dict(old) | {key: merge(old[key], value) if key in old else value for key, value in new.items()}


def furnish(folder: Path) -> None:
    """Put into a folder what the stages look up in the repository: the pipeline, the code, and what people say of sources."""
    (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs/quarantine.yaml").write_text("sources: {}\n", encoding="utf-8")
    (folder / "docs/forgotten.yaml").write_text("key_check: null\npeople: []\n", encoding="utf-8")
    (folder / "src").symlink_to(ROOT / "src")


def at(text: str) -> pd.Timestamp:
    """A moment of the planted month: `02T10:30` is 2030-01-02 10:30 UTC."""
    return pd.Timestamp(f"2030-01-{text}", tz="UTC")


def day(number: int) -> dt.date:
    """A day of the planted month."""
    return dt.date(2030, 1, number)


def prediction(name: str, served: str, **changes: Any) -> dict[str, Any]:
    """One good prediction, with `changes`."""
    row = {
        "prediction_id": name,
        "served_at": at(served),
        "user_id": f"user of {name}",
        "model_version": "v1",
        "score": 0.5,
        "latency_ms": 40.0,
        "error": None,
        "in_place": "north",
        "in_size": 3,
    }
    return row | changes


def feedback(name: str, about: str, received: str, **changes: Any) -> dict[str, Any]:
    """One good piece of feedback (by default an outcome of 1), with `changes`."""
    row = {
        "feedback_id": name,
        "prediction_id": about,
        "received_at": at(received),
        "channel": "outcome",
        "source_id": "feed",
        "value": 1.0,
        "text": None,
    }
    return row | changes


def table(name: str, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame with all columns of a table, even without rows."""
    empty = prediction("", "01") if name == "predictions" else feedback("", "", "01")
    return pd.DataFrame(list(rows), columns=list(dict.fromkeys([*empty, *(key for row in rows for key in row)])))


def write_events(
    predictions: Mapping[int, Sequence[Mapping[str, Any]]], said: Mapping[int, Sequence[Mapping[str, Any]]]
) -> None:
    """Write `data/events/` as `collect` does, from the rows of each day of the month."""
    files.write_json(files.EVENTS / "source.json", {"name": "planted"})
    for name, by_day in (("predictions", predictions), ("feedback", said)):
        for number in sorted({*predictions, *said}):
            frame = table(name, by_day.get(number, []))
            path = tables.day_path(files.EVENTS, name, day(number))
            files.write_parquet(path, storable(frame), {"duplicates": "0"})


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file in a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


class PlantedSource:
    """A source with the rows of each day of the month in memory."""

    def __init__(
        self,
        predictions: Mapping[int, Sequence[Mapping[str, Any]]],
        said: Mapping[int, Sequence[Mapping[str, Any]]],
        last: int | None = None,
    ) -> None:
        self.rows = {"predictions": predictions, "feedback": said}
        self.first_day = day(min({*predictions, *said}))
        self.last_day = day(last or max({*predictions, *said}))
        self.asked: list[tuple[str, int]] = []
        self.broken_on: int | None = None

    def predictions(self, asked: dt.date) -> pd.DataFrame:
        return self._table("predictions", asked)

    def feedback(self, asked: dt.date) -> pd.DataFrame:
        if asked.day == self.broken_on:
            raise ConnectionError("the outside is gone")
        return self._table("feedback", asked)

    def _table(self, name: str, asked: dt.date) -> pd.DataFrame:
        self.asked.append((name, asked.day))
        return table(name, self.rows[name].get(asked.day, []))


class CountingSource(PlantedSource):
    """The same, and it can say how many rows it has of each day."""

    def counts(self, name: str) -> dict[dt.date, int]:
        return {day(number): len(rows) for number, rows in self.rows[name].items()}


SOURCES: dict[str, PlantedSource] = {}


def open_source(options: Mapping[str, Any]) -> PlantedSource:
    """The source that a test has put into `SOURCES` under the name in the options."""
    return SOURCES[options["name"]]


def write_valid(
    predictions: Mapping[int, Sequence[Mapping[str, Any]]], said: Mapping[int, Sequence[Mapping[str, Any]]]
) -> None:
    """Write `data/valid/`, labels and topics as `validate` and `label` do, from good rows of each day."""
    for name, by_day in (("predictions", predictions), ("feedback", said)):
        for number in sorted({*predictions, *said}):
            frame = typed(name, table(name, by_day.get(number, [])))
            files.write_parquet(tables.day_path(files.VALID, name, day(number)), frame)
    rows = table("feedback", [row for rows in said.values() for row in rows])
    served = typed("predictions", table("predictions", [row for rows in predictions.values() for row in rows]))
    end, params = day(max({*predictions, *said})) + dt.timedelta(days=1), settings(LabelParams)
    heard = typed("feedback", rows)
    write_revisions(conclude(heard, served, params.label, end).revisions)
    found = quarantine(heard[heard["channel"].isin(VOTES)], params.label.quarantine)
    files.write_parquet(files.QUARANTINE, judge(found, {}).astype({"found": "str"}))
    files.write_parquet(files.VOICES, understand(heard, params.voices).drop(columns="text"))


def typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """A frame in the types of the planted contract."""
    kinds = {"string": "str", "datetime": "datetime64[us, UTC]", "number": "float64", "integer": "float64"}
    return frame.astype({column: kinds[one["type"]] for column, one in PROJECT["contract"][name].items()})


def revision(about: str, label: int, known: str, **changes: Any) -> dict[str, Any]:
    """One revision of a label that holds until today, with `changes`."""
    row = {
        "prediction_id": about,
        "label": label,
        "label_confidence": 0.99,
        "label_source": "outcome",
        "n_votes": 0,
        "known_at": at(known),
        "revised_at": at(known),
        "superseded_at": pd.NaT,
    }
    return row | changes


def revisions(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame of revisions, in the types that `label` writes."""
    frame = pd.DataFrame(list(rows), columns=list(revision("", 0, "01")))
    moments = {
        name: pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
        for name in ("known_at", "revised_at", "superseded_at")
    }
    return frame.astype({"prediction_id": "str", "label": "int64", "label_confidence": "float64"}).assign(**moments)


def write_revisions(frame: pd.DataFrame) -> None:
    """Write `data/labels.parquet` with the fingerprint that `featurize` asks for; voices alone would have said nothing."""
    files.write_parquet(files.LABELS, frame, {"fingerprint": "planted"})
    files.write_parquet(files.WITHOUT_OUTCOME, frame.iloc[:0][["prediction_id", "label", "label_confidence"]])


def write_features(frame: pd.DataFrame) -> None:
    """Write `data/features/`, one file a day of `served_at`, and what `featurize` notes of the project's own code: none."""
    files.write_json(LEDGER, {"derived_by": None})
    for date, rows in frame.groupby(frame["served_at"].dt.date):
        files.write_parquet(files.FEATURES / f"{date}.parquet", rows)


def world(days: Sequence[int], rows_a_day: int, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features and labels that can be learned from: a label of 1 is likelier the larger the size, and in the north.

    Every label is known an hour after its prediction was served. The served score knows the place alone.
    """
    rng = np.random.default_rng(seed)
    n = len(days) * rows_a_day
    size = rng.integers(1, 10, n).astype("float64")
    is_north = rng.random(n) < 0.5
    label = (rng.random(n) < 0.08 * size + 0.15 * is_north).astype("int64")
    served_at = np.repeat([at(f"{number:02}T12") for number in days], rows_a_day)
    features = pd.DataFrame(
        {
            "prediction_id": [f"p{number}" for number in range(n)],
            "served_at": pd.Series(served_at).astype("datetime64[us, UTC]"),
            "served_score": np.where(is_north, 0.55, 0.4),
            "size": size,
            "place": pd.Series(np.where(is_north, "north", "south")).astype("str"),
        }
    )
    known_at = features["served_at"] + pd.Timedelta(hours=1)
    known = {"label": label, "label_confidence": 0.99, "label_source": "outcome", "n_votes": 0}
    moments = {"known_at": known_at, "revised_at": known_at, "superseded_at": pd.NaT}
    return features, revisions(pd.DataFrame(features[["prediction_id"]].assign(**known, **moments)).to_dict("records"))


def learn(features: pd.DataFrame, labels: pd.DataFrame, **card: Any) -> artifact.Model:
    """A small LightGBM model of planted rows; its card says what `card` changes."""
    known = features.merge(labels[["prediction_id", "label", "label_confidence"]], on="prediction_id")
    inputs = known.drop(columns=["label", "label_confidence"])
    described = describe_features(inputs, tuple({"place"} & set(inputs)))
    rows = Rows(known, known["label"].to_numpy(), known["label_confidence"].to_numpy())
    small = {"min_child_samples": 5, "learning_rate": 0.2, "num_leaves": 7, "feature_fraction": 1.0}
    params = settings(TrainParams, model=small, features={"history": []})
    booster = fit(rows, described, params.model, params.train.seed, 20)
    said = {
        "version": "v0.1.0",
        "as_of": "2030-01-15",
        "training_window": ["2030-01-01", "2030-01-15"],
        "labels_known_before": "2030-01-15",
        "positive_share": round(float(known["label"].mean()), 6),
        "features": described,
        "importance": importance(booster),
    }
    calibration = straight(len(known))
    return artifact.Model(booster, calibration, said | card, contract.learn(known, described, calibration, None))
