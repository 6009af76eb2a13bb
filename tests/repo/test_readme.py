"""The README is true: its numbers are measured ones, its paths exist, its commands run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, Clone
from tests.workflows.server import REPOSITORY, GitHub

README = (ROOT / "README.md").read_text()
AS_OF = "2013-05-01"  # the day that the README tells of; the loop moves on, and its report with it


def report() -> str:
    """The report of that day: the tree's, or the one that a commit has kept."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    if json.loads((ROOT / "reports/decision.json").read_text())["as_of"] == AS_OF:
        return (ROOT / "reports/report.md").read_text()
    for commit in git("log", "--format=%H", "--", "reports/decision.json").split():
        if json.loads(git("show", f"{commit}:reports/decision.json"))["as_of"] == AS_OF:
            return git("show", f"{commit}:reports/report.md")
    raise AssertionError(f"no commit has the report of {AS_OF}, which the README quotes: update the README")


def test_the_table_of_numbers_is_the_reports() -> None:
    """Each row of the README's table of metrics stands in reports/report.md as well."""
    rows = [line for line in README.splitlines() if re.match(r"\| (AUC|log loss|average precision|utility)", line)]
    assert len(rows) >= 4
    assert [row for row in rows if row not in report().splitlines()] == []


def test_the_sentences_about_labels_are_the_reports() -> None:
    """What the README quotes from the report is in the report."""
    quoted = [line.removeprefix("> ") for line in README.splitlines() if line.startswith("> ")]
    assert quoted
    assert [line for line in quoted if line not in report()] == []


def test_the_speed_is_the_benchmarks() -> None:
    """Each figure of the section on speed is the one in bench/results.json."""
    found = json.loads((ROOT / "bench/results.json").read_text())
    tick, late_tick = found["tick_7_days"], found["tick_7_days_after_a_year"]
    lines = [
        f"| `make run` after installation, clock at 1 May | {found['default']['seconds']:.0f} s | 60 s |",
        f"| the whole year | {found['year']['seconds']:.0f} s, {found['year']['peak_mib'] / 1024:.1f} GiB | 180 s, 3 GB |",
        f"| the pipeline against a plain script of the same work | {found['ratio_to_floor']:.2f} x | 2.5 x |",
        f"| a run with nothing to do against `dvc status` | {found['no_op_ratio_to_status']:.2f} x | 1.5 x |",
        f"| a tick of 7 days against a full run, up to featurize, on 1 May | {tick['share_of_full']:.2f} | 0.25 |",
        f"| the same at the end of the year | {late_tick['share_of_full']:.2f} | 0.25 |",
        f"| a rollback, from the command to `prod` at origin | {found['rollback_seconds']:.1f} s | 30 s |",
        f"| history features of all flights, compute | {found['history_all_flights_seconds']:.2f} s | 1.5 s |",
    ]
    assert [line for line in lines if line not in README.splitlines()] == []


def test_every_path_of_the_tree_exists() -> None:
    """The annotated tree shows what is there."""
    tree = re.search(r"```\n(conf/.*?)```", README, re.DOTALL)
    assert tree
    missing, folder = [], ""
    for line in tree[1].splitlines():
        names = [name for name in re.split(r"  +", line.strip())[0].split(" ") if re.search(r"[./]", name)]
        for name in names:
            path = (folder + name if line.startswith("  ") else name).rstrip(",")
            if not (ROOT / path).exists() and path != "data/":
                missing.append(path)
        if not line.startswith("  ") and names:
            folder = names[0]
    assert missing == []


def test_every_link_leads_somewhere() -> None:
    """A link to a file of the repository names a file that is there."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert [link for link in links if not (ROOT / link).exists()] == []


def commands() -> list[list[str]]:
    """Every command line of the README's bash blocks, without its comment."""
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.xdist_group("one")
def test_every_command_of_the_readme_runs(tiny_copy: Clone, tmp_path: Path) -> None:
    """In the order of the README, in a small clone: none fails for a reason that the README does not give."""
    tiny_copy.install()
    tiny_copy.commit("settled")
    why = "forced: a version to go back to"  # without its reason the audit would call it broken
    tiny_copy.run("gto", "register", "flight-disruption", "HEAD~1", "--version", "v0.1.0", "--message", why)
    tiny_copy.flywheel("release", "--force", "a version to start from")
    tiny_copy.commit("the next one")
    tiny_copy.git("clone", "-q", "--bare", ".", str(tmp_path / "origin"))
    with GitHub(tmp_path / "origin") as github:
        tiny_copy.env |= {"GITHUB_API_URL": github.address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": "app"}
        for command in commands():
            if command == ["make", "test"]:  # this test runs in it
                assert "pytest" in tiny_copy.run("make", "-n", "test").stdout
            elif command[:2] in (["flywheel", "release"], ["flywheel", "gate"], ["flywheel", "accept"]):
                assert tiny_copy.run(*command, check=False).returncode in (3, 4)  # the tiny model is not let through
            else:
                tiny_copy.run(*command)
        assert len(github.rulesets) == 2
        assert github.variables == {}
        assert github.unknown == []
    assert len(commands()) > 15


def test_the_commands_of_the_help_are_those_of_the_readme() -> None:
    """No command is missing in the README, in a block or beside its workflow, and it names none that is not there."""
    from flywheel.cli import app

    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert known == set(re.findall(r"(?:`|^|\")flywheel ([a-z]+)", README, re.MULTILINE))
