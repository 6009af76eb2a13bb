"""The site: the report with its plots as a page, and Evidently's own page next to it.

It is built outside the pipeline, because Evidently's page has random ids: no two builds are the same bytes.
"""

from __future__ import annotations

import datetime as dt
import html
import shutil
from pathlib import Path
from typing import Any

from flywheel import files
from flywheel.errors import DataError
from flywheel.evaluation.evidence import read_decision
from flywheel.features.days import read_features
from flywheel.features.settings import Features
from flywheel.monitoring.evidence import read_drift
from flywheel.monitoring.settings import Monitor
from flywheel.params import Params, Project, load

POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8885; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { line-height: 1.2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: 0.3rem 0.6rem; text-align: left; vertical-align: top; }
td[style*="right"], th[style*="right"] { white-space: nowrap; }
img { max-width: 100%; background: white; border-radius: 4px; }
footer, nav { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 0.5rem; font-size: 0.9rem; }
"""


class SiteParams(Params):
    """`params.yaml` as the command `flywheel site` sees it."""

    project: Project
    features: Features
    monitor: Monitor


def page(markdown: str, title: str, footer: str) -> str:
    """A report as an HTML page. HTML in the Markdown stays text; nothing is loaded from elsewhere."""
    from markdown_it import MarkdownIt

    inner = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    inner = inner.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<main>\n{inner}</main>\n<nav><a href="drift.html">Drift in detail (Evidently)</a></nav>\n'
        f"<footer>{html.escape(footer)}</footer>\n</body>\n</html>\n"
    )


def build(target: Path) -> Path:
    """Build the site and replace the old one; a build that fails leaves the old one. DataError without data."""
    params = load(SiteParams)
    if not files.FEATURES.exists():
        raise DataError(f"{files.FEATURES} is missing. Make it with: flywheel run")
    decision = read_decision()
    footer = (
        f"{params.project.name}, as of {decision['as_of']}: candidate {decision['candidate']} against "
        f"{decision['champion'] or 'the served score'}."
    )
    text = page(files.REPORT.read_text(encoding="utf-8"), f"{params.project.name}: {decision['verdict']}", footer)
    fresh = files.TMP / f"{files.mine()}site"
    files.empty_folder(fresh)
    (fresh / "index.html").write_text(text, encoding="utf-8")
    shutil.copytree(files.PLOTS, fresh / "plots")
    (fresh / "drift.html").write_text(drift_page(params), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target


def drift_page(params: SiteParams) -> str:
    """Evidently's own page about the windows that `reports/drift.json` names."""
    from flywheel.model import artifact
    from flywheel.monitoring import drift

    found = read_drift()
    champion = artifact.load_if_there(files.CHAMPION)
    frames = [
        artifact.add_score(read_features(*(_day(found[window][end]) for end in ("start", "end"))), champion)
        for window in ("reference", "current")
    ]
    return drift.as_html(frames[0], frames[1], params.features.categorical, params.monitor.drift)


def _day(text: Any) -> dt.date:
    return dt.date.fromisoformat(text)
