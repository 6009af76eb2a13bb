"""The chain behind a release, from what the tags say down to the days of feedback; each link is checked.

It reads Git alone. The links below the tags are the ones that `flywheel release` checks before it makes them.
"""

from __future__ import annotations

import datetime as dt

from flywheel.errors import ConfigError
from flywheel.release.commits import Commit
from flywheel.release.links import Compose, Link, links
from flywheel.release.messages import Said, parse, parse_prod
from flywheel.release.tags import prod_number, production, production_before, read_tags, versions


def audit(name: str, version: str | None, compose: Compose) -> list[Link]:
    """The chain of a version (the one that serves, by default), link by link. ConfigError when there is no such version."""
    known = versions(name)
    serving = production(name)
    version = version or (serving.version if serving else None)
    if version not in known:
        said = f"found {version!r}; " if version else ""
        raise ConfigError(f"{said}released versions: {', '.join(known) or 'none'}.")
    link, said_by_tag, numbers = release_link(name, version)
    if said_by_tag is None:  # without a message the other links have nothing to be compared with
        return [link]
    before = production_before(name, min(numbers)) if numbers else None
    released_on = read_tags(name)[f"{name}@{version}"].made_on
    on = released_on or dt.date.max  # a tag that nobody signed with a day: no acceptance holds
    return [link, *links(Commit(known[version]), name, said_by_tag, before, compose, on)]


def release_link(name: str, version: str) -> tuple[Link, Said | None, list[int]]:
    """Whether the tags of a version are as releases and rollbacks make them; what it says, and its `prod` numbers."""
    there = read_tags(name)
    mine = there[f"{name}@{version}"]
    said = parse(mine.message) if mine.is_annotated else None
    on_it = {
        number: tag for tag, one in there.items() if one.commit == mine.commit and (number := prod_number(name, tag))
    }
    problems = []
    if not mine.is_annotated:
        problems.append(f"{mine.name} is no annotated tag, so no release made it")
    elif said is None or said.version != version:
        problems.append(f"{mine.name} says {mine.message!r}, which no release writes")
    for tag in on_it.values():
        prod = parse_prod(there[tag].message) if there[tag].is_annotated else None
        if prod not in (said, version):
            problems.append(
                f"{tag} says {there[tag].message!r}, which neither a release nor a rollback of {version} writes"
            )
    served = f"served as prod #{', #'.join(str(number) for number in sorted(on_it))}" if on_it else "never served"
    found = "; ".join(problems) or f"{mine.name} on {mine.commit[:10]}, {served} ({mine.message})"
    return Link("release", found, not problems), said if not problems else None, sorted(on_it)
