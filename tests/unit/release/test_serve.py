"""Releasing and rolling back: what is let through, what is refused with which exit code, and what the tags say."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

from flywheel.errors import ConfigError, DataError, GateFailed
from flywheel.evaluation.evidence import read_decision
from flywheel.params import from_yaml
from flywheel.release import links, serve
from flywheel.release.acceptance import OLDER, accept, path_of
from flywheel.release.audit import audit
from flywheel.release.champion import take_over_champion
from flywheel.release.tags import production, versions
from tests.unit.release.conftest import (
    LOSS,
    NAME,
    UNCLEAR,
    commit,
    compose,
    decide_now,
    edit,
    git,
    retrain,
    run_pipeline,
    write,
)

pytestmark = pytest.mark.usefixtures("repository")
TODAY = dt.datetime.now(dt.UTC).date()  # tags carry the day on which they are made


def message(tag: str) -> str:
    return git("tag", "--list", "--format=%(contents)", tag).strip()


def is_whole(version: str) -> bool:
    return all(link.holds for link in audit(NAME, version, compose))


def test_what_the_gate_does_not_pass_is_not_released() -> None:
    """GateFailed with every rule that is open, and no tag."""
    retrain(LOSS)
    commit()
    with pytest.raises(GateFailed, match=r"the gate says fail(.|\n)*AUC not worse") as refused:
        serve.release(NAME, compose)
    assert "enough evidence" not in str(refused.value)
    assert git("tag") == ""


def test_what_only_warns_is_not_named_among_what_is_in_the_way() -> None:
    """A refresh that harms, and loses utility too: the first keeps the gate closed, the second is only said."""
    retrain(LOSS)
    edit("reports/metrics.json", lambda found: found["about"].update(kind="refresh"))
    decide_now()
    run_pipeline()
    commit()
    with pytest.raises(GateFailed, match="log loss not worse: ") as refused:
        serve.release(NAME, compose)
    assert "tility" not in str(refused.value)


def test_a_forced_release_carries_its_reason() -> None:
    """On one line, in both tags, in any script; the audit finds it whole."""
    retrain(LOSS)
    commit()
    serve.release(NAME, compose, " größer \n 日本  🛫 ")
    said = "gate: fail, as of 2030-02-01; forced: größer 日本 🛫"
    assert message(f"{NAME}@v0.2.0") == f"v0.2.0: {said}"
    assert message(f"{NAME}#prod#1") == f"v0.2.0 to prod: {said}"
    assert is_whole("v0.2.0")


def test_a_reason_to_force_what_passes_is_not_noted() -> None:
    """Who reads the tag would think that the gate was closed. Whoever gave the reason is told."""
    said: list[str] = []
    serve.release(NAME, compose, "just in case", said.append)
    assert message(f"{NAME}@v0.2.0") == "v0.2.0: gate: pass, as of 2030-02-01"
    assert said == ["forced    it was not needed: the gate was open, so the reason is not in the tag (just in case)"]


def test_a_reason_that_was_needed_is_not_told_to_be_superfluous() -> None:
    """It is in the tag, so whoever gave it hears nothing more of it."""
    retrain(LOSS)
    commit()
    said: list[str] = []
    serve.release(NAME, compose, "it must", said.append)
    assert said == []


def test_an_accepted_release_carries_its_reason() -> None:
    """The file of the acceptance is committed; a reason to force is not needed, and not noted."""
    retrain(UNCLEAR)
    accept(read_decision(), "cheaper to serve", "Ada", TODAY)
    commit()
    serve.release(NAME, compose, "just in case")
    assert message(f"{NAME}@v0.2.0") == "v0.2.0: gate: inconclusive, as of 2030-02-01; accepted: cheaper to serve"
    assert is_whole("v0.2.0")


def test_an_inconclusive_candidate_is_not_released_by_itself() -> None:
    """It needs an acceptance or a reason."""
    retrain(UNCLEAR)
    commit()
    with pytest.raises(GateFailed, match="inconclusive"):
        serve.release(NAME, compose)


def test_an_acceptance_that_was_taken_back_or_damaged_is_seen() -> None:
    """The reason in the tag must be the one in the file of the commit."""
    retrain(UNCLEAR)
    accept(read_decision(), "cheaper", "Ada", TODAY)
    path = path_of(read_decision())
    commit()
    for text, found in (
        (path.read_text().replace("cheaper", "faster"), "accepted: cheaper"),
        ("why: [", "is not YAML"),
        (None, "accepted"),
    ):
        write(str(path), text) if text else path.unlink()
        commit()
        git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: inconclusive, as of 2030-02-01; accepted: cheaper")
        [link] = [link for link in audit(NAME, "v0.2.0", compose) if not link.holds]
        assert link.name == "gate"
        assert found in link.found
        git("tag", "--delete", f"{NAME}@v0.2.0")


def test_an_acceptance_that_expired_or_was_superseded_releases_nothing() -> None:
    """The error says which; on its last day the same acceptance does."""
    retrain(UNCLEAR)
    accept(read_decision(), "cheaper", "Ada", TODAY)
    commit()
    last = TODAY + dt.timedelta(days=30)
    with pytest.raises(GateFailed, match=rf"by Ada, expired on {last}, before"):
        serve.release(NAME, compose, today=last + dt.timedelta(days=1))
    retrain((-9.0, 9.0))
    commit()
    with pytest.raises(GateFailed, match="is superseded: it accepts another decision"):
        serve.release(NAME, compose, today=TODAY)
    retrain(UNCLEAR)
    commit()
    assert serve.release(NAME, compose, today=last) == "v0.2.0"


def test_an_audit_asks_whether_the_acceptance_held_when_the_tag_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later it has expired, and the release stays whole; a tag of a day after its last one was never let through."""
    retrain(UNCLEAR)
    long_ago = dt.date(2029, 1, 1)
    accept(read_decision(), "cheaper", "Ada", long_ago)
    commit()
    said = "v0.2.0: gate: inconclusive, as of 2030-02-01; accepted: cheaper"
    for day, holds in (("2029-01-31", True), ("2029-02-01", False)):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{day}T12:00:00+00:00")
        git("tag", "-f", "-a", f"{NAME}@v0.2.0", "-m", said)
        [link] = [link for link in audit(NAME, "v0.2.0", compose) if link.name == "gate"]
        assert holds == link.holds
        assert holds != ("expired on 2029-01-31, before 2029-02-01" in link.found)


def test_an_acceptance_of_an_earlier_version_is_whole_in_the_audit_of_its_release(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer flywheel audits it; of a commit with its own code, it would be an acceptance without name and day."""
    retrain(UNCLEAR)
    path = accept(read_decision(), "cheaper", "Ada", TODAY)
    found = from_yaml(path.read_text())
    write(str(path), {key: found[key] for key in OLDER})
    commit()
    with pytest.raises(GateFailed, match="has no name and no expiry date"):
        serve.release(NAME, compose)
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: inconclusive, as of 2030-02-01; accepted: cheaper")
    assert not is_whole("v0.2.0")
    shutil.copytree(template / "src/flywheel", tmp_path / "newer")
    (tmp_path / "newer/evaluation/gate.py").write_text("another gate\n")
    monkeypatch.setattr(links, "HERE", tmp_path / "newer")
    assert is_whole("v0.2.0")


@pytest.mark.parametrize("why", ["", " ", "\n", "a\x1b[2Jb", "\udcff"])
def test_a_reason_that_nobody_can_read_is_none(why: str) -> None:
    """ConfigError that names the option, before anything is tagged."""
    with pytest.raises(ConfigError, match="--force"):
        serve.release(NAME, compose, why)
    with pytest.raises(ConfigError, match="--why"):
        serve.rollback(NAME, None, why)
    with pytest.raises(ConfigError, match="--why"):
        accept(read_decision(), why, "Ada", TODAY)
    assert git("tag") == ""


def test_a_reason_that_the_locale_could_not_decode_is_read_as_utf8() -> None:
    """As it arrives where LC_ALL=C and Python's UTF-8 mode is off."""
    retrain(LOSS)
    commit()
    serve.release(NAME, compose, "größer".encode().decode("ascii", "surrogateescape"))
    assert message(f"{NAME}@v0.2.0").endswith("forced: größer")


def test_a_tree_with_changes_is_not_released() -> None:
    """The tag would name a commit that is not what was measured."""
    write("notes.txt", "x\n")
    with pytest.raises(DataError, match=r"uncommitted(.|\n)*notes\.txt"):
        serve.release(NAME, compose)
    assert git("tag") == ""


def test_a_commit_is_released_once() -> None:
    """The second time says as what."""
    serve.release(NAME, compose)
    with pytest.raises(DataError, match=r"already released, as v0\.2\.0"):
        serve.release(NAME, compose)


def test_a_candidate_compared_with_another_champion_is_not_released() -> None:
    """After a release, a decision against the champion before it is out of date."""
    serve.release(NAME, compose)
    commit("nothing new")
    with pytest.raises(DataError, match=r"compared with v0\.1\.0, but v0\.2\.0 served.*flywheel tick"):
        serve.release(NAME, compose)


def test_a_release_that_was_interrupted_between_its_tags_is_finished() -> None:
    """The version is kept, and prod gets the words of its tag."""
    retrain(LOSS)
    commit()
    serve.release(NAME, compose, "the feed was down")
    git("tag", "--delete", f"{NAME}#prod#1")
    assert serve.release(NAME, compose) == "v0.2.0"
    assert message(f"{NAME}#prod#1").endswith("forced: the feed was down")
    assert is_whole("v0.2.0")


def test_an_interrupted_release_is_finished_also_where_an_older_version_serves() -> None:
    """The version before is no sign that this commit was released whole."""
    serve.release(NAME, compose)
    retrain(LOSS, "worse\n", take_over_champion(NAME))
    commit()
    serve.release(NAME, compose, "it must")
    git("tag", "--delete", f"{NAME}#prod#2")
    assert serve.release(NAME, compose) == "v0.3.0"
    assert message(f"{NAME}#prod#2").endswith("forced: it must")


def test_a_release_without_a_reason_says_nothing_of_one() -> None:
    """Only who gave a reason is told that it was not needed."""
    said: list[str] = []
    serve.release(NAME, compose, note=said.append)
    assert said == []


def test_a_version_tag_made_by_hand_is_not_taken_for_an_interrupted_release() -> None:
    """It would get its prod tag, and the audit would reject it."""
    git("tag", f"{NAME}@v0.2.0")
    with pytest.raises(DataError, match=f"{NAME}@v0.2.0 is no annotated tag"):
        serve.release(NAME, compose)
    assert production(NAME) is None


def test_a_version_tag_that_lies_about_the_gate_is_not_taken_for_an_interrupted_release() -> None:
    """It is annotated, and has the words of a release; but the decision is a fail."""
    retrain(LOSS)
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    with pytest.raises(DataError, match="gate: the tag says pass"):
        serve.release(NAME, compose)
    assert production(NAME) is None


def test_a_tree_that_is_read_only_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Git's folder cannot be written: which tag could not be made, and why."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", ".git/refs/tags/x")

    import gto.api

    monkeypatch.setattr(gto.api, "register", refuse)
    with pytest.raises(DataError, match=r"could not be tagged.*Permission denied"):
        serve.release(NAME, compose)


def test_a_rollback_moves_prod_and_says_why() -> None:
    """To the version before, or to the one that is named; each is a new number."""
    serve.release(NAME, compose)
    retrain(LOSS, "worse\n", take_over_champion(NAME))
    commit()
    serve.release(NAME, compose, "it must")
    assert serve.rollback(NAME, None, "alerts doubled") == ("v0.3.0", "v0.2.0")
    assert message(f"{NAME}#prod#3") == "rollback to v0.2.0: alerts doubled"
    assert serve.rollback(NAME, "v0.3.0", "it was the feed") == ("v0.2.0", "v0.3.0")
    found = production(NAME)
    assert found is not None
    assert (found.number, found.version, found.commit) == (4, "v0.3.0", versions(NAME)["v0.3.0"])


def test_a_version_can_be_named_where_nothing_serves_yet() -> None:
    """The release was interrupted before it came to prod."""
    serve.release(NAME, compose)
    git("tag", "--delete", f"{NAME}#prod#1")
    assert serve.rollback(NAME, "v0.2.0", "x") == ("nothing", "v0.2.0")
    assert production(NAME).version == "v0.2.0"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("v9.9.9", r"--to: found 'v9.9.9'; released versions: v0.2.0"),
        ("v0.2.0", "already serves"),
        (None, "no version before"),
    ],
)
def test_a_rollback_to_nothing_is_refused(to: str | None, said: str) -> None:
    """ConfigError that says what is allowed."""
    serve.release(NAME, compose)
    with pytest.raises(ConfigError, match=said):
        serve.rollback(NAME, to, "x")
    assert len(git("tag").split()) == 2


@pytest.mark.parametrize("to", [None, "v0.1.0"])
def test_before_the_first_release_a_rollback_says_how_versions_come_about(to: str | None) -> None:
    """Also for the version that the champion of the template has on its card: no tag names it."""
    with pytest.raises(ConfigError, match=r"nothing was released yet.*git fetch --tags.*flywheel release"):
        serve.rollback(NAME, to, "x")


def test_a_tag_put_on_the_commit_by_hand_neither_serves_nor_is_gone_back_to() -> None:
    """`git tag` of a higher version on the commit that serves: prod says itself which version it is."""
    serve.release(NAME, compose)
    git("tag", f"{NAME}@v0.9.0")
    assert production(NAME).version == "v0.2.0"
    with pytest.raises(DataError, match=r"already released, as v0\.2\.0"):
        serve.release(NAME, compose)
    with pytest.raises(ConfigError, match=r"the tag of v0\.9\.0 is not annotated"):
        serve.rollback(NAME, "v0.9.0", "why")


def test_a_tag_of_another_form_is_no_version() -> None:
    """Nor one of another model whose name begins alike."""
    serve.release(NAME, compose)
    for tag in (f"{NAME}@latest", f"{NAME}@v1.0", f"{NAME}-2@v9.0.0", f"{NAME}#stage#7", f"{NAME}@v0.2.0!"):
        git("tag", "-a", "-m", "x", tag)
    assert list(versions(NAME)) == ["v0.2.0"]
    assert production(NAME).number == 1  # type: ignore[union-attr]


def test_the_next_version_follows_numbers_not_letters() -> None:
    """v0.10.0 is newer than v0.9.0."""
    for version in ("v0.9.0", "v0.10.0"):
        git("tag", "-a", f"{NAME}@{version}", "-m", "x", git("commit-tree", "HEAD^{tree}", "-m", version))
    assert list(versions(NAME)) == ["v0.9.0", "v0.10.0"]
    assert serve.release(NAME, compose) == "v0.11.0"


def test_the_champion_is_taken_over_byte_for_byte() -> None:
    """Also its line ends; only the version on its card is new."""
    retrain(trees="tree\r\nleaf\r\n")
    commit()
    serve.release(NAME, compose)
    before = json.loads(Path("models/candidate/card.json").read_text())
    assert take_over_champion(NAME) == "v0.2.0"
    assert Path("models/champion/model.txt").read_bytes() == b"tree\r\nleaf\r\n"
    assert json.loads(Path("models/champion/card.json").read_text()) == before | {"version": "v0.2.0"}


@pytest.mark.parametrize("card", ["[]", "{", "{}"])
def test_a_card_that_is_none_is_not_taken_over(card: str) -> None:
    """DataError, and the champion in the tree stays."""
    write("models/candidate/card.json", card)
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "x")
    git("tag", "-a", f"{NAME}#prod#1", "-m", "x")
    with pytest.raises(DataError, match=r"card\.json"):
        take_over_champion(NAME)
    assert git("status", "--porcelain") == ""
