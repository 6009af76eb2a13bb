"""What the report says of annotators: how often each is right, who changed, where one errs, how far they agree."""

from __future__ import annotations

from flywheel.labels.evidence import Alpha, Annotator, Annotators, Hotspots
from flywheel.labels.shares import Estimate
from flywheel.report.markdown import escape, number, percent, table, with_interval

RELIABLE, TENTATIVE = 0.8, 0.667  # of alpha: what Krippendorff (2004) asks for, and for tentative conclusions
TOO_FEW = "too few to say"


def annotators(found: Annotators, event: str) -> str:
    """The subsection; empty where nobody annotates. What there is too little for is said to be so."""
    if not found["annotations"]:
        return ""
    rows = [
        [
            one["source"],
            f"{one['annotations']:,}",
            f"{one['known']:,} ({one['with_outcome']:,})",
            _share(one["sensitivity"]),
            _share(one["specificity"]),
            f"{number(one['median_days'], 1)} / {number(one['p90_days'], 1)}",
        ]
        for one in found["busiest"]
    ]
    header = ["annotator", "annotations", "known (by outcome)", event, f"not {event}", "days, half / nine in ten"]
    unnamed = f" Nobody is named for {found['unnamed']:,} of them." if found["unnamed"] else ""
    others = (
        f"\nNot in the table are {found['others']:,} annotators with {found['others_annotations']:,} annotations.\n"
        if found["others"]
        else ""
    )
    said = "comes" if found["annotations"] == 1 else "come"
    return (
        f"\n### Annotators\n\n{_count(found['annotations'], 'annotation')} {said} from "
        f"{_count(found['annotators'], 'annotator')}.{unnamed} How often each one is right: of predictions that were {event}, "
        "and of those that were not, as far as an outcome or other voices tell; nobody confirms himself. The days are from "
        "serving to annotation.\n\n"
        + (table(header, rows) if rows else "")
        + others
        + _changes(found["busiest"], found["recent_days"])
        + _hotspots(found["hotspots"])
        + _agreement(found["agreement"])
        + f"\nIntervals hold in {found['confidence']:.0%} of cases. From less than what {found['least']:,} sure cases tell, "
        "nothing is said.\n"
    )


def _changes(busiest: list[Annotator], days: int) -> str:
    """A sentence for each annotator who is right more or less often lately; one for all where none is."""
    shown = [
        f"\n{escape(one['source'])} was right {'less' if one['trend'] == 'worse' else 'more'} often in the last {days} days "
        f"than before, by {_points(one['change'])} percentage points ({_count(one['recent_known'], 'annotation')} to go by).\n"
        for one in busiest
        if one["change"] and one["trend"] in ("worse", "better")
    ]
    compared = sum(one["change"] is not None for one in busiest)
    if not compared:
        return f"\nWhether anybody changed in the last {days} days: {TOO_FEW}.\n" if busiest else ""
    if not shown:
        return f"\nNobody was shown to be right more or less often in the last {days} days than before.\n"
    return "".join(shown)


def _hotspots(found: Hotspots) -> str:
    """The cohorts in which an annotator errs more often than elsewhere, the worst first."""
    if not found["compared"]:
        return ""
    if not found["shown"]:
        return (
            f"\nNo annotator was shown to be wrong more often in one cohort than in others "
            f"({_count(found['compared'], 'pair')} of annotator and cohort compared).\n"
        )
    rows = [
        [
            one["source"],
            f"{one['column']} {one['value']}",
            f"{one['known']:,}",
            percent(one["right"], 1),
            percent(one["right_elsewhere"], 1),
            _points(one["difference"], sign=True),
        ]
        for one in found["worst"]
    ]
    header = ["annotator", "cohort", "annotations", "right", "right elsewhere", "difference, points"]
    rest = found["shown"] - len(found["worst"])
    return (
        f"\nAnnotators are wrong more often than elsewhere in these cohorts ({found['shown']:,} of {found['compared']:,} pairs "
        f"compared{', the worst are listed' if rest else ''}):\n\n" + table(header, rows, words=2)
    )


def _agreement(found: Alpha) -> str:
    """How far annotators agree, and what that allows."""
    if not found["predictions"]:
        return "\nNo two annotators looked at the same prediction, so how far they agree is not known.\n"
    looked = _count(found["predictions"], "prediction")
    alpha = found["alpha"]
    if alpha is None:
        return f"\nHow far annotators agree: {TOO_FEW} ({looked} with two annotations or more, or all of them alike).\n"
    low = alpha["low"] or 0.0
    if low >= RELIABLE:
        meaning = "That is reliable"
    elif low >= TENTATIVE:
        meaning = "That is enough for tentative conclusions"
    else:
        meaning = (
            "That is less than what is asked for even of tentative conclusions: see who errs, or make the task clearer"
        )
    return (
        f"\nOn {looked} with two annotations or more, Krippendorff's alpha is {with_interval(alpha, 2)}: one is perfect "
        f"agreement, zero is chance. {meaning}.\n"
    )


def _share(one: Estimate | None) -> str:
    if one is None:
        return TOO_FEW
    return f"{percent(one['value'], 1)} [{percent(one['low'], 1)}, {percent(one['high'], 1)}]"


def _points(one: Estimate | None, sign: bool = False) -> str:
    """A difference of shares in percentage points; without a sign, how large it is."""
    if one is None or one["low"] is None or one["high"] is None:
        return TOO_FEW
    value, ends = 100 * one["value"], (100 * one["low"], 100 * one["high"])
    if sign:
        return f"{number(value, 1, True)} [{number(ends[0], 1, True)}, {number(ends[1], 1, True)}]"
    low, high = sorted(abs(end) for end in ends)
    return f"{number(abs(value), 1)} [{number(low, 1)}, {number(high, 1)}]"


def _count(n: int, name: str) -> str:
    return f"{n:,} {name}{'' if n == 1 else 's'}"
