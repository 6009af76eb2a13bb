"""The report says how many people were forgotten, since when, and which models had learned from them."""

from __future__ import annotations

from flywheel.data.evidence import Forgotten
from flywheel.report.forgotten import forgotten

TWO: Forgotten = {"people": 2, "first": "2030-01-04", "last": "2030-01-09", "models": {"v0.1.0": 2, "v0.2.0": 1}}
ONE: Forgotten = {"people": 1, "first": "2030-01-04", "last": "2030-01-04", "models": {}}


def test_models_that_had_learned_are_listed_and_the_champion_is_marked() -> None:
    """Each with the number of people."""
    text = forgotten(TWO, "v0.2.0")
    assert text.startswith(
        "## Forgotten people\n\n2 people were forgotten, the first as of 2030-01-04, the last as of 2030-01-09."
    )
    assert "| v0.1.0 | 2 |" in text
    assert "| v0.2.0, the champion | 1 |" in text
    assert "`flywheel forget USER --versions`" in text


def test_one_person_from_whom_no_model_had_learned() -> None:
    """No table, and the sentence for one."""
    text = forgotten(ONE, None)
    assert "1 person was forgotten, as of 2030-01-04." in text
    assert "No released model had learned from what they said." in text
    assert "|" not in text


def test_a_name_from_outside_is_escaped() -> None:
    """The champion's version comes from its card."""
    assert "<b>" not in forgotten(TWO | {"models": {"<b>": 1}}, None)
