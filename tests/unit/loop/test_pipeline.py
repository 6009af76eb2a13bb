"""The pipeline is run in the root of a repository, by one command at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flywheel import files
from flywheel.data.evidence import CorrectedFile
from flywheel.data.ledger import digest_of
from flywheel.errors import ConfigError, DataError
from flywheel.loop import pipeline

pytestmark = pytest.mark.slow  # DVC runs


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the root of a repository."""
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    Path("dvc.yaml").write_text("stages: {}\n")
    return tmp_path


def test_a_folder_below_the_root_is_refused_and_nothing_is_made_in_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says where to go."""
    below = root / "reports/plots"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    with pytest.raises(ConfigError, match=rf"Run flywheel in the root of the repository: cd {root}$"), pipeline.alone():
        pass
    assert [] == list(below.iterdir())


def test_a_folder_that_is_in_no_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows where the repository is."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no dvc\.yaml in"), pipeline.alone():
        pass
    assert [] == list(tmp_path.iterdir())


def test_two_commands_at_once_are_refused(root: Path) -> None:
    """The second one says that the first one is at work; after it, the folder is free again."""
    with pipeline.alone(), pytest.raises(DataError, match="another flywheel command is running"), pipeline.alone():
        pass
    with pipeline.alone():
        pass


def test_what_a_killed_command_left_is_removed_by_the_next_one_that_holds_the_lock(root: Path) -> None:
    """Half a file, and rows that waited on disk; not while the other command is still at work."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    for name in (f"{done.pid}-labels.parquet", f"{done.pid}-spool-x/2030-01-01-0.arrow", "spool-x/2030-01-01-0.arrow"):
        files.write_text(files.TMP / name, "half")
    with pipeline.alone():
        assert not any(files.TMP.rglob("*"))
        files.write_text(files.TMP / "1-mine", "")
        with pytest.raises(DataError), pipeline.alone():
            pass
        assert (files.TMP / "1-mine").exists()


def test_what_another_process_is_writing_without_the_lock_stays(root: Path) -> None:
    """Some commands take no lock, and nor does a stage that DVC starts by itself; what they write, they move themselves."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        names = [f"{other.pid}-labels.parquet", f"{other.pid}-spool-x", f"{os.getpid()}-mine"]
        for name in names:
            files.write_text(files.TMP / name, "half")
        with pipeline.alone():
            assert sorted(names) == sorted(path.name for path in files.TMP.iterdir())
    finally:
        other.communicate(b"\n")


FAILING = """
from flywheel import errors
from flywheel.params import Params
from flywheel.stages import run_stage

def main(params):
    {body}

run_stage(main, Params)
"""


@pytest.fixture
def tree(root: Path) -> Path:
    """A repository of DVC with two small stages: what arrives, and what is made of it."""
    from dvc.repo import Repo

    Repo.init(no_scm=True).close()
    Path("arriving").write_text("today\n")
    Path("params.yaml").write_text("clock: {}\n")
    Path("dvc.yaml").write_text(
        """stages:
  collect:
    cmd: mkdir -p data/events && cp arriving data/events/day.parquet
    deps: [arriving]
    outs: [{data/events: {persist: true}}]
  featurize:
    cmd: mkdir -p data/features && cp data/events/day.parquet data/features/day.parquet
    deps: [data/events]
    outs: [data/features]
  train:
    cmd: mkdir -p models/candidate && cp data/features/day.parquet models/candidate/model.txt
    deps: [data/features]
    outs: [{models/candidate: {cache: false}}]
  monitor:
    cmd: mkdir -p reports && cp data/features/day.parquet reports/monitor.json
    deps: [data/features]
    outs: [{reports/monitor.json: {cache: false}}]
"""
    )
    return root


def failing(body: str) -> None:
    """Let the first stage be one of ours that fails."""
    Path("failing.py").write_text(FAILING.format(body=body))
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(
        text.replace("mkdir -p data/events && cp arriving data/events/day.parquet", "python failing.py")
    )


def test_a_stage_hands_its_exit_code_and_its_words_on(tree: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Also where the words are about an exit code; and they are said once."""
    failing("raise errors.DataError('the source exited with 7. Ask for it again.')")
    with pytest.raises(pipeline.StageFailed) as caught:
        pipeline.run()
    assert str(caught.value) == "failing: the source exited with 7. Ask for it again."
    assert (caught.value.exit_code, caught.value.stage) == (3, "failing")
    assert "exited with 7" not in capfd.readouterr().err
    assert not pipeline.FAILED.exists()


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("import datetime; datetime.date(2013, 1, 1) - datetime.timedelta(days=4000000)", 2, "beyond the calendar"),
        ("open('nowhere/x')", 3, "nowhere/x: No such file or directory"),
        ("b'\\xff'.decode()", 3, "not UTF-8"),
    ],
)
def test_what_disk_and_calendar_refuse_is_no_traceback(
    tree: Path, capfd: pytest.CaptureFixture[str], body: str, code: int, words: str
) -> None:
    """It has an exit code and a sentence like any other error."""
    failing(body)
    with pytest.raises(pipeline.StageFailed, match=words) as caught:
        pipeline.run()
    assert caught.value.exit_code == code
    assert "Traceback" not in capfd.readouterr().err


def test_a_stage_that_was_killed_is_told_from_one_that_failed(tree: Path) -> None:
    """Nothing was handed on, also where an earlier run had left something."""
    failing("import os; os.kill(os.getpid(), 9)")
    pipeline.FAILED.parent.mkdir(exist_ok=True)
    pipeline.FAILED.write_text('{"stage": "old", "exit_code": 4, "message": "old"}')
    with pytest.raises(pipeline.StageFailed, match=r"^the run was cut short: .*'collect'.*failing\.py") as caught:
        pipeline.run()
    assert (caught.value.exit_code, caught.value.stage) == (1, None)


def test_what_dvc_refuses_is_said_with_its_cause(tree: Path) -> None:
    """A dependency that is missing: "failed to reproduce" alone would hide it."""
    pipeline.run()
    Path("arriving").unlink()
    with pytest.raises(DataError, match=r"failed to reproduce 'collect': .*arriving"):
        pipeline.run()


def test_a_folder_without_dvc_is_refused(root: Path) -> None:
    """As in a copy of the files without .dvc/."""
    with pytest.raises(ConfigError, match=r"there is no \.dvc/ here"):
        pipeline.run()


@pytest.mark.parametrize("command", [pipeline.run, pipeline.restore])
def test_a_folder_without_git_is_told_so(tree: Path, command: Callable[[], object]) -> None:
    """As when the files were unpacked from an archive; DVC would only miss its own."""
    shutil.rmtree(".git")
    with pytest.raises(ConfigError, match="not in a Git repository"):
        command()


def objects_of(content: str) -> Path:
    import hashlib

    name = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    return Path(".dvc/cache/files/md5", name[:2], name[2:])


def plant(path: Path, content: str) -> None:
    """Other bytes under the same name, with the time and the mode that were there."""
    was = path.stat()
    path.chmod(0o644)
    path.write_text(content)
    path.chmod(was.st_mode)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def test_a_restore_does_not_believe_a_cache_by_its_names(tree: Path) -> None:
    """What was planted is dropped and said; the run makes it again from what arrives."""
    pipeline.run()
    plant(objects_of("today\n"), "wrong\n")
    shutil.rmtree("data")
    said: list[str] = []
    assert pipeline.restore(said.append) == "0 of 2 data folders are here, from the cache; a run makes the rest again"
    assert ["cache     1 object was not what the name says, and dropped"] == said
    pipeline.run()
    assert Path("data/features/day.parquet").read_text() == "today\n"


def test_what_a_remote_gives_is_hashed_too(tree: Path) -> None:
    """Whoever may write there could plant as well."""
    subprocess.run([sys.executable, "-m", "dvc", "remote", "add", "-q", "-d", "store", str(tree / "store")], check=True)
    pipeline.run()
    shutil.copytree(".dvc/cache", "store")
    plant(tree / "store" / objects_of("today\n").relative_to(".dvc/cache"), "wrong\n")
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("data")
    said: list[str] = []
    assert pipeline.restore(said.append).startswith("0 of 2 data folders are here, from the remote 'store'")
    assert len(said) == 1


def test_a_whole_cache_gives_all_and_nothing_is_left_to_run(tree: Path) -> None:
    """The usual case."""
    pipeline.run()
    shutil.rmtree("data")
    assert pipeline.restore() == "2 of 2 data folders are here, from the cache"
    assert not pipeline.run()[0]


def test_verify_does_not_believe_what_is_checked_out(tree: Path) -> None:
    """DVC remembers size and time of a file; planted bytes may have both. It is made again, and nothing else."""
    pipeline.run()
    for name in ("events", "features"):
        plant(Path(f"data/{name}/day.parquet"), "wrong\n")
    said: list[str] = []
    pipeline.run(verify=True, say=said.append)
    assert ["data      not what dvc.lock says, so it is dropped: data/events/day.parquet, data/features"] == said
    assert Path("models/candidate/model.txt").read_text() == "today\n"
    assert Path("data/events/day.parquet").read_text() == "today\n"


def correct_a_day() -> None:
    """A correction that is complete, of a day that the last run did not know so."""
    path = Path("data/events/feedback/2030-01-01.parquet")
    path.parent.mkdir()
    path.write_text("corrected\n")
    digest = digest_of(path) or ""
    file: CorrectedFile = {"digests": ["", digest], "rows": [1, 1], "changed": 1}
    days = {"2030-01-01": {"feedback": file}}
    span = {"first": "2030-01-01", "last": "2030-01-01", "as_of": "2030-01-02"}
    files.write_json(files.CORRECTIONS, [{**span, "who": "Ann", "why": "late", "days": days}])
    files.write_json(files.EVENTS / "ledger.json", {"2030-01-01": {"predictions": "", "feedback": digest}})


def test_verify_keeps_a_correction_whose_run_did_not_finish(tree: Path) -> None:
    """It says so; what the cache has of these days is what was before."""
    Path("data/events/feedback").mkdir(parents=True)
    Path("data/events/feedback/2030-01-01.parquet").write_text("old\n")
    pipeline.run()
    shutil.rmtree("data/events/feedback")
    correct_a_day()
    said: list[str] = []
    pipeline.run(verify=True, say=said.append)
    assert ["data      kept as corrected, which no run has followed yet: 1 file of days"] == said
    assert Path("data/events/feedback/2030-01-01.parquet").read_text() == "corrected\n"
    assert files.CORRECTIONS.exists()


def test_a_restore_does_not_lose_a_correction_whose_run_did_not_finish(tree: Path) -> None:
    """It says what to do instead of what DVC would force."""
    pipeline.run()
    correct_a_day()
    with pytest.raises(DataError, match=r"what no run has followed yet.* Finish the run first: flywheel run$"):
        pipeline.restore()
    assert files.CORRECTIONS.exists()
    pipeline.run()
    assert pipeline.restore().startswith("2 of 2")


def test_verify_says_nothing_about_data_that_is_as_it_was(tree: Path) -> None:
    """And it keeps it."""
    pipeline.run()
    before = Path("data/features/day.parquet").stat().st_mtime_ns
    said: list[str] = []
    pipeline.run(verify=True, say=said.append)
    assert [] == said
    assert before == Path("data/features/day.parquet").stat().st_mtime_ns
