"""What one part of the loop writes for another is checked when it is read: an error names file, key and what is expected."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flywheel import files
from flywheel.data.evidence import read_quality
from flywheel.data.identity import IDENTITY, differences, read_identity, world_differs
from flywheel.errors import DataError
from flywheel.evaluation.cost import read_timed
from flywheel.evaluation.evidence import read_cost, read_curves, read_decision, read_evidence
from flywheel.labels.evidence import read_feedback_said, read_labels_made
from flywheel.labels.voices_evidence import read_voices
from flywheel.model.card import read_card, read_champion
from flywheel.model.fitted import read_fitted
from flywheel.monitoring.evidence import read_drift, read_health, read_triggered
from flywheel.stages.collect import CollectParams
from flywheel.stages.validate import ValidateParams
from flywheel.stages.validate import main as validate
from tests.planted import settings

READERS: dict[Path, Callable[[], Any]] = {
    files.QUALITY: read_quality,
    files.LABEL_REPORT: read_labels_made,
    files.FEEDBACK_REPORT: read_feedback_said,
    files.VOICES_REPORT: read_voices,
    files.METRICS: read_evidence,
    files.COST: read_cost,
    files.LATENCY: read_timed,
    files.FITTED: read_fitted,
    files.DECISION: read_decision,
    files.MONITOR: read_health,
    files.DRIFT: read_drift,
    files.TRIGGER: read_triggered,
    files.CHAMPION / "card.json": read_champion,
    files.CANDIDATE / "card.json": lambda: read_card(files.CANDIDATE),
}
DECISION = {
    "verdict": "pass",
    "kind": "refresh",
    "reference": "served",
    "champion": None,
    "candidate": "abc",
    "as_of": "2030-01-01",
    "rules": [{"rule": "enough", "verdict": "pass", "severity": "block", "reason": "Enough."}],
}


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", READERS, ids=str)
@pytest.mark.parametrize("wrong", [{}, [], None, "text"], ids=repr)
def test_another_shape_names_the_file(path: Path, wrong: Any) -> None:
    """Whatever stands there instead, the error is one sentence that begins with the file."""
    write(path, wrong)
    with pytest.raises(DataError, match=rf"^{path}: .*(missing|it should)"):
        READERS[path]()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": "good"}, r"verdict: found 'good'; it should be 'pass', 'fail' or 'inconclusive'"),
        ({"as_of": 3}, r"as_of: found 3; it should be a valid string"),
        (
            {"rules": [{"rule": "enough", "verdict": "pass", "severity": "block"}]},
            r"rules\.0\.reason: the key is missing",
        ),
    ],
)
def test_the_error_names_the_key_what_was_found_and_what_is_expected(change: dict[str, Any], said: str) -> None:
    """At every depth."""
    write(files.DECISION, DECISION | change)
    with pytest.raises(DataError, match=said):
        read_decision()


def test_what_has_the_shape_comes_back_as_it_is() -> None:
    """Also with keys that nobody named: what is compared later is the whole file."""
    write(files.DECISION, DECISION | {"more": 1})
    assert DECISION | {"more": 1} == read_decision()


@pytest.mark.parametrize("wrong", [{}, [{}], [{"fall_out": "0", "recall": 1.0}]], ids=repr)
def test_a_curve_of_another_shape_names_its_file(wrong: Any) -> None:
    """The report draws points, and says which file has none."""
    write(files.CURVES / "candidate/roc.json", wrong)
    with pytest.raises(DataError, match=r"^reports/curves/candidate/roc\.json: "):
        read_curves("candidate")


def test_a_damaged_note_of_the_source_names_the_file() -> None:
    """Wherever it is read: to compare two worlds, and by stage `validate`."""
    write(IDENTITY, [])
    source = settings(CollectParams).source
    for read in (
        read_identity,
        lambda: differences({}),
        lambda: world_differs(source),
        lambda: validate(settings(ValidateParams)),
    ):
        with pytest.raises(DataError, match=r"^data/events/source\.json: .*it should be a valid dictionary"):
            read()


@pytest.mark.parametrize(
    "change", [{"as_of": "x"}, {"labels_known_before": "x"}, {"training_window": ["x", "2030-01-01"]}]
)
def test_a_card_with_a_day_that_is_none_names_the_key(change: dict[str, Any]) -> None:
    """Its days are compared with the clock and with windows."""
    days = {"as_of": "2030-01-15", "training_window": ["2030-01-01", "2030-01-15"], "labels_known_before": "2030-01-15"}
    rest = {"version": None, "positive_share": 0.3, "importance": {}, "features": {"numeric": [], "categorical": {}}}
    card = days | rest | {"sha256": {"model.txt": "", "calibration.json": ""}}
    write(files.CHAMPION / "card.json", card)
    assert read_champion() == card
    write(files.CHAMPION / "card.json", card | change)
    with pytest.raises(
        DataError, match=rf"^models/champion/card\.json: {next(iter(change))}.*found 'x'; it should be a day"
    ):
        read_champion()
