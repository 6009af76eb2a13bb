"""The README is true: its numbers are measured ones, its paths exist, its commands run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import FIRST, NAME, ROOT, Clone
from tests.documents import tree_paths
from tests.workflows.server import REPOSITORY, GitHub

README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_it_is_short() -> None:
    """The README has one job: what the loop does, and where to read on."""
    assert len(README.splitlines()) <= 180


def test_the_speed_is_the_benchmarks() -> None:
    """Each figure of the section on speed is the one in bench/results.json."""
    found = json.loads((ROOT / "bench/results.json").read_text())
    whole, tick = found["whole_span"], found["tick_7_days"]
    source_and_script = f"{found['ratio_to_floor']:.2f} x | 2.5 x |"
    lines = [
        f"| `make run` after installation, clock at 1 September | {found['default']['seconds']:.0f} s | 75 s |",
        f"| the whole year | {whole['seconds']:.0f} s, {whole['peak_mib'] / 1024:.1f} GiB | 180 s, 3 GB |",
        f"| the run against reading the source and a plain script of the same work | {source_and_script}",
        f"| a run with nothing to do against `dvc status` | {found['no_op_ratio_to_status']:.2f} x | 1.5 x |",
        f"| a tick of 7 days against a full run, up to featurize, on 1 September | {tick['share_of_full']:.2f} | 0.25 |",
    ]
    assert [line for line in lines if line not in README.splitlines()] == []
    assert f"on both sides the run takes {found['ratio_without_collect']:.2f} x the script" in README


def test_the_proof_is_what_make_prove_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/proof.md has the tables of bench/proof.json, and no other rows."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    import prove

    found = json.loads((ROOT / "bench/proof.json").read_text())
    told = [line for line in (ROOT / "docs/proof.md").read_text().splitlines() if line.startswith("|")]
    assert [line for line in prove.table(found).splitlines() if line] == told
    holds = [one["holds"] for one in [*found["gates"].values(), *found["alone"]["limits"].values()]]
    assert f"{sum(holds)} of {len(holds)}" in README


def test_every_path_of_the_tree_exists() -> None:
    """The annotated tree shows what is there, or what a run makes."""
    tree = re.search(r"```\n(conf/.*?)```", README, re.DOTALL)
    assert tree
    paths = tree_paths(tree[1])
    assert len(paths) > 25
    made = ("data/", "models/", "reports/")
    assert [path for path in paths if not (ROOT / path).exists() and not path.startswith(made)] == []


def commands() -> list[list[str]]:
    """Every command line of the bash blocks of README and docs/, without its comment."""
    walks = ("your-data.md", "annotating.md")  # with tests of their own: tests/repo/test_walk.py and test_annotating.py
    documents = [path for path in DOCUMENTS if path.name not in walks]
    blocks = [block for path in documents for block in re.findall(r"```bash\n(.*?)```", path.read_text(), re.DOTALL)]
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.slow
def test_every_command_of_the_readme_runs(tiny_copy: Clone, tmp_path: Path) -> None:
    """In the order of the README, in a small clone: none fails for a reason that the README does not give."""
    tiny_copy.install()
    tiny_copy.commit("settled")
    why = "forced: a version to go back to"  # without its reason the audit would call it broken
    tiny_copy.run("gto", "register", NAME, f":/{FIRST}", "--version", "v0.1.0", "--message", why)
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
    assert len(commands()) >= 6
