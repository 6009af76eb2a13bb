"""What the report says of what users say: topics, mood, what changed, who is less satisfied. In words for a product manager."""

from __future__ import annotations

from flywheel.labels.settings import OTHER
from flywheel.labels.voices_evidence import TopicSaid, VoicesHeard
from flywheel.monitoring.evidence import Health, Satisfied, SatisfiedCohort
from flywheel.report.markdown import escape, number, percent, table, with_interval

WEEK = 7
MANY_OTHER = 0.3  # from this share on the topics explain too little


def what_users_say(voices: VoicesHeard, health: Health, weeks: int) -> str:
    """The section. Where nobody writes, only satisfaction is left."""
    parts = ["## What users say\n", _volume(voices)]
    if voices["texts"]:
        parts += [
            _topics(voices),
            _changes(voices),
            _mood(voices),
            _phrases(voices),
            _weeks(voices, weeks),
            "![Texts, mood and topics by week](plots/voices.png)\n",
        ]
    if "satisfaction" in health:
        parts.append(satisfied(health["satisfaction"]))
    return "\n".join(parts)


def _volume(voices: VoicesHeard) -> str:
    if not voices["texts"]:
        return "Nobody has written anything yet.\n"
    recent, before = voices["recent"], voices["before"]
    from_users = f" from {voices['users']:,} users" if voices["users"] is not None else ""
    said = (
        f"{voices['texts']:,} {_texts(voices['texts'])}{from_users} since {voices['start']}, {recent['texts']:,} of them in "
        f"the last {recent['days']} days"
    )
    if before["days"] < WEEK:
        return f"{said}.\n"
    rates = [WEEK * one["texts"] / one["days"] for one in (recent, before)]
    return f"{said}: {rates[0]:.0f} a week, after {rates[1]:.0f} a week in the {before['days']} days before.\n"


def _topics(voices: VoicesHeard) -> str:
    enough = voices["min_texts"]
    rows = []
    for one in _by_volume(voices):
        if not one["texts"]:
            continue
        feeling = one["sentiment"]
        rows.append(
            [
                one["topic"],
                _about(one),
                f"{one['texts']:,}",
                "–" if one["users"] is None else f"{one['users']:,}",
                f"{percent(one['share']['value'], 0)} [{percent(one['share']['low'], 0)}, {percent(one['share']['high'], 0)}]",
                f"{one['recent_texts']:,} ({_share(one['recent_texts'], voices['recent']['texts'])})",
                f"{one['before_texts']:,} ({_share(one['before_texts'], voices['before']['texts'])})",
                "too few" if feeling is None or one["texts"] < enough else with_interval(feeling, 2, sign=True),
            ]
        )
    header = [
        "topic",
        "about",
        "texts",
        "users",
        "share",
        f"last {voices['recent']['days']} days",
        f"{voices['before']['days']} days before",
        "mood",
    ]
    other = sum(one["texts"] for one in voices["topics"] if one["about"] == OTHER)
    left = f"{_share(other, voices['texts'])} of the texts fit no topic"
    advice = "" if other < MANY_OTHER * voices["texts"] else ": add topics or phrases under `voices.topics` in `conf/`"
    return f"{table(header, rows, words=2)}\n{left}{advice}.\n"


def _changes(voices: VoicesHeard) -> str:
    """Which topics are more or less common than before, and which are too rare to tell."""
    recent, before = voices["recent"], voices["before"]
    if min(recent["texts"], before["texts"]) < voices["min_texts"]:
        return (
            f"{recent['texts']:,} {_texts(recent['texts'])} in the last {recent['days']} days, after {before['texts']:,} in "
            f"the {before['days']} days before, are too few to say whether topics changed.\n"
        )
    lines = []
    for trend in ("more", "less"):
        for one in _by_volume(voices):
            if one["trend"] == trend:
                shares = [_share(one["before_texts"], before["texts"]), _share(one["recent_texts"], recent["texts"])]
                lines.append(
                    f"**{escape(one['topic'])}** became {trend} common: from {shares[0]} of the texts to {shares[1]} in the "
                    f"last {recent['days']} days."
                )
    if not lines:
        lines.append(f"No topic is shown to have become more or less common in the last {recent['days']} days.")
    rare = [one for one in _by_volume(voices) if one["trend"] == "too few" and one["texts"]]
    if rare:
        named = ", ".join(
            f"{escape(one['topic'])} ({one['recent_texts']:,} {_texts(one['recent_texts'])})" for one in rare
        )
        lines.append(f"Too few in the last {recent['days']} days to say: {named}.")
    return " ".join(lines) + "\n"


def _mood(voices: VoicesHeard) -> str:
    feeling = voices["sentiment"]
    if feeling is None or feeling["low"] is None:
        return f"{voices['texts']:,} {_texts(voices['texts'])} are too few to say how users feel.\n"
    judged = [
        one
        for one in voices["topics"]
        if one["texts"] >= voices["min_texts"] and one["sentiment"] and one["topic"] != OTHER
    ]
    ordered = sorted(judged, key=lambda one: one["sentiment"]["value"] if one["sentiment"] else 0.0)
    ends = (
        f" It is worst in *{escape(ordered[0]['topic'])}* and best in *{escape(ordered[-1]['topic'])}*."
        if len(ordered) > 1
        else ""
    )
    cut = f" {voices['cut']:,} were read up to {voices['max_chars']:,} characters only." if voices["cut"] else ""
    return (
        f"The mood of all texts is {with_interval(feeling, 2, sign=True)}, between -1 and +1.{ends} It is read from English "
        f"words and emoji; {_share(voices['without_feeling'], voices['texts'])} of the texts have none that tell, and count as "
        f"0.{cut}\n"
    )


def _phrases(voices: VoicesHeard) -> str:
    risen, recent, before = voices["rising"], voices["recent"], voices["before"]
    if not risen["compared"]:
        return "Too few users wrote the same words lately to say which phrases rise.\n"
    if not risen["phrases"]:
        return f"None of {risen['compared']:,} phrases that enough different users wrote lately rose by more than chance.\n"
    rows = [
        [
            f"“{one['phrase']}”",
            f"{one['users']:,}",
            f"{one['recent_texts']:,} ({_share(one['recent_texts'], recent['texts'])})",
            f"{one['before_texts']:,} ({_share(one['before_texts'], before['texts'])})",
        ]
        for one in risen["phrases"]
    ]
    header = [
        "phrase that rises",
        "users lately",
        f"texts of the last {recent['days']} days",
        f"of {before['days']} days before",
    ]
    lead = f"Of {risen['compared']:,} phrases that enough different users wrote lately, these rose by more than chance:"
    return f"{lead}\n\n{table(header, rows)}"


def _weeks(voices: VoicesHeard, weeks: int) -> str:
    names = [one["topic"] for one in _by_volume(voices) if one["texts"]]
    rows = []
    for one in voices["weeks"][-weeks:]:
        feeling = one["sentiment"]
        rows.append(
            [
                one["week"] if one["days"] == WEEK else f"{one['week']} ({one['days']} days)",
                f"{one['texts']:,}",
                "too few"
                if feeling is None or one["texts"] < voices["min_texts"]
                else with_interval(feeling, 2, sign=True),
                *(f"{one['by_topic'].get(name, 0):,}" for name in names),
            ]
        )
    return (
        table(["week of", "texts", "mood", *names], rows)
        + f"\nIn brackets: {voices['confidence']:.0%} intervals, Wilson's for shares and Student's for moods, as if each text "
        "stood by itself. A topic counts as changed where Newcombe's interval, corrected for the number of topics "
        f"(Bonferroni), says so. From fewer than {voices['min_texts']:,} texts nothing is concluded.\n"
    )


def satisfied(found: Satisfied) -> str:
    """Who is less satisfied than the best cohort of the same group; nobody is named where that may be chance."""
    window = f"{found['ratings']:,} ratings from {found['start']} to {found['end']}"
    judged = {group: [one for one in members if one["rating"]] for group, members in found["groups"].items()}
    judged = {group: members for group, members in judged.items() if len(members) > 1}
    if not judged:
        return f"{window} are too few to compare cohorts: each needs {found['min_ratings']:,}.\n"
    worse = [
        (group, one)
        for group, members in judged.items()
        for one in members
        if one["gap"] and one["gap"]["high"] is not None and one["gap"]["high"] < 0
    ]
    if worse:
        named = "; ".join(
            f"**{group} = {one['cohort']}**, {with_interval(one['gap'], 2, sign=True)}"
            for group, one in worse
            if one["gap"]
        )
        lead = f"Less satisfied than the best of their group, by the mean rating between -1 and +1: {escape(named)}."
    else:
        lead = "No cohort is shown to be less satisfied than the best of its group."
    rows = []
    for group, members in judged.items():
        ordered = sorted(members, key=_rated)
        lowest, best = ordered[0], ordered[-1]
        n_small = len(found["groups"][group]) - len(members)
        rows.append(
            [
                f"{group} ({len(members)}{f', {n_small} too small' if n_small else ''})",
                *(
                    f"{one['cohort']} {with_interval(one['rating'], 2, sign=True)}"
                    for one in (best, lowest)
                    if one["rating"]
                ),
                "–" if lowest["gap"] is None else with_interval(lowest["gap"], 2, sign=True),
            ]
        )
    return (
        f"### Who is less satisfied\n\n{lead} Looked at: {window}.\n\n"
        + table(["group", "best", "lowest", "gap"], rows)
        + f"\nDays are resampled. All gaps lie in their intervals at once in {found['confidence']:.0%} of all cases, so it "
        "does not matter how many cohorts were looked at.\n"
    )


def _about(topic: TopicSaid) -> str:
    if topic["about"] in ("praise", OTHER):
        return "–"
    return f"{topic['about']}: {topic['input']}" if topic["input"] else topic["about"]


def _rated(one: SatisfiedCohort) -> float:
    return one["rating"]["value"] or 0.0 if one["rating"] else 0.0


def _by_volume(voices: VoicesHeard) -> list[TopicSaid]:
    """The topics, the largest first, and last what fits none."""
    return sorted(voices["topics"], key=lambda one: (one["topic"] == OTHER, -one["texts"]))


def _share(k: int, n: int) -> str:
    return number(100 * k / n, 0) + "%" if n else "–"


def _texts(n: int) -> str:
    return "text" if n == 1 else "texts"
