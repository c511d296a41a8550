"""HTML output: one file for people, without scripts, and without anything from another address."""

from __future__ import annotations

from contextlib import aclosing
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from retention.core.report_command import report_command
from retention.core.text import time_text
from retention.render.csv_file import write_rows
from retention.render.formats import Format
from retention.render.html_pictures import pictures_of, weeks_of
from retention.render.html_values import field_of, grouped, is_number, label_of, moment
from retention.render.json_file import to_line
from retention.render.report_facts import report_facts, row_facts
from retention.reports.report import NO_ACTIVITY, Kind
from retention.reports.sections import Sections

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from retention.render.output import Output
    from retention.reports.report import Report, Selection

SHOWN_ROWS = 1000
"""The most rows of the page. A longer report has a second file with all of them."""

_ROWS_SUFFIX = "-rows.csv"

_TITLES = {
    Kind.CANCELLED: "Cancelled rounds",
    Kind.PENDING: "Open stale rounds",
    Kind.REFUNDS: "Refunds",
    Kind.DECISIONS: "Decisions",
}


async def write_html(report: Report, output: Output) -> int:
    """Write a report as an HTML page of at most SHOWN_ROWS rows; return the number of rows read.

    A longer report is written besides as CSV, where the output has a place for a second file.
    """
    first: list[Any] = []
    name = None
    if report.count > SHOWN_ROWS and output.beside is not None:
        file, name = output.beside(_ROWS_SUFFIX)
        columns = [column.name for column in report.columns]
        async with aclosing(_kept(report, first)) as rows:
            count = await write_rows(columns, rows, file, row_facts(report))
    else:
        async with aclosing(_kept(report, first)) as rows:
            count = 0
            async for _ in rows:
                count += 1
                if count == SHOWN_ROWS:
                    break
    for part in _parts(report, first, name):
        output.text.write(part)
    return count


async def _kept(report: Report, first: list[Any]) -> AsyncGenerator[Any, None]:
    """Pass the rows on, and keep the first ones."""
    async for item in report.rows:
        if len(first) < SHOWN_ROWS:
            first.append(item)
        yield item


def _parts(report: Report, rows: list[Any], rows_file: str | None) -> Iterator[str]:
    head, selection = report.head, report.head.selection
    zone = ZoneInfo(selection.timezone)
    sections = report.sections or Sections()
    return (
        _templates()
        .get_template("report.html")
        .generate(
            report=report,
            head=head,
            selection=selection,
            sections=sections,
            facts=report_facts(report),
            title=_TITLES[selection.kind],
            checkpoint=head.checkpoint and to_line(head.checkpoint.document()),
            groups=grouped(report.columns),
            rows=rows,
            rows_file=rows_file,
            rows_command=_rows_command(selection),
            pictures=pictures_of(report.totals, sections),
            weeks=weeks_of(sections.days),
            field=partial(field_of, zone=zone),
            moment=partial(moment, zone=zone),
            no_activity=NO_ACTIVITY,
            is_cancelled=selection.kind is Kind.CANCELLED,
        )
    )


def _rows_command(selection: Selection) -> str:
    """Return the command that writes all rows of the same selection."""
    return report_command(
        kind=selection.kind,
        form=Format.CSV,
        period=selection.period,
        timezone=selection.timezone,
        start=selection.start,
        end=selection.end,
        markets=selection.markets,
        policies=selection.policies,
        run_id=selection.run_id,
        all_outcomes=selection.all_outcomes,
        pseudonymise=selection.pseudonymise,
    )


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("retention.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"exact": _exact, "label": label_of, "utc": time_text}
    templates.tests["number"] = is_number
    return templates


def _exact(text: str) -> Markup:
    """Escape a text so that a parser gives back its carriage returns too."""
    return Markup(str(escape(text)).replace("\r", "&#13;"))  # noqa: S704 - escaped here
