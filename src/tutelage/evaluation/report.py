"""The report on a run: report.html, report.json and report.md in its folder, all with the same numbers."""

from __future__ import annotations

import json

from tutelage.evaluation.reporting.content import Report
from tutelage.evaluation.reporting.gather import gather
from tutelage.evaluation.reporting.markdown import markdown
from tutelage.evaluation.reporting.page import page
from tutelage.evaluation.results import Comparison
from tutelage.tuning.run import Run, write_text

PAGE, DATA, TEXT = "report.html", "report.json", "report.md"


def save(comparison: Comparison, run: Run) -> None:
    """Write compare.json into the run's folder, and the report that follows from it."""
    write_text(run.folder / "compare.json", comparison.to_json())
    write(run)


def write(run: Run) -> Report:
    """Write the report on a run from what lies in its folder; an earlier one is written over.

    Raises:
        UsageError: the folder is no run.
        TuningError: a file cannot be written.
    """
    found = gather(run)
    write_text(run.folder / DATA, in_json(found))
    write_text(run.folder / TEXT, markdown(found))
    write_text(run.folder / PAGE, page(found))
    return found


def in_json(report: Report) -> str:
    """All of it as one JSON object, in ASCII: nothing in it acts on a terminal."""
    return json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n"
