"""Reports: what was decided about a candidate and why, in every format that people need."""

from __future__ import annotations

from rollout.report.data import ReportData
from rollout.report.writing import ReportFiles, write_report

__all__ = ["ReportData", "ReportFiles", "write_report"]
