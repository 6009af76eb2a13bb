"""Governance as files: workflows, owners, rulesets and documents say what is there and what holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from flywheel.cli import app
from flywheel.github.pulls import CHECKS, GATE
from tests.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# What GitHub fills in from outside: it must never be part of a script.
UNTRUSTED = re.compile(r"\$\{\{[^}]*\b(github\.(event|head_ref|ref_name)|inputs\.|steps\.|secrets\.)")


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    found["on"] = found.pop(True)  # YAML 1.1 reads the key `on` as true
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_takes_only_the_rights_it_needs(path: Path) -> None:
    """No rights but those that a job names; a concurrency group; a timeout for every job."""
    found = load(path)
    assert found["permissions"] == {}
    assert found["concurrency"]["group"]
    for job in found["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 60
        assert job["permissions"]
        assert set(job["permissions"].values()) <= {"read", "write"}


@pytest.mark.parametrize("path", [*WORKFLOWS, *(ROOT / ".github/actions").rglob("action.yml")], ids=str)
def test_actions_are_pinned_and_scripts_take_nothing_from_outside(path: Path) -> None:
    """A third party's action by its commit, a text from outside by an environment variable, and no logic in YAML."""
    text = path.read_text()
    for used in re.findall(r"\buses: (\S+)", text):
        assert used.startswith("./") or re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", used), used
    found = yaml.safe_load(text)
    jobs = found["jobs"].values() if "jobs" in found else [found["runs"]]
    for step in (step for job in jobs for step in job["steps"]):
        script = step.get("run", "")
        assert not UNTRUSTED.search(script), script
        assert "\n" not in script.strip()
        assert re.match(r"flywheel |make |echo ", script) or not script, script


def test_a_retrain_never_starts_itself() -> None:
    """Its triggers are the schedule, people and incidents; only the monitor, which it does not start, dispatches it."""
    found = load(ROOT / ".github/workflows/retrain.yml")
    assert set(found["on"]) == {"schedule", "workflow_dispatch", "repository_dispatch"}
    sources = {path.stem: path.read_text() for path in (ROOT / "src/flywheel").rglob("*.py")}
    assert {name for name, text in sources.items() if "retrain.yml/dispatches" in text} == {"alerts"}
    commands = {path.stem: re.findall(r"flywheel ([a-z]+)", path.read_text()) for path in WORKFLOWS}
    assert [name for name, said in commands.items() if "respond" in said] == ["monitor"]
    started = {path.stem for path in WORKFLOWS if "workflow_run" in load(path)["on"]}
    assert started == {"comment"}


def test_schedules_are_at_odd_minutes() -> None:
    """On the hour GitHub is busy, and delays or drops scheduled runs."""
    crons = [one["cron"] for path in WORKFLOWS for one in load(path)["on"].get("schedule", [])]
    assert len(crons) == 2
    assert all(int(cron.split()[0]) % 5 for cron in crons)


def test_the_ruleset_requires_what_the_code_sets() -> None:
    """Both statuses, from GitHub Actions alone; a review; no force push, no deletion; nobody may pass by."""
    found = json.loads((ROOT / ".github/rulesets/main.json").read_text())
    rules = {rule["type"]: rule.get("parameters", {}) for rule in found["rules"]}
    assert set(rules) == {"deletion", "non_fast_forward", "pull_request", "required_status_checks"}
    assert {one["context"] for one in rules["required_status_checks"]["required_status_checks"]} == {GATE, CHECKS}
    assert {one["integration_id"] for one in rules["required_status_checks"]["required_status_checks"]} == {15368}
    assert rules["pull_request"]["required_approving_review_count"] >= 1
    assert found["enforcement"] == "active"
    assert found["bypass_actors"] == []


def test_owners_own_what_is_there() -> None:
    """Every path of CODEOWNERS exists, and gate, contract, features and candidate are among them."""
    lines = (ROOT / ".github/CODEOWNERS").read_text().splitlines()
    paths = [line.split()[0].strip("/") for line in lines if line.strip() and not line.startswith("#")]
    made = {"decisions", "models/candidate"}  # by an acceptance, by a run
    assert [path for path in paths if not (ROOT / path).exists() and path not in made] == []
    assert {"src", "conf", "models/candidate", ".github"} <= set(paths)


def test_the_template_asks_for_hypothesis_effect_and_risk() -> None:
    """In this order, and nothing else."""
    text = (ROOT / ".github/pull_request_template.md").read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Hypothesis", "Expected effect", "Risk"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_names_only_what_is_there(path: Path) -> None:
    """Commands, make targets, workflows, files and keys of the configuration."""
    text = path.read_text()
    known = {command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback}
    assert set(re.findall(r"(?:`|^|\")flywheel ([a-z][a-z-]*)", text, re.MULTILINE)) <= known
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)) <= targets
    assert set(re.findall(r"\*\*([a-z]+)\*\*", text)) <= {one.stem for one in WORKFLOWS}
    links = [link.split("#")[0] for link in re.findall(r"\]\((?!https:)([^)]+)\)", text)]
    assert [link for link in links if not (path.parent / link).exists()] == []
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, key in re.findall(r"`([a-z]+)\.([a-z_]+)`", text):
        assert key in params.get(section, {}) or (ROOT / f"{section}.{key}").exists(), f"{section}.{key}"


def test_every_runbook_is_there() -> None:
    """What one needs at 3 a.m."""
    there = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")}
    others = {"restore-data", "add-a-cohort", "correct-history", "forget-a-person"}
    assert there == others | {"halt", "roll-back", "rotate-keys"}
