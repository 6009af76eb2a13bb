"""LightGBM, imported without scikit-learn."""

from __future__ import annotations

import sys
from typing import Any


def lightgbm() -> Any:
    """The module `lightgbm`.

    Where scikit-learn is installed LightGBM loads it for estimators that nothing here uses, and that is two thirds of the
    time of its import. It does without where it finds none, so while it is imported there is none to find.
    """
    hidden = "sklearn" not in sys.modules
    if hidden:
        sys.modules["sklearn"] = None  # type: ignore[assignment]  # how Python marks a module that is not to be found
    try:
        import lightgbm
    finally:
        if hidden:
            del sys.modules["sklearn"]
    return lightgbm
