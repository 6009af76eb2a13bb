"""Settings of the data: the sections source, collect, privacy, contract and validate."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from flywheel.data import addresses
from flywheel.data.columns import REQUIRED
from flywheel.params import Day, Days, Names, Params, Share


def _listed(value: object) -> object:
    """Words in a text with commas between them, as a list; anything else as it is."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


Listed = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=60)], ...], Field(strict=False), BeforeValidator(_listed)
]


class SourcePart(Params):
    """From which day on, and which share of the predictions."""

    first_day: Day | None
    share: Annotated[float, Field(gt=0, le=1)]


class Source(SourcePart):
    factory: Annotated[str, Field(pattern=r"^(files|sql|[\w.]+:\w+)$")]
    tiny: SourcePart
    options: dict[str, Any]

    @model_validator(mode="after")
    def _check_that_there_is_no_secret(self) -> Source:
        for key in addresses.with_secrets(self.options):  # before params.yaml, and all that is made of it, has it too
            raise ValueError(f"source.options.{key}: {addresses.FOUND}. {addresses.ADVICE}")
        return self


class Collect(Params):
    allow_demo_key: bool
    hash_key_env: Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]


class Words(Params):
    greetings: Listed = ()
    titles: Listed = ()
    introductions: Listed = ()
    perhaps: Listed = ()
    people: Listed = ()
    labels: Listed = ()
    signatures: Listed = ()
    behind: Listed = ()
    crowds: Listed = ()
    booking: Listed = ()
    reference: Listed = ()
    passport: Listed = ()
    telephone: Listed = ()
    bank: Listed = ()
    harmless: Listed = ()
    units: Listed = ()
    at: Listed = ()
    dot: Listed = ()
    digits: Listed = ()
    first_names: Listed = ()
    no_names: Listed = ()
    no_people: Listed = ()


class Privacy(Params):
    languages: Names
    regions: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...], Field(strict=False)]
    inputs: Annotated[tuple[Annotated[str, Field(pattern=r"^in_")], ...], Field(strict=False)]
    longest_text: Annotated[int, Field(ge=100, le=1_000_000)]
    keep: Listed
    also: Words
    words: dict[str, Words]

    @model_validator(mode="after")
    def _check_that_languages_are_known(self) -> Privacy:
        for language in self.languages:
            if language not in self.words:
                known = ", ".join(self.words)
                raise ValueError(f"privacy.languages: '{language}' has no words under privacy.words. Known: {known}")
        return self


class Column(Params):
    type: Literal["string", "number", "integer", "datetime"]
    nullable: bool = False
    unique: bool = False
    min: float | None = None
    max: float | None = None
    allowed: Annotated[tuple[str | float, ...], Field(strict=False)] | None = None


class Contract(Params):
    predictions: dict[str, Column]
    feedback: dict[str, Column]

    @model_validator(mode="after")
    def _check_that_nothing_is_missing(self) -> Contract:
        for table, names in REQUIRED.items():
            if names[0] in getattr(self, table) and not getattr(self, table)[names[0]].unique:
                raise ValueError(f"contract.{table}.{names[0]}: the id must be unique: true")
            missing = [name for name in names if name not in getattr(self, table)]
            if missing:
                raise ValueError(f"contract.{table}: columns that the loop needs are missing: {', '.join(missing)}")
        return self


class Validate(Params):
    max_rejected_share: Share
    recent_days: Days
    trailing_days: Days
    low_volume: Annotated[float, Field(ge=0, lt=1)]
    high_volume: Annotated[float, Field(gt=1)]
