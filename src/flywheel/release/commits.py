"""The files of a commit as Git has them, without checking it out: bytes, texts, and the MD5 digests that `dvc.lock` uses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

from flywheel import git
from flywheel.errors import DataError


class Commit:
    """A commit. All files that are asked for together are read with one call of Git."""

    def __init__(self, sha: str) -> None:
        """Look at a commit, by its full name. DataError when there is none, as in a shallow clone."""
        self.sha = sha
        self._read: dict[str, bytes] = {}

    @cached_property
    def objects(self) -> dict[str, str]:
        """The Git object of each file, by its path from the root of the repository."""
        listed = git.run("ls-tree", "-r", "-z", "--full-tree", self.sha)
        entries = [entry.split("\t", 1) for entry in listed.split("\0") if entry]
        return {path: about.split()[2] for about, path in entries}

    def within(self, folder: str) -> list[str]:
        """The paths of the files in a folder, sorted."""
        return sorted(path for path in self.objects if path.startswith(f"{folder}/"))

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return path in self.objects

    def fetch(self, paths: Iterable[str]) -> None:
        """Read files, and all files in folders, at once. What is not there is left out."""
        files = {file for path in paths for file in ([path] if path in self.objects else self.within(path))}
        wanted = sorted(files - self._read.keys())
        if not wanted:
            return
        code, out, said = git.ask("cat-file", "--batch", sent="".join(f"{self.objects[p]}\n" for p in wanted).encode())
        at = 0
        for path in wanted:
            end = out.find(b"\n", at)
            parts = out[at:end].split()  # the object, its kind and its size; or the object and "missing"
            if code or parts[1] != b"blob":
                raise DataError(f"{path} of {self.sha[:10]} cannot be read from Git ({said or 'not a file'}).")
            size = int(parts[2])
            self._read[path] = out[end + 1 : end + 1 + size]
            at = end + size + 2

    def content(self, path: str) -> bytes:
        """The bytes of a file. DataError when the commit does not have it."""
        self.fetch([path])
        if path not in self._read:
            raise DataError(f"{path} is not in {self.sha[:10]}.")
        return self._read[path]

    def json(self, path: str) -> Any:
        """A JSON file. DataError when it is missing or broken."""
        try:
            return json.loads(self.content(path))
        except ValueError as error:
            raise DataError(f"{path} of {self.sha[:10]} is not JSON ({error}).") from None

    def yaml(self, path: str) -> Any:
        """A YAML file as DVC reads it: by YAML 1.2 a bare yes is a word, and so is 12:30. DataError if missing or broken."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            return YAML(typ="safe").load(self.content(path))
        except (YAMLError, ValueError) as error:
            told = " ".join(str(error).split())
            raise DataError(f"{path} of {self.sha[:10]} is not YAML ({told}).") from None

    def md5(self, path: str) -> str:
        """The digest that DVC gives a file or a folder. A folder that is not there is an empty one: Git knows no others."""
        if path in self.objects:
            return _md5(self.content(path))
        inside = self.within(path)
        self.fetch(inside)
        entries = [{"md5": _md5(self._read[file]), "relpath": file.removeprefix(f"{path}/")} for file in inside]
        return _md5(json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True).encode()) + ".dir"

    def write(self, folder: str, target: Path) -> None:
        """Write the files of a folder of the commit into a folder of this machine."""
        self.fetch([folder])
        for path in self.within(folder):
            place = target / path.removeprefix(f"{folder}/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(self._read[path])


def head() -> Commit:
    """The commit that is checked out. DataError where there is none yet."""
    code, out, _ = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if code:
        raise DataError("this repository has no commit yet. Commit first.")
    return Commit(git.text(out).strip())


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
