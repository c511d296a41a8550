"""The formats of a report: a new one is a member of `Format` and an entry of `FORMATS`, which the CLI reads.

Each writer is imported when it is used, because every `--help` imports this module.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TextIO

    from retention.reports.report import Report

    Writer = Callable[[Report, TextIO], Awaitable[int]]
    """Writes an open report to a text file; returns the number of rounds."""


class Format(enum.StrEnum):
    """How a report is written: the values of `--format`."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class SetFormat(enum.StrEnum):
    """How the set of a run is written: the values of `runs show --format`."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def _table() -> Writer:
    from retention.render.terminal_lists import print_report  # noqa: PLC0415

    return print_report


def _csv() -> Writer:
    from retention.render.csv_file import write_csv  # noqa: PLC0415

    return write_csv


def _json() -> Writer:
    from retention.render.json_file import write_json  # noqa: PLC0415

    return write_json


FORMATS: Mapping[Format, Callable[[], Writer]] = {Format.TABLE: _table, Format.CSV: _csv, Format.JSON: _json}
"""For each format: the function that imports its writer."""
