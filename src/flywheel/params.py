"""The parameters of the stages: frozen, strict, typed views of `params.yaml`.

A stage's class names the sections of `params.yaml` that it reads, and `dvc.yaml` lists the same sections. A value of the
wrong type is an error, never a guess: "5" is not 5, and an unknown key is a spelling mistake.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from flywheel.errors import ConfigError

PARAMS_FILE = Path("params.yaml")
NOTE = "# Overrides: "  # at the top of that file
SETS_CLOCK = re.compile(r"\+*clock(\.as_of)?=")  # an override that says where it stands
CONF_FOLDER = Path("conf")
AGAIN = "Make params.yaml again with: flywheel compose"
# The parser in C reads the same values twenty times as fast; not every build of PyYAML has it.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _parse_day(value: object) -> object:
    if isinstance(value, str):
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) and "1970" <= value < "2200":
                return dt.date.fromisoformat(value)
        except ValueError:
            pass
        raise ValueError("must be a date such as 2013-05-01")
    return value


def _check_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a time zone such as America/New_York") from None
    return value


TimeZone = Annotated[str, AfterValidator(_check_time_zone)]
Day = Annotated[dt.date, BeforeValidator(_parse_day)]
Names = Annotated[tuple[str, ...], Field(strict=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
# A stretch of days. A century is longer than any history, and days further back than the calendar are none.
MAX_DAYS = 36_500
Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]


class Params(BaseModel):
    """Base of every section: frozen, no unknown key, no conversion of types."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Clock(Params):
    """The section `clock`, which every stage reads that works by day."""

    follow: Literal["replay", "today"]
    as_of: Day


class Project(Params):
    """The section `project`: its name, and what it says about itself."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    code: Annotated[str, Field(pattern=r"^src/[\w/]*\w$")]
    event: str
    note: str | None = None
    derive: str | None


P = TypeVar("P", bound=Params)


def from_yaml(text: str | bytes) -> Any:
    """What a text in YAML says, as plain values. yaml.YAMLError when it is none."""
    return yaml.load(text, LOADER)  # noqa: S506 - it is a safe loader


def sections(params_class: type[Params]) -> list[str]:
    """The sections of `params.yaml` that a class reads, in its order."""
    return [field.alias or name for name, field in params_class.model_fields.items()]


def parse(params_class: type[P], values: Mapping[str, Any], where: Callable[[str], str] = lambda _: AGAIN) -> P:
    """Check `values` against a class; ConfigError names each wrong key, its value and what is allowed.

    `where` says, for a dotted key, where to fix it.
    """
    try:
        return params_class.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError("\n".join(_say(problem, where) for problem in error.errors())) from None
    except OverflowError as error:
        raise ConfigError(f"a number of days is beyond the calendar: {error}. {where('')}") from None


def load(params_class: type[P], path: Path = PARAMS_FILE) -> P:
    """The sections of `params.yaml` that `params_class` names. ConfigError when the file is missing or wrong."""
    try:
        everything = from_yaml(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing. Make it with: flywheel compose") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. It must be a file that you may read.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}. {AGAIN}") from None
    if not isinstance(everything, dict):
        raise ConfigError(f"{path} holds no sections. {AGAIN}")
    wanted = sections(params_class)
    return parse(params_class, {name: everything[name] for name in wanted if name in everything})


def remembered() -> tuple[str, ...]:
    """The overrides with which the tree's `params.yaml` was composed; none where there is no such file."""
    return noted(PARAMS_FILE.read_text(encoding="utf-8", errors="replace")) if PARAMS_FILE.is_file() else ()


def noted(text: str) -> tuple[str, ...]:
    """The overrides that the text of a `params.yaml` notes. ConfigError when the note is broken."""
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if line.startswith(NOTE):
            try:
                return tuple(str(one) for one in json.loads(line.removeprefix(NOTE)))
            except (json.JSONDecodeError, TypeError):
                raise ConfigError(
                    f"{PARAMS_FILE}: its line '{NOTE.strip()}' is broken. Make it again with: flywheel compose"
                ) from None
    return ()


def clock_place(overrides: Sequence[str]) -> str:
    """What to fix where the clock is wrong, for a message: the override that sets it, else the file that does."""
    held = [one for one in overrides if SETS_CLOCK.match(one)]
    return f"Fix the override {held[-1]}." if held else "Fix conf/state.yaml."


def _say(problem: Mapping[str, Any], where: Callable[[str], str]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    about = re.match(r"Value error, ([\w.]+): ", problem["msg"])
    if about is not None:  # a check across keys names the wrong one
        return f"{problem['msg'].removeprefix('Value error, ')}. {where(about[1])}"
    if problem["type"] == "missing":
        return f"{key}: the key is missing. {where(key)}"
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key (value {problem['input']!r}); remove it or correct its spelling. {where(key)}"
    allowed = problem["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    found = f" found {problem['input']!r};" if key else ""
    return f"{key + ':' if key else ''}{found} {allowed}. {where(key)}".strip()
