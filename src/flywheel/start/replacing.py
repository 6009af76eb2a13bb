"""Making the repository another project's: the default project, the clock, and, if wanted, the example out of the way."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from flywheel import files, git
from flywheel.errors import ConfigError
from flywheel.params import CONF_FOLDER, from_yaml

CONFIG = CONF_FOLDER / "config.yaml"
STATE = CONF_FOLDER / "state.yaml"
PROJECTS = CONF_FOLDER / "project"
IGNORE = Path(".gitignore")
# Folders that are the loop's own; `make clean` deletes the first.
OURS = ("data", "models", "reports")
# What a run made for the project that was there before. Not the cache of DVC: what was committed is restored from there.
RESULTS = (
    "models/candidate",
    "models/champion",
    "reports",
    "dvc.lock",
    "params.yaml",
    "data/events",
    "data/late",
    "data/valid",
    "data/rejected",
    "data/labels.parquet",
    "data/quarantine.parquet",
    "data/voices.parquet",
    "data/without_outcome.parquet",
    "data/weights.parquet",
    "data/features",
    "data/vintages",
    "decisions",
    "annotations",
    ".flywheel/monitored",
)
# Folders of tests/ that belong to the engine.
TESTS = ("behaviour", "pipeline", "project", "repo", "unit", "workflows")
FOLDERS = (*OURS, *TESTS, "bench", "conf", "docs", "src", "tests")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def default_project() -> str:
    """The name of the project that conf/config.yaml takes. ConfigError if it says none."""
    for one in from_yaml(CONFIG.read_bytes()).get("defaults", []):
        if isinstance(one, dict) and "project" in one:
            return str(one["project"])
    raise ConfigError(f"{CONFIG}: its defaults name no project. Add: - project: NAME")


def switch(name: str, as_of: str, conf: Path = CONF_FOLDER) -> None:
    """Make a project the default one, with the clock on a day; `conf` may be a copy."""
    config, clock = conf / CONFIG.name, conf / STATE.name
    text = config.read_text(encoding="utf-8")
    quoted = yaml.safe_dump(name).splitlines()[0]  # so that on is a word, not true
    files.write_text(config, re.sub(r"(?m)^(\s*- project: ).*$", lambda found: found[1] + quoted, text))
    state = clock.read_text(encoding="utf-8")
    files.write_text(clock, re.sub(r"(?m)^(\s+as_of:\s*)\S+", rf"\g<1>{as_of}", state))


def parts_of(project: str) -> list[Path]:
    """The files and folders that are a project's own: its conf, code, tests, and the documents that its conf file names."""
    conf = PROJECTS / f"{project}.yaml"
    code = Path(str(from_yaml(conf.read_bytes()).get("project", {}).get("code", "")))
    tests = [Path("tests") / code.name] if code.name not in TESTS else []
    named = [conf, code, *tests, Path("docs/example.md")]
    return [one for one in named if one.exists() and one != Path()]


def check_outside(project: str, table: str, names: Iterable[str]) -> None:
    """ConfigError when a file of a table lies, itself or by a link, where things are deleted once a project goes."""
    places = [*OURS, *RESULTS, *map(str, parts_of(project))]
    for name in names:
        within = next((place for place in places if _lies_in(name, place)), None)
        if within is not None:
            raise ConfigError(
                f"{table}: {os.path.relpath(name)} lies in {within}, which is cleared with the project before. "
                "Nothing was changed. Move the table out of there, such as to tables/, and give its new path."
            )


def _lies_in(name: str, place: str) -> bool:
    """Whether a file is in a folder, or is it: by its path, or by where links lead."""
    found = (Path(os.path.abspath(name)), Path(os.path.realpath(name)))
    roots = (os.path.abspath(place), os.path.realpath(place))
    return any(path.is_relative_to(root) for path in found for root in roots)


def remove(project: str) -> list[str]:
    """Delete a project's own parts and all that was made for it; what links to them loses the link. Returns what went."""
    gone = [*parts_of(project), *(Path(name) for name in RESULTS if Path(name).exists())]
    packages = only_of(project)
    for path in gone:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for document in (Path("README.md"), *Path("docs").rglob("*.md")):
        unlink(document)
    for package in packages:
        drop_dependency(package)
    return [str(path) for path in gone]


def only_of(project: str) -> list[str]:
    """The packages among the dependencies that only the code of a project names."""
    code = [
        path.read_text(encoding="utf-8") for part in parts_of(project) if part.is_dir() for path in part.rglob("*.py")
    ]
    others = [
        path for path in Path("src").rglob("*.py") if not any(path.is_relative_to(part) for part in parts_of(project))
    ]
    engine = "\n".join(path.read_text(encoding="utf-8") for path in others)
    listed = re.search(r"(?ms)^dependencies = \[(.*?)^\]", Path("pyproject.toml").read_text(encoding="utf-8"))
    names = re.findall(r'(?m)^\s*"([A-Za-z0-9_.-]+)', listed[1] if listed else "")
    mine = "\n".join(code)
    return [name for name in names if _mentions(mine, name) and not _mentions(engine, name)]


def _mentions(text: str, package: str) -> bool:
    return re.search(rf"\b{re.escape(package.replace('-', '_'))}\b", text) is not None


def drop_dependency(package: str) -> None:
    """Take a package out of pyproject.toml and uv.lock, whose other lines stay as they are."""
    project = Path("pyproject.toml")
    kept = [
        line
        for line in project.read_text(encoding="utf-8").splitlines(True)
        if not re.match(rf'\s*"{re.escape(package)}(?![A-Za-z0-9._-])', line)
    ]
    files.write_text(project, "".join(kept))
    lock = Path("uv.lock")
    text = lock.read_text(encoding="utf-8")
    text = re.sub(rf'(?m)^\s*\{{ name = "{re.escape(package)}"[^\n]*\}},\n', "", text)
    blocks = text.split("[[package]]\n")
    files.write_text(lock, "[[package]]\n".join(one for one in blocks if not one.startswith(f'name = "{package}"\n')))


def unlink(document: Path) -> None:
    """Take the lines out of a document that link to a file which is no longer there."""
    text = document.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines(True) if all(_is_there(document, link) for link in LINK.findall(line))]
    if len(kept) != len(text.splitlines()):
        files.write_text(document, "".join(kept))


def _is_there(document: Path, link: str) -> bool:
    return ":" in link or (document.parent / link).exists()


def check_clean() -> None:
    """ConfigError when files that Git tracks have changes: what is deleted then could not be restored."""
    changed = git.changed_files()
    if changed:
        raise ConfigError(
            f"{len(changed)} tracked files have changes, such as {changed[0]}. Commit them first (git commit -a), so that "
            "nothing is lost, then run again."
        )


def ignore(path: str) -> str | None:
    """Keep tables that are in the tree, and not in Git, out of Git: they may be personal. Returns the new line, or None."""
    place = Path(path)
    if "://" in path or place.is_absolute() or git.run("ls-files", "--", path).strip():
        return None
    top = place.parts[0]
    line = f"/{top}/" if len(place.parts) > 1 else f"/{top}"
    text = IGNORE.read_text(encoding="utf-8") if IGNORE.exists() else ""
    if line in text.splitlines():
        return None
    files.write_text(IGNORE, f"{text.rstrip()}\n{line}\n")
    return line
