"""Reports as files, JSON and CSV, written round by round; and any other document as JSON."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from retention.core.text import decimal_text, time_text
from retention.reports.report import COLUMNS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import TextIO

    from retention.core.planning.plan import ListedRound
    from retention.reports.report import Report

# What a spreadsheet takes for a formula: one of these signs, their full-width twins included, behind any blanks; or a
# cell that begins with a character that some spreadsheets drop, and then look again.
_FORMULA = re.compile("[\\s\\x00-\\x1f\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


_TEXTS: dict[type, Callable[[Any], str]] = {Decimal: decimal_text, datetime: time_text, UUID: str}


def to_json(document: Any) -> str:
    """Write a document as JSON, for people too: amounts are decimal strings, times ISO 8601 in UTC."""
    return json.dumps(document, default=_plain, indent=2)


async def write_json(report: Report, file: TextIO) -> int:
    """Write a report as one JSON object, a round to a line; returns how many rounds."""
    count = 0
    head = {"from": report.selection.start, "to": report.selection.end, "generated_at": report.generated_at}
    file.write("{\n" + "".join(f'"{name}": {_line(value)},\n' for name, value in head.items()))
    file.write('"rounds": [')
    async for item in report.rounds:
        file.write((",\n" if count else "\n") + _line(item))
        count += 1
    file.write('\n],\n"totals": [')
    file.write(",".join("\n" + _line(total) for total in report.totals))
    file.write("\n]\n}\n")
    return count


async def write_listed(document: Mapping[str, Any], rounds: AsyncIterator[ListedRound], file: TextIO) -> None:
    """Write a plan's document as JSON, with its rounds under `listed`, a round to a line."""
    file.write("{\n" + "".join(f'"{name}": {_line(value)},\n' for name, value in document.items()) + '"listed": [')
    comma = "\n"
    async for item in rounds:
        file.write(comma + _line(item._asdict()))
        comma = ",\n"
    file.write("\n]\n}\n")


async def write_csv(report: Report, file: TextIO) -> int:
    """Write a report's rounds as RFC 4180 has it, safe to open in a spreadsheet; returns how many rounds.

    The file must leave line ends alone: open it with `newline=""`.
    """
    count = 0
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    async for item in report.rounds:
        writer.writerow([cell(getattr(item, name)) for name in COLUMNS])
        count += 1
    return count


def cell(value: Any) -> str:
    """Write a value as a cell that no spreadsheet runs: an apostrophe goes before what would be a formula."""
    if value is None:
        return ""
    text = "; ".join(value) if isinstance(value, tuple) else _TEXTS.get(type(value), str)(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _plain(value: Any) -> Any:
    """Turn into JSON's own kinds what is none of them."""
    if text := _TEXTS.get(type(value)):
        return text(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


_line = json.JSONEncoder(default=_plain).encode
