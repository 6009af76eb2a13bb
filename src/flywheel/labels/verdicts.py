"""What people say of sources in quarantine: `docs/quarantine.yaml`, which is read before anything is counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import yaml
from pydantic import Field, model_validator

from flywheel.errors import ConfigError
from flywheel.params import LOADER, Day, Params, parse

FILE = Path("docs/quarantine.yaml")
EMPTY = "sources: {}"
Text = Annotated[str, Field(pattern=r"\S")]


class Verdict(Params):
    """What a person says of one source, about its claims of some UTC days: both ends belong to them, null is without end."""

    decision: Literal["release", "confirm"]
    reason: Text
    by: Text
    first_day: Annotated[Day | None, Field(alias="from")] = None
    last_day: Annotated[Day | None, Field(alias="to")] = None

    @model_validator(mode="after")
    def _in_order(self) -> Verdict:
        if self.first_day and self.last_day and self.last_day < self.first_day:
            raise ValueError(
                f"the day in `to`, {self.last_day}, must not be before the one in `from`, {self.first_day}"
            )
        return self

    @property
    def begins(self) -> pd.Timestamp | None:
        """The first moment that it is about; None where it has no beginning."""
        return None if self.first_day is None else pd.Timestamp(self.first_day, tz="UTC")

    @property
    def ends(self) -> pd.Timestamp | None:
        """The first moment after what it is about; None where it has no end."""
        return None if self.last_day is None else pd.Timestamp(self.last_day + dt.timedelta(days=1), tz="UTC")


class _File(Params):
    sources: dict[str, Verdict]


def read(path: Path = FILE) -> dict[str, Verdict]:
    """The verdicts by source_id. ConfigError when the file is missing or wrong: it names the entry and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, LOADER)
        _refuse_twice(node, path)
        found = yaml.load(text, LOADER)  # noqa: S506 - it is a safe loader
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing. Where nobody is released or confirmed it says: {EMPTY}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. It must be a file that you may read.") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}. Correct it.") from None
    if not isinstance(found, dict) or not isinstance(found.get("sources"), dict):
        raise ConfigError(f"{path}: it must have the key sources, with an entry a source. Without any it says: {EMPTY}")
    for name in found["sources"]:
        if not isinstance(name, str):
            raise ConfigError(
                f'{path}: sources: found {name!r}, which YAML reads as a number. Put it in quotes: "{name}"'
            )
    return dict(parse(_File, found, lambda _: f"Correct {path}.").sources)


def _refuse_twice(node: yaml.Node | None, path: Path) -> None:
    """ConfigError for a key that stands twice: YAML would take the last one, and nobody would see the other."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise ConfigError(
                    f"{path}: {key.value!r} stands there twice (line {key.start_mark.line + 1}). Keep one."
                )
            seen.add(key.value)
            _refuse_twice(value, path)


def judge(rows: pd.DataFrame, verdicts: Mapping[str, Verdict]) -> pd.DataFrame:
    """The rows of quarantine with what people say of them, in a new column: decision (release, confirm or null).

    A release takes its days out of the stretches of the source: they become rows of their own, which are listed and do not
    count. A confirmation keeps the source out, on the channels on which it was found, from its first stretch that ends after
    `from` to the end of `to`, and for good where that is null. `known_at` stays: people explain what was found, and find
    nothing. A source that is not in `rows` is left out here, and `idle` names it.
    """
    parts: list[dict[Hashable, Any]] = []
    for row in rows.to_dict(orient="records"):
        verdict = verdicts.get(str(row["source_id"]))
        parts += [row | {"decision": None}] if verdict is None else _judged(row, verdict)
    judged = pd.DataFrame(parts, columns=[*rows.columns, "decision"])
    for name in ("first", "until", "known_at"):  # a column without a single time has lost its type
        judged[name] = pd.to_datetime(judged[name], utc=True)
    judged = judged.astype(dict(rows.dtypes))
    judged["decision"] = judged["decision"].astype("str")
    return judged


def _judged(row: dict[Hashable, Any], verdict: Verdict) -> list[dict[Hashable, Any]]:
    """The pieces of a stretch: before, in and after the days of a verdict."""
    begins, ends, until = verdict.begins, verdict.ends, row["until"]
    is_over = not pd.isna(until)
    if (ends is not None and ends <= row["first"]) or (begins is not None and is_over and until <= begins):
        return [row | {"decision": None}]
    pieces = []
    start = row["first"] if begins is None else max(begins, row["first"])
    if start > row["first"]:
        pieces.append(row | {"until": start, "decision": None})
    if verdict.decision == "confirm":
        longest = until if ends is not None and is_over and until > ends else (pd.NaT if ends is None else ends)
        return [*pieces, row | {"first": start, "until": longest, "decision": "confirm"}]
    end = until if ends is None or (is_over and until <= ends) else ends
    pieces.append(row | {"first": start, "until": end, "decision": "release"})
    if ends is not None and not (is_over and until <= ends):
        pieces.append(row | {"first": ends, "decision": None})
    return pieces


def idle(rows: pd.DataFrame, verdicts: Mapping[str, Verdict]) -> list[str]:
    """The sources of which somebody says something although no rule has found them: the report warns of them, in order.

    It is no error. With an earlier clock, fewer data or other settings fewer are found, and such a run must not stop.
    """
    return sorted(set(verdicts) - set(rows["source_id"]))
