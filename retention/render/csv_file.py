"""CSV output: a report's rounds, written one by one."""

from __future__ import annotations

import csv
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from retention.render.exact_values import exact_text
from retention.render.report_facts import row_facts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from typing import TextIO

    from retention.ledger.review import ReviewItem
    from retention.render.output import Output
    from retention.reports.report import Report

# Spreadsheets read a cell as a formula when it begins with one of these signs, or with its full-width form, after any
# blanks. Some spreadsheets drop a leading tab or line end first, and then look again.
_FORMULA = re.compile("[\\s\\x00-\\x1f\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")

_REVIEW_COLUMNS = (
    *("state", "why", "reasons", "policy", "partner", "market", "round_id", "amount", "currency", "stake"),
    *("stake_currency", "transaction_id", "bet_transaction_id", "error_code", "description", "detail", "settled_at"),
    "run_id",
)
"""The columns of a listed cancellation, after those that a person fills in."""


async def write_csv(report: Report, output: Output) -> int:
    """Write a report's rows as RFC 4180 CSV that is safe to open in a spreadsheet; return their number."""
    columns = [column.name for column in report.columns]
    return await write_rows(columns, report.rows, output.text, row_facts(report))


async def write_rows(
    columns: Sequence[str],
    items: AsyncIterator[object],
    file: TextIO,
    ending: Mapping[str, object] = MappingProxyType({}),
) -> int:
    """Write the attributes `columns` of each item in the same way; return the number of items.

    The file must leave line ends unchanged: open it with `newline=""`. `ending`: columns at the end, with the same
    value in each row.
    """
    count = 0
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([*columns, *ending])
    last = [cell(value) for value in ending.values()]
    async for item in items:
        writer.writerow([*(cell(getattr(item, name)) for name in columns), *last])
        count += 1
    return count


def write_reviews(items: Iterable[ReviewItem], file: TextIO) -> None:
    """Write the rounds that need a person as a file to fill in: `as` and `note` are empty."""
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["id", "as", "note", *_REVIEW_COLUMNS])
    for item in items:
        writer.writerow([item.id, "", "", *(cell(getattr(item, name)) for name in _REVIEW_COLUMNS)])


def cell(value: Any) -> str:
    """Write a value as a cell that no spreadsheet runs: a formula gets a leading apostrophe."""
    if value is None:
        return ""
    text = exact_text(value)
    return f"'{text}" if _FORMULA.match(text) else text
