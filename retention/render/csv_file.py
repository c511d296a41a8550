"""CSV output: a report's rounds, written one by one."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any

from retention.render.exact_values import EXACT_TEXTS
from retention.reports.report import COLUMNS

if TYPE_CHECKING:
    from typing import TextIO

    from retention.reports.report import Report

# Spreadsheets read a cell as a formula when it begins with one of these signs, or with its full-width form, after any
# blanks. Some spreadsheets drop a leading tab or line end first, and then look again.
_FORMULA = re.compile("[\\s\\x00-\\x1f\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


async def write_csv(report: Report, file: TextIO) -> int:
    """Write a report's rounds as RFC 4180 CSV that is safe to open in a spreadsheet; return the number of rounds.

    The file must leave line ends unchanged: open it with `newline=""`.
    """
    count = 0
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    async for item in report.rounds:
        writer.writerow([cell(getattr(item, name)) for name in COLUMNS])
        count += 1
    return count


def cell(value: Any) -> str:
    """Write a value as a cell that no spreadsheet runs: a formula gets a leading apostrophe."""
    if value is None:
        return ""
    text = "; ".join(value) if isinstance(value, tuple) else EXACT_TEXTS.get(type(value), str)(value)
    return f"'{text}" if _FORMULA.match(text) else text
