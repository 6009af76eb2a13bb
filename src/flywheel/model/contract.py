"""The contract of a model: what a service that calls it has to send, what it gets back, and what changed against another.

`models/*/contract.json` is written beside the card, from the rows that the model learned from. Its version is for those who
call the model: `major.minor`, where another major version means that a call which was right may be wrong now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from flywheel import files, shapes
from flywheel.errors import DataError
from flywheel.model.card import CONTRACT, Calibration, Card, Features, read_card

if TYPE_CHECKING:  # slow to import, and the gate only compares
    import pandas as pd

FIRST = "1.0"
NAMED = 3  # of the categories that came or went, a sentence names at most so many
Version = Annotated[str, Field(pattern=r"^[1-9]\d*\.(0|[1-9]\d*)$")]


class Number(TypedDict):
    """An input that is a number. `required`: none of the training rows lacked it. Null: no row had it."""

    type: Literal["number"]
    required: bool
    min: float | None
    max: float | None


class Category(TypedDict):
    """An input that is one of some words. Another word is read as missing."""

    type: Literal["category"]
    required: bool
    categories: list[str]


Input = Annotated[Number | Category, Field(discriminator="type")]


class Output(TypedDict):
    """What comes back: the lowest and the highest probability that the model can answer."""

    type: Literal["probability"]
    min: float
    max: float


class Contract(TypedDict):
    """`contract.json`: each input by its name, in the model's order, the output, and the version."""

    version: Version
    inputs: dict[str, Input]
    output: Output


@dataclass(frozen=True)
class Difference:
    """What a contract has otherwise than an earlier one, a phrase each: what breaks a call, and what does not."""

    breaking: tuple[str, ...] = ()
    minor: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contracts:
    """The contract of the candidate, and that of the champion, if there is one.

    A champion that was made before there were contracts has none: then names, types and categories are those of its card.
    """

    candidate: Contract
    champion: Contract | Features | None


def learn(
    table: pd.DataFrame, features: Features, calibration: Calibration, before: Contract | Features | None
) -> Contract:
    """The contract of a model that learned from the rows of `table`; its version follows from the champion's, `before`."""
    inputs: dict[str, Input] = {name: _number(table[name]) for name in features["numeric"]}
    for name, known in features["categorical"].items():
        inputs[name] = {"type": "category", "required": not table[name].isna().any(), "categories": [*known]}
    low, high = (round(float(calibration["y"][at]), 6) for at in (0, -1))
    made: Contract = {"version": FIRST, "inputs": inputs, "output": {"type": "probability", "min": low, "max": high}}
    return made if before is None else {**made, "version": next_version(before, compare(before, made))}


def _number(column: pd.Series) -> Number:
    values = column.astype("float64")
    finite = values[values.abs() < float("inf")]
    low, high = (None if finite.empty else round(float(one), 6) for one in (finite.min(), finite.max()))
    return {"type": "number", "required": not values.isna().any(), "min": low, "max": high}


def compare(before: Contract | Features, now: Contract) -> Difference:
    """What a service must know that called the model of `before` and is to call that of `now`.

    *Breaking* is what makes a right call wrong: an input that is gone (the service still sends it, and its words mean nothing)
    or has another type; a new one that no training row lacked, so that the model never learned what to do without it; and a
    category of which no word is left, which is another coding under an old name.

    *Minor* is what a service may want to know, and can go on without knowing: a new input that may be missing, words that came
    or went, and whether an input may be missing. A word that went is still a valid call, because an unknown word is read as
    missing; and rare words, and the few rows that lack an input, leave a moving training window all by themselves. If this were
    a break, ordinary retrains would stop.

    The ranges of numbers, and of the output, are what was seen, and no promise: they move with each retrain, and do not count.
    """
    old, new = inputs_of(before), now["inputs"]
    breaking = [f"{name} is gone" for name in old if name not in new]
    minor: list[str] = []
    for name, one in new.items():
        if name not in old:
            (breaking if one["required"] else minor).append(
                f"{name} is new and {'must not' if one['required'] else 'may'} be missing"
            )
            continue
        was = old[name]
        if was["type"] != one["type"]:
            breaking.append(f"{name} was a {was['type']} and is a {one['type']}")
            continue
        if was.get("required", one["required"]) != one["required"]:
            minor.append(f"{name} {'may no longer' if one['required'] else 'may now'} be missing")
        if one["type"] == "category":
            went, came = _only_in(was["categories"], one["categories"]), _only_in(one["categories"], was["categories"])
            if went and len(went) == len(was["categories"]):
                breaking.append(f"{name} knows none of its {_words(went)} any more")
                continue
            minor += [f"{name} knows {_words(came)} more"] if came else []
            minor += [f"{name} no longer knows {_words(went)}"] if went else []
    return Difference(tuple(breaking), tuple(minor))


def inputs_of(found: Contract | Features) -> Mapping[str, Any]:
    """The inputs of a contract; of a card, which says no more than their names, types and categories."""
    told: Mapping[str, Any] = found
    if "inputs" in told:
        inputs: Mapping[str, Any] = told["inputs"]
        return inputs
    return {name: {"type": "number"} for name in told["numeric"]} | {
        name: {"type": "category", "categories": known} for name, known in told["categorical"].items()
    }


def version_of(found: Contract | Features) -> str:
    """The version of a contract; what comes from a card alone counts as the first."""
    told: Mapping[str, Any] = found
    return str(told.get("version", FIRST))


def next_version(before: Contract | Features, found: Difference) -> str:
    """The version that follows: another major one after a break, another minor one after another change, else the same."""
    major, minor = (int(part) for part in version_of(before).split("."))
    if found.breaking:
        return f"{major + 1}.0"
    return f"{major}.{minor + 1}" if found.minor else f"{major}.{minor}"


def read_contract(folder: Path) -> Contract:
    """The contract of a model. DataError when it is missing or has another shape."""
    return shapes.read(folder / CONTRACT, Contract)


def read_champion_contract() -> Contract | Features | None:
    """The champion's contract, or what its card says where it has none; None where there is no champion yet."""
    if not (files.CHAMPION / "card.json").exists():
        return None
    has_one = (files.CHAMPION / CONTRACT).exists()
    return read_contract(files.CHAMPION) if has_one else of_card(read_card(files.CHAMPION), str(files.CHAMPION))


def read_contracts() -> Contracts:
    """The contracts that the gate compares. DataError when a file is missing or has another shape."""
    return Contracts(read_contract(files.CANDIDATE), read_champion_contract())


def of_card(card: Card, place: str) -> Features:
    """What the card of a model without a contract says of its inputs. DataError where the card had one, and it is lost."""
    if CONTRACT in card["sha256"]:
        raise DataError(f"{place} lacks {CONTRACT}, which its card.json names. Restore it from Git.")
    return card["features"]


def _only_in(some: list[str], others: list[str]) -> list[str]:
    known = set(others)
    return [one for one in some if one not in known]


def _words(words: list[str]) -> str:
    shown = ", ".join(words[:NAMED]) + (", …" if len(words) > NAMED else "")
    return f"{len(words)} {'category' if len(words) == 1 else 'categories'} ({shown})"
