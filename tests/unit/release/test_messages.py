"""What the tags say can be read back, and nothing that a person writes by hand is taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import ConfigError
from flywheel.release.messages import Said, parse, parse_prod, reason, rollback_text

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp", "Cs")), min_size=1).filter(str.strip)
numbers = st.integers(min_value=0, max_value=999)
version = st.builds(lambda a, b, c: f"v{a}.{b}.{c}", numbers, numbers, numbers)
how = st.one_of(
    st.just((None, None)), st.tuples(st.sampled_from(["accepted", "forced"]), words.map(lambda t: reason("--why", t)))
)


@given(version, st.sampled_from(["pass", "fail", "inconclusive"]), st.dates(), how)
def test_what_a_release_writes_is_read_back(version: str, verdict: str, day: object, how: tuple) -> None:
    """Also a reason with colons, semicolons and words of a message in it; and neither tag reads as the other."""
    said = Said(version, verdict, str(day), *how)
    assert parse(said.text()) == said
    assert parse_prod(said.prod_text()) == said
    assert parse(said.prod_text()) is None
    assert parse_prod(said.text()) is None


@given(version, words)
def test_what_a_rollback_writes_is_read_back(version: str, why: str) -> None:
    """As the version that serves again."""
    text = rollback_text(version, reason("--why", why))
    assert parse_prod(text) == version
    assert parse(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v0.2.0",
        "v0.2: gate: pass, as of 2030-02-01",
        "v0.2.0: gate: good, as of 2030-02-01",
        "v0.2.0: gate: pass, as of yesterday",
        "v0.2.0: gate: pass, as of 2030-02-01; because: x",
        "v0.2.0: gate: fail, as of 2030-02-01; forced: ",
        "see v0.2.0: gate: pass, as of 2030-02-01",
        "v0.2.0: gate: pass, as of 2030-02-01\n\nreally",
        "rollback to v0.2.0",
        "rollback to v0.2.0: ",
    ],
)
def test_other_words_are_nobodys(text: str) -> None:
    """They say nothing about a release."""
    assert parse(text) is None
    assert parse_prod(text) is None


def test_a_reason_is_one_line() -> None:
    """So that it cannot add lines to a tag."""
    assert reason("--why", " a\n b\tc\u2028d ") == "a b c d"


@pytest.mark.parametrize("letter", ["\x00", "\x07", "\x1b", "\x7f"])
def test_a_reason_has_no_letters_that_steer_a_terminal(letter: str) -> None:
    """Who looks at the tags would not see what is there."""
    with pytest.raises(ConfigError, match=rf"--force: found 'a\\x{ord(letter):02x}b'"):
        reason("--force", f"a{letter}b")
