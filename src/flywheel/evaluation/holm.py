"""Many p-values at once."""

from __future__ import annotations

from collections.abc import Mapping


def corrected(p_values: Mapping[str, float]) -> dict[str, float]:
    """Each p-value, by its name, corrected for having looked at all of them (Holm, 1979); the smallest first.

    Whoever calls harm what is at most `a` afterwards does so, where nothing is harmed, in at most a share `a` of all cases,
    however the p-values depend on each other. The smallest is multiplied by how many there are, the next by one less, and so
    on, and none is below one before it.
    """
    found: dict[str, float] = {}
    at_least = 0.0
    for place, (name, p_value) in enumerate(sorted(p_values.items(), key=lambda one: (one[1], one[0]))):
        at_least = max(at_least, min(p_value * (len(p_values) - place), 1.0))
        found[name] = at_least
    return found
