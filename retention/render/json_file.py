"""JSON output: reports and plans, written round by round, and any other document as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from retention.render.exact_values import EXACT_TEXTS
from retention.render.report_facts import report_facts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from typing import TextIO

    from retention.render.output import Output
    from retention.reports.report import Report


def to_json(document: Any) -> str:
    """Write a document as indented JSON: amounts are decimal strings, times ISO 8601 in UTC."""
    return json.dumps(document, default=_as_json_type, indent=2)


def to_line(value: Any) -> str:
    """Write a value as JSON on one line, in the same way."""
    return _line(value)


async def write_json(report: Report, output: Output) -> int:
    """Write a report as one JSON object with one row per line; return the number of rows."""
    count, file = 0, output.text
    file.write("{\n" + "".join(f'"{name}": {_line(value)},\n' for name, value in report_facts(report).items()))
    file.write('"rounds": [')
    async for item in report.rows:
        file.write((",\n" if count else "\n") + _line(item))
        count += 1
    file.write('\n],\n"totals": [')
    file.write(",".join("\n" + _line(total) for total in report.totals))
    file.write("\n]\n}\n")
    return count


async def write_with_list(document: Mapping[str, Any], name: str, items: AsyncIterator[Any], file: TextIO) -> int:
    """Write a document as JSON, with rows (named tuples or dataclasses) under `name`, one row per line.

    Return the number of rows.
    """
    count = 0
    file.write("{\n" + "".join(f'"{key}": {_line(value)},\n' for key, value in document.items()) + f'"{name}": [')
    comma = "\n"
    async for item in items:
        file.write(comma + _line(*row_objects([item])))
        comma = ",\n"
        count += 1
    file.write("\n]\n}\n")
    return count


def row_objects(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Convert rows (named tuples or dataclasses) to JSON objects with the columns' names."""
    return [row._asdict() if hasattr(row, "_asdict") else _fields(row) for row in rows]


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _as_json_type(value: Any) -> Any:
    if text := EXACT_TEXTS.get(type(value)):
        return text(value)
    if is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


_line = json.JSONEncoder(default=_as_json_type).encode
