"""What happens to the scores when one input is set to a telling value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from flywheel.errors import ConfigError
from flywheel.evaluation.settings import Behaviour
from flywheel.model import artifact


def behave(table: pd.DataFrame, models: dict[str, artifact.Model], behaviours: dict[str, Behaviour]) -> dict[str, Any]:
    """What happens to the scores when one input is set to a value: how many move, and how many of these as expected.

    A behavioural test as in CheckList (Ribeiro et al., 2020): it needs no labels. A direction is asked of the `rows` for
    which the value is a step to the same side as for most: to a row that has less than 0.05, 0.05 is more. `share_as_expected`
    is of those that moved, because a row that stays is no evidence for a direction, and null where none moved. Where `same`
    is expected, all rows are asked, and the share is of all. A score moves when it changes in its sixth digit.
    """
    found: dict[str, Any] = {}
    before = {name: artifact.predict(one, table) for name, one in models.items()}
    for name, behaviour in behaviours.items():
        numbers = models["candidate"].card["features"]["numeric"]
        if behaviour.column not in numbers:  # setting it would change nothing, and look like a pass
            raise ConfigError(
                f"evaluate.behaviours.{name}: '{behaviour.column}' is not a column of numbers that the model reads. "
                f"Columns: {', '.join(sorted(numbers))}. Fix conf/project/."
            )
        is_asked = asked(table[behaviour.column], behaviour)
        changed = table[is_asked].assign(**{behaviour.column: behaviour.set})
        found[name] = {"column": behaviour.column, "set": behaviour.set, "expect": behaviour.expect}
        found[name]["rows"] = int(is_asked.sum())
        for model_name, one in models.items():
            shift = artifact.predict(one, changed) - before[model_name][is_asked]
            found[name][model_name] = {
                "share_moved": (shift != 0).mean() if len(shift) else 0.0,
                "share_as_expected": _share_as_expected(shift, behaviour.expect),
                "mean_shift": shift.mean() if len(shift) else 0.0,
            }
    return found


def asked(values: pd.Series, behaviour: Behaviour) -> np.ndarray:
    """Which rows a behaviour is asked of: those with less than its value, or those with more, whichever are the more."""
    if behaviour.expect == "same":
        return np.full(len(values), True)
    has_less, has_more = (values < behaviour.set).to_numpy(), (values > behaviour.set).to_numpy()
    return has_less if has_less.sum() >= has_more.sum() else has_more


def _share_as_expected(shift: np.ndarray, expect: str) -> float | None:
    n_moved = int((shift != 0).sum())
    if expect == "same":
        return 1 - n_moved / len(shift) if len(shift) else None
    as_expected = int((shift > 0).sum() if expect == "higher" else (shift < 0).sum())
    return as_expected / n_moved if n_moved else None
