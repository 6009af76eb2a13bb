"""The loop knows no project; it finds the project's own functions by their names in `conf/`."""

from __future__ import annotations

import importlib
from typing import Any

from flywheel.errors import ConfigError


def load_function(name: str, key: str) -> Any:
    """The function behind `package.module:function`. ConfigError names the key in `conf/` if there is none."""
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{key}: no module '{error.name}'; found {name!r}, allowed is package.module:function."
        ) from None
    except AttributeError:
        raise ConfigError(f"{key}: '{module}' has no function '{function}'; found {name!r}.") from None
