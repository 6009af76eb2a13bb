"""What the room of the report may be told: the section report."""

from __future__ import annotations

from flywheel.params import Count, Params


class Report(Params):
    drift_rows: Count
    weeks: Count
