"""Whether `dvc.lock` tells the truth about a commit: each stage of `dvc.yaml` ran, on the code, the parameters and the files
of this commit, and made the files of this commit.

What is in Git is compared byte for byte, by its digest. Data is not in Git: there the digest that a stage read must be the
digest that an earlier stage made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from flywheel.errors import DataError
from flywheel.params import from_yaml
from flywheel.release.commits import Commit

PIPELINE = "dvc.yaml"
LOCK = "dvc.lock"
PLACE = re.compile(r"\$\{([\w.]+)\}")
PARAMS = "params.yaml"
KEYS = {"cmd", "desc", "deps", "params", "outs", "metrics", "plots", "meta", "frozen", "always_changed"}


@dataclass(frozen=True)
class Stage:
    """A stage as `dvc.yaml` has it. `outs` says of each output whether it is in Git; `params` are (file, key) pairs."""

    cmd: str
    deps: tuple[str, ...]
    outs: Mapping[str, bool]
    params: tuple[tuple[str, str], ...]


def stages_at(commit: Commit) -> dict[str, Stage]:
    """The stages of a commit's `dvc.yaml`, in its order, with the values of its `params.yaml` in the places of `${...}`.

    DataError for what this check does not understand.
    """
    text = commit.content(PIPELINE).decode("utf-8", "replace")
    values = commit.yaml(PARAMS) if PLACE.search(text) else {}

    def value(match: re.Match[str]) -> str:
        found = values
        for part in match[1].split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if not isinstance(found, str):
            raise DataError(f"{PIPELINE} names {match[0]}, which {PARAMS} does not have.")
        return found

    try:
        return stages_of(from_yaml(PLACE.sub(value, text)))
    except yaml.YAMLError as error:
        raise DataError(f"{PIPELINE} of {commit.sha[:10]} is not YAML ({error}).") from None


def stages_of(pipeline: Any) -> dict[str, Stage]:
    """The stages of a `dvc.yaml`, in its order. DataError for what this check does not understand."""
    try:
        found = {str(name): _stage(str(name), told) for name, told in pipeline["stages"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{PIPELINE} has no stages that can be read ({error!r}).") from None
    if not found:
        raise DataError(f"{PIPELINE} has no stages.")
    return found


def _stage(name: str, told: Any) -> Stage:
    strange = set(told) - KEYS
    if strange:
        raise DataError(f"{PIPELINE}: the stage {name} uses {', '.join(sorted(strange))}, which cannot be checked.")
    outs: dict[str, bool] = {}
    for kind in ("outs", "metrics", "plots"):
        for one in told.get(kind, []):
            ((path, options),) = one.items() if isinstance(one, Mapping) else ((one, {}),)
            outs[path] = options.get("cache") is False
    params: list[tuple[str, str]] = []
    for one in told.get("params", []):
        if isinstance(one, Mapping):
            params += [(file, key) for file, keys in one.items() for key in keys]
        else:
            params.append((PARAMS, one))
    deps = tuple(told.get("deps", []))
    for text in (*deps, *outs, *(part for pair in params for part in pair)):
        if not isinstance(text, str):
            raise TypeError(f"{name} names {text!r}")
    return Stage(str(told["cmd"]), deps, outs, tuple(params))


def locked_stages(lock: Any) -> dict[str, Any]:
    """The stages of a `dvc.lock`. DataError when it is not one."""
    try:
        found = lock["stages"]
        for one in found.values():
            for entry in [*one.get("deps", []), *one.get("outs", [])]:
                if not (isinstance(entry["path"], str) and isinstance(entry["md5"], str)):
                    raise TypeError(f"found {entry!r}")
            for values in one.get("params", {}).values():
                values.items()
        return dict(found)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"{LOCK} has no stages that can be read ({error!r}).") from None


def data_digests(stages: Mapping[str, Stage], locked: Mapping[str, Any]) -> dict[str, str]:
    """The digest of each data output, as the stage that made it has it in the lock."""
    return {
        out["path"]: out["md5"]
        for name, stage in stages.items()
        for out in locked.get(name, {}).get("outs", [])
        if stage.outs.get(out["path"]) is False
    }


def mismatches(commit: Commit, stages: Mapping[str, Stage], locked: Mapping[str, Any]) -> list[str]:
    """Where the lock and the commit disagree, a phrase each; none when every file and every stage fits."""
    data = data_digests(stages, locked)
    commit.fetch(path for stage in stages.values() for path in [*stage.deps, *stage.outs])
    found: list[str] = []
    other: dict[str, list[str]] = {}  # a file that many stages read is told once
    for name, stage in stages.items():
        ran = locked.get(name)
        if ran is None:
            found.append(f"{LOCK} does not have the stage {name}")
            continue
        read = {dep["path"]: dep["md5"] for dep in ran.get("deps", [])}
        made = {out["path"]: out["md5"] for out in ran.get("outs", [])}
        if ran.get("cmd") != stage.cmd:
            found.append(f"{name} ran as `{ran.get('cmd')}`")
        found += _only_one_side(f"{name} read", read, stage.deps)
        found += _only_one_side(f"{name} made", made, stage.outs)
        for path, md5 in read.items():
            if path in data and md5 != data[path]:
                found.append(f"{name} read another {path} than was made")
            elif path not in data and md5 != commit.md5(path):
                other.setdefault(path, []).append(name)
        found += [
            f"{path} is not what {name} made"
            for path, md5 in made.items()
            if path not in data and md5 != commit.md5(path)
        ]
    return [f"{path} is not what {', '.join(readers)} read" for path, readers in other.items()] + found


def other_params(commit: Commit, stages: Mapping[str, Stage], locked: Mapping[str, Any]) -> list[str]:
    """The parameters that a stage ran with and the commit does not have, a phrase each."""
    told = {file: commit.yaml(file) for file in {file for stage in stages.values() for file, _ in stage.params}}
    found: list[str] = []
    for name, stage in stages.items():
        ran = {
            (file, key): value
            for file, values in locked.get(name, {}).get("params", {}).items()
            for key, value in values.items()
        }
        found += _only_one_side(f"{name} ran with", [key for _, key in ran], [key for _, key in stage.params])
        found += [
            f"{key} in {file} is not what {name} ran with"
            for (file, key), value in ran.items()
            if (file, key) in stage.params and not is_same(value, _lookup(told[file], key))
        ]
    return found


def _lookup(values: Any, key: str) -> Any:
    """The value of a dotted key; None where there is none, which no parameter of a stage is."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def is_same(mine: Any, other: Any) -> bool:
    """Equal, and of the same types: 1 is neither 1.0 nor true."""
    return json.dumps(mine, sort_keys=True, default=str) == json.dumps(other, sort_keys=True, default=str)


def _only_one_side(what: str, here: Iterable[str], there: Iterable[str]) -> list[str]:
    ran, listed = set(here), set(there)
    found = [f"{what} {name}, which {PIPELINE} does not list" for name in sorted(ran - listed)]
    return found + [f"{PIPELINE} lists {name}, but {LOCK} does not say that {what} it" for name in sorted(listed - ran)]
