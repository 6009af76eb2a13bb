"""A turn refuses what it can before anything moves, and knows what the tree was composed with."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from flywheel import files
from flywheel.data import sources
from flywheel.data.identity import identity
from flywheel.errors import ConfigError, DataError
from flywheel.loop import clock, compose, pipeline, turn
from flywheel.loop.settings import AllParams
from flywheel.params import load, remembered
from flywheel.release.champion import Serving

pytestmark = pytest.mark.project

ROOT = Path(__file__).parents[3]
OTHER = "label.min_votes=3"  # any key will do


@cache
def code() -> str:
    """The folder of the project's code, as `conf/` names it."""
    return compose.composed(conf=ROOT / "conf").params.project.code


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with this one's `conf/`, in which the pipeline only notes that it was asked to run."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "conf", "conf")
    Path(code()).mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], check=True)
    monkeypatch.setattr(pipeline, "run", lambda *_: (True, 0.0))
    monkeypatch.setattr(sources, "open_source", lambda _: SimpleNamespace(last_day=dt.date(2099, 12, 31)))
    return tmp_path


def day() -> dt.date:
    return load(AllParams).clock.as_of


def source(**changed: object) -> None:
    """As if data had been collected with the options of `conf/`, but for those given."""
    now = compose.composed().params.source
    files.write_json(Path("data/events/source.json"), {**identity(now), "key_check": "k", **changed})


def decided(as_of: dt.date) -> None:
    said = {"verdict": "pass", "reference": "served", "champion": None, "candidate": "c", "as_of": as_of.isoformat()}
    files.write_json(files.DECISION, said | {"kind": "change", "rules": []})


def contents(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".git/" not in path.as_posix())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_tick_goes_on_with_the_overrides_of_the_last_run_and_says_so(tree: Path) -> None:
    """As after `flywheel run label.min_votes=3`: the clock moves, and the override stays."""
    turn.run([OTHER])
    start = day()
    said: list[str] = []
    turn.tick(7, said.append)
    assert load(AllParams).label.min_votes == 3
    assert day() == start + dt.timedelta(days=7)
    assert remembered() == (OTHER,)
    assert any(OTHER in line for line in said)


def test_what_a_tick_writes_is_what_conf_then_says(tree: Path) -> None:
    """The composition of the new day is written without reading conf/state.yaml again; it must be the same."""
    turn.run()
    turn.tick(7)
    assert Path("params.yaml").read_text() == compose.as_text(compose.compose())


def test_a_run_without_overrides_forgets_them_and_says_so(tree: Path) -> None:
    """`flywheel run` means conf/ as it is."""
    turn.run([OTHER])
    said: list[str] = []
    turn.run(say=said.append)
    assert remembered() == ()
    assert load(AllParams).label.min_votes == compose.composed().params.label.min_votes
    assert any(OTHER in line for line in said)


@pytest.mark.parametrize("move", [lambda: turn.tick(7), lambda: turn.monitor("2099-01-01")])
@pytest.mark.parametrize("given", ["clock.as_of=2013-05-03", "++clock.as_of=2013-05-03"])
def test_a_clock_that_an_override_holds_is_refused_before_anything_moves(tree: Path, given: str, move: object) -> None:
    """The clock of conf/state.yaml would move, and the run would not."""
    turn.run([given])
    before = contents(tree)
    with pytest.raises(ConfigError, match=r"the clock cannot move: .*clock\.as_of=2013-05-03"):
        move()  # type: ignore[operator]
    assert before == contents(tree)


@pytest.mark.parametrize("move", [turn.run, lambda: turn.tick(7), lambda: turn.monitor("2099-01-01")])
def test_data_of_another_world_is_refused_before_anything_moves(tree: Path, move: object) -> None:
    """As when data/events was collected with size=tiny, and conf/ alone says full."""
    turn.run()
    source(planted="another")
    before = contents(tree)
    with pytest.raises(DataError, match="planted was 'another', is None"):
        move()  # type: ignore[operator]
    assert before == contents(tree)


def test_the_refusal_names_the_command_that_goes_on(tree: Path) -> None:
    """The overrides of the last run are known, so they are said."""
    turn.run([OTHER])
    source(planted="another")
    with pytest.raises(DataError, match=rf"Run it as the last time: flywheel run {OTHER}\."):
        turn.run()


def test_data_of_the_same_world_is_no_reason_to_stop(tree: Path) -> None:
    """The options of the source are those that were written down."""
    turn.run()
    source()
    assert turn.tick(7) is not None


@pytest.mark.parametrize(
    ("follow", "today", "moved"),
    [("today", 3, 3), ("today", 9, 7), ("today", 0, None), ("today", -4, None), ("replay", 3, 7)],
)
def test_a_clock_that_follows_the_calendar_does_not_pass_today(
    tree: Path, follow: str, today: int, moved: int | None
) -> None:
    """The source has rows of days to come, and of today, which is not over: today is never collected half."""
    project = Path("conf/project") / f"{compose.composed().params.project.code.split('/')[-1]}.yaml"
    project.write_text(project.read_text().replace("follow: replay", f"follow: {follow}"))
    turn.run()
    assert load(AllParams).clock.follow == follow
    start, said = day(), []
    done = turn.tick(7, said.append, start + dt.timedelta(days=today))
    assert (done is None, day()) == (moved is None, start + dt.timedelta(days=moved or 0))
    assert any("is not over" in line for line in said) == (follow == "today" and today < 7)


@pytest.mark.parametrize("given", [True, False])
def test_a_clock_past_today_is_refused_before_anything_moves(tree: Path, given: bool) -> None:
    """Where it follows the calendar. The place that sets it is named: the override, or the file."""
    start = day_after_a_run()
    before, overrides = contents(tree), [f"clock.as_of={start}"] if given else []
    said = f"Fix the override {overrides[0]}" if given else r"Fix conf/state\.yaml"
    today = start - dt.timedelta(days=1)
    with pytest.raises(ConfigError, match=rf"found {start}, but today is {today} .*{said}"):
        turn.run(overrides, today=today)
    assert before == contents(tree)
    turn.run(overrides, today=start)


def test_a_monitor_past_today_is_refused(tree: Path) -> None:
    """Nothing is collected for it either."""
    start = day_after_a_run()
    with pytest.raises(ConfigError, match=rf"found {start}, but today is"):
        turn.monitor((start - dt.timedelta(days=1)).isoformat())


def day_after_a_run() -> dt.date:
    """Let the clock follow the calendar, and run; returns where it stands."""
    project = Path("conf/project") / f"{compose.composed().params.project.code.split('/')[-1]}.yaml"
    project.write_text(project.read_text().replace("follow: replay", "follow: today"))
    turn.run()
    return day()


def test_a_tick_after_monitor_moves_the_clock(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`flywheel monitor` makes no verdict, so none is missing."""
    turn.run()
    start = day()
    decided(start)
    monkeypatch.setattr(pipeline, "run_until", lambda _: 0.0)
    monkeypatch.setattr(turn, "decide_trigger", lambda: {"alerts": []})
    monkeypatch.setattr(clock, "target", lambda *_: start + dt.timedelta(days=2))
    turn.monitor()
    assert day() == start + dt.timedelta(days=2)
    turn.tick(7)
    assert day() == start + dt.timedelta(days=9)


def test_a_tick_ends_a_run_that_was_killed_after_a_monitor(tree: Path) -> None:
    """What was monitored was another day: the verdict of this one is missing."""
    turn.run()
    start = day()
    decided(start - dt.timedelta(days=7))
    files.write_text(turn.MONITORED, (start - dt.timedelta(days=3)).isoformat())
    said: list[str] = []
    turn.tick(7, said.append)
    assert day() == start
    assert any("did not finish" in line for line in said)


def test_a_tick_composes_once_for_each_day(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Composing takes half a second: once for where the clock stands, once for where it goes."""
    import hydra

    turn.run()
    real, n = hydra.compose, []
    monkeypatch.setattr(hydra, "compose", lambda *arguments: n.append(1) or real(*arguments))
    turn.tick(7)
    assert 2 == len(n)


def test_what_is_to_be_reviewed_comes_from_conf_alone(tree: Path) -> None:
    """A retrain proposes a tree: an override on somebody's command line would decide what nobody sees."""
    turn.run([OTHER])
    with pytest.raises(ConfigError, match=rf"composed with {OTHER}, which conf/ does not say"):
        turn.as_before(print, may_override=False)


def test_a_project_without_its_code_is_refused_before_anything_moves(tree: Path) -> None:
    """DVC would only say that a dependency does not exist."""
    before = contents(tree)
    with pytest.raises(ConfigError, match=r"project\.code: found 'src/nowhere'"):
        turn.run(["project.code=src/nowhere"])
    assert before == contents(tree)


def test_a_folder_without_git_is_refused_before_anything_moves(tree: Path) -> None:
    """As when the files were unpacked from an archive."""
    shutil.rmtree(".git")
    before = contents(tree)
    with pytest.raises(ConfigError, match="not in a Git repository"):
        turn.run()
    assert before == contents(tree)


def test_a_clock_does_not_move_where_params_cannot_be_written(tree: Path) -> None:
    """A folder stands in the way; conf/state.yaml is as it was."""
    turn.run()
    Path("params.yaml").unlink()
    Path("params.yaml").mkdir()
    before = Path("conf/state.yaml").read_bytes()
    with pytest.raises(DataError, match=r"params\.yaml could not be written"):
        turn.tick(7)
    assert before == Path("conf/state.yaml").read_bytes()


def test_a_champion_is_not_taken_over_where_params_cannot_be_written(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The champion of one day and the clock of another would be a comparison that nobody asked for."""
    turn.run()
    monkeypatch.setattr(turn, "read_serving", lambda _: Serving("v0.1.0", {"card.json": "{}"}))
    Path("params.yaml").unlink()
    Path("params.yaml").mkdir()
    with pytest.raises(DataError, match=r"params\.yaml could not be written"):
        turn.tick(7)
    assert not files.CHAMPION.exists()


def test_a_champion_that_cannot_be_read_is_refused_before_anything_moves(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that prod names has a card that is none."""
    turn.run()
    before = contents(tree)

    def broken(_: str) -> Serving:
        raise DataError("the card.json of v0.1.0 is not JSON")

    monkeypatch.setattr(turn, "read_serving", broken)
    with pytest.raises(DataError, match=r"card\.json of v0\.1\.0"):
        turn.tick(7)
    assert before == contents(tree)


@pytest.mark.parametrize("line", ["# Overrides: size=tiny", "# Overrides: 3"])
def test_a_broken_note_of_the_overrides_is_said(tree: Path, line: str) -> None:
    """Somebody edited params.yaml by hand."""
    Path("params.yaml").write_text(f"{compose.HEADER}{line}\nclock: {{}}\n")
    with pytest.raises(ConfigError, match="Overrides:' is broken"):
        remembered()


def test_the_note_survives_any_override(tree: Path) -> None:
    """Blanks, quotes and line ends are part of a value."""
    given = ("project.note='two\nlines: \"x\"'", OTHER)
    Path("params.yaml").write_text(compose.as_text({"a": 1}, given))
    assert given == remembered()
    assert {"a": 1} == yaml.safe_load(Path("params.yaml").read_text())
