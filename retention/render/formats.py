"""The formats of a report: a new one is a member of `Format` and an entry of `FORMATS`, which the CLI and `serve` read.

Each writer is imported when it is used, because every `--help` imports this module.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from retention.render.output import Output
    from retention.reports.report import Report

    Writer = Callable[[Report, Output], Awaitable[int]]
    """Writes an open report; returns the number of its rows that were read."""


class Format(enum.StrEnum):
    """How a report is written: the values of `--format`."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    PARQUET = "parquet"
    HTML = "html"


class ListFormat(enum.StrEnum):
    """How a list is written: the values of `--format` of `runs show` and `review list`."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format: its writer as `module:function`, and the ending of its files.

    `binary`: no terminal can show it. `extra`: the extra of this distribution that it needs. `sections`: it shows more
    than rows and totals.
    """

    writer: str
    suffix: str
    binary: bool = False
    extra: str | None = None
    sections: bool = False

    def load(self) -> Writer:
        """Import the writer. Raises UsageError where its extra is not installed."""
        module, _, name = self.writer.partition(":")
        try:
            return cast("Writer", getattr(import_module(module), name))
        except ModuleNotFoundError:
            if self.extra is None:
                raise
            raise UsageError(
                f"this format needs the extra {self.extra!r}; install it with: pip install 'retention[{self.extra}]'"
            ) from None


FORMATS: Mapping[Format, FormatSpec] = {
    Format.TABLE: FormatSpec("retention.render.terminal_report:write_table", ".txt"),
    Format.CSV: FormatSpec("retention.render.csv_file:write_csv", ".csv"),
    Format.JSON: FormatSpec("retention.render.json_file:write_json", ".json"),
    Format.XLSX: FormatSpec("retention.render.xlsx_file:write_xlsx", ".xlsx", binary=True, extra="xlsx"),
    Format.PARQUET: FormatSpec("retention.render.parquet_file:write_parquet", ".parquet", binary=True, extra="parquet"),
    Format.HTML: FormatSpec("retention.render.html_file:write_html", ".html", sections=True),
}
"""For each format: what it needs."""
