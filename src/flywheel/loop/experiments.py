"""The last experiments of `dvc exp`, from the commits in which DVC keeps them, and the models in them, timed in turn."""

from __future__ import annotations

import datetime as dt
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flywheel import files, git, shapes
from flywheel.data import tables
from flywheel.errors import DataError, FlywheelError
from flywheel.evaluation.cost import race, unaskable
from flywheel.evaluation.evidence import Cohorts, Decision, Measured
from flywheel.evaluation.experiments import Experiment, changes, found_in
from flywheel.features.days import read_features
from flywheel.model import artifact
from flywheel.model.card import DOES, identity_of
from flywheel.release.commits import Commit, head
from flywheel.release.derivation import PARAMS

if TYPE_CHECKING:  # slow to import
    import pandas as pd

EXPERIMENT = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/(.+)")  # the commit it began from, and its name
FAILED = "refs/exps/celery/failed"
QUEUED = re.compile(r"dvc-exp:[0-9a-f]+:[0-9a-f]+:(\S+)")  # what DVC writes of an experiment from its queue; its name
DAYS = 28  # of the features, the last ones: the rows that are asked
CANDIDATE = files.CANDIDATE.as_posix()
T = TypeVar("T")


def experiments(last: int, project: str) -> tuple[list[Experiment], str | None]:
    """The commit that is checked out, and the last experiments, the latest first; then those of DVC's queue that failed.

    One that cannot be compared says why. With them comes why none was timed, None if some were. An empty list where there is
    no experiment at all; DataError where there is no commit yet.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as in a run; before LightGBM is loaded
    here, known, failed = head(), refs(last), failures()[:last]
    if not known and not failed:
        return [], None
    found = [_read("HEAD", here, None, project), *(_read(*one, project) for one in known)]
    lost = [Experiment(name, why=f"it failed; see: dvc queue logs {name}") for name in failed]
    try:
        return [*_timed(found, rows()), *lost], None
    except DataError as error:
        return [*(one for one, _ in found), *lost], f"no model was timed: {error}"


def rows() -> pd.DataFrame:
    """What the models are asked: the features of the last days that are here. DataError where there are none."""
    days = tables.days_in(files.FEATURES) if files.FEATURES.is_dir() else []
    if not days:
        raise DataError(
            "there are no features here. Bring them with: flywheel restore, or make them with: flywheel run"
        )
    end = max(days) + dt.timedelta(days=1)
    return read_features(end - dt.timedelta(days=DAYS), end)


def refs(last: int) -> list[tuple[str, Commit, Commit]]:
    """Name, commit, and the commit it began from, of so many experiments, the latest first."""
    listed = git.run("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    entries = [line.split(" ", 1) for line in listed.splitlines()]
    known = [(_when(sha), sha, match) for sha, ref in entries if (match := EXPERIMENT.fullmatch(ref))]
    known.sort(key=lambda one: one[0], reverse=True)
    return [(match[3], Commit(sha), Commit(match[1] + match[2])) for _, sha, match in known[:last]]


def _when(sha: str) -> int:
    """When a commit was made, in seconds; 0 for what is no commit, or is not here."""
    code, kind, _ = git.ask("cat-file", "-t", sha)
    if code or git.text(kind).strip() != "commit":
        return 0
    return int(git.run("show", "--no-patch", "--format=%ct", sha).strip())


def failures() -> list[str]:
    """The names of the experiments in DVC's queue that failed, the latest first."""
    code, out, _ = git.ask("log", "--walk-reflogs", "--format=%gs", FAILED)
    return [] if code else [match[1] for line in git.text(out).splitlines() if (match := QUEUED.search(line))]


def _read(name: str, commit: Commit, base: Commit | None, project: str) -> tuple[Experiment, artifact.Model | None]:
    """What a commit has of an experiment, and its model, if both can be read and belong together."""
    one = Experiment(name)
    if not _when(commit.sha):
        return replace(one, why=f"what it names, {commit.sha[:10]}, is no commit that is here"), None
    try:
        reports = [path.as_posix() for path in (files.METRICS, files.COHORTS, files.DECISION)]
        commit.fetch([CANDIDATE, PARAMS, *reports])
        params = _params(commit)
        one = replace(one, changed=_changed(params, base))
        said = params["project"].get("name") if isinstance(params.get("project"), dict) else None
        if said != project:
            return replace(one, why=f"it is of another project, {said}"), None
        measured = _shaped(commit, reports[0], Measured)
        found = found_in(measured, _shaped(commit, reports[1], Cohorts), _shaped(commit, reports[2], Decision))
        does = {file: commit.content(f"{CANDIDATE}/{file}") for file in DOES}
        if measured["about"]["candidate"]["identity"] != identity_of(does):
            return replace(one, why=f"{reports[0]} is about another model: its run did not come to an end"), None
        one = replace(one, found=found, bytes=sum(map(len, does.values())))
        return one, _model(commit)
    except FlywheelError as error:
        return replace(one, why=str(error)), None


def _model(commit: Commit) -> artifact.Model:
    """The candidate of a commit. DataError where its files do not belong together."""
    with tempfile.TemporaryDirectory() as folder:
        commit.write(CANDIDATE, Path(folder))
        try:
            return artifact.load(Path(folder))
        except DataError as error:  # it names the files by a folder that nobody knows
            raise DataError(str(error).replace(folder, CANDIDATE)) from None


def _shaped(commit: Commit, path: str, shape: type[T]) -> T:
    return shapes.check(commit.json(path), shape, path, "Another version of flywheel made it.")


def _params(commit: Commit) -> dict[str, Any]:
    found = commit.yaml(PARAMS)
    if not isinstance(found, dict):
        raise DataError(f"{PARAMS} of {commit.sha[:10]} holds no sections.")
    return found


def _changed(params: dict[str, Any], base: Commit | None) -> str:
    """What an experiment has otherwise than the commit that it began from, in one line; unknown where that is not here."""
    if base is None:
        return ""
    code, _, _ = git.ask("cat-file", "-e", f"{base.sha}:{PARAMS}")
    return f"unknown: {base.sha[:10]} is not here" if code else ", ".join(changes(_params(base), params))


def _timed(found: list[tuple[Experiment, artifact.Model | None]], table: pd.DataFrame) -> list[Experiment]:
    """The experiments with the latency of each whose model reads features that are here; all models answer in turn."""
    problems = {at: unaskable(model, table) for at, (_, model) in enumerate(found) if model}
    racing = {str(at): found[at][1] for at, problem in problems.items() if problem is None}
    rounds = race({name: model for name, model in racing.items() if model}, table, "one row") if racing else []
    timed = []
    for at, (one, _) in enumerate(found):
        problem = problems.get(at)
        best = min((one[str(at)] for one in rounds if str(at) in one), default=None)
        timed.append(replace(one, latency_ms=best, why=f"no latency: it {problem}" if problem else one.why))
    return timed
