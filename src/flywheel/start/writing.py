"""A proposal as `conf/project/NAME.yaml`, with comments, like the example's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from flywheel.evaluation.settings import Costs
from flywheel.start.propose import Proposal

PLACEHOLDER = "# TO FILL IN"
QUESTION = "Is this known when the prediction is served?"


def as_yaml(said: Proposal, package: str) -> str:
    """The text of the file. What only a person knows is marked with `PLACEHOLDER`."""
    threshold = Costs(**said.costs).threshold

    def is_open(key: str) -> bool:
        return any(f".{key})" in one for one in said.unknown)

    def todo(key: str, what: str) -> str:
        return f"  {PLACEHOLDER}: {what}" if is_open(key) else ""

    lines = [
        "# @package _global_",
        f"# The project {said.name}. `flywheel init` guessed it from the tables: read it once, it is yours.",
        "",
        "project:",
        "  # The name under which models are released.",
        f"  name: {flow(said.name)}",
        "  # The folder with the project's own code. It may stay empty.",
        f"  code: src/{package}",
        "  # What a label of 1 means, as the report says it.",
        f"  event: {flow(said.event)}{todo('event', 'a word that fits into: the share of …')}",
        "  # What every reader of the report must know; null if there is nothing to say.",
        "  note: null",
        "  # The project's own features: a function (predictions) -> frame, row by row. null if there are none.",
        "  derive: null",
        "",
        "clock:",
        "  # today: the clock follows the calendar. replay: the data is over, and each calendar day stands for one day of it.",
        f"  follow: {said.follow}",
        "",
        "source:",
        "  # Tables in files.",
        "  factory: files",
        "  # size=tiny has some weeks before the clock, and a share of the predictions.",
        f"  tiny: {flow({'first_day': said.tiny['first_day'], 'share': said.tiny['share']})}",
        "  # Where the tables are. Of each column: the loop's name, then the table's.",
        *block("options", said.options, 1),
        "",
        "# What the columns of both tables must look like. A row that breaks it goes to data/rejected/, with the rule.",
        "# The ranges are those that were found, and half as much on both sides. Of each input, ask: is this known when the",
        "# prediction is served?",
        "contract:",
        *(
            line
            for table in ("predictions", "feedback")
            for line in columns(table, said.contract[table], said.suspicions)
        ),
        "",
        *sized(said),
        "features:",
        "  # Inputs that are numbers.",
        f"  numeric: {flow(said.numeric)}",
        "  # Inputs with a fixed set of values.",
        f"  categorical: {flow(said.categorical)}",
        "  calendar:",
        "    # Parts of served_at in this time zone.",
        f"    timezone: {said.timezone}",
        f"    parts: {flow(said.parts)}",
        "  # How often it happened to predictions with the same key ([]: to any), among the labels that became known lately.",
        *listed("history", said.history),
        "",
        "evaluate:",
        "  # What a prediction is worth, in points. The alert threshold follows: the score from which an alert pays off.",
        f"  # As it is, that is {threshold:.3f}"
        + (": the share of positives, which is what one knows without a model." if is_open("costs") else "."),
        f"  costs:{todo('costs', 'what is a right, a wrong and a missed alert worth to you?')}",
        *(f"    {name}: {value}" for name, value in said.costs.items()),
        *(
            [
                "  # Labels rest on one report each, so none is surer than a report is.",
                f"  min_confidence: {said.min_confidence}",
            ]
            if said.min_confidence is not None
            else []
        ),
        "  # Slices that must not get worse.",
        f"  cohorts: {flow({name: {'column': name} for name in said.cohorts})}",
        "  # What must happen to the scores when one number is set to a value, such as",
        "  # {far away: {column: distance_km, set: 900, expect: higher}}. No table says it.",
        "  behaviours: {}",
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def sized(said: Proposal) -> list[str]:
    """Windows and limits that differ from the engine's, because there is less data."""
    lines = []
    if said.sizes:
        lines.append("# The span, the volume and the label lag of the tables want other sizes than the engine's own.")
    for section, values in said.sizes.items():
        lines += [
            f"{section}:",
            "  # As many as the tables allow.",
            *(f"  {key}: {value}" for key, value in values.items()),
        ]
    return [*lines, ""] if lines else []


def columns(table: str, contract: dict[str, dict[str, Any]], suspicions: Mapping[str, str]) -> list[str]:
    """The contract of a table, one column a line; behind an input that may give the answer away, the question."""
    lines = [f"  {table}:"]
    for name, said in contract.items():
        why = suspicions.get(name.removeprefix("in_"))
        lines.append(f"    {flow(name)}: {flow(said)}" + (f"  {PLACEHOLDER}: {why}. {QUESTION}" if why else ""))
    return lines


def block(key: str, value: Any, depth: int) -> list[str]:
    """A value as YAML, indented."""
    text = yaml.safe_dump({key: plain(value)}, sort_keys=False, allow_unicode=True, width=1000)
    return [f"{'  ' * depth}{line}" for line in text.splitlines()]


def listed(key: str, items: list[dict[str, Any]]) -> list[str]:
    """A list with one item a line."""
    return [f"  {key}:", *(f"    - {flow(one)}" for one in items)] if items else [f"  {key}: []"]


def flow(value: Any) -> str:
    """A value as YAML in one line."""
    text = yaml.safe_dump(plain(value), default_flow_style=True, sort_keys=False, allow_unicode=True, width=100_000)
    return text.removesuffix("\n").removesuffix("\n...")


def plain(value: Any) -> Any:
    """The same in what YAML knows."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value
