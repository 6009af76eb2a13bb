"""Hydra composes `conf/` into `params.yaml`. This is the only place that uses Hydra.

What was given on the command line, such as `size=tiny`, is noted at the top of `params.yaml`, so the next command composes this
tree in the same way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from flywheel import files
from flywheel.errors import ConfigError
from flywheel.loop.settings import AllParams
from flywheel.params import CONF_FOLDER, NOTE, PARAMS_FILE, from_yaml, parse

HEADER = "# Composed from conf/ by `flywheel compose`. Do not edit it here: edit conf/ and compose again.\n"
DETAIL = re.compile(r"\s+(full_key|object_type|reference_type)\b")  # where OmegaConf was, not what is wrong
PLAIN = (TypeError, ValueError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Composition:
    """What `conf/` and the overrides say: as plain values, and as checked params."""

    values: dict[str, Any]
    params: AllParams
    overrides: tuple[str, ...]


def composed(overrides: Sequence[str] = (), conf: Path = CONF_FOLDER) -> Composition:
    """The composition of `conf/` with Hydra overrides such as `size=tiny`, checked. ConfigError when something is wrong."""
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    _check_texts(conf)
    try:
        with _hydra(conf):
            found = OmegaConf.to_container(hydra_compose("config", list(overrides)), resolve=True)
    # The plain errors come from files that hold something else than keys, where neither library looks first.
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, *PLAIN) as error:
        given = f" with {' '.join(overrides)}" if overrides else ""
        said = [line.strip() for line in str(error).splitlines() if not DETAIL.match(line)]
        raise ConfigError(f"conf/ cannot be composed{given}: {' '.join(said)}") from None
    values = {str(key): value for key, value in dict(found).items()}  # type: ignore[arg-type]
    return Composition(values, parse(AllParams, values, where(conf, overrides)), tuple(overrides))


def compose(overrides: Sequence[str] = (), conf: Path = CONF_FOLDER) -> dict[str, Any]:
    """The values of a composition. ConfigError when something is wrong."""
    return composed(overrides, conf).values


def as_text(values: dict[str, Any], overrides: Sequence[str] = ()) -> str:
    """`params.yaml` as text."""
    note = f"{NOTE}{json.dumps(list(overrides))}\n" if overrides else ""
    return HEADER + note + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def write(composition: Composition) -> bool:
    """Write `params.yaml`; says whether it changed."""
    text = as_text(composition.values, composition.overrides)
    if PARAMS_FILE.is_file() and PARAMS_FILE.read_bytes() == text.encode():
        return False
    files.write_text(PARAMS_FILE, text)
    return True


def where(conf: Path = CONF_FOLDER, overrides: Sequence[str] = ()) -> Callable[[str], str]:
    """A function that says where to fix a dotted key: in the override or the file that its value comes from.

    A missing key belongs into the first file that has the keys around it.
    """

    @cache  # of several mistakes each asks
    def said() -> list[tuple[Path, Any]]:
        return list(_said(conf, overrides))

    def fix(key: str) -> str:
        parts = key.split(".")
        for override in reversed(overrides):
            name = override.lstrip("+~").partition("=")[0]
            if not (conf / name).is_dir() and parts[: len(name.split("."))] == name.split("."):
                return f"Fix the override {override}."
        best, depth = conf / "config.yaml", 0
        for path, values in said():
            found = _depth(values, parts)
            # Of two files with the whole key the later one decides; around a missing key the first one is the place.
            if found > depth or found == depth == len(parts):
                best, depth = path, found
        return f"Fix {best.relative_to(conf.parent).as_posix()}." if key else f"Fix {conf.name}/."

    return fix


def _said(conf: Path, overrides: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    """The files that are composed, in order, each with what it says, under the keys where that goes."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    with _hydra(conf):
        loader = GlobalHydra.instance().config_loader()
        listed = loader.compute_defaults_list("config", list(overrides), RunMode.RUN).defaults
    for one in listed:
        path = conf / f"{one.config_path}.yaml"
        if one.config_path and path.exists():  # Hydra lists its own settings too
            values = from_yaml(path.read_bytes())
            for name in reversed([name for name in (one.package or "").split(".") if name]):
                values = {name: values}
            yield path, values


def _depth(values: Any, parts: list[str]) -> int:
    if not parts or not isinstance(values, Mapping) or parts[0] not in values:
        return 0
    return 1 + _depth(values[parts[0]], parts[1:])


def _hydra(conf: Path) -> Any:
    from hydra import initialize_config_dir

    return initialize_config_dir(config_dir=str(conf.resolve()), version_base="1.3")


def _check_texts(conf: Path) -> None:
    """ConfigError for a file under `conf/` that nobody could read: Hydra would not say which."""
    if not (conf / "config.yaml").exists():
        raise ConfigError(f"{conf / 'config.yaml'} is missing. Run flywheel in the root of the repository.")
    for path in sorted(conf.rglob("*.yaml")):
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ConfigError(
                f"{path} is not UTF-8 (byte {error.start} is {error.object[error.start]:#04x}). Save it as UTF-8."
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read: {error.strerror}. It must be a file that you may read."
            ) from None
