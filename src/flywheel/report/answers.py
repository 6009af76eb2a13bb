"""What a team answers to its users: `docs/answers.yaml`, which people write."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml
from pydantic import model_validator

from flywheel import files
from flywheel.errors import ConfigError
from flywheel.params import Params, from_yaml, parse

HEARD, LEARNED, REFUSED = "heard", "in training data", "won't do"
FIXED = re.compile(r"fixed in (v\d+\.\d+\.\d+)")
ALLOWED = f"{HEARD}; {LEARNED}; fixed in v0.2.0, or another version; {REFUSED}, with a reason"


class Answer(Params):
    """How far the team is with what a topic says, and what it says about it."""

    status: str
    reason: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Answer:
        if self.status not in (HEARD, LEARNED, REFUSED) and not FIXED.fullmatch(self.status):
            raise ValueError(f"the status should be {ALLOWED}")
        if self.reason is not None and not self.reason.strip():
            raise ValueError("the reason is empty; say in words why, or leave the key out")
        if self.status == REFUSED and self.reason is None:
            raise ValueError(f"the reason is missing; users who hear {REFUSED!r} want to know why")
        return self


class Answers(Params):
    """`docs/answers.yaml`: whose answers these are, and the answer to each topic."""

    project: str
    answers: dict[str, Answer]


def read_answers(project: str, topics: Iterable[str], path: Path = files.ANSWERS) -> dict[str, Answer]:
    """The answer to each topic that has one; none where the file is about another project.

    ConfigError when the file is missing or wrong, or answers a topic that there is not.
    """
    place = f"Fix {path}."
    try:
        found = from_yaml(path.read_bytes())
    except FileNotFoundError:
        raise ConfigError(
            f"{path} is missing. Write it, with the lines: project: {project}, and answers: {{}}"
        ) from None
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}. {place}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: found {type(found).__name__}; it should hold the keys project and answers. {place}")
    said = parse(Answers, {str(key): value for key, value in found.items()}, lambda _: place)
    if said.project != project:
        return {}
    known = list(topics)
    for topic in said.answers:
        if topic not in known:
            raise ConfigError(
                f"{path}: found an answer to the topic {topic!r}, which voices.topics does not have. Topics: "
                f"{', '.join(known)}. {place}"
            )
    return said.answers
