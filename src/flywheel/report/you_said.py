"""`reports/you_said.md`: what users said, topic by topic, and how far the loop and the team are with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flywheel.labels.voices_evidence import TopicSaid, VoicesHeard
from flywheel.monitoring.evidence import Health, LearnedFrom
from flywheel.params import Project
from flywheel.report.answers import FIXED, HEARD, LEARNED, REFUSED, Answer
from flywheel.report.markdown import escape, table

MOST = 0.5  # the share of what users wrote about that a model must have learned for the loop to move a topic


class Status(NamedTuple):
    """How far a topic is, and what is to be said of that."""

    status: str
    why: str


def render(voices: VoicesHeard, health: Health, answers: Mapping[str, Answer], project: Project) -> str:
    """The page as Markdown. The topic with the most users comes first."""
    learned = health.get("learned", {})
    said = sorted(
        (one for one in voices["topics"] if one["texts"] or one["topic"] in answers),
        key=lambda one: -(one["users"] if one["users"] is not None else one["texts"]),
    )
    rows = []
    for one in said:
        if one["about"] == "praise":
            continue
        status = status_of(one, learned.get(one["topic"]), health["champion"], answers.get(one["topic"]))
        counts = [_count(one["users"]), f"{one['texts']:,}", f"{one['recent_texts']:,}"]
        rows.append([_named(one), status.status, status.why, *counts])
    praise = [one for one in said if one["about"] == "praise" and one["texts"]]
    header = ["you said", "status", "we did", "users", "texts", f"since {voices['recent']['start']}"]
    parts = [
        f"# {project.name}: you said, we did\n",
        f"What users wrote up to {voices['end']}: {voices['texts']:,} texts"
        + (f" from {voices['users']:,} users" if voices["users"] is not None else "")
        + ". What each is about is found by the phrases in `conf/`; our answers are in `docs/answers.yaml`.\n",
        *([f"{escape(project.note)}\n"] if project.note else []),
        table(header, rows, words=3) if rows else "Nobody wrote anything yet.\n",
        *[f"{escape(_people(one))} said thanks: *{escape(one['topic'])}*. Thank you.\n" for one in praise],
        _legend(),
    ]
    return "\n".join(parts)


def status_of(topic: TopicSaid, learned: LearnedFrom | None, version: str | None, answer: Answer | None) -> Status:
    """How far a topic is: what the team answers, or further, where the loop has learned what really happened.

    Only a topic about the output moves by itself: a label says what the output should have been, and nothing of data or wishes.
    """
    moved = _moved(learned, version) if topic["about"] == "output" else Status(HEARD, "")
    if answer is None:
        return moved if moved.why else Status(HEARD, "Counted, and not answered yet.")
    reason = answer.reason or ""
    is_further = _rank(moved.status) > _rank(answer.status)
    return Status(moved.status if is_further else answer.status, " ".join(filter(None, [reason, moved.why])))


def _moved(learned: LearnedFrom | None, version: str | None) -> Status:
    if learned is None or not learned["predictions"]:
        return Status(HEARD, "")
    n = learned["predictions"]
    known = f"Of the {n:,} predictions that you wrote about, we know what really happened in {learned['candidate']:,}"
    why = f"{known}, and the next model learns from these." if learned["candidate"] else f"{known} so far."
    if version is not None and learned["champion"]:
        why += f" {version}, which serves, learned from {learned['champion']:,} of them."
    if version is not None and learned["champion"] >= MOST * n:
        return Status(f"fixed in {version}", why)
    return Status(LEARNED if learned["candidate"] >= MOST * n else HEARD, why)


def _rank(status: str) -> int:
    """How far a status is; what will not be done stays, and so does a version that a person names."""
    return {HEARD: 0, LEARNED: 1}.get(status, 2 if FIXED.fullmatch(status) else 3)


def _named(topic: TopicSaid) -> str:
    about = {"output": "our answer", "input": f"our data{_input(topic)}", "product": "the product"}.get(topic["about"])
    return f"{topic['topic']} ({about})" if about else f"{topic['topic']} (no topic fits)"


def _input(topic: TopicSaid) -> str:
    return f": {topic['input']}" if topic["input"] else ""


def _count(users: int | None) -> str:
    return "–" if users is None else f"{users:,}"


def _people(topic: TopicSaid) -> str:
    if topic["users"] is None:
        return f"{topic['texts']:,} texts"
    return f"{topic['users']:,} {'user' if topic['users'] == 1 else 'users'}"


def _legend() -> str:
    return (
        f"*{HEARD}*: it is counted. *{LEARNED}*: of at least half of the predictions that users wrote about, we know what "
        "really happened, and the next model learns from it. *fixed in* a version: that version, which serves, has learned it, "
        f"or we say so. A model that has learned is right more often, and not always. *{REFUSED}*: with our reason.\n"
    )
