"""Reads a report and writes it in one format: the one way for `report`, `serve` and pages."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retention.render.formats import FORMATS
from retention.render.progress import report_progress
from retention.reports.read import read_report

if TYPE_CHECKING:
    from uuid import UUID

    from retention.ledger.database import Database
    from retention.render.formats import Format
    from retention.render.output import Output
    from retention.reports.report import Configured, ReportHead, Selection


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """The facts of a written report: its head, the number of its rows, and its totals."""

    head: ReportHead
    count: int
    totals: tuple[Any, ...]


async def write_report(
    database: Database,
    selection: Selection,
    form: Format,
    place: Output,
    *,
    generated_by: str,
    configured: Configured,
    report_id: UUID | None = None,
    watched: bool = False,
) -> WrittenReport:
    """Write a report to a place. Raises UsageError where it cannot be made, and the errors of database and place.

    `report_id`: of a report that is made again. `watched`: show progress.
    """
    spec = FORMATS[form]
    write = spec.load()
    async with (
        read_report(
            database,
            selection,
            generated_by=generated_by,
            report_id=report_id,
            configured=configured,
            sections=spec.sections,
        ) as report,
        report_progress(report) if watched else nullcontext(report) as rows,
    ):
        count = await write(rows, place)
    return WrittenReport(report.head, count, report.totals)
