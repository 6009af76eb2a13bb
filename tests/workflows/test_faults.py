"""What goes wrong at GitHub or at origin: retried where that is safe, else one sentence and a failing exit; nothing is lost."""

from __future__ import annotations

import json

import pytest

from tests.workflows.conftest import Actions

pytestmark = pytest.mark.slow

COMMENTS = r"/issues/\d+/comments"


def review(actions: Actions, number: int, token: str = "workflow") -> tuple[int, str, str]:  # noqa: S107
    """Run `flywheel review` as the workflow does: exit code, what was printed, and the summary of the job."""
    event, summary = actions.folder / "event.json", actions.folder / "summary.md"
    event.write_text(json.dumps(actions.pull_event(number)))
    summary.write_text("")
    told = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event), "GITHUB_STEP_SUMMARY": str(summary)}
    done = actions.work.flywheel("review", check=False, GITHUB_TOKEN=token, **told)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr, summary.read_text()


@pytest.fixture
def pull(actions: Actions) -> int:
    """A pull request whose results are committed."""
    (actions.work.path / "README.md").write_text("changed")
    actions.push("docs")
    return actions.open_pull("docs")


def test_without_comments_the_status_and_the_summary_are_there(actions: Actions, pull: int) -> None:
    """The status is set before the comment, so that a comment that cannot be posted does not close the gate for ever."""
    actions.github.fail_next("GET", COMMENTS, 502, times=9)
    code, said, summary = review(actions, pull)
    assert code == 5
    assert "GitHub did not answer GET" in said
    assert "Gate: pass" in summary
    assert actions.github.status_of(actions.sha("refs/heads/docs")) == {"flywheel/gate": "success"}


@pytest.mark.parametrize("fault", [(429, {"retry_after": "1"}), (503, {}), (0, {})])
def test_a_status_is_set_again_after_a_limit_or_an_error(actions: Actions, pull: int, fault: tuple[int, dict]) -> None:
    """Setting a status twice is setting it once, so it is safe to try again."""
    actions.github.fail_next("POST", "/statuses/", fault[0], **fault[1])
    code, said, _ = review(actions, pull)
    assert code == 0, said
    assert len(actions.github.statuses) == 1


def test_an_expired_token_is_one_sentence(actions: Actions, pull: int) -> None:
    """Exit 2, the report is in the summary, and the token is not in what is printed."""
    code, said, summary = review(actions, pull, token="s3cret")
    assert code == 2
    assert "wrong or expired" in said
    assert "s3cret" not in said
    assert "s3cret" not in summary


def test_a_missing_right_names_the_setting(actions: Actions, pull: int) -> None:
    """A token that may not set statuses: which right it lacks."""
    actions.github.tokens["workflow"].remove("statuses")
    code, said, _ = review(actions, pull)
    assert code == 2
    assert "'statuses: write'" in said


def test_a_pull_request_that_was_closed_meanwhile_gets_nothing(actions: Actions, pull: int) -> None:
    """Neither a push nor a status nor a comment."""
    actions.github.pulls[pull]["state"] = "closed"
    actions.github.pulls[pull]["head"]["sha"] = actions.sha("refs/heads/docs")
    code, said, _ = review(actions, pull)
    assert code == 3
    assert "was closed in the meantime" in said
    assert actions.github.statuses == []
    assert actions.github.comments == {}


def test_a_branch_that_moved_on_meanwhile_is_not_overwritten(actions: Actions, pull: int) -> None:
    """The results of an older commit are not pushed over a newer one."""
    other = actions.folder / "other"
    actions.work.git("clone", "-q", "-b", "docs", str(actions.origin), str(other))
    actions.work.run("git", "-C", str(other), "commit", "-q", "--allow-empty", "-m", "newer")
    actions.work.run("git", "-C", str(other), "push", "-q", "origin", "docs")
    newer = actions.sha("refs/heads/docs")
    (actions.work.path / "reports/report.md").write_text("other results")
    code, said, _ = review(actions, pull)
    assert code == 5  # a new run of the job begins with the newer commit
    assert "origin has something else" in said
    assert actions.sha("refs/heads/docs") == newer
    assert actions.github.statuses == []


def test_a_tag_that_exists_at_origin_is_kept(actions: Actions) -> None:
    """Somebody released the same version in the meantime: nothing is pushed or published, and the error names the tag."""
    theirs = actions.sha("refs/heads/main~1")
    actions.work.flywheel("release")
    actions.github.git("tag", "parcel-delay@v0.2.0", theirs)
    done = actions.work.flywheel("release", "--publish", check=False)
    assert done.returncode == 3
    assert "parcel-delay@v0.2.0" in done.stderr
    assert "Traceback" not in done.stderr
    assert actions.github.git("tag") == "parcel-delay@v0.2.0"
    assert actions.sha("refs/tags/parcel-delay@v0.2.0") == theirs
    assert actions.github.releases == []


def test_what_a_token_may_not_do_is_in_the_summary(actions: Actions) -> None:
    """In one sentence with the right that it lacks; nothing is changed."""
    actions.github.tokens["workflow"].remove("administration")
    summary = actions.folder / "summary.md"
    done = actions.work.flywheel("protect", "--apply", check=False, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 2
    assert "'administration: write'" in summary.read_text()
    assert actions.github.rulesets == []


def test_a_candidate_that_serves_is_not_released_again(actions: Actions) -> None:
    """Another card (a library was updated) with the same trees is no new version, and no failure."""
    actions.work.flywheel("release", "--publish")
    tags = actions.github.git("tag")
    card = actions.work.path / "models/candidate/card.json"
    card.write_text(card.read_text().replace('"numpy": "', '"numpy": "1'))
    actions.push("main")
    assert "Nothing to release" in actions.work.flywheel("release", "--publish").stdout
    assert actions.github.git("tag") == tags
    assert len(actions.github.releases) == 1


def test_an_interrupted_release_is_finished_when_run_again(actions: Actions) -> None:
    """GitHub fails after the tags are pushed: the second run makes the release and uploads what is missing, once."""
    actions.github.fail_next("POST", "/uploads/", 500, times=1)
    broken = actions.work.flywheel("release", "--publish", check=False)
    assert broken.returncode == 5
    tags = actions.github.git("tag").splitlines()
    assert tags == ["parcel-delay#prod#1", "parcel-delay@v0.2.0"]
    actions.work.flywheel("release", "--publish")
    assert actions.github.git("tag").splitlines() == tags
    [release] = actions.github.releases
    assert len(release["assets"]) == 7


@pytest.mark.parametrize(
    ("remote", "code", "said"),
    [(None, 2, "git remote add origin"), ("http://127.0.0.1:9/o/r.git", 5, "could not be reached")],
)
def test_without_an_origin_that_answers_nothing_is_published(
    actions: Actions, remote: str | None, code: int, said: str
) -> None:
    """One sentence; tags that were made here are still here, and the next try publishes them."""
    actions.work.git("remote", "remove", "origin")
    if remote:
        actions.work.git("remote", "add", "origin", remote)
    done = actions.work.flywheel("release", "--publish", check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert actions.github.releases == []


def test_the_chain_of_a_release_is_whole_until_somebody_edits_it(actions: Actions) -> None:
    """Evidence that is edited and decided on again is not released. What else can be torn: tests/unit/release/test_links.py."""
    actions.work.flywheel("release")
    assert "BROKEN" not in actions.work.flywheel("audit").stdout
    metrics = actions.work.path / "reports/metrics.json"
    metrics.write_text(metrics.read_text().replace('"value"', '"value" ', 1))
    actions.work.run("python", "-m", "flywheel.stages.gate")
    actions.push("main")
    actions.work.git("tag", "-a", "-m", "v0.9.0: gate: pass, as of 2031-04-12", "parcel-delay@v0.9.0")
    torn = actions.work.flywheel("audit", "v0.9.0", check=False)
    assert torn.returncode == 3
    assert "reports/metrics.json is not what" in torn.stdout
    missing = actions.work.flywheel("audit", "v7.0.0", check=False)
    assert missing.returncode == 2
    assert "released versions: v0.2.0" in missing.stderr
