"""`flywheel init` from beginning to end: look, then write. Nothing is written before all is looked at."""

from __future__ import annotations

import datetime as dt
import keyword
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from fsspec.implementations.local import LocalFileSystem

from flywheel import files, shapes
from flywheel.data.addresses import holds_secret, shown
from flywheel.data.sources.files import Where, listed
from flywheel.errors import ConfigError
from flywheel.evaluation.evidence import Probed, suspicions
from flywheel.evaluation.leaks import probe
from flywheel.evaluation.settings import Leaks
from flywheel.loop.compose import Composition, composed
from flywheel.loop.compose import write as write_params
from flywheel.params import CONF_FOLDER, from_yaml, parse
from flywheel.start import replacing
from flywheel.start.guess import Ask
from flywheel.start.looking import Answers
from flywheel.start.profile import profile, without_conf
from flywheel.start.propose import Proposal, propose
from flywheel.start.writing import PLACEHOLDER, as_yaml

DATABASE = re.compile(
    r"(?i)(postgres|postgresql|mysql|mariadb|sqlite|oracle|mssql|snowflake|bigquery|redshift|duckdb)(\+\w+)?:"
)
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Begun:
    """What will be written, and what to think about before."""

    proposal: Proposal
    package: str
    before: str
    tables: tuple[str, ...]


def look(
    predictions: str, feedback: str | None, name: str | None, answers: Answers, ask: Ask, today: dt.date, replace: bool
) -> Begun:
    """Look at the tables and at the tree. ConfigError or DataError says what stands in the way; nothing is written."""
    for table in (predictions, feedback or ""):
        check_table(table)
    chosen = name if name is not None else name_of(predictions)
    target = replacing.PROJECTS / f"{chosen}.yaml"
    before = replacing.default_project()
    if target.exists():
        raise ConfigError(f"{target} is there already. Delete it to begin again, or choose another name: --name")
    package = package_of(chosen)
    if (Path("src") / package).exists():
        raise ConfigError(f"src/{package} is there already. Choose another name: --name")
    tables = (predictions, *([feedback] if feedback else []))
    if replace:
        replacing.check_clean()
        for table in tables:
            replacing.check_outside(before, table, local_files(table))
    served = profile(predictions, answers.written)
    said = profile(feedback, answers.written) if feedback is not None else None
    proposal, inputs, label = propose(
        served, said, chosen, answers, ask, today, from_yaml(replacing.CONFIG.read_bytes())
    )
    if len(label):
        proposal.suspicions = suspicious(inputs, label)
    return Begun(proposal, package, before, tables)


def check_table(path: str) -> None:
    """ConfigError where a table is in a database, or at an address that would show a secret to everybody who reads conf/."""
    if DATABASE.match(path):
        raise ConfigError(
            f"{shown(path)} is the address of a database, which init does not look into. How one is read is in "
            "docs/your-data.md, under 'A database'; its password belongs into an environment variable alone. Or give init a "
            "file with some rows of it, and set source to sql afterwards."
        )
    if holds_secret(path):
        raise ConfigError(
            f"{shown(path)} has a password or a token, and conf/ would show it to everybody. Download the table, look at that "
            "file instead, and then name the environment variable with the address as path_env in conf/project/, in place of "
            "path: docs/your-data.md says how. Then change the password."
        )


def package_of(name: str) -> str:
    """The name of a project's package. ConfigError where YAML, Python, or this repository takes the name for something else."""
    package = name.replace("-", "_")
    why = None
    if not NAME.fullmatch(name):
        why = "allowed are small letters, digits, and single - between them"
    elif yaml.safe_load(name) != name or keyword.iskeyword(package):
        why = f"{name} is a word of YAML or of Python"
    elif package in replacing.FOLDERS or (Path("tests") / package).exists():
        why = f"a folder of this repository, or of its tests, is called {package}"
    elif package == "flywheel" or is_module(package):
        why = f"a module of Python is called {package}, and src/{package} would stand in its way"
    if why is not None:
        raise ConfigError(f"--name: found {name!r}; {why}. Choose another name, such as --name late-parcels")
    return package


def is_module(package: str) -> bool:
    """Whether something beside this repository can be imported by a name."""
    own = (Path.cwd(), Path.cwd() / "src")
    places = [place for place in sys.path if Path(place).absolute() not in own]
    return package in sys.stdlib_module_names or PathFinder.find_spec(package, places) is not None


@without_conf()
def local_files(table: str) -> list[str]:
    """The files of a table that are on the disk of this machine. DataError where the table has none anywhere."""
    filesystem, names = listed(parse(Where, {"path": table}))
    return names if isinstance(filesystem, LocalFileSystem) else []


def suspicious(inputs: pd.DataFrame, label: np.ndarray) -> dict[str, str]:
    """Inputs that may give the answer away, with why, by the probe that `evaluate` uses, and its limits."""
    limits = parse(Leaks, from_yaml(replacing.CONFIG.read_bytes())["evaluate"]["leaks"] | {"accepted": {}})
    found = probe(inputs.drop(columns="served_at"), inputs["served_at"], label, limits)
    return suspicions(shapes.check(found, Probed, "the probe for leaks"))


def name_of(path: str) -> str:
    """A project's name from that of its table; of `tables/predictions.csv` that of this folder."""
    stem = Path(path.rsplit("://", maxsplit=1)[-1]).name.split(".")[0].lower()
    if stem in ("predictions", "prediction", "data", "table", "train", "part", "*", ""):
        stem = Path.cwd().name.lower()
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")


def write(begun: Begun, replace: bool) -> list[str]:
    """Write the project and make it the default one; with `replace`, the one before goes. Returns what was done."""
    composition = tried(begun)
    said = []
    if replace:
        gone = replacing.remove(begun.before)
        said.append(f"deleted   {', '.join(gone)}")
    target = replacing.PROJECTS / f"{begun.proposal.name}.yaml"
    files.write_text(target, as_yaml(begun.proposal, begun.package))
    files.write_text(
        Path("src") / begun.package / "__init__.py",
        f'"""Code of the project {begun.proposal.name}, if it needs any."""\n',
    )
    replacing.switch(begun.proposal.name, begun.proposal.clock.isoformat())
    for table in begun.tables:
        line = replacing.ignore(table)
        if line:
            said.append(f"ignored   {line} by Git: it may be personal")
    write_params(composition)
    return [*said, f"wrote     {target}, src/{begun.package}/, and the clock: {begun.proposal.clock}"]


def tried(begun: Begun) -> Composition:
    """What conf/ will say, composed from a copy. ConfigError when it cannot be composed; the tree is as before."""
    name = begun.proposal.name
    files.TMP.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=files.TMP) as folder:  # on the disk of the tree: files are moved into place
        conf = Path(folder) / CONF_FOLDER
        shutil.copytree(CONF_FOLDER, conf)
        (conf / "project" / f"{name}.yaml").write_text(as_yaml(begun.proposal, begun.package), encoding="utf-8")
        replacing.switch(name, begun.proposal.clock.isoformat(), conf)
        try:
            return composed([], conf)
        except ConfigError as error:
            text = str(error).replace(str(conf), str(CONF_FOLDER))
            raise ConfigError(f"conf/ with the project {name} would be wrong, so nothing was changed. {text}") from None


def placeholders() -> list[str]:
    """What still holds a placeholder in the conf of the default project, with its line."""
    path = replacing.PROJECTS / f"{replacing.default_project()}.yaml"
    return [
        f"{path}:{number}: {line.split(PLACEHOLDER)[0].strip()} {line.split(PLACEHOLDER)[1].strip(': ')}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if PLACEHOLDER in line
    ]
