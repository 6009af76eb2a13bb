"""Hydra composes `conf/` into `params.yaml`: the only place where Hydra is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from flywheel import files
from flywheel.errors import ConfigError
from flywheel.loop.settings import AllParams
from flywheel.params import CONF_FOLDER, PARAMS_FILE, parse

HEADER = "# Composed from conf/ by `flywheel compose`. Do not edit it here: edit conf/ and compose again.\n"


def compose(overrides: Sequence[str] = (), conf: Path = CONF_FOLDER) -> dict[str, Any]:
    """The composition of `conf/` with Hydra overrides such as `size=tiny`, checked. ConfigError when it is wrong."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if not (conf / "config.yaml").exists():
        raise ConfigError(f"{conf / 'config.yaml'} is missing. Run flywheel in the root of the repository.")
    try:
        with initialize_config_dir(config_dir=str(conf.resolve()), version_base="1.3"):
            composed = OmegaConf.to_container(hydra_compose("config", list(overrides)), resolve=True)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        given = f" with {' '.join(overrides)}" if overrides else ""
        raise ConfigError(f"conf/ cannot be composed{given}: {error}") from None
    values = {str(key): value for key, value in dict(composed).items()}  # type: ignore[arg-type]
    parse(AllParams, values, conf)
    return values


def as_text(values: dict[str, Any]) -> str:
    """`params.yaml` as text."""
    return HEADER + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def write_params(overrides: Sequence[str] = ()) -> bool:
    """Compose into `params.yaml`; says whether it changed."""
    text = as_text(compose(overrides))
    if PARAMS_FILE.exists() and PARAMS_FILE.read_text(encoding="utf-8") == text:
        return False
    files.write_text(PARAMS_FILE, text)
    return True
