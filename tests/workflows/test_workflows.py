"""What the workflow files do, asserted on what landed at GitHub and in Git. Each test is a story with several runs."""

from __future__ import annotations

import json
import re
import threading

import pytest

from tests.workflows.conftest import Actions, Result
from tests.workflows.server import Answer

pytestmark = pytest.mark.slow

MODEL = "conf/model/fast.yaml"
CONFIG = "conf/config.yaml"
PROJECT = "conf/project/parcels.yaml"
MALICIOUS = 'x";touch${IFS}pwned;"$(touch${IFS}pwned)`touch${IFS}pwned`'


def change(actions: Actions, path: str, old: str, new: str) -> None:
    """Replace a text in a file of the working tree, as a person would."""
    file = actions.work.path / path
    text = file.read_text()
    assert re.search(old, text), f"{old} is not in {path}"
    file.write_text(re.sub(old, new, text))


def push_to_main(actions: Actions, before: str = "0" * 40) -> dict[str, str]:
    """The payload of the push of what `main` is on now."""
    return {"ref": "refs/heads/main", "before": before, "after": actions.sha()}


def ended(result: Result) -> Result:
    """A run that ended well."""
    assert result.returncode == 0, result.log
    return result


def test_the_first_push_of_a_new_repository_passes_and_releases(actions: Actions) -> None:
    """Without any secret: the status of main, two tags on it, a GitHub release with the files, an attestation."""
    head = actions.sha()
    trained = ended(actions.act("train.yml", "push", push_to_main(actions)))
    assert actions.github.status_of(head) == {"flywheel/gate": "success"}
    assert "Gate: pass" in trained.summary
    assert actions.sha() == head

    ended(actions.act("release.yml", "push", push_to_main(actions)))
    tags = actions.github.git("tag").splitlines()
    assert tags == ["parcel-delay#prod#1", "parcel-delay@v0.2.0"]
    assert {actions.sha(f"refs/tags/{tag}^{{commit}}") for tag in tags} == {head}
    assert actions.sha() == head
    [release] = actions.github.releases
    assert release["tag_name"] == "parcel-delay@v0.2.0"
    assert set(release["assets"]) == {
        "model.txt", "calibration.json", "contract.json", "card.json", "report.md", "metrics.json", "decision.json",
    }  # fmt: skip
    tree = actions.github.git("show", "main:models/candidate/model.txt").strip()
    assert release["assets"]["model.txt"].decode().strip() == tree
    assert len((actions.artifacts / "attested").read_text().splitlines()) == 4

    again = ended(actions.act("release.yml", "push", push_to_main(actions), FLYWHEEL_TEST_ATTEST="unsupported"))
    assert actions.github.git("tag").splitlines() == tags
    assert "No attestation" in again.summary


def test_a_better_change_is_proposed_merged_released_and_rolled_back(actions: Actions) -> None:
    """num_leaves is changed with a stale lock: results go to the branch, the ruleset lets them in, main is released."""
    first = actions.sha()
    actions.work.flywheel("protect", "--apply")
    change(actions, MODEL, r"num_leaves: \d+", "num_leaves: 7")
    pushed = actions.push("fewer-leaves")
    number = actions.open_pull("fewer-leaves")
    ended(actions.act("train.yml", "pull_request", actions.pull_event(number), pushed))
    head = actions.sha("refs/heads/fewer-leaves")
    assert head != pushed
    changed = actions.github.git("diff", "--name-only", pushed, head).splitlines()
    assert {"dvc.lock", "params.yaml", "models/candidate/model.txt", "reports/report.md"} <= set(changed)
    assert [name for name in changed if not name.startswith(("dvc.lock", "params.yaml", "models/", "reports/"))] == []
    assert actions.github.status_of(pushed) == {}
    assert actions.github.status_of(head) == {"flywheel/gate": "success"}
    [comment] = actions.github.comments[number]
    assert "| model.num_leaves | 15 | 7 |" in comment["body"]
    assert "| AUC |" in comment["body"]
    assert "the days are the same." in comment["body"]
    assert f"/blob/{head}/reports/plots/models.png?raw=true" in comment["body"]
    assert json.loads(actions.cml_log.read_text().splitlines()[0])[:2] == ["comment", "update"]
    assert [one["workflow"] for one in actions.github.dispatched] == ["checks.yml"]

    with pytest.raises(Answer, match=r"flywheel/checks.*expected"):
        actions.github.merge(number)
    actions.work.git("fetch", "-q", "origin")
    actions.work.git("checkout", "-q", head)
    actions.work.flywheel("checked", "success")
    merged = actions.github.merge(number)
    ended(actions.act("release.yml", "push", push_to_main(actions, first)))
    assert actions.sha("refs/tags/parcel-delay@v0.2.0^{commit}") == merged

    # The next change has to beat what serves now. It does not: it is nearly the same model.
    actions.work.git("fetch", "-q", "origin", "main", "--tags")
    actions.work.git("checkout", "-q", merged)
    change(actions, MODEL, "min_child_samples: 20", "min_child_samples: 21")
    actions.push("fewer-trees")
    number = actions.open_pull("fewer-trees")
    refused = actions.act(
        "train.yml", "pull_request", actions.pull_event(number), actions.sha("refs/heads/fewer-trees")
    )
    head = actions.sha("refs/heads/fewer-trees")
    assert refused.returncode != 0
    assert json.loads(actions.github.git("show", f"{head}:models/champion/card.json"))["version"] == "v0.2.0"
    assert actions.github.status_of(head) == {"flywheel/gate": "failure"}
    assert actions.github.statuses[-1]["description"].startswith("inconclusive: ")
    with pytest.raises(Answer, match="flywheel/gate"):
        actions.github.merge(number)

    # Somebody accepts it, with the reason in the pull request; only then it may be merged.
    actions.work.git("fetch", "-q", "origin")
    actions.work.git("checkout", "-q", head)
    actions.work.flywheel("accept", "--why", "a simpler model, no worse | <b>")
    head = actions.push("fewer-trees", "Accept")
    ended(actions.act("train.yml", "pull_request", actions.pull_event(number), head))
    assert actions.github.status_of(head) == {"flywheel/gate": "success"}
    assert actions.github.statuses[-1]["description"] == "inconclusive, accepted: a simpler model, no worse | <b>"
    [comment] = actions.github.comments[number]
    assert "<b>" not in comment["body"]
    actions.work.flywheel("checked", "success")
    merged = actions.github.merge(number)
    ended(actions.act("release.yml", "push", push_to_main(actions, merged)))
    assert actions.sha("refs/tags/parcel-delay#prod#2^{commit}") == merged

    event = {"inputs": {"why": 'alerts doubled "; touch pwned', "to": ""}}
    done = ended(actions.act("rollback.yml", "workflow_dispatch", event))
    assert "prod was v0.3.0 and is now v0.2.0" in done.summary
    serving = actions.sha("refs/tags/parcel-delay#prod#3^{commit}")
    assert serving == actions.sha("refs/tags/parcel-delay@v0.2.0^{commit}")
    said = actions.github.git("tag", "--list", "--format=%(contents)", "parcel-delay#prod#3")
    assert said == 'rollback to v0.2.0: alerts doubled "; touch pwned'
    [issue] = actions.github.issues
    assert "v0.3.0 and is v0.2.0" in issue["body"]
    assert 'alerts doubled "; touch pwned' in issue["body"]
    actions.work.git("fetch", "-q", "--tags", "origin")
    chain = actions.work.flywheel("audit", "v0.3.0").stdout
    assert "accepted: a simpler model" in chain
    assert f"#{number}, merged from {head[:10]}" in chain


def test_a_change_that_harms_a_cohort_cannot_be_merged(failing: Actions) -> None:
    """Also when CML fails and the branch has a malicious name: report in summary and comment, status failure."""
    failing.work.flywheel("protect", "--apply")
    change(failing, MODEL, r"num_leaves: \d+", "num_leaves: 4")
    pushed = failing.push(MALICIOUS)
    number = failing.open_pull(MALICIOUS)
    done = failing.act(
        "train.yml", "pull_request", failing.pull_event(number), pushed, FLYWHEEL_TEST_CML="broken"
    )  # fmt: skip
    assert done.returncode != 0
    head = failing.sha(f"refs/heads/{MALICIOUS}")
    assert head != pushed
    assert failing.github.status_of(head) == {"flywheel/gate": "failure"}
    assert failing.github.statuses[-1]["description"].startswith("fail: ")
    assert "Gate: fail" in done.summary
    assert "continuing without CML" in done.log
    [comment] = failing.github.comments[number]
    cohorts = [line for line in comment["body"].splitlines() if "cohort" in line]
    assert any("fail" in line for line in cohorts)
    assert list(failing.folder.rglob("pwned")) == []
    failing.work.git("fetch", "-q", "origin")
    failing.work.git("checkout", "-q", head)
    failing.work.flywheel("checked", "success")
    with pytest.raises(Answer, match="flywheel/gate"):
        failing.github.merge(number)
    accepted = failing.work.flywheel("accept", "--why", "please", check=False)
    assert accepted.returncode == 4


def test_a_fork_may_show_its_report_but_decides_nothing(actions: Actions) -> None:
    """The fork's own run only leaves a file; what it left is shown as plain text, and the status stays pending."""
    actions.github.tokens["fork"] = {"contents-read"}
    change(actions, "README.md", "Flywheel", "Flywheel!")
    actions.work.commit("from outside")
    head = actions.work.git("rev-parse", "HEAD")
    actions.work.git("push", "-q", "origin", f"{head}:refs/pull/1/head")
    number = actions.github.fork_pull("main", head)
    ended(actions.act("train.yml", "pull_request", actions.pull_event(number), head, token="fork"))
    assert actions.github.calls == []
    left = actions.artifacts / "report/comment.md"
    assert "Gate: pass" in left.read_text()

    left.write_text("````\n</details><script>alert(1)</script> @acme/owners ![x](https://evil.example/x.png)\n\x1b[31m")
    run = {"event": "pull_request", "id": 7, "head_sha": head, "head_branch": "main",
           "head_repository": {"full_name": "stranger/loop", "owner": {"login": "stranger"}}}  # fmt: skip
    ended(actions.act("comment.yml", "workflow_run", {"action": "completed", "workflow_run": run}))
    assert actions.github.status_of(head) == {"flywheel/gate": "pending"}
    [comment] = actions.github.comments[number]
    fence = re.search(r"^(`{5,})text\n(.*?)\n\1$", comment["body"], re.DOTALL | re.MULTILINE)
    assert fence
    assert "@acme/owners" in fence[2]
    assert "@acme/owners" not in comment["body"].replace(fence[0], "")
    assert "\x1b" not in comment["body"]

    # A maintainer has read the change and pushes the commit: that run decides, and the fork's cannot undo it.
    actions.work.git("push", "-q", "origin", f"{head}:refs/heads/try/stranger")
    event = {"ref": "refs/heads/try/stranger", "before": "0" * 40, "after": head}
    decided = ended(actions.act("train.yml", "push", event, head))
    assert f"Against the base, {actions.sha()[:10]}" in decided.summary
    ended(actions.act("comment.yml", "workflow_run", {"action": "completed", "workflow_run": run}))
    assert actions.github.status_of(head) == {"flywheel/gate": "success"}
    assert len(actions.github.comments[number]) == 1


def test_the_monitor_opens_an_issue_starts_a_retrain_and_closes_the_issue(actions: Actions) -> None:
    """Drift is an alert with a retrain; a broken contract is urgent; with wide limits the alerts end."""
    actions.move_days(2)
    change(actions, PROJECT, "max_rejected_share: .*", "max_rejected_share: 0.0001")
    change(actions, CONFIG, "urgent_rollback: false", "urgent_rollback: true")
    actions.push("main")
    ended(actions.act("monitor.yml", "schedule", {}))
    [issue] = actions.github.issues
    assert issue["title"] == "The data breaks the contract"
    assert issue["labels"] == ["flywheel-alert", "urgent"]
    [started] = actions.github.dispatched
    assert started["workflow"] == "retrain.yml"
    assert started["inputs"]["tier"] == "urgent"
    assert "broke the contract" in started["inputs"]["why"]

    change(actions, PROJECT, "max_rejected_share: .*", "max_rejected_share: 0.02")
    for key, value in (("drift_limit", 1.0), ("max_age_days", 9999), ("new_label_share", 9999.0), ("min_auc", 0.0)):
        change(actions, CONFIG, f"{key}: .*", f"{key}: {value}")
    actions.push("main")
    done = ended(actions.act("monitor.yml", "schedule", {}))
    assert issue["state"] == "closed"
    assert "alert contract ended" in done.summary
    assert len(actions.github.dispatched) == 1


def test_of_two_racing_retrains_one_opens_a_pull_request(actions: Actions) -> None:
    """Without an App: one pull request by CML, with its report and status, and the checks are started for it."""
    actions.move_days(3)
    base = actions.push("main")
    event = {"inputs": {"tier": "drift", "why": "drift: the world has moved <script>", "again": False}}
    results: list[Result] = []
    racers = [
        threading.Thread(target=lambda: results.append(actions.act("retrain.yml", "workflow_dispatch", event)))
        for _ in range(2)
    ]
    for one in racers:
        one.start()
    for one in racers:
        one.join()
    assert [ended(one).returncode for one in results] == [0, 0]
    late = re.compile("was already started|the last retrain was 0 days ago")  # which, depends on how late
    assert sum(bool(late.search(one.summary)) for one in results) == 1
    [pull] = actions.github.pulls.values()
    day = "2031-04-15"
    assert pull["title"] == f"Retrain (drift): pass, as of {day}"
    assert "the world has moved &lt;script>" in pull["body"]
    assert pull["head"]["ref"] == f"retrain/{day}-drift"
    assert pull["labels"] == ["retrain", "drift", "pass"]
    head = actions.github.shown(pull["number"])["head"]["sha"]
    assert actions.github.status_of(head) == {"flywheel/gate": "success"}
    [comment] = actions.github.comments[pull["number"]]
    assert "3 days new (2031-04-12 to 2031-04-14)" in comment["body"]
    assert actions.sha(f"refs/flywheel/retrains/{day}") == base
    assert actions.sha() == base
    assert actions.github.dispatched == [{"workflow": "checks.yml", "ref": f"retrain/{day}-drift"}]
    assert f"as_of: {day}" in actions.github.git("show", f"{head}:conf/state.yaml")

    again = ended(actions.act("retrain.yml", "schedule", {}))
    assert "cool-down" in again.summary
    assert len(actions.github.pulls) == 1


def test_an_incident_retrains_urgently_and_asks_the_owners(actions: Actions) -> None:
    """With an App, and without CML: GitHub's API opens the pull request, owners are asked, checks start by themselves."""
    actions.move_days(3)
    change(actions, ".github/CODEOWNERS", "/models/candidate/", "/models/candidate/ @ada @acme/models")
    change(actions, CONFIG, r"auto_merge: \[\]", "auto_merge: [urgent]")
    actions.push("main")
    done = ended(
        actions.act(
            "retrain.yml",
            "repository_dispatch",
            {"action": "incident", "client_payload": {"why": "the feed was wrong"}},
            variables={"FLYWHEEL_APP_ID": "1"},
            FLYWHEEL_TEST_CML="missing",
        )
    )
    [pull] = actions.github.pulls.values()
    assert pull["title"].startswith("Retrain (urgent): pass"), pull["body"]
    assert "the feed was wrong" in pull["body"]
    assert pull["reviewers"] == ["ada", "models"]
    assert pull["auto_merge"] is True
    assert actions.github.statuses == []
    assert actions.github.dispatched == []
    assert pull["html_url"] in done.summary


def test_a_halt_closes_the_gate_and_stops_retrains_and_releases(actions: Actions) -> None:
    """The variable FLYWHEEL_HALT is all it takes; each says why."""
    actions.work.flywheel("halt", "--why", "labels are wrong")
    halted = actions.github.variables
    assert halted == {"FLYWHEEL_HALT": "labels are wrong"}
    for workflow, event in (("retrain.yml", "schedule"), ("release.yml", "push")):
        done = actions.act(workflow, event, {}, variables=halted)
        assert done.returncode != 0
        assert "the loop is halted (labels are wrong)" in done.log
    assert actions.github.git("tag") == ""
    assert actions.github.pulls == {}


def test_the_checks_set_their_status(actions: Actions) -> None:
    """A success where check and test succeed, a failure where one fails, on the commit that was checked out."""
    head = actions.sha()
    ended(actions.act("checks.yml", "push", push_to_main(actions), MAKEFLAGS="n"))
    assert actions.github.status_of(head) == {"flywheel/checks": "success"}
    change(actions, "Makefile", r"check: \.venv/\.ready", "check:\n\tfalse\nunused: .venv/.ready")
    head = actions.push("main")
    assert actions.act("checks.yml", "push", push_to_main(actions)).returncode != 0
    assert actions.github.status_of(head) == {"flywheel/checks": "failure"}


def test_the_site_is_published_where_pages_is_on(actions: Actions) -> None:
    """Where it is off the summary says which setting turns it on, and the steps after it do not run."""
    told = {"GITHUB_STEP_SUMMARY": str(actions.folder / "summary"), "GITHUB_OUTPUT": str(actions.folder / "output")}
    actions.work.flywheel("pages", **told)
    assert "Settings > Pages" in (actions.folder / "summary").read_text()
    assert (actions.folder / "output").read_text() == "pages=off\n"
    actions.github.has_pages = True
    ended(actions.act("pages.yml", "push", push_to_main(actions)))
    site = actions.artifacts / "published"
    assert "parcel-delay" in (site / "index.html").read_text()
    assert "champion_score" in (site / "drift.html").read_text()  # all columns of the report
    assert (site / "plots/models.png").exists()
