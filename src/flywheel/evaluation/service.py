"""What the gate asks for the service that calls the model: that it can go on calling the next one, and need not wait for it."""

from __future__ import annotations

from collections.abc import Mapping

from flywheel import files
from flywheel.errors import DataError
from flywheel.evaluation.evidence import Cost, Rule, Verdict
from flywheel.model.card import CONTRACT
from flywheel.model.contract import FIRST, Contracts, compare, next_version, version_of


def contract_kept(contracts: Contracts, declared: Mapping[str, str]) -> Rule:
    """Whoever calls the champion must be able to call the candidate; else it is a fail, unless that version is declared.

    `declared` has the reason for each version of the contract that may break. DataError when the candidate's version does not
    follow from the champion's: then they are not of one run.
    """
    now, before = contracts.candidate, contracts.champion
    said, n = now["version"], len(now["inputs"])
    inputs = f"{n} {'input' if n == 1 else 'inputs'}"
    if before is None:
        _check_version(said, FIRST)
        return _rule("contract", "pass", f"There is no champion yet; the first contract, {said}, has {inputs}.")
    found = compare(before, now)
    _check_version(said, next_version(before, found))
    without = (
        ""
        if "inputs" in before
        else "; the champion has no contract.json, because an older version made it: its card says the names, types and "
        "categories of its inputs, and not which of them may be missing"
    )
    changes = f"{_list(found.breaking)}{f' (and {_list(found.minor)})' if found.minor else ''}"
    if found.breaking and said in declared:
        return _rule(
            "contract",
            "pass",
            f"The contract breaks, and becomes {said}: {changes}; declared: {declared[said].rstrip('.')}{without}.",
        )
    if found.breaking:
        advice = f'keep the input, or say in conf/, under gate.breaking, why it is ready for "{said}"'
        return _rule(
            "contract",
            "fail",
            f"The contract breaks, from {version_of(before)} to {said}: {changes}; a service that calls the champion cannot "
            f"call the candidate: {advice}{without}.",
        )
    if found.minor:
        told = f"becomes {said}, and whoever calls the champion can call the candidate: {_list(found.minor)}"
        return _rule("contract", "pass", f"The contract {told}{without}.")
    return _rule("contract", "pass", f"The contract stays {said}: {inputs}, as the champion has them{without}.")


def fast_enough(cost: Cost) -> Rule:
    """The candidate must not take more than the allowed times as long as the champion, for one row or for many."""
    limit = f"{cost['max_ratio']:g} times as long as the champion"
    if cost["champion"] is None:
        return _rule("latency", "pass", "Skipped: there is no champion whose answers could be faster.")
    if cost["why_not_measured"]:
        return _rule("latency", "pass", f"Skipped: {cost['why_not_measured']}.")
    if cost["slower"]:
        advice = "make the model smaller, or, if whoever waits can wait, raise evaluate.cost.max_ratio in conf/"
        return _rule(
            "latency",
            "fail",
            f"The candidate takes more than {limit} to answer {' and '.join(cost['slower'])}; {advice}; flywheel cost "
            "shows the times.",
        )
    return _rule("latency", "pass", f"The candidate does not take more than {limit} to answer.")


def _check_version(said: str, expected: str) -> None:
    if said != expected:
        raise DataError(
            f"{files.CANDIDATE / CONTRACT} says version {said}; after that of the champion it must be {expected}. They must "
            "come from one run: restore them from Git, or flywheel run"
        )


def _list(changes: tuple[str, ...]) -> str:
    return "; ".join(changes)


def _rule(name: str, verdict: Verdict, reason: str) -> Rule:
    return {"rule": name, "verdict": verdict, "severity": "block", "reason": reason}
