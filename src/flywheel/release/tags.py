"""Releases are Git tags, made with GTO: `NAME@v0.2.0` names a version, `NAME#prod#2` says which version serves.

Nothing here commits. The newest `prod` tag is the truth about production.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from typing import Any

from flywheel import git, origin
from flywheel.errors import DataError, RemoteError
from flywheel.release.messages import Said, parse_prod

VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Tag:
    """A tag of a model: whether it is annotated, its commit, the first paragraph of its message, and the day it was made."""

    name: str
    is_annotated: bool
    commit: str
    message: str
    made_on: dt.date | None


@dataclass(frozen=True)
class Production:
    """What the newest `prod` tag says: its number, the version that serves, and the commit that trained it."""

    number: int
    version: str
    commit: str


def tags(name: str) -> dict[str, str]:
    """All tags of a model with the commit that each points to."""
    return {tag: one.commit for tag, one in read_tags(name).items()}


def read_tags(name: str) -> dict[str, Tag]:
    """All tags of a model with what they say, by their names."""
    # Only an annotated tag points to another object, which `*` stands for.
    fields = ("refname:strip=2", "*objecttype", "*objectname", "objectname", "taggerdate:unix", "contents:subject")
    listed = git.run("for-each-ref", "refs/tags", f"--format={'%00'.join(f'%({field})' for field in fields)}")
    found = {}
    for line in listed.split("\n"):
        if line.startswith((f"{name}@", f"{name}#")):
            tag, target, inner, outer, made, message = line.split("\0")
            made_on = dt.datetime.fromtimestamp(int(made), dt.UTC).date() if made else None  # only annotated ones say
            found[tag] = Tag(tag, target == "commit", inner or outer, message, made_on)
    return found


def production_before(name: str, number: int) -> Production | None:
    """What served before a `prod` tag with this number; None where nothing did."""
    return _production(name, number)


def versions(name: str) -> dict[str, str]:
    """Released versions, oldest number first, with their commits."""
    found = {tag.removeprefix(f"{name}@"): commit for tag, commit in tags(name).items()}
    return dict(sorted((item for item in found.items() if VERSION.fullmatch(item[0])), key=lambda item: _key(item[0])))


def is_annotated(name: str, version: str) -> bool:
    """Whether a version's tag is annotated, as a release makes it; anybody's `git tag` is not."""
    return read_tags(name)[f"{name}@{version}"].is_annotated


def production(name: str) -> Production | None:
    """What serves now; None if nothing was ever assigned to `prod`."""
    return _production(name, None)


def prod_number(name: str, tag: str) -> int | None:
    """The number of a `prod` tag; None for another tag."""
    match = re.fullmatch(re.escape(name) + r"#prod#(\d+)", tag)
    return int(match[1]) if match else None


def _production(name: str, before: int | None) -> Production | None:
    numbered = {
        number: commit
        for tag, commit in tags(name).items()
        if (number := prod_number(name, tag)) is not None and (before is None or number < before)
    }
    if not numbered:
        return None
    number = max(numbered)
    at_commit = [version for version, commit in versions(name).items() if commit == numbered[number]]
    if not at_commit:
        raise DataError(
            f"the tag {name}#prod#{number} is on {numbered[number][:10]}, which has no version. Fetch all tags."
        )
    # The tag says itself which one; a version that was put on the same commit later, by whomever, does not serve.
    said = parse_prod(read_tags(name)[f"{name}#prod#{number}"].message)
    version = said.version if isinstance(said, Said) else said
    return Production(number, version if version in at_commit else at_commit[-1], numbered[number])


def next_version(name: str, champion_version: str | None) -> str:
    """The next minor version after all released ones and the champion in the tree; v0.1.0 if there are none."""
    known = [*versions(name), *([champion_version] if champion_version else [])]
    if not known:
        return "v0.1.0"
    major, minor, _ = max(_key(version) for version in known)
    return f"v{major}.{minor + 1}.0"


def previous(name: str) -> str | None:
    """The version before the one that serves; None if there is none."""
    serving = production(name)
    older = [
        version
        for version in versions(name)
        if serving and _key(version) < _key(serving.version) and is_annotated(name, version)
    ]
    return older[-1] if older else None


def publish_tags(name: str) -> list[str]:
    """Push the newest version tag and `prod` tag to `origin`, both or neither; returns them.

    If `origin` has other tags of these names, ours are deleted, so the command can be given again.
    """
    serving = production(name)
    if serving is None:
        raise DataError("there is no prod tag to push. Make one with: flywheel release")
    mine = [f"{name}@{serving.version}", f"{name}#prod#{serving.number}"]
    before = origin.refs(f"refs/tags/{name}*")
    try:
        origin.push(*(f"refs/tags/{tag}" for tag in mine))
    except origin.Rejected as error:
        for tag in mine:
            if (
                f"refs/tags/{tag}" not in before
                or before[f"refs/tags/{tag}"] != git.run("rev-parse", f"refs/tags/{tag}").strip()
            ):
                git.run("tag", "--delete", tag)
        raise RemoteError(
            f"origin has another {' or '.join(mine)}: somebody released in the meantime. "
            "Ours are deleted; fetch the tags and run again."
        ) from error
    return mine


def may_fall_back(name: str) -> bool:
    """Whether an automatic rollback makes sense: the newest version serves, and there is one before it.

    After a rollback an older version serves, so an alert that continues does not move `prod` back day after day.
    """
    serving = production(name)
    return serving is not None and serving.version == list(versions(name))[-1] and previous(name) is not None


def _key(version: str) -> tuple[int, int, int]:
    match = VERSION.fullmatch(version)
    if match is None:
        raise DataError(f"the version {version!r} is not of the form v1.2.3.")
    return int(match[1]), int(match[2]), int(match[3])


def make_tag(action: str, **arguments: Any) -> None:
    """Make a tag with GTO: `action` is register or assign. DataError when it refuses."""
    import gto.api
    from gto.exceptions import GTOException
    from scmrepo.exceptions import SCMError

    # Where Git has no user, as in a workflow, the loop itself signs the tag.
    known = os.environ.get("GIT_COMMITTER_EMAIL") or git.run("config", "--default", "", "user.email").strip()
    if not known:
        arguments |= {"author": git.BOT["GIT_COMMITTER_NAME"], "author_email": git.BOT["GIT_COMMITTER_EMAIL"]}
    try:
        getattr(gto.api, action)(".", **arguments)
    except (GTOException, SCMError, OSError) as error:
        told = " ".join(str(error).split())
        raise DataError(f"{arguments['version']} could not be tagged ({action}): {told}") from None
