"""What happens to the scores when one input is set to a telling value."""

from __future__ import annotations

from typing import Any

import pandas as pd

from flywheel.errors import ConfigError
from flywheel.evaluation.settings import Behaviour
from flywheel.model import artifact


def behave(table: pd.DataFrame, models: dict[str, artifact.Model], behaviours: dict[str, Behaviour]) -> dict[str, Any]:
    """What happens to the scores when one input is set to a value: the share of rows that answer as expected.

    A behavioural test in the sense of CheckList (Ribeiro et al., 2020): it needs no label. A row that does not change
    counts as expected for `higher` and `lower` too.
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
        changed = table.assign(**{behaviour.column: behaviour.set})
        found[name] = {"column": behaviour.column, "set": behaviour.set, "expect": behaviour.expect}
        for model_name, one in models.items():
            shift = artifact.predict(one, changed) - before[model_name]
            as_expected = {"higher": shift >= 0, "lower": shift <= 0, "same": shift == 0}[behaviour.expect]
            found[name][model_name] = {"share_as_expected": as_expected.mean(), "mean_shift": shift.mean()}
    return found
