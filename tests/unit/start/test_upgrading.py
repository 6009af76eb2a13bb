"""`flywheel upgrade`: what comes from a newer template, what stays, what is a conflict, and what is refused."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flywheel import cli
from flywheel.git import BOT
from flywheel.start import merging, newkeys, template, upgrading
from tests.conftest import ROOT, begin, copy_files, copy_of_this_tree, tracked_files

BODY = "".join(f"line {n}\n" for n in range(1, 21))
CONF = """# About this file.
defaults:
  - _self_
  - project: flights

label:
  # How many.
  min_votes: 2

gate:
  # Days.
  min_days: 14
  low: 1
  high: 2
"""
ONE = {
    "src/flywheel/__init__.py": "",
    "src/flywheel/a.py": BODY,
    "src/flywheel/old.py": BODY.replace("line", "old"),
    "src/flywheel/still.py": "still\n",
    "src/flights/__init__.py": "flights\n",
    "tests/flights/test_x.py": "x\n",
    "tests/unit/test_a.py": "test\n",
    "conf/project/flights.yaml": "project: {name: flights}\n",
    "docs/example.md": "# Flights\n",
    "docs/where.md": "where\n",
    "conf/config.yaml": CONF,
    "conf/state.yaml": "clock:\n  as_of: 2030-01-01\n",
    "conf/model/fast.yaml": "trees: 1\n",
    "dvc.yaml": "stages: {}\n",
    "Makefile": "run:\n",
    "pyproject.toml": "dependencies = [\n" + "".join(f'  "{name}",\n' for name in "abcdefgh") + "]\n",
    "uv.lock": "one\n",
    ".gitignore": "/data/\n",
    ".github/workflows/train.yml": "train\n",
    "README.md": "# One\n\n" + BODY,
    "bench/results.json": "{}\n",
    "params.yaml": "one\n",
    "dvc.lock": "one\n",
    "models/champion/card.json": "{}\n",
    "reports/report.md": "one\n",
    "decisions/x.json": "{}\n",
}
TWO = {
    "src/flywheel/a.py": BODY.replace("line 3\n", "line three\n"),
    "src/flywheel/old.py": None,
    "src/flywheel/new.py": "new\n",
    "src/flights/__init__.py": "more flights\n",
    "src/flights/more.py": "more\n",
    "conf/project/flights.yaml": "project: {name: flights, more: 1}\n",
    "tests/unit/test_a.py": "better test\n",
    "docs/where.md": "there\n",
    "conf/config.yaml": CONF.replace("votes: 2\n", "votes: 2\n  # New: how\n  # sure.\n  sure: 0.5  # half\n").replace(
        "min_days: 14", "min_days: 21"
    )
    + "\n# A section.\naudit:\n  # Who.\n  who: [a, b]\n",
    "conf/state.yaml": "clock:\n  as_of: 2031-01-01\n",
    "conf/model/big.yaml": "trees: 9\n",
    "dvc.yaml": "stages: {a: {}}\n",
    "Makefile": "run:\ntest:\n",
    "pyproject.toml": ONE["pyproject.toml"].replace('"a"', '"a>=2"'),
    "uv.lock": "two\n",
    ".gitignore": "/data/\n/site/\n",
    ".github/workflows/train.yml": "train well\n",
    "README.md": "# One\n\n" + BODY.replace("line 20\n", "line twenty\n"),
    "bench/results.json": '{"a": 1}\n',
    "params.yaml": "two\n",
    "dvc.lock": "two\n",
    "models/champion/card.json": '{"two": 2}\n',
    "reports/report.md": "two\n",
    "decisions/y.json": "{}\n",
}
ENGINE = {
    "src/flywheel/a.py", "src/flywheel/old.py", "src/flywheel/new.py", "tests/unit/test_a.py", "docs/where.md", "dvc.yaml",
    "Makefile", "pyproject.toml", "uv.lock", ".gitignore", ".github/workflows/train.yml", "README.md", "bench/results.json",
}  # fmt: skip
EXAMPLE = {path for path in [*ONE, *TWO] if merging.is_of_a_project(path, {"flights"})}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def commit(folder: Path, files: dict[str, str | None], message: str = "a change") -> str:
    for name, text in files.items():
        if text is None:
            (folder / name).unlink()
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {**BOT, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A template with two versions, each with its tag."""
    folder = tmp_path / "theirs"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    commit(folder, ONE)
    git(folder, "tag", "v1")
    commit(folder, TWO)
    git(folder, "tag", "-a", "v2", "-m", "two")
    return folder


@pytest.fixture
def mine(theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository made from the first version, whose first commit has the same files; then the example made way for rain."""
    folder = tmp_path / "mine"
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    commit(folder, {**ONE, ".gitignore": "/data/\n/.flywheel/\n"}, "from the template")
    gone: dict[str, str | None] = {path: None for path in EXAMPLE if path in ONE}
    commit(
        folder,
        gone
        | {
            "src/rain/__init__.py": "rain\n",
            "tests/rain/test_rain.py": "rain\n",
            "conf/project/rain.yaml": "project: {name: rain}\n",
            "conf/config.yaml": CONF.replace("flights", "rain").replace("min_votes: 2", "min_votes: 1"),
            "docs/own.md": "own\n",
        },
    )
    monkeypatch.chdir(folder)
    return folder


def state(folder: Path) -> tuple[str, ...]:
    """Everything that Git knows of a repository, and its files."""
    listed = "".join(
        f"{path}{path.read_bytes()!r}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git/" not in str(path)
    )
    asked = (("for-each-ref",), ("status", "--porcelain"), ("rev-parse", "HEAD"), ("symbolic-ref", "-q", "HEAD"))
    done = [
        subprocess.run(["git", *one], cwd=folder, capture_output=True, text=True, check=False).stdout for one in asked
    ]
    return (*done, listed.replace(str(folder), ""))


def run(*arguments: str) -> int:
    """The exit code of `flywheel upgrade`, in this process."""
    sys.argv = ["flywheel", "upgrade", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def changed(branch: str = "upgrade/v2") -> set[str]:
    """The files that the branch changes."""
    return set(git(Path(), "diff", "--name-only", "--no-renames", "HEAD", branch).split())


def text(path: str, branch: str = "upgrade/v2") -> str:
    return git(Path(), "show", f"{branch}:{path}")


# -- what comes, and what stays


def test_the_engine_comes_and_all_else_stays(mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One commit on a branch, with the files of the engine alone; HEAD, the files and the other refs are as before."""
    before = state(mine)
    assert run("--from", str(theirs), "--to", "v2") == 0
    assert changed() == {*ENGINE, ".flywheel-template"}
    assert git(mine, "rev-list", "HEAD..upgrade/v2").count("\n") == 1
    assert git(mine, "rev-parse", "upgrade/v2^") == git(mine, "rev-parse", "HEAD")
    for path in ENGINE - {"src/flywheel/old.py", ".gitignore"}:
        assert text(path) == TWO[path]
    assert "src/flywheel/old.py" not in git(mine, "ls-tree", "-r", "--name-only", "upgrade/v2")
    git(mine, "branch", "-q", "-D", "upgrade/v2")
    assert state(mine)[:4] == before[:4]
    said = capsys.readouterr().out
    assert "v1, whose engine is up to 1 files like that of the first commit here" in said
    assert "git switch upgrade/v2" in said


def test_a_local_edit_elsewhere_is_merged(mine: Path, theirs: Path) -> None:
    """Both changes are in the file; lines that both sides added to .gitignore as well; an own dependency stays."""
    commit(
        mine,
        {
            "src/flywheel/a.py": BODY.replace("line 15\n", "mine\n"),
            "pyproject.toml": ONE["pyproject.toml"].replace('  "h",\n', '  "h",\n  "own",\n'),
        },
    )
    assert run("--from", str(theirs), "--to", "v2") == 0
    assert text("src/flywheel/a.py") == BODY.replace("line 15\n", "mine\n").replace("line 3\n", "line three\n")
    assert text(".gitignore").split() == ["/data/", "/.flywheel/", "/site/"]
    assert '"a>=2"' in text("pyproject.toml")
    assert '"own"' in text("pyproject.toml")


def test_an_edit_of_the_same_line_is_shown_and_nothing_is_lost(
    mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The branch has this side's file; the other side's, and both with markers, are beside it; the exit code says so."""
    edited = BODY.replace("line 3\n", "line 3, mine\n")
    commit(mine, {"src/flywheel/a.py": edited})
    assert run("--from", str(theirs), "--to", "v2") == 3
    assert changed() == {*ENGINE, ".flywheel-template"} - {"src/flywheel/a.py"}
    assert (mine / ".flywheel/upgrade/src/flywheel/a.py.template").read_text() == TWO["src/flywheel/a.py"]
    both = (mine / ".flywheel/upgrade/src/flywheel/a.py").read_text()
    wanted = "<<<<<<< here\nline 3, mine\n||||||| before\nline 3\n=======\nline three\n>>>>>>> template v2\n"
    assert wanted in both
    said = capsys.readouterr()
    assert (
        "CONFLICT  src/flywheel/a.py: changed here and in the template\n    @@ line 3 @@\n    <<<<<<< here" in said.out
    )
    assert "1 files changed here and in the template: the branch has yours." in said.err
    assert "src/flywheel/a.py: changed here and in the template" in git(mine, "log", "-1", "--format=%B", "upgrade/v2")
    assert git(mine, "status", "--porcelain") == ""


def test_a_conflict_waits_until_somebody_merges_it(
    mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next upgrade tries it again from where the file is; a line that is deleted, or a file with both sides, ends that."""
    commit(mine, {"src/flywheel/a.py": BODY.replace("line 3\n", "line 3, mine\n")})
    assert run("--from", str(theirs), "--to", "v2") == 3
    git(mine, "merge", "-q", "upgrade/v2")
    one = git(theirs, "rev-parse", "v1").strip()
    assert upgrading.read_record(merging.read_tree("HEAD")).waiting == {"src/flywheel/a.py": one}
    shutil.rmtree(mine / ".flywheel")
    assert run("--from", str(theirs), "--to", "v2") == 0
    assert "waiting   src/flywheel/a.py" in capsys.readouterr().out
    assert "<<<<<<< here" in (mine / ".flywheel/upgrade/src/flywheel/a.py").read_text()
    commit(theirs, {"Makefile": "three:\n"})
    git(theirs, "tag", "v3")
    assert run("--from", str(theirs)) == 3
    assert changed("upgrade/v3") == {"Makefile", ".flywheel-template"}
    git(mine, "branch", "-q", "-D", "upgrade/v3")
    by_hand = BODY.replace("line 3\n", "line three, mine\n")
    record = (mine / ".flywheel-template").read_text()
    commit(mine, {"src/flywheel/a.py": by_hand, ".flywheel-template": record.split("# Files")[0]})
    assert run("--from", str(theirs)) == 0
    assert text("src/flywheel/a.py", "upgrade/v3") == by_hand


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ({"src/flywheel/a.py": None}, "src/flywheel/a.py: deleted here, changed in the template"),
        ({"src/flywheel/old.py": "mine\n"}, "src/flywheel/old.py: changed here, deleted in the template"),
        ({"src/flywheel/new.py": "mine\n"}, "src/flywheel/new.py: added here and in the template"),
        ({"src/flywheel/a.py": "\0\n"}, "src/flywheel/a.py: changed here and in the template"),
        ({"src/flywheel/new.py/x": "mine\n"}, "src/flywheel/new.py: new in the template, but something else stands"),
    ],
)
def test_other_conflicts_keep_what_is_here(
    mine: Path, theirs: Path, edit: dict[str, str | None], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is deleted stays deleted, what is changed or added stays as it is."""
    commit(mine, edit)
    assert run("--from", str(theirs), "--to", "v2") == 3
    assert f"CONFLICT  {why}" in capsys.readouterr().out
    assert not set(edit) & changed()
    [path] = edit
    entries = [git(mine, "ls-tree", "-r", branch, path) for branch in ("HEAD", "upgrade/v2")]
    assert entries[0] == entries[1]


@pytest.mark.parametrize("here", [None, "".join(f"mine {n}\n" for n in range(100))])
def test_a_long_conflict_names_a_file_that_is_there(
    mine: Path, theirs: Path, here: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deleted here, only the template's own text is beside the branch; changed on both sides, both are."""
    commit(mine, {"src/flywheel/a.py": here})
    commit(theirs, {"src/flywheel/a.py": "".join(f"new {n}\n" for n in range(100))})
    assert run("--from", str(theirs)) == 3
    [named] = re.findall(r"more lines: (\S+)", capsys.readouterr().out)
    assert (mine / named).is_file()


def test_the_same_change_on_both_sides_is_none(mine: Path, theirs: Path) -> None:
    """Whoever took a fix over already has it."""
    commit(mine, {"src/flywheel/a.py": TWO["src/flywheel/a.py"], "src/flywheel/old.py": None})
    assert run("--from", str(theirs), "--to", "v2") == 0
    assert not {"src/flywheel/a.py", "src/flywheel/old.py"} & changed()


def test_a_folder_may_make_way_for_a_file(mine: Path, theirs: Path) -> None:
    """And a file for a folder, as in the template."""
    commit(theirs, {"tests/unit/test_a.py": None, "src/flywheel/a.py": None, "src/flywheel/a.py/__init__.py": "a\n"})
    (theirs / "tests/unit").rmdir()
    commit(theirs, {"tests/unit": "unit\n"})
    git(theirs, "tag", "v3")
    assert run("--from", str(theirs), "--to", "v3") == 0
    assert text("tests/unit", "upgrade/v3") == "unit\n"
    assert text("src/flywheel/a.py/__init__.py", "upgrade/v3") == "a\n"


def test_a_lock_that_changed_on_both_sides_is_the_templates(
    mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is made from pyproject.toml, and the output says that it must be made again."""
    commit(mine, {"uv.lock": "mine\n"})
    assert run("--from", str(theirs), "--to", "v2") == 0
    assert text("uv.lock") == "two\n"
    assert "uv lock" in capsys.readouterr().out


def test_a_readme_of_ones_own_stays_with_the_numbers_that_it_shows(
    mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That is no conflict: everybody writes one."""
    commit(mine, {"README.md": "# Rain\n"})
    assert run("--from", str(theirs), "--to", "v2") == 0
    assert changed() == {*ENGINE, ".flywheel-template"} - {"README.md", "bench/results.json"}
    assert "yours     README.md stays" in capsys.readouterr().out


def test_the_example_is_upgraded_where_it_is_still_what_it_was(
    mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a whole; after one change of it, it stays."""
    git(mine, "reset", "-q", "--hard", "HEAD~1")
    assert run("--from", str(theirs), "--to", "v2") == 0
    assert {"src/flights/__init__.py", "src/flights/more.py", "conf/project/flights.yaml"} == EXAMPLE & changed()
    assert "the template's example" not in capsys.readouterr().out
    git(mine, "branch", "-q", "-D", "upgrade/v2")
    commit(mine, {"tests/flights/test_x.py": "mine\n"})
    assert run("--from", str(theirs), "--to", "v2") == 0
    assert EXAMPLE & changed() == set()
    assert "example   it has changed here, so it stays as it is" in capsys.readouterr().out


# -- conf


def test_keys_that_are_new_are_listed_with_their_comments(
    mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As YAML to paste; a default that changed is told; a moved clock is no news."""
    assert run("--from", str(theirs), "--to", "v2") == 0
    said = capsys.readouterr().out
    block = "label:\n  # New: how\n  # sure.\n  sure: 0.5  # half\n\n# A section.\naudit:\n  # Who.\n  who: [a, b]\n"
    assert f"new in conf/config.yaml:\n\n{block}" in said.replace("yaml:\n\n\n", "yaml:\n\n")
    assert "default   gate.min_days of conf/config.yaml was 14 in the template, and is 21 now; yours stays" in said
    assert "conf/model/big.yaml is new" in said
    assert "as_of" not in said
    example = "yours may need it too:\n\nproject: {name: flights, more: 1}"
    assert f"new in conf/project/flights.yaml, the template's example; {example}" in said
    assert "flywheel compose asks for them" in said


def test_keys_are_put_where_they_belong(mine: Path, theirs: Path) -> None:
    """With their comments, after the key that they follow in the template; nothing else of conf/ changes."""
    assert run("--from", str(theirs), "--to", "v2", "--add-keys") == 0
    before = (mine / "conf/config.yaml").read_text()
    done = text("conf/config.yaml")
    sure = "  # New: how\n  # sure.\n  sure: 0.5  # half\n"
    audit = "\n# A section.\naudit:\n  # Who.\n  who: [a, b]\n"
    assert done == before.replace("min_votes: 1\n", f"min_votes: 1\n{sure}") + audit
    assert yaml.safe_load(done)["label"] == {"min_votes": 1, "sure": 0.5}
    assert text("conf/model/big.yaml") == "trees: 9\n"
    assert {path for path in changed() if path.startswith("conf/")} == {"conf/config.yaml", "conf/model/big.yaml"}


def test_a_key_that_cannot_be_put_is_named(mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever asked for all keys is not sent back to the option that left one out."""
    here = (mine / "conf/config.yaml").read_text()
    braces = here.replace("label:\n  # How many.\n  min_votes: 1\n", "label: {min_votes: 1}\n")
    assert braces != here
    commit(mine, {"conf/config.yaml": braces})
    assert run("--from", str(theirs), "--to", "v2", "--add-keys") == 0
    said = capsys.readouterr().out
    assert "could not be added: label.sure: what it belongs to in conf/config.yaml is in braces" in said
    assert "added     audit" in said
    assert "put the keys that could not be added into conf/ by hand" in said
    assert "--add-keys" not in said
    assert "put there by hand:\n- conf/config.yaml: label.sure" in git(mine, "log", "-1", "--format=%B", "upgrade/v2")


def test_keys_that_are_gone_are_told_and_stay(mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """conf/ is a person's."""
    commit(theirs, {"conf/config.yaml": CONF.replace("  low: 1\n", "")})
    assert run("--from", str(theirs), "--add-keys") == 0
    assert "gone      gate.low: take it out of conf/config.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("here", "there", "key", "wanted"),
    [
        ("a: 1\nc: 3\n", "a: 1\nb: 2\nc: 3\n", "b", "a: 1\nb: 2\nc: 3\n"),
        ("c: 3\n", "# file\n\n# b\nb: 2\nc: 3\n", "b", "b: 2\nc: 3\n"),
        (
            "a:\n    x: 1\n# end\n",
            "a:\n  x: 1\n  # y\n  y:\n    z: 1\n",
            "a.y",
            "a:\n    x: 1\n    # y\n    y:\n      z: 1\n# end\n",
        ),
        ("a: 1\n", "a: 1\n\n# of b\nb:\n  # of c\n  c: 1\n", "b", "a: 1\n\n# of b\nb:\n  # of c\n  c: 1\n"),
        ("a: 1\n", "a: 1\nb:\n  c: 1\n  # of d\n  d: 2\n", "b.d", "a: 1\n\nb:\n  # of d\n  d: 2\n"),
        ("a:\n  - 1\n  - 2\n", "a: []\nb: |\n  one\n\n  two\nc: 1\n", "b", "a:\n  - 1\n  - 2\nb: |\n  one\n\n  two\n"),
        ("a: {x: 1}\n", "a:\n  x: 1\n  y: 2\n", "a.y", None),
        ("a:\n  x: 1\n", "a: {x: 1, y: 2}\n", "a.y", None),
        ("a: null\n", "a:\n  y: 2\n", "a.y", None),
        ("", "# file\na:\n  y: 2\n", "a.y", "a:\n  y: 2\n"),
        ("a: 1", "a: 1\nb: 2", "b", "a: 1\nb: 2\n"),
        ("a: 1\r\nc: 3\r\n", "a: 1\nb: 2\n", "b", "a: 1\r\nb: 2\nc: 3\r\n"),
        ("a: 1 # x\n\n\n", "a: 1\nb: 2", "b", "a: 1 # x\nb: 2\n\n\n"),
    ],
)
def test_a_key_is_put_into_a_text(here: str, there: str, key: str, wanted: str | None) -> None:
    """After the key before it, in this text's own indentation; or not at all where a line of its own has no place."""
    assert newkeys.put(here, there, tuple(key.split("."))) == wanted


def test_what_cannot_be_put_is_still_listed() -> None:
    """A key in braces is shown with what stands around it."""
    assert (
        newkeys.excerpt("a:\n  # of b\n  b: {x: 1, y: 2}\n", (("a", "b", "y"),)) == "a:\n  # of b\n  b: {x: 1, y: 2}\n"
    )


def test_a_key_that_was_moved_away_is_not_new() -> None:
    """Whoever keeps a section in conf/project/ knows of it; only what is new below it is told."""
    assert newkeys.news("a:\n  x: 1\n", "b: 1\n", "a:\n  x: 1\n  y: 2\n", "f").new == (("a", "y"),)


# -- where a tree is from


def base_of(said: str) -> str:
    """What the output says of where the tree is from."""
    found = re.search(r"(?m)^here      (.*)$", said)
    assert found
    return found[1]


def test_the_base_is_found_by_the_first_commit(mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two commits with the same engine, it is the one that is like it as a whole; a person may know better."""
    git(theirs, "reset", "-q", "--hard", "v1")
    likest = "v1, whose engine is up to 1 files like that of the first commit here"
    same = commit(theirs, {"reports/report.md": "another\n"})
    commit(theirs, TWO)
    git(theirs, "tag", "v3")
    for base, told in ((None, likest), (same, f"{same[:10]}, as you said"), ("v1", "v1, as you said")):
        assert run("--from", str(theirs), *(["--base", base] if base else [])) == 0
        assert base_of(capsys.readouterr().out) == told
        git(mine, "branch", "-q", "-D", "upgrade/v3")


def test_the_base_is_what_the_file_says(mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After an upgrade nothing is searched; the same version again is up to date."""
    assert run("--from", str(theirs), "--to", "v2") == 0
    git(mine, "merge", "-q", "upgrade/v2")
    git(mine, "branch", "-q", "-d", "upgrade/v2")
    before = state(mine)
    capsys.readouterr()
    assert run("--from", str(theirs)) == 0
    said = capsys.readouterr().out
    assert base_of(said) == "v2, as .flywheel-template says"
    assert "Up to date" in said
    assert state(mine) == before
    commit(theirs, {"Makefile": "three:\n"})
    assert run("--from", str(theirs)) == 0
    [branch] = git(mine, "branch", "--list", "upgrade/*", "--format=%(refname:short)").split()
    assert changed(branch) == {"Makefile", ".flywheel-template"}


def test_a_clone_of_the_template_has_its_history(theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the base is where both parted."""
    git(tmp_path, "clone", "-q", "theirs", "mine")
    git(tmp_path / "mine", "reset", "-q", "--hard", "v1")
    monkeypatch.chdir(tmp_path / "mine")
    found = upgrading.upgrade(str(theirs), None, None, False)
    assert (found.old, found.new, found.how) == ("v1", "v2", "by the history that both have")


# -- refusals


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--from", "/nowhere"], 5, "git ls-remote could not read the template at /nowhere (fatal: "),
        (["--from", "https://me:secret@127.0.0.1:9/x?token=secret"], 5, "the template at https://127.0.0.1:9/x ("),
        (["--from", "--upload-pack=touch x"], 2, "--from: found '--upload-pack=touch x'"),
        (["--from", "ext::sh -c touch% x"], 5, "'ext' not allowed"),
        (["--from", "THEIRS", "--to", "v9"], 2, "has no tag, branch or commit 'v9'; its tags: v1, v2."),
        (["--from", "THEIRS", "--to", "abcdef1234"], 2, "has no tag, branch or commit 'abcdef1234'"),
        (["--from", "THEIRS", "--base", "v9"], 2, "has no tag, branch or commit 'v9'"),
        (["--from", "THEIRS", "--base", "abcdef1234"], 2, "--base: "),
        (["--from", "OTHER"], 2, "is no template of this loop: "),
        (["--from", "EMPTY"], 2, "has no commits"),
        (["--from", "STRANGE"], 2, "no commit of "),
    ],
)
def test_a_template_that_is_none_is_refused(
    mine: Path,
    theirs: Path,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    error: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one sentence, without the secret, and nothing has changed."""
    places = {"THEIRS": theirs} | {name: tmp_path / name.lower() for name in ("OTHER", "EMPTY", "STRANGE")}
    for name in ("OTHER", "EMPTY", "STRANGE"):
        git(tmp_path, "init", "-q", str(places[name]))
    commit(places["OTHER"], {"x": "x\n"})
    commit(places["STRANGE"], {**dict.fromkeys(ONE, "other\n"), "src/flywheel/__init__.py": "other\n"})
    before = state(mine)
    assert run(*[str(places.get(one, one)) for one in arguments]) == code
    said = capsys.readouterr()
    assert error in said.err
    assert "secret" not in said.err + said.out
    shutil.rmtree(mine / ".flywheel", ignore_errors=True)
    assert state(mine) == before


def test_a_shallow_template_is_told_so(
    mine: Path, theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Git fetches nothing from it; a branch of no name would be asked for in vain."""
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{theirs}", "shallow")
    for more in ([], ["--to", "v2"]):
        assert run("--from", str(tmp_path / "shallow"), *more) == 2
        said = capsys.readouterr().err
        assert "shallow is a shallow clone, of which Git gives nothing. Say there: git fetch --unshallow" in said
        assert "None" not in said


def test_a_template_without_a_main_branch_is_told_so(
    mine: Path, theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bare repository may say that its branch is called master when it is not."""
    git(tmp_path, "clone", "-q", "--bare", str(theirs), "bare.git")
    git(tmp_path / "bare.git", "symbolic-ref", "HEAD", "refs/heads/none")
    assert run("--from", str(tmp_path / "bare.git")) == 2
    assert (
        "bare.git does not say which branch is its main one. Say to which version: --to v2" in capsys.readouterr().err
    )
    assert run("--from", str(tmp_path / "bare.git"), "--to", "v2") == 0


def test_a_file_of_conf_in_other_letters_is_named(mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of many files, this one is to be mended."""
    (mine / "conf/config.yaml").write_bytes(b"# \xe4\n" + CONF.encode())
    git(mine, "commit", "-qam", "an editor of long ago")
    assert run("--from", str(theirs)) == 3
    assert "conf/config.yaml is not UTF-8" in capsys.readouterr().err


def test_what_git_says_behind_a_question_mark_is_shown() -> None:
    """Only what an address asks for is a secret."""
    said = "fatal: could not read from https://me:hunter2@host/x?token=hunter2: is it there? Perhaps not"
    assert "fatal: could not read from https://host/x: is it there? Perhaps not" == template.shown_in(
        said, "https://host"
    )


def test_an_older_template_is_refused_unless_one_says_so(
    mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --base a step back is possible."""
    assert run("--from", str(theirs), "--to", "v2") == 0
    git(mine, "merge", "-q", "upgrade/v2")
    assert run("--from", str(theirs), "--to", "v1") == 2
    assert "v1 is older than what is here: v2" in capsys.readouterr().err
    assert run("--from", str(theirs), "--to", "v1", "--base", "v2") == 0
    assert text("Makefile", "upgrade/v1") == ONE["Makefile"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("dirty", "1 tracked files have changes, such as Makefile"),
        ("detached", "no branch is checked out"),
        ("branch", "the branch upgrade/v2 is there already"),
        ("broken", ".flywheel-template is broken"),
        ("unknown", ".flywheel-template says that the engine here is from 0123456789, which"),
        ("waiting", ".flywheel-template names 0123456789"),
        ("conf", "conf/config.yaml is not YAML"),
    ],
)
def test_a_tree_that_cannot_be_upgraded_is_refused(
    mine: Path, theirs: Path, change: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what to do, and nothing has changed."""
    if change == "dirty":
        (mine / "Makefile").write_text("mine:\n")
    elif change == "detached":
        git(mine, "checkout", "-q", "--detach")
    elif change == "branch":
        git(mine, "branch", "upgrade/v2")
    elif change == "conf":
        commit(mine, {"conf/config.yaml": "a: [\n"})
    else:
        one = git(theirs, "rev-parse", "v1").strip()
        texts = {
            "broken": "[",
            "unknown": f"commit: {'0123456789' * 4!r}\n",
            "waiting": f"commit: {one}\nwaiting: {{Makefile: {'0123456789' * 4!r}}}\n",
        }
        commit(mine, {".flywheel-template": texts[change]})
    before = state(mine)
    assert run("--from", str(theirs), "--to", "v2") == 2
    assert error in capsys.readouterr().err
    shutil.rmtree(mine / ".flywheel", ignore_errors=True)
    assert state(mine) == before


def test_a_shallow_clone_does_not_know_its_first_commit(
    mine: Path, theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its last commit would be taken for it."""
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{mine}", "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    assert run("--from", str(theirs)) == 2
    assert "git fetch --unshallow" in capsys.readouterr().err


def test_what_fails_at_the_end_leaves_no_branch(mine: Path, theirs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A branch called upgrade stands in the way of upgrade/v2; Git says so, and all is as before."""
    git(mine, "branch", "upgrade")
    before = state(mine)
    assert run("--from", str(theirs), "--to", "v2") == 3
    assert "git update-ref failed" in capsys.readouterr().err
    shutil.rmtree(mine / ".flywheel", ignore_errors=True)
    assert state(mine) == before


def test_a_kill_at_the_last_moment_changes_nothing(mine: Path, theirs: Path) -> None:
    """When the branch is about to be made, the command is killed; afterwards it works as if nothing had been."""
    hook = mine / ".git/hooks/reference-transaction"
    kill = 'kill -9 $(cut -d" " -f4 /proc/$PPID/stat)'
    hook.write_text(f'#!/bin/sh\n[ "$1" = prepared ] && grep -q refs/heads/upgrade && {kill} && exit 1\nexit 0\n')
    before = state(mine)
    hook.chmod(0o755)
    command = [sys.executable, "-m", "flywheel.cli", "upgrade", "--from", str(theirs), "--to", "v2"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, check=False
    )
    assert done.returncode == -9
    hook.unlink()
    assert git(mine, "for-each-ref", "refs/heads").count("\n") == 1
    assert run("--from", str(theirs), "--to", "v2") == 0
    git(mine, "branch", "-q", "-D", "upgrade/v2")
    shutil.rmtree(mine / ".flywheel")
    assert state(mine) == before


def test_a_path_that_leads_out_of_the_tree_is_refused(mine: Path) -> None:
    """No honest tree has one, and a note about a conflict would be written there."""
    blob = merging.store(b"x")
    made = subprocess.run(
        ["git", "mktree"], input=f"100644 blob {blob}\tx\n", capture_output=True, text=True, check=True
    )
    raw = b"40000 ..\0" + bytes.fromhex(made.stdout.strip())
    done = subprocess.run(
        ["git", "hash-object", "-t", "tree", "-w", "--stdin", "--literally"], input=raw, capture_output=True, check=True
    )
    with pytest.raises(Exception, match="which Git does not allow"):
        merging.read_tree(done.stdout.decode().strip())


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("https://me:se/cret@h/x", "https://h/x"),
        ("https://me:p@ss@h/x.git", "https://h/x.git"),
        ("ssh://git@h/x", "ssh://h/x"),
        ("git@h:x.git", "git@h:x.git"),
        ("https://h/x?private_token=1", "https://h/x"),
        ("../x", "../x"),
    ],
)
def test_an_address_is_shown_without_what_gives_access(source: str, shown: str) -> None:
    """Also where the password has signs that it should not have."""
    assert template.shown(source) == shown


# -- on this tree


@pytest.mark.slow
@pytest.mark.project
def test_this_tree_takes_an_engine_that_wants_a_new_key(tmp_path: Path) -> None:
    """A project without the example, after an upgrade: conf/ has the key with its comment, and can be composed."""
    copy_files(tmp_path / "newer", tracked_files())
    newer, project = begin(tmp_path / "newer"), copy_of_this_tree(tmp_path / "project")
    settings, config = newer.path / "src/flywheel/report/settings.py", newer.path / "conf/config.yaml"
    settings.write_text(settings.read_text() + "    planted: int\n")
    comment = "  # A planted key. Higher: slower.\n  planted: 3\n"
    config.write_text(re.sub(r"(?m)^  weeks: 8\n", rf"\g<0>{comment}", config.read_text()))
    newer.commit("a key")
    newer.git("tag", "v2")
    said = project.flywheel("upgrade", "--from", str(newer.path)).stdout
    assert "whose engine is the same as that of the first commit here" in said
    assert f"report:\n{comment}" in said
    project.git("switch", "-q", "upgrade/v2")
    assert project.git("diff", "--name-only", "main").split() == [
        ".flywheel-template",
        "src/flywheel/report/settings.py",
    ]
    asked = project.flywheel("compose", check=False)
    assert (asked.returncode, "report.planted" in asked.stderr) == (2, True)
    project.git("switch", "-q", "main")
    project.git("branch", "-q", "-D", "upgrade/v2")
    project.flywheel("upgrade", "--from", str(newer.path), "--add-keys")
    project.git("switch", "-q", "upgrade/v2")
    assert comment in (project.path / "conf/config.yaml").read_text()
    project.flywheel("compose")
    assert yaml.safe_load((project.path / "params.yaml").read_text())["report"]["planted"] == 3
    assert "parcels" in (project.path / "params.yaml").read_text()
    assert not (project.path / "src/flights").exists()
