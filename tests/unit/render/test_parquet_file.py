"""The Parquet file of a report, read back by other programs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet
from support.reports import AT, ROUND, output_to, report_of

from retention.errors import UsageError
from retention.render.output import whole_file
from retention.render.parquet_file import GROUP_ROWS, METADATA_KEY, write_parquet
from retention.reports.kinds.cancelled import Total
from retention.reports.report import columns_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from retention.reports.report import Report

LARGE = Decimal("99999999999999999999.999999999999999999")
TEXTS = ("=cmd", "000123", "1" * 36, '"', "\u202eabc", "\U0001f3b0", "\x01", "_x000D_", "", "two\r\nlines")


async def written(report: Report, path: Path) -> int:
    """Write a report to a file."""
    with whole_file(path) as output:
        return await write_parquet(report, output)


async def test_columns_have_their_types(tmp_path: Path) -> None:
    """Amounts are decimals, times are UTC to the microsecond, and texts and lists come back as they were."""
    path, at = tmp_path / "report.parquet", AT.replace(microsecond=123_456)
    items = [
        replace(ROUND, round_id=text, amount=LARGE, stake=Decimal("1E-18"), opened_at=at, discrepancies=("a", text))
        for text in TEXTS
    ]
    assert len(TEXTS) == await written(report_of(*items), path)
    table = parquet.read_table(path)
    found = table.to_pylist()

    assert list(TEXTS) == [row["round_id"] for row in found]
    assert [["a", text] for text in TEXTS] == [row["discrepancies"] for row in found]
    assert {(LARGE, Decimal("1E-18"), at, str(UUID(int=1)), None)} == {
        (row["amount"], row["stake"], row["opened_at"], row["uuid"], row["game_id"]) for row in found
    }
    assert (pa.decimal128(38, 18), pa.timestamp("us", tz="UTC")) == (
        table.schema.field("amount").type,
        table.schema.field("cancelled_at").type,
    )


async def test_duckdb_reads_and_sums_the_same(tmp_path: Path) -> None:
    """DuckDB sums the amounts exactly, and reads the report's facts and totals from the metadata."""
    path = tmp_path / "report.parquet"
    totals = (Total("MT", "cancelled", "EUR", 3, 10**40 * LARGE, Decimal("12.500")),)
    amounts = (Decimal("0.000000000000000001"), Decimal(12345678901234567890), None)
    await written(report_of(*(replace(ROUND, amount=amount) for amount in amounts), totals=totals), path)
    with duckdb.connect() as database:
        summed = database.execute("SELECT sum(amount) FROM read_parquet(?)", [str(path)]).fetchall()
        facts = database.execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(path)]).fetchall()
    document = json.loads(dict(facts)[METADATA_KEY.encode()])

    assert [(Decimal("12345678901234567890.000000000000000001"),)] == summed
    assert (str(UUID(int=9)), {"size": 17, "root": "+a root"}) == (document["report_id"], document["checkpoint"])
    assert [("MT", 3, f"{10**40 * LARGE:f}", "12.5")] == [
        (total["market"], total["count"], total["amount"], total["stake"]) for total in document["totals"]
    ]


async def test_an_empty_file_has_its_columns_and_says_so(tmp_path: Path) -> None:
    """A report without a round has its schema, no row, and the words in its metadata."""
    path = tmp_path / "report.parquet"
    assert 0 == await written(report_of(), path)
    table = parquet.read_table(path)

    assert (0, [column.name for column in report_of().columns]) == (table.num_rows, table.column_names)
    assert "no activity" == json.loads(table.schema.metadata[METADATA_KEY.encode()])["no_activity"]


@dataclass(frozen=True, slots=True)
class _Row:
    times: int | None
    final: bool | None


async def test_rows_are_written_group_by_group(tmp_path: Path) -> None:
    """A group is written as soon as it is full, so memory holds one; counts and flags have their types."""
    path = tmp_path / "report.parquet"

    async def rows() -> AsyncIterator[_Row]:
        for number in range(2 * GROUP_ROWS + 1):
            yield _Row(number, number % 2 == 0) if number else _Row(None, None)

    assert 2 * GROUP_ROWS + 1 == await written(replace(report_of(), rows=rows(), columns=columns_of(_Row)), path)
    file = parquet.ParquetFile(path)
    assert [GROUP_ROWS, GROUP_ROWS, 1] == [file.metadata.row_group(at).num_rows for at in range(3)]
    assert [pa.int64(), pa.bool_()] == file.schema_arrow.types
    assert [{"times": None, "final": None}, {"times": 1, "final": False}] == file.read().slice(0, 2).to_pylist()


@pytest.mark.parametrize("amount", [Decimal("1E-19"), Decimal("1E+20"), Decimal("NaN")])
async def test_a_number_that_does_not_fit_is_told(tmp_path: Path, amount: Decimal) -> None:
    """A number of the wallet that the type cannot hold is an error that names the column, never a rounded value."""
    with pytest.raises(UsageError, match=r"amount: .*make the report as csv"):
        await written(report_of(replace(ROUND, amount=amount)), tmp_path / "report.parquet")
    assert not (tmp_path / "report.parquet").exists()


async def test_a_pipe_takes_the_file() -> None:
    """A pipe, which has no position, gets the whole file."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:  # noqa: ASYNC220
        assert cat.stdin is not None
        assert cat.stdout is not None
        pipe: BinaryIO | Any = cat.stdin
        await write_parquet(report_of(ROUND), output_to(pipe))
        cat.stdin.close()
        assert ["R-1"] == parquet.read_table(pa.BufferReader(cat.stdout.read()))["round_id"].to_pylist()


@pytest.mark.parametrize(("name", "module"), [("xlsx", "xlsxwriter"), ("parquet", "pyarrow")])
def test_a_missing_extra_is_named(name: str, module: str) -> None:
    """A format whose library is not installed says which extra has it."""
    program = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from retention.errors import UsageError\n"
        "from retention.render.formats import FORMATS, Format\n"
        f"try: FORMATS[Format({name!r})].load()\n"
        "except UsageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert f"this format needs the extra '{name}'; install it with: pip install 'retention[{name}]'\n" == done.stdout
