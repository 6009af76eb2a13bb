"""Where a released model comes from, and the commands that make it again bit for bit. It reads Git alone, and checks nothing:
whether what a commit says of itself is true is for `flywheel audit`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flywheel import files, git
from flywheel.errors import ConfigError, FlywheelError
from flywheel.model.card import DOES, identity_of, read_champion
from flywheel.params import noted
from flywheel.release import derivation
from flywheel.release.commits import Commit
from flywheel.release.model_card import CANDIDATE, Told, told_by
from flywheel.release.tags import production, versions

RECIPE = ("label", "features", "windows", "train", "model")  # the sections of params.yaml that decide a fit
LIBRARIES = "uv.lock"


@dataclass(frozen=True)
class Provenance:
    """What is known of a model, as (what, value) rows, and the commands that make it again, a line each."""

    rows: list[tuple[str, str]]
    commands: list[str]


def explain(name: str, version: str | None = None) -> Provenance:
    """Where a version (the one that serves, by default) comes from. ConfigError when there is no such version.

    What the commit does not say, or says in another shape, is a row that says so.
    """
    known, serving = versions(name), production(name)
    asked = version or (serving.version if serving else None)
    if asked is None or asked not in known:
        card = read_champion()
        untagged = (
            f" The champion in this tree is {card['version'] or 'without a version'}, and no tag says which commit made it."
            if card and card["version"] not in known
            else ""
        )
        found = f"found {asked!r}; " if asked else "nothing serves yet; "
        raise ConfigError(f"{found}released versions: {', '.join(known) or 'none'}.{untagged}")
    commit = Commit(known[asked])
    told = told_by(commit, name, asked)
    return Provenance(
        [*_model(commit, told), *_recipe(commit), *_data(commit), *_decision(told)], _commands(commit, told)
    )


def _model(commit: Commit, told: Told) -> list[tuple[str, str]]:
    card = told.card
    tagged = git.run(
        "tag", "--list", f"{told.name}@{told.version}", "--format=%(taggername) on %(taggerdate:short)"
    ).strip()
    identity = identity_of({file: commit.content(f"{CANDIDATE}/{file}") for file in DOES})
    libraries = ", ".join(f"{name} {version}" for name, version in card.get("libraries", {}).items())
    pinned = f"{LIBRARIES} {commit.md5(LIBRARIES)}" if commit.has(LIBRARIES) else f"no {LIBRARIES}"
    return [
        ("model", f"{told.name} {told.version}, {identity}"),
        ("released by", tagged if tagged != "on" else "its tag is not annotated, so it says nothing"),
        ("code", f"{commit.sha}: {git.run('show', '--no-patch', '--format=%s', commit.sha).strip()}"),
        ("trained as of", f"{card['as_of']}, with labels known before {card['labels_known_before']}"),
        ("training window", " to ".join(card["training_window"])),
        ("libraries", "; ".join(filter(None, [libraries, pinned]))),
        ("contract", told.contract["version"] if told.contract else "none"),
    ]


def _recipe(commit: Commit) -> list[tuple[str, str]]:
    """The sections of `params.yaml` that decide a fit, each on a line."""
    try:
        found = commit.yaml(derivation.PARAMS)
    except FlywheelError as error:
        return [("recipe", f"not known: {error}")]
    sections: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
    return [(f"recipe: {name}", _in_short(sections[name])) for name in RECIPE if name in sections]


def _in_short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str).removeprefix("{").removesuffix("}").replace('"', "")


def _data(commit: Commit) -> list[tuple[str, str]]:
    """The digest of all that the run made and Git does not keep, from `dvc.lock`."""
    try:
        stages = derivation.stages_at(commit)
        found = derivation.data_digests(stages, derivation.locked_stages(commit.yaml(derivation.LOCK)))
    except FlywheelError as error:
        return [("data", f"not known: {error}")]
    return [(f"data: {path}", md5) for path, md5 in found.items()]


def _decision(told: Told) -> list[tuple[str, str]]:
    decision, said, agreed = told.decision, told.said, told.acceptance
    rows = []
    if decision:
        other = decision["champion"] or decision["reference"].replace("_", " ")
        rows.append(("decision", f"{decision['verdict']} as of {decision['as_of']}, against {other}"))
    if said is not None and said.how == "forced":
        rows.append(("forced", said.why or ""))
    elif agreed:
        who = f"by {agreed.name}, up to {agreed.expires}" if agreed.name else "by nobody who is named"
        rows.append(("accepted", f"{who}: {agreed.why}"))
    else:
        rows.append(("accepted", "no acceptance"))
    return rows + [("not known", one) for one in told.unread]


def _commands(commit: Commit, told: Told) -> list[str]:
    """The commands in a shell, from the root of this repository: the last one fails unless every byte is the same.

    A worktree has no data, so the days are collected from the source again, and every stage runs.
    """
    try:
        overrides = noted(git.text(commit.content(derivation.PARAMS)))
    except FlywheelError:  # a broken note: the run says so
        overrides = ()
    folder = f"../{told.name}-{told.version}"
    return [
        f"git worktree add --detach {folder} {commit.sha}",
        f"cd {folder}",
        "make setup",
        shlex.join([".venv/bin/flywheel", "run", *overrides]),
        f"git diff --exit-code {commit.sha} -- {files.CANDIDATE.as_posix()} {derivation.LOCK}",
    ]
