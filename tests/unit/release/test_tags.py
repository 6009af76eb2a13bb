"""What the tags say of versions and of production, and how they come to origin."""

from __future__ import annotations

from pathlib import Path

import pytest

from flywheel.errors import DataError, RemoteError
from flywheel.git import BOT
from flywheel.release import serve
from flywheel.release.champion import take_over_champion
from flywheel.release.tags import (
    is_annotated,
    may_fall_back,
    next_version,
    previous,
    production,
    production_before,
    publish_tags,
    versions,
)
from tests.unit.release.conftest import LOSS, NAME, commit, compose, git, retrain

pytestmark = pytest.mark.usefixtures("repository")


@pytest.fixture
def two_versions(repository: Path) -> None:
    """v0.2.0 and then v0.3.0, which serves."""
    serve.release(NAME, compose)
    retrain(LOSS, "worse\n", take_over_champion(NAME))
    commit()
    serve.release(NAME, compose, "it must")


def here() -> set[str]:
    return set(git("tag").split())


def test_an_automatic_rollback_wants_the_newest_version_and_one_before_it() -> None:
    """Before any release, and after the first one, there is nothing to go back to."""
    assert not may_fall_back(NAME)
    serve.release(NAME, compose)
    assert not may_fall_back(NAME)


@pytest.mark.usefixtures("two_versions")
def test_an_automatic_rollback_happens_once() -> None:
    """An alert that goes on does not move prod back day after day, although there is an older version."""
    git("tag", "-a", f"{NAME}@v0.1.0", "-m", "x", git("commit-tree", "HEAD^{tree}", "-m", "old"))
    assert may_fall_back(NAME)
    serve.rollback(NAME, None, "alerts")
    assert previous(NAME) == "v0.1.0"
    assert not may_fall_back(NAME)


def test_the_version_before_is_older_and_one_that_a_release_made() -> None:
    """A tag that is not annotated is passed over, and so is one of a version that is newer than what serves."""
    serve.release(NAME, compose)
    for version in ("v0.0.9", "v0.3.0"):
        git("tag", "-a", f"{NAME}@{version}", "-m", "x", git("commit-tree", "HEAD^{tree}", "-m", version))
    git("tag", f"{NAME}@v0.1.0", git("commit-tree", "HEAD^{tree}", "-m", "old"))
    assert previous(NAME) == "v0.0.9"


def test_where_nothing_serves_there_is_no_version_before() -> None:
    """Although there are versions: a release was interrupted before it came to prod."""
    serve.release(NAME, compose)
    git("tag", "--delete", f"{NAME}#prod#1")
    assert previous(NAME) is None


@pytest.mark.parametrize(
    ("tagged", "champion", "expected"),
    [
        ([], None, "v0.1.0"),
        ([], "v0.4.2", "v0.5.0"),
        (["v0.2.0"], None, "v0.3.0"),
        (["v0.2.0"], "v0.4.2", "v0.5.0"),
        (["v1.2.0"], "v0.4.2", "v1.3.0"),
    ],
)
def test_the_next_version_is_after_all_tags_and_the_champion(
    tagged: list[str], champion: str | None, expected: str
) -> None:
    """A champion can have a version that no tag here has, as in a clone without tags."""
    for version in tagged:
        git("tag", f"{NAME}@{version}")
    assert next_version(NAME, champion) == expected


def test_a_champion_with_a_version_of_another_form_is_refused() -> None:
    """No number comes after it."""
    with pytest.raises(DataError, match=r"the version 'newest' is not of the form v1\.2\.3"):
        next_version(NAME, "newest")


@pytest.mark.usefixtures("two_versions")
def test_what_served_before_a_tag_has_a_lower_number() -> None:
    """Not the same one, and the highest of them."""
    assert production_before(NAME, 1) is None
    before = production_before(NAME, 2)
    assert before is not None
    assert (before.number, before.version) == (1, "v0.2.0")
    serve.rollback(NAME, None, "x")
    before = production_before(NAME, 3)
    assert before is not None
    assert (before.number, before.version) == (2, "v0.3.0")


def test_a_prod_tag_without_a_version_says_what_to_fetch() -> None:
    """As in a clone that fetched some tags only."""
    serve.release(NAME, compose)
    git("tag", "--delete", f"{NAME}@v0.2.0")
    with pytest.raises(DataError, match=rf"{NAME}#prod#1 is on \w{{10}}, which has no version\. Fetch all tags"):
        production(NAME)


@pytest.mark.parametrize(
    "message",
    ["x", "v0.9.0 to prod: gate: pass, as of 2030-02-01", "rollback to v0.9.0: x", "rollback to v0.2.0: x"],
)
def test_a_prod_tag_that_names_no_version_of_its_commit_stands_for_the_one_there(message: str) -> None:
    """What it says cannot be true: v0.9.0 is nowhere, and v0.2.0 elsewhere."""
    serve.release(NAME, compose)
    commit("nothing new")
    git("tag", f"{NAME}@v0.3.0")
    git("tag", "-a", f"{NAME}#prod#2", "-m", message)
    assert production(NAME).version == "v0.3.0"  # type: ignore[union-attr]


@pytest.mark.parametrize(("of", "expected"), [("HEAD", True), ("HEAD^{tree}", False)])
def test_a_tag_of_anything_but_a_commit_is_not_taken_for_one_of_a_release(of: str, expected: bool) -> None:
    """A tree alone is on no branch."""
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01", of)
    assert is_annotated(NAME, "v0.2.0") is expected


@pytest.mark.parametrize(
    ("env", "config", "signs"),
    [
        (None, None, "flywheel@users.noreply.github.com"),
        ("env@example.com", None, "env@example.com"),
        (None, "config@example.com", "config@example.com"),
    ],
)
def test_a_tag_is_signed_by_who_releases_and_else_by_the_loop(
    env: str | None, config: str | None, signs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workflow has no user, neither in its environment nor in Git's settings."""
    for name in BOT:
        monkeypatch.delenv(name)
    if env:
        monkeypatch.setenv("GIT_COMMITTER_NAME", "somebody")
        monkeypatch.setenv("GIT_COMMITTER_EMAIL", env)
    if config:
        git("config", "user.name", "somebody")
        git("config", "user.email", config)
    serve.release(NAME, compose)
    assert set(git("tag", "--format=%(taggeremail)").split()) == {f"<{signs}>"}


@pytest.fixture
def origin(repository: Path, tmp_path: Path) -> None:
    """A remote with the branch main."""
    git("init", "--quiet", "--bare", "--initial-branch", "main", str(tmp_path / "origin.git"))
    git("remote", "add", "origin", str(tmp_path / "origin.git"))
    git("push", "--quiet", "origin", "main")


@pytest.mark.usefixtures("origin")
def test_without_a_prod_tag_there_is_nothing_to_push() -> None:
    """It says how one is made."""
    with pytest.raises(DataError, match=r"no prod tag to push.*flywheel release"):
        publish_tags(NAME)


@pytest.mark.usefixtures("origin")
def test_where_somebody_released_in_the_meantime_our_release_is_taken_back() -> None:
    """Both tags, also the one that origin does not have: the command can be given again."""
    serve.release(NAME, compose)
    git("push", "--quiet", "origin", f"{NAME}@v0.2.0:refs/tags/{NAME}#prod#1")
    with pytest.raises(RemoteError, match="somebody released in the meantime"):
        publish_tags(NAME)
    assert here() == set()


@pytest.mark.usefixtures("two_versions", "origin")
def test_of_a_rollback_that_came_too_late_only_the_prod_tag_is_taken_back() -> None:
    """The version that it goes back to is at origin as it is here."""
    git("push", "--quiet", "origin", f"{NAME}@v0.2.0", f"{NAME}@v0.3.0:refs/tags/{NAME}#prod#3")
    serve.rollback(NAME, None, "x")
    with pytest.raises(RemoteError, match=f"{NAME}@v0.2.0 or {NAME}#prod#3"):
        publish_tags(NAME)
    assert here() == {f"{NAME}@v0.2.0", f"{NAME}@v0.3.0", f"{NAME}#prod#1", f"{NAME}#prod#2"}
    assert list(versions(NAME)) == ["v0.2.0", "v0.3.0"]
