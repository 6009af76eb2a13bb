"""`flywheel upgrade`: the engine of a newer template in a repository made from an older one, as one commit on a branch.

All is computed first, in Git's objects. The branch is made last, in one step; HEAD, index and files are never touched.
"""

from __future__ import annotations

import difflib
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from flywheel import files, git
from flywheel.errors import ConfigError
from flywheel.params import from_yaml
from flywheel.start import newkeys, replacing
from flywheel.start.merging import FILES, Conflict, Entry, Merged, Tree, content, merge, read_tree, store, write_tree
from flywheel.start.template import Base, Template, commit_of, fetched, find_base, is_before, texts

RECORD = ".flywheel-template"
NOTES = files.LOCAL / "upgrade"
CLOCK = "conf/state.yaml"  # whose value is no default
SHOWN = 60  # lines of a conflict
HEADER = (
    "# The commit of the template that the engine in this repository is from. `flywheel upgrade` reads and writes it.\n"
)
WAITING = (
    "# Files that changed here and in the template, and the commit of the template that each is still from. Merge them by\n"
    "# hand, then delete their lines; until then each upgrade tries them again.\n"
)


@dataclass(frozen=True)
class Recorded:
    """What .flywheel-template says: the commit of the engine, and of each file that is still from an older one."""

    commit: str | None = None
    waiting: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conf:
    """What is new in one file of the template's conf/."""

    path: str
    news: newkeys.News
    text: str  # the new keys, ready to be pasted
    added: tuple[newkeys.Path, ...] = ()
    left: tuple[newkeys.Path, ...] = ()  # keys that were to be added, and have no line of their own where they belong
    is_new: bool = False
    is_example: bool = False  # of the template's example: what a project's own file may need too


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade did, or, without a branch, why there was nothing to do."""

    source: str
    old: str
    new: str
    how: str
    branch: str | None
    merged: Merged
    conf: list[Conf]
    needs_lock: bool
    waiting: tuple[str, ...] = ()  # files that waited before, and still do


def upgrade(source: str, to: str | None, base: str | None, add_keys: bool) -> Upgrade:
    """Make the branch. ConfigError, DataError or RemoteError says what stands in the way; nothing is changed then."""
    head = check_tree()
    ours = read_tree(head)
    recorded = read_record(ours)
    with fetched(source, to, base) as template:
        found = find_base(template, base, recorded.commit)
        if is_before(template.target, found.commit) and base is None:
            raise ConfigError(
                f"{template.name(template.target)} is older than what is here: {template.name(found.commit)}, {found.how}. "
                "Choose a newer one with --to; if the engine here is not from there, say from where: --base COMMIT"
            )
        return _upgrade(template, found, head, ours, recorded, add_keys)


def _upgrade(template: Template, base: Base, head: str, ours: Tree, recorded: Recorded, add_keys: bool) -> Upgrade:
    theirs = read_tree(template.target)
    then = read_tree(base.commit)
    name = template.name(template.target)
    merged = merge(_with_waiting(then, recorded), ours, theirs, f"template {name}")
    changes = dict(merged.changes)
    conf = news(then, ours, theirs, add_keys, merged.example == "upgraded")
    for one in conf:
        if one.is_new and add_keys:
            changes[one.path] = theirs[one.path]
        elif one.added:
            changes[one.path] = Entry(ours[one.path].mode, store(_added(one, ours, theirs).encode()))
    needs_lock = bool({"pyproject.toml", "uv.lock"} & {*changes, *(one.path for one in merged.conflicts)}) and any(
        ours.get(path) != then.get(path) for path in ("pyproject.toml", "uv.lock")
    )
    waits = tuple(recorded.waiting)
    done = Upgrade(template.source, template.name(base.commit), name, base.how, None, merged, conf, needs_lock, waits)
    if not changes and not merged.conflicts and not conf and not recorded.waiting:
        return done
    waiting = {one.path: recorded.waiting.get(one.path, base.commit) for one in merged.conflicts}
    if base.commit == template.target and not changes and waiting == recorded.waiting:
        write_notes(merged.conflicts)
        return done  # only what waited before waits
    text = as_record(template.target, name, waiting)
    changes[RECORD] = Entry(FILES[0], store(text.encode()))
    branch = free_branch(f"upgrade/{name}")
    message = _message(template, base, merged, conf)
    tree = write_tree(head, changes)
    commit = git.run("commit-tree", tree, "-p", head, "-m", message).strip()
    write_notes(merged.conflicts)
    git.run("update-ref", f"refs/heads/{branch}", commit, "0" * len(commit))
    return replace(done, branch=branch)


def check_tree() -> str:
    """The commit that is checked out. ConfigError where it is not the whole truth: changes, no branch, no root."""
    if git.run("rev-parse", "--show-prefix").strip():
        raise ConfigError(
            "this folder is not the root of its Git repository, so the template's files have another place in it."
        )
    code, _, _ = git.ask("symbolic-ref", "--quiet", "HEAD")
    if code:
        raise ConfigError("no branch is checked out. Say: git switch main, then run again.")
    code, out, _ = git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if code:
        raise ConfigError("this repository has no commit yet. Commit what is here, then run again.")
    replacing.check_clean()
    return git.text(out).strip()


def free_branch(name: str) -> str:
    """A branch that is not there yet."""
    if git.ask("check-ref-format", "--branch", name)[0]:
        raise ConfigError(f"{name} is no name for a branch. Choose a tag with --to.")
    if git.ask("rev-parse", "--verify", "--quiet", f"refs/heads/{name}")[0] == 0:
        raise ConfigError(f"the branch {name} is there already. Merge it, or delete it: git branch -D {name}")
    return name


def read_record(tree: Tree) -> Recorded:
    """What a tree says of the template that it is from."""
    if RECORD not in tree:
        return Recorded()
    wrong = ConfigError(
        f"{RECORD} is broken. Restore it with Git, or delete it: flywheel upgrade then finds the commit itself."
    )
    try:
        said = from_yaml(content(tree[RECORD]))
    except yaml.YAMLError:
        raise wrong from None
    waiting = said.get("waiting") or {} if isinstance(said, dict) else None
    if not isinstance(waiting, dict) or not isinstance(said.get("commit"), str):
        raise wrong
    return Recorded(said["commit"], {str(path): str(commit) for path, commit in waiting.items()})


def as_record(commit: str, name: str, waiting: dict[str, str]) -> str:
    """The text of .flywheel-template."""
    text = HEADER + yaml.safe_dump({"commit": commit, "name": name}, sort_keys=False)
    return text + (WAITING + yaml.safe_dump({"waiting": waiting}) if waiting else "")


def _with_waiting(base: Tree, recorded: Recorded) -> Tree:
    """The base of the merge; a file that waits is still from an older commit."""
    unknown = [commit for commit in recorded.waiting.values() if commit_of(commit) is None]
    if unknown:
        raise ConfigError(
            f"{RECORD} names {unknown[0]}, which the template does not have. Give the right template, or delete the line."
        )
    trees = {commit: read_tree(commit) for commit in set(recorded.waiting.values())}
    older = {path: trees[commit].get(path) for path, commit in recorded.waiting.items()}
    kept = {path: entry for path, entry in base.items() if path not in older}
    return {**kept, **{path: entry for path, entry in older.items() if entry is not None}}


def news(base: Tree, ours: Tree, theirs: Tree, add_keys: bool, example_comes: bool) -> list[Conf]:
    """What the template's conf/ says that the one here does not, file by file, and what is new in its example."""
    then, here, now = (texts(tree, "conf/") for tree in (base, ours, theirs))
    found = []
    for path, text in now.items():
        if path.startswith("conf/project/"):
            mine = here.get(path) or here.get(str(replacing.PROJECTS / f"{replacing.default_project()}.yaml"), "")
            said = newkeys.news(then.get(path, text), mine, text, path)
            if said.new and not example_comes:
                new = newkeys.News(said.new, (), ())
                found.append(Conf(path, new, newkeys.excerpt(text, said.new), is_example=True))
            continue
        if path not in here:
            if path not in then:
                found.append(Conf(path, newkeys.News((), (), ()), text, is_new=True))
            continue
        said = newkeys.news(then.get(path, ""), here[path], text, path)
        if path == CLOCK:
            said = newkeys.News(said.new, said.gone, ())
        if said != newkeys.News((), (), ()):
            added = _put(here[path], text, said.new)[1] if add_keys else ()
            left = tuple(key for key in said.new if add_keys and key not in added)
            found.append(Conf(path, said, newkeys.excerpt(text, said.new), added, left))
    return found


def _put(here: str, theirs: str, keys: tuple[newkeys.Path, ...]) -> tuple[str, tuple[newkeys.Path, ...]]:
    """A text with those of some keys that can be put into it, and which they are."""
    added: list[newkeys.Path] = []
    for key in keys:
        done = newkeys.put(here, theirs, key)
        if done is not None:
            here, added = done, [*added, key]
    return here, tuple(added)


def _added(conf: Conf, ours: Tree, theirs: Tree) -> str:
    here, there = (content(tree[conf.path]).decode() for tree in (ours, theirs))
    return _put(here, there, conf.added)[0]


def notes_of(one: Conflict) -> dict[Path, bytes]:
    """What a person needs to merge a file by hand: the text with both sides in it, and the template's own."""
    place = NOTES / one.path
    merged = {place: one.merged} if one.merged is not None else {}
    theirs = {place.with_name(f"{place.name}.template"): content(one.theirs)} if one.theirs is not None else {}
    return merged | theirs


def write_notes(conflicts: list[Conflict]) -> None:
    """Write the notes of all conflicts; those of an earlier upgrade go."""
    shutil.rmtree(NOTES, ignore_errors=True)
    for one in conflicts:
        for place, data in notes_of(one).items():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def hunks(one: Conflict) -> list[str]:
    """The lines of a conflict that a person must decide on: both sides between markers, or what one side changed."""
    if one.merged is not None:
        shown, inside = [], False
        for number, line in enumerate(one.merged.decode("utf-8", "replace").splitlines(), 1):
            if line.startswith("<<<<<<< "):
                inside = True
                shown.append(f"@@ line {number} @@")
            if inside:
                shown.append(line)
            inside = inside and not line.startswith(">>>>>>> ")
    else:
        was, now = one.base, one.theirs if one.ours is None or one.base is None else one.ours
        sides = [content(side).decode("utf-8", "replace").splitlines() if side else [] for side in (was, now)]
        shown = list(
            difflib.unified_diff(sides[0], sides[1], "before", "template" if now == one.theirs else "here", lineterm="")
        )
    shown = [printable(line) for line in shown]
    if len(shown) <= SHOWN:
        return shown
    notes = notes_of(one)
    more = f"… {len(shown) - SHOWN} more lines" + (f": {next(iter(notes))}" if notes else "")
    return [*shown[:SHOWN], more]


def printable(line: str) -> str:
    """A line of a file without signs that a terminal would obey."""
    return "".join(sign if sign.isprintable() or sign == "\t" else "\N{REPLACEMENT CHARACTER}" for sign in line)


def next_steps(done: Upgrade) -> list[str]:
    """What a person does with the branch, in order."""
    asked = [one for one in done.conf if set(one.news.new) - set(one.added) and not one.is_example]
    lines = [f"Then: git switch {done.branch}"]
    if done.needs_lock:
        lines.append("      uv lock             because your dependencies are not the template's")
    lines.append("      make setup")
    if any(one.left for one in asked):
        lines.append("      put the keys that could not be added into conf/ by hand: flywheel compose asks for them")
    elif asked:
        lines.append("      put the new keys into conf/ (or --add-keys does): flywheel compose asks for them")
    if any(one.news.gone for one in done.conf):
        lines.append("      take the keys that are gone out of conf/: flywheel compose refuses them")
    return [*lines, "      make run, make test, commit what changed, and open a pull request"]


def dotted(key: newkeys.Path) -> str:
    """A key as people write it."""
    return ".".join(key)


def _message(template: Template, base: Base, merged: Merged, conf: list[Conf]) -> str:
    """The message of the commit: what a reviewer must know."""
    name = template.name(template.target)
    lines = [
        f"Upgrade the template to {name}",
        "",
        f"From {template.name(base.commit)} ({base.commit}) to {name} ({template.target}).",
    ]
    if merged.conflicts:
        lines += ["", "Not in it yet, because they changed here as well:"]
        lines += [f"- {one.path}: {one.why}" for one in merged.conflicts]
    added = [f"{one.path}: {dotted(key)}" for one in conf for key in one.added]
    if added:
        lines += ["", "Keys that are new in conf/:", *(f"- {key}" for key in added)]
    left = [f"{one.path}: {dotted(key)}" for one in conf for key in one.left]
    if left:
        lines += [
            "",
            "Keys that could not be added to conf/, and are to be put there by hand:",
            *(f"- {key}" for key in left),
        ]
    return "\n".join(lines)
