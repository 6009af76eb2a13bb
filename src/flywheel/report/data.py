"""What the report says of what is around the model: drift, labels, service and satisfaction, the quality of the data."""

from __future__ import annotations

from flywheel.data.evidence import Quality
from flywheel.labels.evidence import Coin, FeedbackSaid, LabelsMade, Quarantined, TrustMade
from flywheel.monitoring.evidence import Drift, Health, realised_by_model
from flywheel.report.annotators import annotators
from flywheel.report.answered import answered
from flywheel.report.markdown import escape, number, percent, table, with_interval

WEEK = 7
# Kinds of personal data as a person reads them: one, and several.
PERSONAL = {
    "email": ("e-mail address", "e-mail addresses"),
    "phone": ("telephone number", "telephone numbers"),
    "card": ("card number", "card numbers"),
    "iban": ("bank account", "bank accounts"),
    "name": ("name", "names"),
    "booking": ("booking code", "booking codes"),
    "passport": ("document of identity", "documents of identity"),
    "ip": ("IP address", "IP addresses"),
    "url": ("address with a secret", "addresses with a secret"),
}
OPTIONAL_COLUMNS = ("AUC served", "errors", "latency p50 / p95, ms", "mean rating")


def drift(found: Drift, n: int) -> str:
    """The most drifted columns."""
    reference, current = found["reference"], found["current"]
    rows = [
        [
            one["column"],
            one["method"],
            number(one["distance"], 3),
            "yes" if one["is_drifted"] else "no",
            " → ".join(f"{share:.1%}" for share in one["null_share"]),
        ]
        for one in found["by_column"][:n]
    ]
    return (
        "## Drift\n\n"
        f"{found['drifted']} of {found['columns']} columns ({found['drifted_share']:.0%}) are more than "
        f"{found['threshold']:g} away from their reference. "
        f"Current: {current['start']} to {current['end']}. Reference: {escape(reference['why'])}"
        f" ({reference['start']} to {reference['end']}).\n\n"
        + table(["column", "method", "distance", "drifted", "nulls"], rows)
        + "\n![The most drifted columns, before and now](plots/drift.png)\n"
    )


def labels(made: LabelsMade, said: FeedbackSaid, event: str) -> str:
    """Where labels come from, and how far to trust them."""
    rows = [
        [source, f"{one['labels']:,}", f"{percent(one['share'], 1)}", f"{percent(one['positive_share'], 1)}"]
        for source, one in made["by_source"].items()
    ]
    agree = made["agreement"]
    checks = [
        f"{channel}s agree with the outcome in {percent(one['share'], 1)} of {one['votes']:,} cases"
        for channel, one in agree["with_outcome"].items()
        if one["share"] is not None
    ]
    if agree["between_votes"]["share"] is not None:
        checks.append(f"two votes on one prediction agree in {agree['between_votes']['share']:.1%} of cases")
    reporters = said["reporters"]
    trust = (
        f"\nOf {reporters['with_20_checked_reports']:,} people with 20 or more checked reports, "
        f"{reporters['always_yes']:,} always say yes.\n"
    )
    return (
        "## Labels\n\n"
        f"{made['labels']:,} of {made['predictions']:,} predictions have a label ({made['coverage']:.1%}), half of them "
        f"within {number(made['median_hours_to_label'], 1)} hours of being served.\n\n"
        + table(["source", "labels", "share", event], rows)
        + ("\n" + "; ".join(checks)[:1].upper() + "; ".join(checks)[1:] + ".\n" if checks else "")
        + (trust if reporters["with_20_checked_reports"] else "")
        + believed(made["trust"], event)
        + quarantined(made["quarantine"])
        + annotators(made["annotators"], event)
        + answered(made.get("answers"))
    )


def believed(trust: TrustMade, event: str) -> str:
    """How far each kind of voice is believed, and how much was lost because trust comes with time; empty without voices."""
    rows = [
        [name, f"{one['sources']:,}", _coin(one["sensitivity"]), _coin(one["specificity"])]
        for name, one in trust["voices"].items()
        if one["sources"]
    ]
    if not rows:
        return ""
    then = trust["hindsight"]
    share = then["labels"] / then["predictions"] if then["predictions"] else None
    lost = (
        f"\nWithout an outcome there are {then['predictions']:,} predictions that somebody spoke about; {then['labels']:,} of "
        f"them ({percent(share, 1)}) have a label. With today's trust it would be {then['labels_in_hindsight']:,}, of which "
        f"{then['first_other_way']:,} were first concluded the other way round, {then['other_way']:,} of them to this day.\n"
    )
    unsettled = (
        f"\nOn {trust['unsettled']:,} of {trust['mornings']:,} mornings trust had not settled; "
        "raise `label.max_iterations`.\n"
    )
    return (
        "\nHow often people are believed to be right, the middle one of them and the range of nine in ten: of predictions that "
        f"were {event}, and of those that were not.\n\n"
        + table(["voice", "people", event, f"not {event}"], rows)
        + (lost if then["predictions"] else "")
        + (unsettled if trust["unsettled"] else "")
    )


def quarantined(found: Quarantined) -> str:
    """Whose claims do not count and why, the latest first; empty where all do and nobody has judged any."""
    idle = (
        f"\nNo rule has found {len(found['idle'])} of the sources that `docs/quarantine.yaml` judges: "
        f"{', '.join(escape(name) for name in found['idle'])}.\n"
        if found["idle"]
        else ""
    )
    if not found["latest"]:
        return idle
    why = ", ".join(f"{escape(reason)} ({count:,})" for reason, count in found["by_reason"].items())
    rows = [
        [
            one["source"],
            one["channel"],
            one["reason"],
            one["known_at"],
            f"{one['first']} to {one['until'] or 'now'}",
            one["decision"] or "–",
        ]
        for one in found["latest"]
    ]
    return (
        f"\nIn quarantine are {found['claims']:,} claims of {found['sources']:,} sources: kept, and not counted. "
        f"Sources by reason, of which one may have several: {why or 'none'}. People have released {found['released']:,} "
        f"and confirmed {found['confirmed']:,} (`docs/quarantine.yaml`). The latest:\n\n"
        + table(["source", "channel", "reason", "found on", "claims of", "decision"], rows)
        + idle
    )


def _coin(one: Coin) -> str:
    return f"{percent(one['p50'], 1)} ({percent(one['p5'], 1)} to {percent(one['p95'], 1)})"


def service(monitor: Health, weeks: int) -> str:
    """Quality of what was served, errors, latency, satisfaction and feedback in recent weeks."""
    quality = {one["week"]: one for one in monitor["quality"]}
    rows = []
    shown = monitor["service"][-weeks:]
    channels = sorted({channel for one in shown for channel in one["feedback"]})
    for one in shown:
        judged = realised_by_model(quality[one["week"]]) if one["week"] in quality else {}
        realised = [judged.get(name) for name in ("served", "champion")]
        aucs = [number(found["auc"] if found else None, 3) for found in realised]
        rows.append(
            [
                one["week"] if one["days"] == WEEK else f"{one['week']} ({one['days']} days)",
                f"{one['predictions']:,.0f}",
                *aucs,
                f"{percent(one['error_rate'], 2)}",
                f"{number(one['latency_p50_ms'], 0)} / {number(one['latency_p95_ms'], 0)}",
                "–" if one["mean_rating"] is None else with_interval(one["mean_rating"], 2, sign=True),
                " / ".join(f"{one['feedback'].get(channel, 0):,}" for channel in channels),
            ]
        )
    header = [
        "week of",
        "predictions",
        "AUC served",
        "AUC champion",
        "errors",
        "latency p50 / p95, ms",
        "mean rating",
        " / ".join(channels),
    ]
    kept, absent = known_columns(header, rows)
    header, rows = [header[at] for at in kept], [[row[at] for at in kept] for row in rows]
    left_out = f"\nNot in the data, so not shown: {', '.join(absent)}.\n" if absent else ""
    unknown = [f"{escape(name)} {share:.1%}" for name, share in monitor["unknown_categories"].items()]
    said = f"\nCategories the champion never saw: {', '.join(unknown)}.\n" if unknown else ""
    return (
        "## Service and satisfaction\n\n"
        + table(header, rows)
        + left_out
        + said
        + "\n![Quality, satisfaction and latency by week](plots/weekly.png)\n"
    )


def known_columns(header: list[str], rows: list[list[str]]) -> tuple[list[int], list[str]]:
    """The places of the columns to show, and the names of the others: what a table need not have, and these have not."""
    said = [any(set(row[at]) - set("–/ ") for row in rows) for at in range(len(header))]
    kept = [at for at, name in enumerate(header) if said[at] or name not in OPTIONAL_COLUMNS]
    return kept, [name for at, name in enumerate(header) if at not in kept]


def data_quality(found: Quality) -> str:
    """What was rejected, what was replaced in texts, and which days had an unusual volume."""
    total, recent = found["total"], found["recent"]
    rules = [
        f"{escape(rule)} ({count:,})"
        for rule, count in sorted(total["rules"].items(), key=lambda item: (-item[1], item[0]))
    ]
    odd = [f"{one['day']} ({one['table']} {one['volume']}, {one['rows']:,} rows)" for one in found["unusual_volume"]]
    return (
        "## Data quality\n\n"
        f"{total['rejected']:,} of {total['rows']:,} rows were rejected ({total['rejected_share']:.2%}; "
        f"{recent['rejected_share']:.2%} in the last {recent['days']} days), {total['duplicates']:,} duplicates dropped.\n"
        + personal(found)
        + (f"\nRules broken: {'; '.join(rules)}.\n" if rules else "")
        + (
            f"\nUnusual volume: {'; '.join(odd[:10])}{f' and {len(odd) - 10} more' if len(odd) > 10 else ''}.\n"
            if odd
            else ""
        )
        + late(found)
    )


def personal(found: Quality) -> str:
    """What was replaced in texts, by kind, the most frequent first; empty if nothing was."""
    counts = found["total"].get("personal", {})
    said = [
        f"{n:,} {PERSONAL.get(kind, (kind, kind))[n != 1]}"
        for kind, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    return f"\nPersonal data replaced in texts before they were stored: {', '.join(said)}.\n" if said else ""


def late(found: Quality) -> str:
    """How many rows came after their day was collected, and the command that brings them in; empty if none did."""
    by_table = found.get("late", {})
    days = sorted({day for one in by_table.values() for day in one["days"]})
    if not days:
        return ""
    rows = sum(one["rows"] for one in by_table.values())
    counts = ", ".join(f"{table} {one['rows']:,}" for table, one in by_table.items())
    return (
        f"\n{rows:,} {'row' if rows == 1 else 'rows'} came after {'their' if rows > 1 else 'its'} day was collected "
        f"({counts}; {_span(days[0], days[-1])}), and {'wait' if rows > 1 else 'waits'} in `data/late/`. "
        f'Bring {"them" if rows > 1 else "it"} in with: `flywheel backfill --from {days[0]} --to {days[-1]} --why "…"`\n'
    )


def corrections(found: Quality) -> str:
    """What was collected again, by whom and why, the latest first."""
    rows = []
    for one in reversed(found.get("corrections", [])):
        files = [file for tables in one["days"].values() for file in tables.values()]
        before, after = (sum(file["rows"][at] for file in files) for at in (0, 1))
        days = f"{len(one['days'])} of {_span(one['first'], one['last'])}"
        n_changed = sum(file["changed"] for file in files)
        rows.append([one["as_of"], days, f"{n_changed:,}", f"{before:,} → {after:,}", one["who"], one["why"]])
    return (
        "## Corrections of history\n\n"
        "Days that were collected again. The versions before are in DVC's history; `flywheel diff-data` compares them.\n\n"
        + table(["as of", "changed days", "changed rows", "rows", "who", "why"], rows)
    )


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"
