"""The messages about scheduled reports: made, failed or missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.core.report_command import report_command
from retention.core.text import counted, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.notifications.events import Event

_LABELS = {"count": "rounds", "amount": "refund"}
"""The names of totals that people read elsewhere under another one."""

_EVENT_OF_STATUS: Mapping[str, Event] = {
    "made": "report.made",
    "failed": "report.failed",
    "missed": "schedule.missed",
}


@dataclass(frozen=True, slots=True)
class ReportToNotify:
    """A report that is made, has failed or was missed, and that people were not notified of yet.

    `settings`: the report as it was configured. `totals`: one object per row of its totals.
    """

    report_id: UUID
    name: str
    scheduled_for: datetime
    status: str
    period: str
    settings: Mapping[str, Any]
    file: str | None
    file_sha256: str | None
    rows: int | None
    totals: Sequence[Mapping[str, Any]] | None
    checkpoint: Mapping[str, Any] | None
    problem: str | None

    @property
    def event(self) -> Event:
        """The event that people are notified of."""
        return _EVENT_OF_STATUS[self.status]


def report_targets(report: ReportToNotify, wants: Mapping[str, Collection[Event]]) -> tuple[str, ...]:
    """Return the targets of a report's notification; `wants` lists the events of each target.

    A report's own targets are notified of it whatever their events; of a failure, all that want it besides.
    """
    wanting = tuple(name for name, events in wants.items() if report.event in events)
    own = tuple(report.settings.get("notify") or ())
    match report.event:
        case "report.made":
            return own or wanting
        case "report.failed":
            return tuple(dict.fromkeys((*own, *wanting)))
    return wanting


def report_message(report: ReportToNotify, redact: Callable[[str], str]) -> dict[str, Any]:
    """The message about a report that is made or has failed; `redact` masks secrets in its texts."""
    problem = None if report.problem is None else redact(report.problem)
    return {
        "report": {
            "report_id": str(report.report_id),
            "name": report.name,
            "status": report.status,
            "scheduled_for": time_text(report.scheduled_for),
            "kind": report.settings["kind"],
            "period": report.period,
            "timezone": report.settings["timezone"],
            "markets": report.settings["markets"],
            "policies": report.settings["policies"],
            "format": report.settings["format"],
            "file": report.file,
            "file_sha256": report.file_sha256,
            "rows": report.rows,
            "totals": report.totals,
            "checkpoint": report.checkpoint,
            "problem": problem,
        },
        "text": _made(report) if report.status == "made" else _failed(report, problem or ""),
    }


def missed_reports_message(reports: Sequence[ReportToNotify]) -> dict[str, Any]:
    """The message about missed times of one report, given oldest first."""
    oldest, newest = time_text(reports[0].scheduled_for), time_text(reports[-1].scheduled_for)
    name, count = reports[0].name, len(reports)
    when = f"{counted(count, 'scheduled time')}, from {oldest} to {newest}" if count > 1 else f"the time {oldest}"
    return {
        "report": {"name": name, "periods": [*dict.fromkeys(report.period for report in reports)]},
        "missed": {"count": count, "oldest": oldest, "newest": newest},
        "text": f"Report {name} missed {when}: {reports[-1].problem}. Next: {command_of(reports[-1])}",
    }


def command_of(report: ReportToNotify) -> str:
    """The command that makes the report by hand."""
    settings = report.settings
    return report_command(
        kind=settings["kind"],
        form=settings["format"],
        period=report.period,
        timezone=settings["timezone"],
        markets=settings["markets"],
        policies=settings["policies"],
        pseudonymise=settings["pseudonymise"],
    )


def _made(report: ReportToNotify) -> str:
    sums = "; ".join(_sum(total) for total in report.totals or ())
    where = f" It is in {report.file}, SHA-256 {report.file_sha256}." if report.file else ""
    return (
        f"Report {report.name} ({report.settings['kind']}) of {report.period}, {report.settings['timezone']}, is made: "
        f"{counted(report.rows or 0, 'row')}{f' ({sums})' if sums else ''}.{where}"
    )


def _sum(total: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{_LABELS.get(key, key.replace('_', ' '))} {value}" for key, value in total.items() if value is not None
    )


def _failed(report: ReportToNotify, problem: str) -> str:
    return f"Report {report.name} of {report.period} could not be made: {problem}. Next: {command_of(report)}"
