"""What several tests use: clones of this repository, in which the example has made way for the engine's own small project."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml

from tests import planted
from tests.postgres import Postgres, programs

ROOT = Path(__file__).parents[1]
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two tests at once on two cores: more threads only wait for each other
# Where Matplotlib keeps what fonts there are: a clone with a HOME of its own would look for them again.
FONTS = os.environ.get("MPLCONFIGDIR", str(Path.home() / ".cache/matplotlib"))
os.environ.setdefault(
    "OMP_WAIT_POLICY", "passive"
)  # and those that a test asks for leave the cores to others, as in a run
hypothesis.settings.register_profile(  # how fast examples come is the machine's doing, and no test is timed
    "repository", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("repository")

# What goes when the example goes; what a run makes; and what comes instead, from tests/project/.
EXAMPLE = ("src/flights/", "conf/project/flights.yaml", "tests/flights/", "docs/example.md")
RESULTS = ("dvc.lock", "params.yaml", "models/", "reports/")
PROJECT = {"parcels": "src/parcels", "parcels.yaml": "conf/project/parcels.yaml"}
NAME = "parcel-delay"  # the project's, in conf/project/parcels.yaml
AS_OF = "2031-04-12"  # six weeks of parcels; the data ends on 29 April
CHAMPION_AS_OF = "2031-03-21"  # the champion was trained on six days
LATE_DAYS = ("2031-03-25", "2031-04-02")  # the days for which rows come late in one of the clones
FIRST = "a first model"  # the commit in which the champion was a candidate; no test begins with its tag


# What another project has otherwise, so that a test which opens it could depend on the example.
OTHERWISE = (*EXAMPLE, *RESULTS, "conf/config.yaml", "conf/state.yaml", "conf/project/", "pyproject.toml", "uv.lock")
ENGINE = ("tests/unit/", "tests/behaviour/")


# What takes minutes, and is begun first: so no worker is at it alone in the end, when the other one has nothing left.
LONG = ("tests/repo/test_walk.py", "tests/pipeline/", "tests/workflows/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where there are several workers, put the tests in the order in which xdist gives them out."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = [items[place] for place in dealt([item.nodeid for item in items], workers)]


def dealt(names: list[str], workers: int) -> list[int]:
    """The places of some tests in their new order.

    xdist gives each worker a stretch of it, all of the same length. Each begins with as many of the long tests as the others,
    neighbours together, since they use the same clones; then come short ones, as they were.
    """
    rank = {
        place: next((n for n, one in enumerate(LONG) if name.startswith(one)), None) for place, name in enumerate(names)
    }
    long = sorted((place for place, n in rank.items() if n is not None), key=lambda place: (rank[place], place))
    short = [place for place, n in rank.items() if n is None]
    order: list[int] = []
    for left in range(workers, 0, -1):
        n_long = len(long) // left
        n_short = max((len(long) + len(short)) // left - n_long, 0)
        order += long[:n_long] + short[:n_short]
        del long[:n_long], short[:n_short]
    return order


class Watch:
    """Sees which files of this tree the test that runs now opens, itself or by its fixtures, in this process."""

    def __init__(self) -> None:
        self.opened: set[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.opened is None or event not in ("open", "os.listdir", "os.scandir"):
            return
        if isinstance(arguments[0], (str, bytes, os.PathLike)):
            place = os.path.abspath(os.fsdecode(arguments[0]))
            path = os.path.relpath(place, ROOT)
            if path == "tests/flights":  # pytest has this folder in sys.path, where any import looks
                return
            if (f"{path}/".startswith(OTHERWISE) or path in OTHERWISE) and not by_hypothesis():
                self.opened.add(path)


def by_hypothesis() -> bool:
    """Whether Hypothesis asks: it looks for constants in the source of each module that an earlier test has imported."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename.endswith("hypothesis/internal/constants_ast.py"):
            return True
    return False


watch = Watch()
sys.addaudithook(watch)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """From here on, before any fixture is made, a test of the engine is watched."""
    watch.opened = None
    if item.nodeid.startswith(ENGINE) and not item.get_closest_marker("project"):
        planted.engine_params()  # the engine's own settings, without a project, which many tests share
        watch.opened = set()


@pytest.fixture(autouse=True)
def nothing_of_the_example() -> Iterator[None]:
    """A test of the engine does not look at this tree's own project, or is marked, and run on another one by the walk."""
    yield
    opened, watch.opened = watch.opened, None
    assert not opened, f"it opened {', '.join(sorted(opened))}: give it the mark `project`, or a project of its own"


class Clone:
    """A clone of the working tree in a temporary folder, with its own HOME, in which commands are run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.home = path.parent / f"{path.name}-home"
        self.home.mkdir(exist_ok=True)
        self.env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@example.com",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@example.com",
            "DVC_NO_ANALYTICS": "1",
            "PYTHONPATH": str(path / "src"),
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
            "MPLCONFIGDIR": FONTS,
        }

    def run(
        self, *command: str, check: bool = True, timeout: float = 300, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone; with `check` a failure shows what it printed."""
        done = subprocess.run(
            command, cwd=self.path, env=self.env | env, capture_output=True, text=True, check=False, timeout=timeout
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def flywheel(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the clone's own `flywheel`."""
        return self.run(sys.executable, "-m", "flywheel.cli", *arguments, check=check, **env)

    def git(self, *arguments: str) -> str:
        """What a Git command prints in the clone."""
        return self.run("git", *arguments).stdout.strip()

    def install(self) -> None:
        """Let `make` find what is installed for this tree, and nothing to install."""
        (self.path / ".venv").symlink_to(ROOT / ".venv")
        for name in ("uv.lock", "pyproject.toml"):
            os.utime(self.path / name, (0, 0))

    def move_clock(self, day: str) -> None:
        """Set the clock in conf/state.yaml."""
        state = self.path / "conf/state.yaml"
        state.write_text(re.sub(r"as_of: \S+", f"as_of: {day}", state.read_text()))

    def json(self, name: str) -> Any:
        """A JSON file of the clone."""
        return json.loads((self.path / name).read_text())

    def hashes(self) -> dict[str, str]:
        """The hash of every output, as dvc.lock has it."""
        stages = yaml.safe_load((self.path / "dvc.lock").read_text())["stages"]
        return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)


def tracked_files() -> list[str]:
    """The files of this tree that Git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def copy_of_this_tree(target: Path) -> Clone:
    """A new repository with the files of this tree, in one commit: the parcels instead of the example, and no results."""
    copy_files(target, [name for name in tracked_files() if not name.startswith((*EXAMPLE, *RESULTS))])
    plant_project(target)
    return begin(target)


def copy_files(target: Path, names: list[str]) -> None:
    """Copy some files of this tree."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


def begin(target: Path) -> Clone:
    """Make a folder a Git repository with one commit."""
    clone = Clone(target)
    clone.git("-c", "init.templateDir=", "init", "-q", "-b", "main")
    clone.commit("start")
    return clone


def plant_project(target: Path) -> None:
    """Make the parcels the default project of a tree, on their own day, as a person does who makes the template theirs."""
    for name, place in PROJECT.items():
        found = ROOT / "tests/project" / name
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(found, target / place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(found, target / place)
    config = target / "conf/config.yaml"
    text = re.sub(r"(?m)^  - project: .*$", "  - project: parcels", config.read_text())
    config.write_text(text.replace("  - model: lightgbm", "  - model: fast"))
    state = target / "conf/state.yaml"
    state.write_text(re.sub(r"as_of: \S+", f"as_of: {AS_OF}", state.read_text()))


def shared(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], Clone]) -> Clone:
    """A clone that is built once, by the first worker that needs it, and used by all. Tests must not change it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            shutil.rmtree(folder / "clone", ignore_errors=True)
            (folder / "built").write_text(getattr(build(folder / "clone"), "stdout", ""))
    clone = Clone(folder / "clone")
    clone.stdout = (folder / "built").read_text()
    return clone


# Some weeks earlier the loop had learned from few days. In one process, without DVC.
FIRST_MODEL = """
import importlib, pathlib, shutil
from flywheel.loop.compose import composed, write
from flywheel.params import load
write(composed([f"clock.as_of={as_of}"]))
for stage in ("collect", "validate", "label", "featurize", "train"):
    module = importlib.import_module(f"flywheel.stages.{stage}")
    module.main(load(getattr(module, f"{stage.title()}Params")))
for made in ("data", "reports", "params.yaml"):
    shutil.rmtree(made) if pathlib.Path(made).is_dir() else pathlib.Path(made).unlink()
"""


def seeded(target: Path) -> Clone:
    """A clone with a champion, in which nothing has been run."""
    clone = copy_of_this_tree(target)
    clone.run(sys.executable, "-m", "compileall", "-q", "src")  # once, for all copies
    clone.run(sys.executable, "-c", f"as_of = {CHAMPION_AS_OF!r}\n{FIRST_MODEL}")
    clone.commit(FIRST)
    (clone.path / "models/candidate").rename(clone.path / "models/champion")
    card = clone.path / "models/champion/card.json"
    card.write_text(card.read_text().replace('"version": null', '"version": "v0.1.0"'))
    clone.commit("a champion")
    return clone


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with a champion, in which nothing has been run. Tests must not change it."""
    return shared(tmp_path_factory, "start", seeded)


@pytest.fixture
def new_clone(start: Clone, tmp_path: Path) -> Iterator[Callable[[str], Clone]]:
    """Makes clones with a champion, in which nothing has been run, by name."""

    def make(name: str) -> Clone:
        shutil.copytree(start.path, tmp_path / name, symlinks=True)
        return Clone(tmp_path / name)

    yield make
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(scope="session")
def tiny(start: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which all stages ran, and whose results are committed. Tests must not change it."""

    def build(target: Path) -> Clone:
        shutil.copytree(start.path, target, symlinks=True)
        clone = Clone(target)
        clone.stdout = clone.flywheel("run").stdout
        clone.commit("a run")
        return clone

    return shared(tmp_path_factory, "tiny", build)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL, started by the first test that needs it, and stopped in the end; pyproject.toml says for which Pythons."""
    if programs() is None:
        pytest.skip("the package pgserver has no PostgreSQL for this Python")
    server = Postgres()
    yield server
    server.close()


def copied(clone: Clone, folder: Path) -> Iterator[Clone]:
    """A copy of a clone, data included, that is gone after the test."""
    shutil.copytree(clone.path, folder / "copy", symlinks=True)
    yield Clone(folder / "copy")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tiny_copy(tiny: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy of that clone, data included, that a test may change."""
    yield from copied(tiny, tmp_path)


@pytest.fixture(scope="session")
def losing(tiny: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """That clone with a planted regression: a candidate that may hardly split, and loses. Tests must not change it."""

    def build(target: Path) -> Clone:
        shutil.copytree(tiny.path, target, symlinks=True)
        clone = Clone(target)
        model = clone.path / "conf/model/fast.yaml"
        model.write_text(model.read_text().replace("min_child_samples: 20", "min_child_samples: 900"))
        clone.stdout = clone.flywheel("run").stdout
        clone.commit("a regression")
        return clone

    return shared(tmp_path_factory, "losing", build)


@pytest.fixture
def losing_copy(losing: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy of the clone with the regression, data included, that a test may change."""
    yield from copied(losing, tmp_path)


# What the parcels' source is like once the scanner is online again: it tells of thirty parcels what it had kept to itself.
ONLINE = f"""
    def feedback(self, day: dt.date) -> pd.DataFrame:
        found = self._heard(day)
        if day.isoformat() not in {LATE_DAYS!r}:
            return found
        about = self.predictions(day)["prediction_id"].head(30)
        told = pd.DataFrame({{"feedback_id": "late-" + about, "prediction_id": about, "channel": "outcome", "value": 1.0}})
        told["received_at"] = (pd.Timestamp(day, tz="UTC") + pd.Timedelta(hours=23)).as_unit("us")
        return pd.concat([found, told.assign(source_id="scanner")], ignore_index=True)

    def _heard("""


@pytest.fixture(scope="session")
def late(tiny: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """That clone with rows that came late for two collected days, committed. Tests must not change it."""

    def build(target: Path) -> Clone:
        shutil.copytree(tiny.path, target, symlinks=True)
        clone = Clone(target)
        code = clone.path / "src/parcels/source.py"
        code.write_text(code.read_text().replace("\n    def feedback(", ONLINE, 1))
        clone.stdout = clone.flywheel("run").stdout
        clone.commit("the scanner is online")
        return clone

    return shared(tmp_path_factory, "late", build)


@pytest.fixture
def late_copy(late: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy of the clone with late rows, data included, that a test may change."""
    yield from copied(late, tmp_path)
