"""Settings of the report: the section report."""

from __future__ import annotations

from flywheel.params import Count, Params


class Report(Params):
    drift_rows: Count
    weeks: Count
