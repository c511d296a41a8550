"""An archive believes no disk: it drops nothing unless the files read back are the ledger's rows."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.aged_ledger import fill_months

from retention.audit import archive_files
from retention.audit.archive import Archiving, archive_month
from retention.errors import UsageError
from retention.ledger.archives import Archives
from retention.ledger.database import open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def files_in(folder: Path) -> list[Path]:
    """List a folder."""
    return [*folder.iterdir()]


@pytest.mark.parametrize("table", ["cancellations", "attempts", "evidence"])
async def test_a_byte_that_the_disk_changed_keeps_the_month(
    direct_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """A file that does not read back as it was written is named; the rows stay, and no file is left."""
    with psycopg.connect(direct_dsn) as connection:
        fill_months(connection, "2024-01")
    synced = archive_files.sync_to_disk

    def faulty(path: Path, how: int) -> None:
        synced(path, how)
        if table in path.name:
            content = bytearray(path.read_bytes())
            content[len(content) // 4] ^= 1  # within the pages of the columns
            path.write_bytes(content)
            os.sync()

    monkeypatch.setattr(archive_files, "sync_to_disk", faulty)
    async with open_database(lambda: direct_dsn, size=5) as database:
        origin = (await database.row("audit/get_ledger_key")).origin
        (present, *_) = [one for one in await Archives(database).months() if one.month.month == "2024-01"]
        archiving = Archiving(database, origin, tmp_path, "ann", {}, None)
        with pytest.raises(UsageError, match=f"ledger-2024-01-{table}"):
            await archive_month(archiving, present, [], datetime.now(UTC))
        assert 3 == len(await database.tuples("archives/list_cancellations", first=0, last=2**62, kept=[]))
        assert () == await Archives(database).all()
    assert [] == files_in(tmp_path)


async def test_a_differing_file_of_an_earlier_archive_stays(tmp_path: Path) -> None:
    """A month that a restored ledger archives again leaves the earlier file beside the new one, if they differ."""

    async def write(number: int) -> None:
        async def rows() -> AsyncIterator[object]:
            yield SimpleNamespace(**(dict.fromkeys(archive_files.COLUMNS["evidence"]) | {"leaf": number}))

        folder = archive_files.ArchiveFolder(tmp_path, "retention/x", "2024-01")
        folder.require_free(["evidence"])
        await folder.write("evidence", rows())
        folder.finish()

    for number in (1, 1, 2):
        await write(number)
    found = {
        path.name: [row["leaf"] for row in archive_files.read_rows(path, "evidence")] for path in files_in(tmp_path)
    }
    (replaced,) = [name for name in found if name.endswith(".replaced")]
    assert {"ledger-2024-01-evidence.parquet": [2], replaced: [1]} == found
