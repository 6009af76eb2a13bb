"""The model card: each number of the release is in it, nothing else is, and what cannot be read is named."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from flywheel.errors import DataError
from flywheel.evaluation.evidence import IN_WORDS, read_decision
from flywheel.model.card import Weights, read_card
from flywheel.release import serve
from flywheel.release.acceptance import accept
from flywheel.release.champion import read_serving, take_over_champion
from flywheel.release.commits import Commit, head
from flywheel.release.model_card import model_card, told_by, training
from tests.unit.release.conftest import (
    LOSS,
    NAME,
    UNCLEAR,
    commit,
    compose,
    edit,
    git,
    measure,
    retrain,
    run_pipeline,
    write,
    write_model,
)

pytestmark = pytest.mark.usefixtures("repository")
TODAY = dt.datetime.now(dt.UTC).date()  # tags carry the day on which they are made
METRICS, COHORTS, DECISION = "reports/metrics.json", "reports/cohorts.json", "reports/decision.json"


def card(version: str = "v0.2.0") -> str:
    return model_card(head(), NAME, version)


def section(text: str, title: str) -> str:
    """The text of a section, without its title."""
    return text.split(f"## {title}\n")[1].split("\n## ", maxsplit=1)[0]


def plant_metrics(found: dict[str, Any]) -> None:
    """Another number in every place."""
    for place, metric in enumerate(IN_WORDS):
        for at, one in enumerate((found["candidate"], found["champion"], found["difference"]["champion"])):
            base = 0.1 + 0.2 * at + 0.013 * place
            one[metric] = {"value": base, "low": base - 0.006, "high": base + 0.004}


def test_every_metric_is_there_with_its_interval() -> None:
    """Of the model, of what it had to beat, and their difference; and the window that they are of."""
    edit(METRICS, plant_metrics)
    edit(METRICS, lambda m: m["about"]["window"].update(predictions=9377, rows=7411, days=27, positives=1907))
    commit()
    found = section(card(), "Quality")
    planted = json.loads(Path(METRICS).read_text())
    for metric in IN_WORDS:
        digits = {"utility": 1, "precision": 3, "recall": 3, "alert_rate": 3}.get(metric, 4)
        for one, sign in (("candidate", ""), ("champion", ""), ("difference", "+")):
            values = planted[one][metric] if one != "difference" else planted[one]["champion"][metric]
            value, low, high = (f"{values[key]:{sign}.{digits}f}" for key in ("value", "low", "high"))
            assert f"{value} [{low}, {high}]" in found, (metric, one)
    for said in (
        "7,411 labelled",
        "(79% of 9,377)",
        "27 days",
        "2030-01-04 up to 2030-02-01",
        "25.7% are positive",
        "v0.1.0",
    ):
        assert said in found
    assert "21% of the predictions in the window above were not measured" in section(card(), "Limits")


def test_every_cohort_is_there() -> None:
    """With its counts, its metrics and its difference."""
    south = {"rows": 811, "positives": 97}

    def more(found: dict[str, Any]) -> None:
        found["place"]["south"] = json.loads(json.dumps(found["place"]["north"])) | south
        found["place"]["south"]["candidate"] |= {"auc": 0.6173, "log_loss": 0.4391, "ece": 0.0211}
        found["place"]["south"]["difference"]["champion"]["log_loss"] = {
            "value": -0.0173,
            "low": -0.0291,
            "high": 0.0007,
        }

    edit(COHORTS, more)
    commit()
    found = section(card(), "Cohorts")
    assert "| place = south | 811 | 97 | 0.6173 | 0.4391 | 0.0211 | -0.0173 [-0.0291, +0.0007] |" in found
    assert "| place = north | 9,000 | 3,000 |" in found


def test_purpose_and_training_are_those_of_params_and_card() -> None:
    """Event and note of the project, days, rows, inputs; where params say nothing, nothing is said."""
    edit("params.yaml", lambda v: v["project"].update(event="late | <b>", note="Invented @people."))
    extra = {"rows": {"fit": 4711}, "trees": 137, "libraries": {"lightgbm": "4.7.1"}, "positive_share": 0.2043}
    edit("models/candidate/card.json", lambda v: v.update(extra, training_window=["2029-02-03", "2030-01-05"]))
    n_bytes = sum(Path("models/candidate", name).stat().st_size for name in ("model.txt", "calibration.json"))
    commit()
    found = card()
    assert f"# {NAME} v0.2.0\n" in found
    assert head().sha[:10] in found
    assert "a prediction is *late \\| &lt;b>*.\n\nInvented &#64;people.\n" in section(found, "Purpose")
    for said in (
        "2029-02-03 and 2030-01-05",
        "fit 4,711",
        "137",
        "lightgbm 4.7.1",
        "20.43%",
        "size 100.0%",
        "1 number, 0 categories",
        f"bytes | {n_bytes:,} |",
    ):
        assert said in section(found, "Training")
    edit("params.yaml", lambda v: v.update(project=5))
    commit()
    assert "\nThe params.yaml of its commit does not say it.\n" == section(card(), "Purpose")


def test_a_fit_that_weighs_its_rows_says_how() -> None:
    """And a fit that does not, or could not, says that: nobody takes a weighed model for one that is not."""
    plain = read_card(Path("models/candidate"))
    weights: Weights = {"effective": 1234.4, "largest": 3.217, "clipped": 2, "why_alike": None}
    told = training({**plain, "weights": weights}, 10)
    assert "they tell as much as 1,234 that count alike, and the largest is 3.22" in told
    alike = training({**plain, "weights": weights | {"why_alike": "every prediction has a label"}}, 10)  # type: ignore[typeddict-item]
    assert "all count alike: every prediction has a label" in alike
    assert "weights of rows" not in training(plain, 10)


def test_the_limits_are_the_ranges_and_the_rules_that_did_not_pass() -> None:
    """Of each input what was seen; of each rule its reason."""
    inputs = {
        "size": {"type": "number", "required": True, "min": 1.25, "max": 8.5},
        "weight": {"type": "number", "required": False, "min": None, "max": None},
        "place": {"type": "category", "required": False, "categories": ["a", "b", "c"]},
    }
    output = {"type": "probability", "min": 0.1, "max": 0.9}
    retrain(UNCLEAR, contract={"version": "1.1", "inputs": inputs, "output": output})
    commit()
    found = section(card(), "Limits")
    assert "(contract 1.1)" in found
    for row in (
        "size | number | 1.25 to 8.5 | no",
        "weight | number | nothing | yes",
        "place | category | 3 categories | yes",
    ):
        assert f"| {row} |" in found
    reasons = {rule["rule"]: rule["reason"] for rule in read_decision()["rules"] if rule["verdict"] != "pass"}
    assert len(reasons) > 1
    for rule, reason in reasons.items():
        assert f"- The gate did not pass it for {rule} ({reason})" in found


def decided(version: str = "v0.2.0") -> str:
    return section(card(version), "Decision")


def test_it_says_how_the_model_was_let_through() -> None:
    """By the gate, by an acceptance with name, reason and day, or by force."""
    commit()
    serve.release(NAME, compose)
    assert "The gate said **pass** as of 2030-02-01.\n\nIt needed no acceptance." in decided()
    take_over_champion(NAME)
    retrain(UNCLEAR, "other\n", "v0.2.0")
    accept(read_decision(), "cheaper | to serve", "Ada", TODAY)
    commit()
    serve.release(NAME, compose)
    until = TODAY + dt.timedelta(days=30)
    assert f"It was accepted by Ada, up to {until}: cheaper \\| to serve" in decided("v0.3.0")
    assert re.search(r"\*\*inconclusive\*\* as of 2030-02-01; \d of \d+ rules did not pass", decided("v0.3.0"))
    take_over_champion(NAME)
    retrain(LOSS, "third\n", "v0.3.0")
    commit()
    serve.release(NAME, compose, "it must")
    assert "It was released by force: it must" in decided("v0.4.0")


def test_the_champion_has_the_card_of_its_own_commit_and_always_the_same() -> None:
    """Not of what the tree holds when it is taken over; a second time not a byte is different."""
    serve.release(NAME, compose)
    released = git("rev-parse", "HEAD")
    edit(METRICS, plant_metrics)
    write_model("models/candidate", "newer\n", None)
    commit()
    assert take_over_champion(NAME) == "v0.2.0"
    text = Path("models/champion/card.md").read_text(encoding="utf-8")
    assert text == model_card(Commit(released), NAME, "v0.2.0")
    assert "It needed no acceptance." in text
    commit()
    take_over_champion(NAME)
    assert git("status", "--porcelain") == ""


@pytest.mark.parametrize("path", [METRICS, COHORTS, DECISION, "models/candidate/contract.json"])
@pytest.mark.parametrize("shape", ['{"older": 1}', "[]", "{", None], ids=["other keys", "a list", "no JSON", "gone"])
def test_evidence_of_another_shape_is_named_and_left_out(path: str, shape: str | None) -> None:
    """A tag of an older version is taken over all the same."""
    write(path, shape) if shape else Path(path).unlink()
    commit()
    git("tag", "-a", f"{NAME}@v0.2.0", "-m", "v0.2.0: gate: pass, as of 2030-02-01")
    git("tag", "-a", f"{NAME}#prod#1", "-m", "v0.2.0 to prod: gate: pass, as of 2030-02-01")
    serving = read_serving(NAME)
    assert serving is not None
    said = (
        f"{path} is not there" if shape is None else f"{path} is of an older shape, or a newer one, than this version"
    )
    assert said in section(serving.texts["card.md"], "Not in this card")
    assert ("## Quality" in serving.texts["card.md"]) == (path != METRICS)


def test_evidence_about_another_model_is_not_this_models() -> None:
    """Metrics and decision of another candidate would be an invention."""
    measure("0" * 16, None, None, UNCLEAR)
    run_pipeline()
    commit()
    found = card()
    assert "## Quality" not in found
    assert "The gate said" not in found
    for path in (METRICS, DECISION):
        assert f"- {path} is about another model." in section(found, "Not in this card")


def test_a_model_without_a_readable_card_has_no_model_card() -> None:
    """There is nothing that one could say of it."""
    write("models/candidate/card.json", "{}")
    commit()
    with pytest.raises(DataError, match=r"models/candidate/card\.json of \w+: version: the key is missing"):
        told_by(head(), NAME, "v0.2.0")
