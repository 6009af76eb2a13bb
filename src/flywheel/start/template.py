"""The template as another repository: what is fetched from it, and which of its commits a tree is from. None of it is run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flywheel import git
from flywheel.errors import ConfigError, DataError, RemoteError
from flywheel.start.merging import Tree, content, is_engine, packages, read_tree

REFS = "refs/upgrade"  # here, while an upgrade looks at the template
NEEDED = ("src/flywheel/__init__.py", "dvc.yaml")
AT_ONCE = 100  # commits that are compared in one call of Git


@dataclass(frozen=True)
class Template:
    """What was fetched: the commit to upgrade to, the end of the default branch, and the names of commits."""

    source: str  # without credentials
    target: str
    head: str
    named: str | None  # the tag that was asked for
    tags: dict[str, str]

    def name(self, commit: str) -> str:
        """What people call a commit: what they asked for, a tag, or the beginning of its id."""
        if commit == self.target and self.named is not None:
            return self.named
        return next((tag for tag, sha in self.tags.items() if sha == commit), commit[:10])


@dataclass(frozen=True)
class Base:
    """The commit of the template that a tree is from, and how that is known."""

    commit: str
    how: str


@contextmanager
def fetched(source: str, to: str | None, base: str | None) -> Iterator[Template]:
    """The template's commits, while something looks at them. ConfigError or RemoteError where they are not to be had."""
    if source.startswith("-") or not source:
        raise ConfigError(f"--from: found {source!r}; allowed is the folder or the address of a Git repository.")
    listed = dict(line.split("\t")[::-1] for line in _call(source, "ls-remote", "--", source).splitlines())
    tags = {
        name.removeprefix("refs/tags/").removesuffix("^{}"): sha
        for name, sha in sorted(listed.items())
        if name.startswith("refs/tags/")
    }
    wanted = {"head": "HEAD", "target": _ref(to, listed, source), "base": _ref(base, listed, source)}
    specs = [f"+{ref}:{REFS}/{name}" for name, ref in wanted.items() if ref in listed]
    if not specs and tags:
        raise ConfigError(
            f"--from: {shown(source)} does not say which branch is its main one. Say to which version: --to {[*tags][-1]}"
        )
    if not specs:
        raise ConfigError(f"--from: {shown(source)} has no commits, or does not say which branch is its main one.")
    try:
        _call(
            source,
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--",
            source,
            *specs,
        )
        head = commit_of(f"{REFS}/head") or commit_of(f"{REFS}/target")
        target = commit_of(f"{REFS}/target") or (commit_of(to) if to else head)
        if head is None and specs:  # Git says yes, and fetches nothing
            raise ConfigError(
                f"--from: {shown(source)} is a shallow clone, of which Git gives nothing. Say there: git fetch --unshallow; or "
                "give the address that it is from."
            )
        if head is None or target is None:
            raise ConfigError(f"--to: {shown(source)} has no tag, branch or commit {to!r}; its tags: {_some(tags)}.")
        named = (
            to if wanted["target"].startswith("refs/tags/") else None
        )  # a branch moves on, and its name says nothing
        template = Template(shown(source), target, head, named, tags)
        tree = read_tree(target)
        missing = [path for path in NEEDED if path not in tree]
        if missing:
            raise ConfigError(
                f"--from: {shown(source)} is no template of this loop: {template.name(target)} has no {missing[0]}."
            )
        yield template
    finally:
        for name in wanted:
            git.ask("update-ref", "-d", f"{REFS}/{name}")


def find_base(template: Template, asked: str | None, recorded: str | None) -> Base:
    """The commit that this tree is from: as asked, as recorded, as history has it, or by the files of the first commit here."""
    if asked is not None:
        found = commit_of(f"{REFS}/base") or commit_of(asked)
        if found is None:
            raise ConfigError(f"--base: {template.source} has no tag, branch or commit {asked!r}.")
        return Base(found, "as you said")
    if recorded is not None:
        found = commit_of(recorded)
        if found is None:
            raise ConfigError(
                f".flywheel-template says that the engine here is from {recorded[:10]}, which {template.source} does not have. "
                "Give the address of the right template, or say which of its commits it is: --base COMMIT"
            )
        return Base(found, "as .flywheel-template says")
    code, out, _ = git.ask("merge-base", "HEAD", template.target)
    if code == 0:
        return Base(git.text(out).strip(), "by the history that both have")
    return by_content(template)


def by_content(template: Template) -> Base:
    """The commit whose engine differs least from that of the first commit here; of several, the likest as a whole."""
    if git.run("rev-parse", "--is-shallow-repository").strip() == "true":
        raise ConfigError(
            "this clone is shallow, so its first commit is not here. Say: git fetch --unshallow, or: --base COMMIT"
        )
    first = git.run("rev-list", "--first-parent", "--max-parents=0", "HEAD").split()[-1]
    mine = read_tree(first)
    names = packages(mine, read_tree(template.target))
    commits = git.run("rev-list", "--topo-order", template.target, template.head).split()
    best, least = "", (sys.maxsize, sys.maxsize)
    for at in range(0, len(commits), AT_ONCE):
        some = commits[at : at + AT_ONCE]
        differing = _differing(some, first, names)
        for commit, counts in zip(some, differing, strict=True):
            if counts < least:
                best, least = commit, counts
        if least[0] == 0 < differing[-1][0]:
            break
    of = sum(is_engine(path, names) for path in read_tree(best))
    if not of or least[0] > of / 2:
        raise ConfigError(
            f"no commit of {template.source} has an engine like that of the first commit here ({first[:10]}); the nearest, "
            f"{template.name(best)}, differs in {least[0]} files. Say which one it was: --base COMMIT"
        )
    like = "the same as" if least[0] == 0 else f"up to {least[0]} files like"
    return Base(best, f"whose engine is {like} that of the first commit here")


def _differing(commits: list[str], first: str, names: set[str]) -> list[tuple[int, int]]:
    """In how many files each commit differs from another one: of the engine, and in all."""
    trees = git.run("rev-parse", *(f"{commit}^{{tree}}" for commit in [first, *commits])).split()
    mine, others = trees[0], trees[1:]
    counts: dict[str, tuple[int, int]] = {}
    asked = "".join(f"{other} {mine}\n" for other in dict.fromkeys(others))
    code, out, said = git.ask(
        "-c", "core.quotePath=false", "diff-tree", "--stdin", "-r", "--name-only", sent=asked.encode()
    )
    if code:
        raise DataError(f"git diff-tree failed: {said}")
    at = ""
    for line in git.text(out).splitlines():
        if re.fullmatch(r"[0-9a-f]{40,64} [0-9a-f]{40,64}", line):
            at = line.split()[0]
            counts[at] = (0, 0)
        else:
            engine, whole = counts[at]
            counts[at] = (engine + is_engine(line, names), whole + 1)
    return [counts.get(tree, (0, 0)) for tree in others]


def is_before(old: str, new: str) -> bool:
    """Whether a commit is in the history of another one."""
    return old != new and git.succeeds("merge-base", "--is-ancestor", old, new)


def commit_of(name: str) -> str | None:
    """The commit that a ref or an id names; None where there is none."""
    if not name.startswith(REFS) and not re.fullmatch(r"[0-9a-f]{7,64}", name):
        return None
    code, out, _ = git.ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return git.text(out).strip() if code == 0 else None


def shown(source: str) -> str:
    """An address, or a text with addresses, without what gives access to them."""
    return re.sub(r"(\w+://[^\s?']*)\?[^\s':]*", r"\1", re.sub(r"(\w+://)\S*@", r"\1", source))


def texts(tree: Tree, under: str) -> dict[str, str]:
    """The YAML files of a folder in a tree, as texts."""
    chosen = [path for path in tree if path.startswith(under) and path.endswith(".yaml")]
    found = {}
    for path in chosen:
        try:
            found[path] = content(tree[path]).decode()
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is not UTF-8 ({error}). Save it as UTF-8, and commit it.") from None
    return found


def _ref(asked: str | None, listed: dict[str, str], source: str) -> str:
    """The ref of the template that a name stands for: a tag before a branch. Empty where it may be a commit's id."""
    if asked is None:
        return ""
    found = next((ref for ref in (f"refs/tags/{asked}", f"refs/heads/{asked}") if ref in listed), "")
    if not found and not re.fullmatch(r"[0-9a-f]{7,64}", asked):
        tags = {name.removeprefix("refs/tags/") for name in listed if name.startswith("refs/tags/") and "^" not in name}
        raise ConfigError(f"{shown(source)} has no tag, branch or commit {asked!r}; its tags: {_some(tags)}.")
    return found


def _some(names: dict[str, str] | set[str]) -> str:
    return ", ".join(sorted(names)[-8:]) or "none"


def _call(source: str, *arguments: str) -> str:
    """What Git says of another repository, with the person's own credentials; it asks for none."""
    env = {"GIT_TERMINAL_PROMPT": os.environ.get("GIT_TERMINAL_PROMPT", "0")}
    code, out, said = git.ask("-c", "gc.auto=0", "-c", "maintenance.auto=false", *arguments, env=env)
    if code:
        lines = [line for line in shown_in(said, source).splitlines() if line.startswith(("fatal:", "error:"))]
        told = " ".join(lines[:1]) or shown_in(said, source)
        raise RemoteError(
            f"git {arguments[0]} could not read the template at {shown(source)} ({told}). Look at the address, and whether you "
            "may read it, then run again."
        )
    return git.text(out)


def shown_in(text: str, source: str) -> str:
    """A text of Git's without what gives access to an address."""
    return shown(text.replace(source, shown(source)))
