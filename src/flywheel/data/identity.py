"""Which source and key the collected days come from, so that two worlds never mix."""

from __future__ import annotations

from flywheel import files, shapes
from flywheel.data.settings import Source

IDENTITY = files.EVENTS / "source.json"
KEY_CHECK = "key_check"
HOW = {"lock_timeout_s"}  # options that say how to ask a source, and change nothing of what it gives
NAMED, LENGTH = 3, 60  # a difference is told in a sentence: so many settings, each with so many letters of its value


def read_identity() -> dict[str, object]:
    """What `data/events/` was collected with. DataError when the file is missing or has another shape."""
    return shapes.read(IDENTITY, dict[str, object], shapes.DELETE)


def identity(source: Source) -> dict[str, object]:
    """What decides what a collected day holds: the source, its options, and the part of it that is taken."""
    first_day = source.first_day.isoformat() if source.first_day else None
    options = {f"options.{name}": value for name, value in source.options.items() if name not in HOW}
    return {"factory": source.factory, "first_day": first_day, "share": source.share, **options}


def differences(now: dict[str, object]) -> str:
    """How `data/events/` was collected differently from `now`, in words; empty if it was not, or if nothing is there.

    Where there was no key, nobody was hashed, so any key does.
    """
    if not IDENTITY.exists():
        return ""
    before = read_identity()
    changed = sorted(name for name in before.keys() | now if before.get(name) != now.get(name))
    if before.get(KEY_CHECK) is None and KEY_CHECK in changed:
        changed.remove(KEY_CHECK)
    said = [f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}" for name in changed[:NAMED]]
    return "; ".join(said) + (f"; and {len(changed) - NAMED} more" if len(changed) > NAMED else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LENGTH else f"{text[:LENGTH]}…"


def world_differs(source: Source) -> str:
    """The same for what `conf/` alone says, without the hash key."""
    here = read_identity().get(KEY_CHECK) if IDENTITY.exists() else None
    return differences(identity(source) | {KEY_CHECK: here})
