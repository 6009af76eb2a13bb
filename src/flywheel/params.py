"""What each stage may be told: frozen, strict, typed views of `params.yaml`.

A stage's class names the sections of `params.yaml` that it reads, and `dvc.yaml` lists the same sections. A value of the
wrong type is an error, never a guess: "5" is not 5, and a key that nobody reads is a spelling mistake.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from flywheel.errors import ConfigError

PARAMS_FILE = Path("params.yaml")
CONF_FOLDER = Path("conf")


def _parse_day(value: object) -> object:
    if isinstance(value, str):
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
                return dt.date.fromisoformat(value)
        except ValueError:
            pass
        raise ValueError("must be a date such as 2013-05-01")
    return value


Day = Annotated[dt.date, BeforeValidator(_parse_day)]
Names = Annotated[tuple[str, ...], Field(strict=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Params(BaseModel):
    """Base of every section: frozen, no unknown key, no conversion of types."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Clock(Params):
    follow: Literal["replay", "today"]
    as_of: Day


class Project(Params):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    event: str
    note: str | None = None
    derive: str | None


class Source(Params):
    factory: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
    options: dict[str, Any]


class Collect(Params):
    allow_demo_key: bool
    hash_key_env: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]


class Column(Params):
    type: Literal["string", "number", "integer", "datetime"]
    nullable: bool = False
    unique: bool = False
    min: float | None = None
    max: float | None = None
    allowed: Annotated[tuple[str | float, ...], Field(strict=False)] | None = None


# The columns that the loop itself needs, whatever the project.
REQUIRED = {
    "predictions": ("prediction_id", "served_at", "user_id", "model_version", "score", "latency_ms", "error"),
    "feedback": ("feedback_id", "prediction_id", "received_at", "channel", "source_id", "value", "text"),
}


class Contract(Params):
    predictions: dict[str, Column]
    feedback: dict[str, Column]

    @model_validator(mode="after")
    def _check_that_nothing_is_missing(self) -> Contract:
        for table, names in REQUIRED.items():
            if names[0] in getattr(self, table) and not getattr(self, table)[names[0]].unique:
                raise ValueError(f"contract.{table}.{names[0]}: the id must be unique: true")
            missing = [name for name in names if name not in getattr(self, table)]
            if missing:
                raise ValueError(f"contract.{table}: columns that the loop needs are missing: {', '.join(missing)}")
        return self


class Validate(Params):
    max_rejected_share: Share
    recent_days: Count
    trailing_days: Count
    low_volume: Annotated[float, Field(ge=0, lt=1)]
    high_volume: Annotated[float, Field(gt=1)]


Accuracy = Annotated[float, Field(gt=0.5, lt=1)]


class LabelAccuracy(Params):
    outcome: Accuracy
    report: Accuracy
    annotation: Accuracy


class Label(Params):
    min_votes: Count
    accuracy: LabelAccuracy


def _check_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone such as America/New_York") from None
    return value


class Calendar(Params):
    timezone: Annotated[str, AfterValidator(_check_time_zone)]
    parts: Annotated[tuple[Literal["hour", "weekday", "month"], ...], Field(strict=False)]


class History(Params):
    key: Annotated[Names, Field(min_length=1)]
    windows: Annotated[tuple[Annotated[str, Field(pattern=r"^[1-9]\d*[hd]$")], ...], Field(strict=False, min_length=1)]


class Features(Params):
    numeric: Names
    categorical: Names
    calendar: Calendar
    history: Annotated[tuple[History, ...], Field(strict=False)]


class Windows(Params):
    train_days: Count
    evaluation_days: Count
    current_days: Count

    def evaluation(self, as_of: dt.date) -> tuple[dt.date, dt.date]:
        """First day of the evaluation window and the day after its last."""
        return as_of - dt.timedelta(days=self.evaluation_days), as_of

    def training(self, as_of: dt.date) -> tuple[dt.date, dt.date]:
        """First day of the training window and the day after its last, which is where the evaluation window starts."""
        end, _ = self.evaluation(as_of)
        return end - dt.timedelta(days=self.train_days), end

    def current(self, as_of: dt.date) -> tuple[dt.date, dt.date]:
        """First day of the window that monitoring looks at and the day after its last."""
        return as_of - dt.timedelta(days=self.current_days), as_of


class Train(Params):
    early_stopping_days: Count
    early_stopping_rounds: Count
    calibrate_every_days: Annotated[int, Field(ge=2)]
    min_rows: Count
    seed: int


class Model(Params):
    max_trees: Count
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    num_leaves: Annotated[int, Field(ge=2)]
    min_child_samples: Count
    feature_fraction: Annotated[float, Field(gt=0, le=1)]
    bagging_fraction: Annotated[float, Field(gt=0, le=1)]
    lambda_l2: Annotated[float, Field(ge=0)]


class Costs(Params):
    alert_right: float
    alert_wrong: float
    missed: float
    quiet_right: float

    @model_validator(mode="after")
    def _check_that_alerts_can_pay(self) -> Costs:
        if not (self.alert_right > self.missed and self.quiet_right > self.alert_wrong):
            raise ValueError("alert_right must be above missed, and quiet_right above alert_wrong")
        return self

    @property
    def threshold(self) -> float:
        """The score from which an alert pays on average: the optimal threshold of a calibrated score (Elkan, 2001)."""
        wrong, missed = self.quiet_right - self.alert_wrong, self.alert_right - self.missed
        return wrong / (wrong + missed)


class Bootstrap(Params):
    samples: Annotated[int, Field(ge=50)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    seed: int


class Cohort(Params):
    column: str
    edges: Annotated[tuple[float, ...], Field(strict=False, min_length=1)] | None = None

    @model_validator(mode="after")
    def _check_that_edges_rise(self) -> Cohort:
        if self.edges and any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must rise")
        return self


class Behaviour(Params):
    column: str
    set: float
    expect: Literal["higher", "lower", "same"]


class Evaluate(Params):
    min_confidence: Annotated[float, Field(ge=0.5, le=1)]
    ece_bins: Count
    costs: Costs
    bootstrap: Bootstrap
    cohorts: dict[str, Cohort]
    behaviours: dict[str, Behaviour]


Metric = Literal["auc", "average_precision", "log_loss", "brier", "ece", "precision", "recall", "utility"]


class Gate(Params):
    min_rows: Count
    min_days: Count
    min_positives: Count
    better: Metric
    not_worse: dict[Metric, Annotated[float, Field(ge=0)]]
    max_ece: Share
    cohort_metric: Metric
    cohort_margin: Annotated[float, Field(ge=0)]
    cohort_min_rows: Count
    behaviour_share: Share


class Drift(Params):
    sample_rows: Annotated[int, Field(ge=1001)]
    seed: int
    numeric_method: Literal["wasserstein", "psi", "jensenshannon", "hellinger"]
    categorical_method: Literal["psi", "jensenshannon", "hellinger", "TVD"]
    threshold: Annotated[float, Field(gt=0)]
    max_share: Share
    windows: Count
    window_days: Count


class Monitor(Params):
    drift: Drift
    min_rows: Count


class Report(Params):
    drift_rows: Count
    weeks: Count


class Freeze(Params):
    first: Day
    last: Day

    @model_validator(mode="after")
    def _check_order(self) -> Freeze:
        if self.last < self.first:
            raise ValueError("last must not be before first")
        return self


class Trigger(Params):
    max_error_rate: Share
    min_auc: Share
    drift_limit: Share
    drift_windows_needed: Count
    max_age_days: Count
    min_new_labels: Count
    cool_down_days: Annotated[int, Field(ge=0)]
    urgent_cool_down_days: Annotated[int, Field(ge=0)]
    monthly_budget: Annotated[int, Field(ge=0)]
    freeze: Annotated[tuple[Freeze, ...], Field(strict=False)]


Tier = Literal["routine", "drift", "urgent"]


class Automation(Params):
    auto_merge: Annotated[tuple[Tier, ...], Field(strict=False)]
    urgent_rollback: bool


class CollectParams(Params):
    """`params.yaml` as the stage `collect` sees it."""

    clock: Clock
    project: Project
    source: Source
    collect: Collect


class ValidateParams(Params):
    """`params.yaml` as the stage `validate` sees it."""

    clock: Clock
    contract: Contract
    validate_: Annotated[Validate, Field(alias="validate")]


class LabelParams(Params):
    """`params.yaml` as the stage `label` sees it."""

    clock: Clock
    label: Label


class FeaturizeParams(Params):
    """`params.yaml` as the stage `featurize` sees it."""

    clock: Clock
    project: Project
    features: Features


class TrainParams(Params):
    """`params.yaml` as the stage `train` sees it."""

    clock: Clock
    project: Project
    features: Features
    windows: Windows
    train: Train
    model: Model


class EvaluateParams(Params):
    """`params.yaml` as the stage `evaluate` sees it."""

    clock: Clock
    windows: Windows
    evaluate: Evaluate


class GateParams(Params):
    """`params.yaml` as the stage `gate` sees it."""

    gate: Gate


class MonitorParams(Params):
    """`params.yaml` as the stage `monitor` sees it."""

    clock: Clock
    features: Features
    windows: Windows
    evaluate: Evaluate
    monitor: Monitor


class ReportParams(Params):
    """`params.yaml` as the stage `report` sees it."""

    project: Project
    report: Report


class TriggerParams(Params):
    """`params.yaml` as the command `flywheel trigger` sees it."""

    clock: Clock
    validate_: Annotated[Validate, Field(alias="validate")]
    trigger: Trigger


class AllParams(Params):
    """The whole of `params.yaml`: what `flywheel compose` must produce."""

    clock: Clock
    project: Project
    source: Source
    collect: Collect
    contract: Contract
    validate_: Annotated[Validate, Field(alias="validate")]
    label: Label
    features: Features
    windows: Windows
    train: Train
    model: Model
    evaluate: Evaluate
    gate: Gate
    monitor: Monitor
    report: Report
    trigger: Trigger
    automation: Automation

    @model_validator(mode="after")
    def _check_across_sections(self) -> AllParams:
        inputs = {name for name in self.contract.predictions if name.startswith("in_")}
        for group, allowed in (("numeric", ("number", "integer")), ("categorical", ("string",))):
            for column in getattr(self.features, group):
                declared = self.contract.predictions.get(f"in_{column}")
                if declared is not None and declared.type not in allowed:
                    raise ValueError(
                        f"features.{group}: '{column}' is of type {declared.type}; allowed is {' or '.join(allowed)}"
                    )
        named = {
            "features.numeric": self.features.numeric,
            "features.categorical": self.features.categorical,
            **{f"features.history.{i}.key": item.key for i, item in enumerate(self.features.history)},
        }
        for key, columns in named.items():
            for column in columns:
                if f"in_{column}" not in inputs:
                    known = ", ".join(sorted(name.removeprefix("in_") for name in inputs))
                    raise ValueError(f"{key}: '{column}' is not an input column. Columns: {known}")
        return self


P = TypeVar("P", bound=Params)


def sections(params_class: type[Params]) -> list[str]:
    """The sections of `params.yaml` that a class reads, in its order."""
    return [field.alias or name for name, field in params_class.model_fields.items()]


def parse(params_class: type[P], values: Mapping[str, Any], conf: Path = CONF_FOLDER) -> P:
    """Check `values` against a class; ConfigError names each wrong key, its value, what is allowed and the file to mend."""
    try:
        return params_class.model_validate(dict(values))
    except ValidationError as error:
        problems = [_say(problem, conf) for problem in error.errors()]
        raise ConfigError("\n".join(problems)) from None


def load(params_class: type[P], path: Path = PARAMS_FILE) -> P:
    """The sections of `params.yaml` that `params_class` names. ConfigError when the file is missing or wrong."""
    try:
        everything = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing. Make it with: flywheel compose") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}. Make it again with: flywheel compose") from None
    if not isinstance(everything, dict):
        raise ConfigError(f"{path} holds no sections. Make it again with: flywheel compose")
    wanted = sections(params_class)
    return parse(params_class, {name: everything[name] for name in wanted if name in everything})


def file_of(key: str, conf: Path = CONF_FOLDER) -> str:
    """The file under `conf/` in which a dotted key is to be mended: the one that holds the longest part of it."""
    parts = key.split(".")
    best, depth = f"{conf.name}/config.yaml", 0
    chosen = _default_options(conf)
    for path in sorted(
        conf.glob("**/*.yaml"), key=lambda path: (path.relative_to(conf).as_posix() not in chosen, path)
    ):
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        group = path.relative_to(conf).parts[0]
        if group == "size":  # a size only repeats keys of other files
            continue
        found = _depth({"model": values} if group == "model" else values, parts)
        if found > depth:
            best, depth = path.relative_to(conf.parent).as_posix(), found
    return best


def _default_options(conf: Path) -> list[str]:
    """The files of the options that `conf/config.yaml` chooses, such as `model/lightgbm.yaml`."""
    config = conf / "config.yaml"
    defaults = (yaml.safe_load(config.read_text(encoding="utf-8")) or {}).get("defaults", []) if config.exists() else []
    return [f"{group}/{name}.yaml" for one in defaults if isinstance(one, dict) for group, name in one.items()]


def _depth(values: Any, parts: list[str]) -> int:
    if not parts or not isinstance(values, Mapping) or parts[0] not in values:
        return 0
    return 1 + _depth(values[parts[0]], parts[1:])


def _say(problem: Mapping[str, Any], conf: Path) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    about = re.match(r"Value error, ([\w.]+): ", problem["msg"])
    if about is not None:  # a check across keys names the one that is wrong
        return f"{problem['msg'].removeprefix('Value error, ')}. Fix {file_of(about[1], conf)}."
    mend = f"Fix {file_of(key, conf)}." if key else f"Fix {conf.name}/."
    if problem["type"] == "missing":
        return f"{key}: the key is missing. {mend}"
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key (value {problem['input']!r}); remove it or mend its spelling. {mend}"
    allowed = problem["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    found = f" found {problem['input']!r};" if key else ""
    return f"{key + ':' if key else ''}{found} {allowed}. {mend}".strip()
