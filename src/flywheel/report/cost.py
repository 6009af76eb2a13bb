"""What the models cost, as a table: size and times of candidate and champion, the fit, and prices at the rate in conf."""

from __future__ import annotations

from typing import Literal

from flywheel.evaluation.cost import ROWS, Timed, price, price_of_a_million
from flywheel.evaluation.evidence import Cost
from flywheel.evaluation.settings import ModelCost
from flywheel.model.fitted import Fitted

HEADER = ["", "candidate", "champion", "ratio"]
AGAIN = "Measure it with: flywheel run --verify"
Name = Literal["candidate", "champion"]


def rows(cost: Cost, timed: Timed | None, fitted: Fitted | None, params: ModelCost) -> list[list[str]]:
    """The rows of the table. What was timed of other models than `cost` is about is left out; `missing` says so."""
    champion = cost["champion"]
    found = [
        [what, *(f"{one[what]:,}" if one else "–" for one in (cost["candidate"], champion)), _ratio(cost, what)]
        for what in ("bytes", "trees")
    ]
    if timed and not _others(cost, timed):
        for name, one in timed["latency"].items():
            both = one["candidate_ms"], one["champion_ms"]
            rounds = f"{min(one['ratios']):.2f} to {max(one['ratios']):.2f}" if one["ratios"] else "–"
            found.append([f"{name}, ms", *(_number(value, 2) for value in both), rounds])
        for name, one in timed["latency"].items():
            both = one["candidate_ms"], one["champion_ms"]
            prices = [None if value is None else price_of_a_million(value, name, params) for value in both]
            at_once = f"{ROWS[name]:,} at once" if ROWS[name] > 1 else "one by one"
            found.append([f"price of a million predictions, {at_once}", *map(_price, prices), "–"])
    if fitted and fitted["candidate"] == cost["candidate"]["identity"]:
        made, spared = fitted["made"], fitted["spared"]
        own = "spared by the memo" if fitted["seconds"] is None else f"{fitted['seconds']:.1f}"
        found.append(["fit, s", own, "–", "–"])
        if made:
            fits = "1 fit" if made == 1 else f"{made} fits"
            found.append([f"{fits} of this training, s", f"{fitted['together']:.1f}", "–", "–"])
            found.append(
                [f"price of {'it' if made == 1 else 'them'}", _price(price(fitted["together"], params)), "–", "–"]
            )
        if spared:
            found.append(["fits that the memo spared", f"{spared} of {made + spared}", "–", "–"])
        found.append(["peak memory of training, MiB", f"{fitted['peak_mib']:,}", "–", "–"])
    return found


def missing(cost: Cost, timed: Timed | None, fitted: Fitted | None) -> list[str]:
    """What could not be shown, and what to run, a sentence each."""
    said = []
    if timed is None:
        said.append(f"How long these models take was not measured here. {AGAIN}")
    elif _others(cost, timed):
        was = f"candidate {timed['candidate']}, champion {timed['champion']}"
        said.append(f"What was timed here are other models ({was}), so it is not shown. {AGAIN}")
    elif cost["why_not_measured"]:
        said.append(f"The champion was not timed: {cost['why_not_measured']}.")
    if fitted is None:
        said.append(f"This candidate was not trained here, so its fit was not measured. {AGAIN}")
    elif fitted["candidate"] != cost["candidate"]["identity"]:
        said.append(f"What was trained here is another candidate ({fitted['candidate']}). {AGAIN}")
    elif fitted["spared"]:
        said.append(f"Fits that the memo spared took no time, so the price is not that of a whole training. {AGAIN}")
    return said


def _others(cost: Cost, timed: Timed) -> bool:
    champion = cost["champion"]
    return (timed["candidate"], timed["champion"]) != (
        cost["candidate"]["identity"],
        champion["identity"] if champion else None,
    )


def _ratio(cost: Cost, what: Literal["bytes", "trees"]) -> str:
    champion = cost["champion"]
    return f"{cost['candidate'][what] / champion[what]:.2f}" if champion and champion[what] else "–"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _price(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}" if value >= 1 else f"{value:.2g}"
