"""Windows of claims, and groups of sources that common predictions connect."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from flywheel.labels.poison.said import Ints


def within(mornings: Ints, order: Ints, morning: int, days: int) -> Ints:
    """The claims, in an order of mornings, of the window that ends with a morning."""
    ordered = mornings[order]
    first, end = np.searchsorted(ordered, [morning - days, morning], side="right")
    return order[first:end]


def groups(members: Ints, places: Ints, smallest: int) -> Iterator[Ints]:
    """Sources that are connected by common places, in groups of at least so many, each sorted."""
    root: dict[int, int] = {}

    def find(node: int) -> int:
        while root.setdefault(node, node) != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for member, place in zip(members.tolist(), places.tolist(), strict=True):
        a, b = find(member), find(-1 - place)
        root[max(a, b)] = min(a, b)
    unique = np.unique(members)
    label = np.array([find(member) for member in unique.tolist()])
    for one in np.unique(label):
        group = unique[label == one]
        if len(group) >= smallest:
            yield group
