"""Parquet output: a report's rows in typed columns. The report's facts and totals are JSON in the file's metadata."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from retention.errors import UsageError
from retention.render.json_file import to_line
from retention.render.report_facts import report_facts
from retention.reports.report import ColumnType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from retention.render.output import Output
    from retention.reports.report import Report

METADATA_KEY = "retention.report"
"""The key of the file's metadata with the report's facts and `totals`, as JSON."""

GROUP_ROWS = 10_000
"""Rows of a row group. One group is in memory at a time."""

_TYPES = {
    ColumnType.TEXT: pa.string(),
    ColumnType.TEXTS: pa.list_(pa.string()),
    ColumnType.AMOUNT: pa.decimal128(38, 18),  # numeric(38, 18) of the ledger
    ColumnType.TIME: pa.timestamp("us", tz="UTC"),
    ColumnType.UUID: pa.string(),  # not all readers know the logical type
    ColumnType.COUNT: pa.int64(),
    ColumnType.FLAG: pa.bool_(),
}


async def write_parquet(report: Report, output: Output) -> int:
    """Write a report's rows as Apache Parquet; return their number.

    Raises OSError, and UsageError for a number with more than 20 digits before or 18 after its point.
    """
    facts = {**report_facts(report), "totals": report.totals}
    schema = pa.schema(
        [(column.name, _TYPES[column.type]) for column in report.columns], metadata={METADATA_KEY: to_line(facts)}
    )
    uuids = [column.type is ColumnType.UUID for column in report.columns]
    names = [column.name for column in report.columns]
    count, group = 0, _new_group(names)
    with parquet.ParquetWriter(_Counted(output.binary), schema, compression="zstd") as writer:
        async for row in report.rows:
            for name, is_uuid, values in zip(names, uuids, group, strict=True):
                value = getattr(row, name)
                values.append(str(value) if is_uuid and value is not None else value)
            count += 1
            if count % GROUP_ROWS == 0:
                _write(writer, group, schema)
                group = _new_group(names)
        if group[0]:
            _write(writer, group, schema)
    return count


def _new_group(names: Sequence[str]) -> list[list[Any]]:
    return [[] for _ in names]


def _write(writer: Any, group: list[list[Any]], schema: Any) -> None:
    arrays = [_array(values, field) for values, field in zip(group, schema, strict=True)]
    writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))


def _array(values: list[Any], field: Any) -> Any:
    try:
        return pa.array(values, field.type)
    except pa.ArrowInvalid:  # the wallet's numbers have no limit
        raise UsageError(
            f"{field.name}: a value does not fit the type {field.type} of a Parquet file; make the report as csv or"
            " json, which hold any number"
        ) from None


class _Counted(io.RawIOBase):
    """A file that knows its own position, because a pipe does not. Closing it leaves the real file open."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        written = self._file.write(data)
        self._position += written
        return written

    def flush(self) -> None:
        if not self.closed:
            self._file.flush()
