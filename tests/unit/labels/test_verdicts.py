"""What people say of sources in quarantine: a strict file, and what it changes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from flywheel.errors import ConfigError
from flywheel.labels.quarantine import out_since
from flywheel.labels.verdicts import FILE, Verdict, idle, judge, read

ROOT = Path(__file__).parents[3]
ENTRY = {"decision": "release", "reason": "a travel office", "by": "the data team"}


def day(n: int) -> pd.Timestamp:
    return pd.Timestamp("2030-03-01", tz="UTC") + pd.Timedelta(days=n - 1)


def stretch(source: str, first: int, until: int | None) -> dict[str, object]:
    return {
        "source_id": source,
        "channel": "report",
        "first": day(first) + pd.Timedelta(hours=12),
        "until": pd.NaT if until is None else day(until),
        "known_at": day(first + 1),
        "reason": "lockstep",
        "found": {"members": 5},
    }


def rows(*stretches: dict[str, object]) -> pd.DataFrame:
    found = pd.DataFrame(stretches)
    for name in ("first", "until", "known_at"):
        found[name] = pd.to_datetime(found[name], utc=True).dt.as_unit("us")
    return found


def claims(source: str, days: range) -> pd.DataFrame:
    """One claim a day, at 18:00."""
    at = [day(n) + pd.Timedelta(hours=18) for n in days]
    return pd.DataFrame({"source_id": source, "channel": "report", "received_at": at}).astype(
        {"received_at": "datetime64[us, UTC]"}
    )


def days_out(found: pd.DataFrame, source: str = "s") -> list[int]:
    """The days of March on which what the source says does not count."""
    said = claims(source, range(1, 31))
    return said.loc[out_since(said, found).notna(), "received_at"].dt.day.tolist()


def verdict(**more: object) -> Verdict:
    return Verdict.model_validate({**ENTRY, **more})


def test_what_nobody_judged_stays_as_it_was_found() -> None:
    found = rows(stretch("s", 5, 10))
    judged = judge(found, {})
    assert judged["decision"].isna().all()
    pd.testing.assert_frame_equal(judged.drop(columns="decision"), found)
    assert days_out(judged) == [5, 6, 7, 8, 9]


def test_what_is_released_counts_again_and_is_still_listed() -> None:
    judged = judge(rows(stretch("s", 5, 10), stretch("other", 5, 10)), {"s": verdict()})
    assert days_out(judged) == []
    assert days_out(judged, "other") == [5, 6, 7, 8, 9]
    assert judged.loc[judged["source_id"] == "s", "decision"].tolist() == ["release"]


@pytest.mark.parametrize(
    ("until", "start", "end", "out"),
    [
        (10, "2030-03-07", None, [5, 6]),
        (10, None, "2030-03-06", [7, 8, 9]),
        (10, "2030-03-06", "2030-03-07", [5, 8, 9]),
        (None, "2030-03-06", "2030-03-07", [5, *range(8, 31)]),
        (None, "2030-03-07", None, [5, 6]),
        (10, "2030-03-12", "2030-03-20", [5, 6, 7, 8, 9]),
        (10, "2030-03-01", "2030-03-04", [5, 6, 7, 8, 9]),
        (10, "2030-03-01", "2030-03-20", []),
    ],
)
def test_a_release_of_some_days(until: int | None, start: str | None, end: str | None, out: list[int]) -> None:
    judged = judge(rows(stretch("s", 5, until)), {"s": verdict(**{"from": start, "to": end})})
    assert days_out(judged) == out
    assert (judged["known_at"] == day(6)).all()


@pytest.mark.parametrize(
    ("start", "end", "out"),
    [
        (None, None, [*range(5, 31)]),
        (None, "2030-03-20", [*range(5, 21)]),
        (None, "2030-03-06", [5, 6, 7, 8, 9]),  # what a rule found is not shortened by it
        ("2030-03-08", "2030-03-12", [*range(5, 13)]),
        ("2030-03-15", None, [5, 6, 7, 8, 9]),
    ],
)
def test_who_is_confirmed_stays_out_after_the_pattern_is_over(
    start: str | None, end: str | None, out: list[int]
) -> None:
    judged = judge(rows(stretch("s", 5, 10)), {"s": verdict(decision="confirm", **{"from": start, "to": end})})
    assert days_out(judged) == out


def test_a_verdict_on_a_source_that_no_rule_found_is_named_and_changes_nothing() -> None:
    found = rows(stretch("s", 5, 10))
    said = {"nobody": verdict(decision="confirm"), "s": verdict()}
    assert idle(found, said) == ["nobody"]
    assert set(judge(found, said)["source_id"]) == {"s"}
    assert len(judge(found.iloc[:0], said)) == 0


def test_a_file_with_entries(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.yaml"
    path.write_text(
        'sources:\n  "0012345678901234":\n    decision: confirm\n    reason: bought accounts\n    by: the data team\n'
        "    from: 2030-03-18\n    to: 2030-03-21\n"
    )
    (found,) = read(path).items()
    assert found[0] == "0012345678901234"
    assert (found[1].begins, found[1].ends) == (day(18), day(22))


def test_the_file_of_this_tree_is_right_and_its_example_too() -> None:
    text = (ROOT / FILE).read_text()
    assert read(ROOT / FILE) == {}
    example = text[text.index("#   sources:") : text.index("# An entry for")]
    assert "decision: release" in example


def test_the_example_in_the_comment_is_read(tmp_path: Path) -> None:
    text = (ROOT / FILE).read_text()
    example = text[text.index("#   sources:") : text.index("#\n# An entry for")]
    path = tmp_path / "quarantine.yaml"
    path.write_text("".join(line.removeprefix("#   ") + "\n" for line in example.splitlines()))
    assert [one.decision for one in read(path).values()] == ["release"]


GOOD = 'sources:\n  "s":\n    decision: release\n    reason: why\n    by: who\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it must have the key sources"),
        ("sources:\n", "it must have the key sources"),
        ("- a\n", "it must have the key sources"),
        ("sources: [\n", "is not YAML"),
        ("sources: {}\nmore: 1\n", "more: unknown key"),
        (GOOD.replace("release", "free"), "found 'free'; it should be 'release' or 'confirm'"),
        (GOOD.replace("    by: who\n", ""), "sources.s.by: the key is missing"),
        (GOOD.replace("why", "'  '"), "sources.s.reason"),
        (GOOD + "    until: 2030-01-01\n", "sources.s.until: unknown key"),
        (GOOD + "    from: yesterday\n", "sources.s.from: found 'yesterday'; must be a date such as"),
        (GOOD + "    from: 2030-01-02\n    to: 2030-01-01\n", "the day in `to`, 2030-01-01, must not be before"),
        (GOOD.replace('"s"', "1234567890123456"), 'Put it in quotes: "1234567890123456"'),
        (GOOD + GOOD.replace("sources:\n", ""), "'s' stands there twice (line 6)"),
    ],
)
def test_a_wrong_file_is_an_error_that_says_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "quarantine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        read(path)
    assert said in str(error.value)
    assert "quarantine.yaml" in str(error.value)


def test_a_missing_file_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is missing.*sources: \{\}"):
        read(tmp_path / "quarantine.yaml")


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.yaml"
    path.write_bytes(b"sources: \xff\xfe")
    with pytest.raises(ConfigError, match="is not YAML"):
        read(path)
