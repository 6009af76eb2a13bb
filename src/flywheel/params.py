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

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

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
    """The section `clock`, which every stage that knows of days reads."""

    follow: Literal["replay", "today"]
    as_of: Day


class Project(Params):
    """The section `project`: what the project is called and says about itself."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    event: str
    note: str | None = None
    derive: str | None


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
