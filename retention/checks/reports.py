"""Checks of the reports that `serve` makes: next times, directory, and the extra of the format."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING

from retention.checks.config import SHOWN_TIMES
from retention.errors import UsageError
from retention.ledger.checks.finding import Finding
from retention.render.formats import FORMATS, Format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from retention.settings.model import Settings
    from retention.settings.report import ScheduledReport


def report_times(settings: Settings, now: datetime) -> dict[str, list[datetime]]:
    """Return the next times of each report, by its name."""
    return {name: list(islice(report.times.after(now), SHOWN_TIMES)) for name, report in settings.reports.items()}


def report_findings(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Check each report: its directory as this process sees it, and the extra of its format."""
    for name, times in report_times(settings, now).items():
        report = settings.reports[name]
        problem = _problem(report)
        coming = ", ".join(f"{time:%a} {time.isoformat(' ', 'minutes')}" for time in times)
        message = problem or f"{report.kind} of {report.period}, {_goes(report)}; {coming}"
        yield Finding(f"report {name}", ok=problem is None, message=message)


def _goes(report: ScheduledReport) -> str:
    if report.directory is None:
        return f"told to {', '.join(report.notify)}"
    return f"as {report.format} into {report.directory}"


def _problem(report: ScheduledReport) -> str | None:
    if report.directory is None:
        return None
    if not report.directory.is_dir():
        return f"directory {report.directory} is not there; create it for the user of `serve`"
    if not os.access(report.directory, os.W_OK | os.X_OK):
        return f"directory {report.directory} cannot be written by this user; allow it to the user of `serve`"
    try:
        FORMATS[Format(report.format)].load()
    except UsageError as error:
        return str(error)
    return None
