"""The champion: the model that serves, copied from the commit that its tag names."""

from __future__ import annotations

from dataclasses import dataclass

from flywheel import files, git
from flywheel.model.card import CONTRACT, DOES, card_with_version, read_champion
from flywheel.release import model_card
from flywheel.release.commits import Commit
from flywheel.release.tags import production, versions


@dataclass(frozen=True)
class Serving:
    """The model that serves: its version, and the texts of its files, with the version on the card, and its model card."""

    version: str
    texts: dict[str, str]


def read_serving(name: str) -> Serving | None:
    """The model that serves, read from its tag's commit; None if nothing serves. DataError when the commit has no whole one."""
    serving = production(name)
    if serving is None:
        return None
    commit, candidate = Commit(serving.commit), files.CANDIDATE.as_posix()
    commit.fetch([candidate])
    there = [*DOES, *([CONTRACT] if commit.has(f"{candidate}/{CONTRACT}") else [])]  # an older model has none
    texts = {file: git.text(commit.content(f"{candidate}/{file}")) for file in there}
    texts[model_card.NAME] = model_card.model_card(commit, name, serving.version)
    card = git.text(commit.content(f"{candidate}/card.json"))
    texts["card.json"] = card_with_version(card, serving.version)  # the last to be written: it vouches for the others
    return Serving(serving.version, texts)


def take_over_champion(name: str) -> str | None:
    """Copy the model that serves into `models/champion/`, versioned, and with a model card; None if nothing serves."""
    serving = read_serving(name)
    if serving is None:
        return None
    files.write_folder(files.CHAMPION, serving.texts)
    return serving.version


def follow_production(name: str) -> str | None:
    """Take over the model that serves if the tree's candidate was compared with another one; returns its version.

    If the candidate itself is what serves, the tree keeps the champion that it beat: there is nothing to compare.
    """
    serving = production(name)
    card = read_champion()
    if serving is None or (card is not None and card["version"] == serving.version):
        return None
    return None if _does_the_same(serving.commit) else take_over_champion(name)


def released_as(name: str) -> str | None:
    """The newest version of another commit that does what the tree's candidate does; None if the candidate is new."""
    head = git.run("rev-parse", "HEAD").strip()
    known = reversed(versions(name).items())
    return next((version for version, at in known if at != head and _does_the_same(at)), None)


def _does_the_same(commit: str) -> bool:
    """Whether a commit's candidate has the same trees and calibration as the one in this tree."""
    does = [str(files.CANDIDATE / file) for file in DOES]
    return git.succeeds("diff", "--quiet", commit, "--", *does)
