"""The site: a report whose text cannot become a script, and a build that never leaves half a site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flywheel.errors import DataError
from flywheel.report import site
from tests.conftest import ROOT

TAG = re.compile(r"<\s*(script|img|iframe|svg|object|style|link|form)\b|\son\w+\s*=|javascript:", re.IGNORECASE)
PIECES = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "|", "\n", "`", "x"]


def body(text: str) -> str:
    """What a report becomes inside the page."""
    found = re.search(r"<main>\n(.*)</main>", site.page(text, "title", "footer"), re.DOTALL)
    assert found
    return found[1]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_html_in_a_report_stays_text(text: str) -> None:
    """Whatever a user wrote: there is no tag and no link that does something."""
    found = re.sub(r"&lt;.*?(&gt;|$)", "", body(text), flags=re.MULTILINE)
    assert not TAG.search(re.sub(r"\[a\]\(javascript:alert\(1\)\)", "", found))
    assert 'href="javascript' not in body(text)


def test_title_and_footer_are_text_too() -> None:
    """They name the project, which is configured."""
    page = site.page("", "</title><script>", "<b>")
    assert "<script>" not in page
    assert "<b>" not in page


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """By its policy, and in fact."""
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |\n\n"
    text = f"# Report\n\n{table * 4}![models](plots/models.png)\n"
    page = site.page(text, "title", "footer")
    assert 'src="plots/models.png"' in page
    assert "default-src &#x27;none&#x27;" in page
    assert [link for link in re.findall(r'src="([^"]+)"', page) if not link.startswith("plots/")] == []
    assert page.count("<table>") == page.count('<div class="wide"><table>') == 4


@pytest.mark.project
def test_a_site_needs_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to make it, and the old site stays."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("old")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="flywheel run"):
        site.build(Path("site"))
    assert (tmp_path / "site/index.html").read_text() == "old"
