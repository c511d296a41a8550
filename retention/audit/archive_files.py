"""The files of an archived month: Parquet, written under another name and read back before they get their own.

Amounts are decimals, so they stay exact. `text` is the text of a row that evidence hashes; `body` is an entry of
evidence as it was hashed. Both can be checked without the ledger and its key.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from retention.core.evidence.archives import PROOF, ArchivedFile, file_name
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from typing import BinaryIO

METADATA_KEY = "retention.archive"
"""The key of a file's metadata with the ledger's name, the archive and the table, as JSON."""

UNFINISHED = ".unfinished"
"""The ending of a file that is being written; a process that was killed leaves it to the next one."""

REPLACED = ".replaced"
"""The ending of an earlier file of the same archive that differs."""

GROUP_ROWS = 10_000
"""Rows of a row group. One group is in memory at a time."""

_AMOUNT = pa.decimal128(38, 18)
_TIME = pa.timestamp("us", tz="UTC")

_OTHER_TYPES = {
    **dict.fromkeys(("stake", "amount", "winnings"), _AMOUNT),
    **dict.fromkeys(("opened_at", "settled_at", "resolved_at", "last_activity_at"), _TIME),
    **dict.fromkeys(("claimed_at", "sent_at", "replied_at"), _TIME),
    **dict.fromkeys(("id", "cancellation_id", "attempts", "http_status", "leaf", "entry_id"), pa.int64()),
    **dict.fromkeys(("conflict", "tried_before", "incomplete"), pa.bool_()),
}
"""The types of columns that are no texts."""

COLUMNS = {
    "cancellations": (
        *("id", "run_id", "partner", "market", "game_id", "user_id", "round_id", "opened_at", "stake"),
        *("stake_currency", "bet_transaction_id", "state", "error_code", "description", "currency", "amount"),
        *("transaction_id", "conflict", "detail", "settled_at", "attempts", "resolved_as", "resolved_by"),
        *("resolved_note", "resolved_at", "resolved_from", "adopted_by_run", "attempt_uuid", "tried_before"),
        *("incomplete", "review", "last_activity_at", "winnings", "text"),
    ),
    "attempts": (
        *("uuid", "cancellation_id", "run_id", "kind", "replica", "claimed_at", "sent_at", "replied_at"),
        *("http_status", "error_code", "outcome", "detail", "text"),
    ),
    "evidence": ("leaf", "entry_id", "run_id", "replica", "kind", "body"),
}
"""The columns of each table's file."""


class ArchiveFolder:
    """The folder of the files of one archive. `origin` is the ledger's name."""

    def __init__(self, folder: Path, origin: str, archive: str) -> None:
        self._folder = folder
        self._origin = origin
        self._archive = archive
        self._unfinished: dict[str, Path] = {}

    def path(self, table: str) -> Path:
        """Return the place of a table's file."""
        return self._folder / file_name(self._archive, table)

    def require_free(self, tables: Sequence[str]) -> None:
        """Raise UsageError where another file has a name; a file that a killed archive of this month left has not."""
        for table in (*tables, PROOF):
            path = self.path(table)
            if os.path.lexists(path) and not self._is_ours(path, table):
                raise UsageError(f"{path}: another file has this name; move it away, or give another folder to --to")
        for left in self._folder.glob(f".{file_name(self._archive, '*')}.*{UNFINISHED}"):
            left.unlink(missing_ok=True)

    async def write(self, table: str, rows: AsyncIterator[Any]) -> None:
        """Write a table's rows under an unfinished name. Raises OSError."""
        facts = json.dumps({"origin": self._origin, "archive": self._archive, "table": table})
        names = COLUMNS[table]
        fields = [(name, _OTHER_TYPES.get(name, pa.string())) for name in names]
        schema = pa.schema(fields, metadata={METADATA_KEY: facts})
        with self._start(table) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            async for group in _groups(rows):
                arrays = [pa.array([getattr(row, field.name) for row in group], field.type) for field in schema]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))

    def write_proof(self, proof: Mapping[str, Any]) -> None:
        """Write the proof under an unfinished name. Raises OSError."""
        with self._start(PROOF) as file:
            file.write(json.dumps(proof, indent=0).encode() + b"\n")

    def read(self, table: str) -> Iterator[Mapping[str, Any]]:
        """Read the rows of an unfinished file from the disk."""
        return read_rows(self._unfinished[table], table)

    def describe(self, table: str, rows: int) -> ArchivedFile:
        """Describe an unfinished file by its bytes on the disk."""
        return ArchivedFile(table, self.path(table).name, sha256_of(self._unfinished[table]), rows)

    def finish(self) -> None:
        """Give the files their names, the proof last. Raises OSError.

        A file that has the name already stays beside it, unless it is the same: a ledger that was restored since its
        archive, or copied, archives the month once more, and the earlier file may know what the ledger has lost.
        """
        for table, unfinished in self._unfinished.items():
            path = self.path(table)
            if path.exists() and (earlier := sha256_of(path)) != sha256_of(unfinished):
                path.replace(path.with_name(f"{path.name}.{earlier[:8]}{REPLACED}"))
            unfinished.replace(path)
        self._unfinished.clear()
        sync_to_disk(self._folder, os.O_RDONLY | os.O_DIRECTORY)

    def discard(self) -> None:
        """Delete the files that are unfinished."""
        for path in self._unfinished.values():
            with suppress(OSError):
                path.unlink(missing_ok=True)
        self._unfinished.clear()

    @contextmanager
    def _start(self, table: str) -> Iterator[BinaryIO]:
        """Open an unfinished file; its bytes are on the disk when this ends."""
        # An unpredictable name, so that no other user can have put a link there.
        handle, name = tempfile.mkstemp(prefix=f".{self.path(table).name}.", suffix=UNFINISHED, dir=self._folder)
        self._unfinished[table] = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
        sync_to_disk(Path(name), os.O_RDONLY)  # the writer of Parquet may have closed the file itself

    def _is_ours(self, path: Path, table: str) -> bool:
        """Whether a file is one of this archive, which the ledger has not recorded."""
        try:
            if table == PROOF:
                proof = json.loads(path.read_text("utf-8"))
                return bool((proof["origin"], proof["archive"]) == (self._origin, self._archive))
            return bool(facts_of(path) == {"origin": self._origin, "archive": self._archive, "table": table})
        except (OSError, ValueError, LookupError, TypeError, pa.ArrowException):
            return False


def sync_to_disk(path: Path, how: int) -> None:
    """See to it that a power cut leaves a file or folder as it is."""
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _groups(rows: AsyncIterator[Any]) -> AsyncIterator[list[Any]]:
    group: list[Any] = []
    async for row in rows:
        group.append(row)
        if len(group) == GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


def read_rows(path: Path, table: str) -> Iterator[Mapping[str, Any]]:
    """Read the rows of a table's file, a group at a time. Raises OSError, and ValueError for another file."""
    try:
        with parquet.ParquetFile(path) as file:
            if tuple(file.schema_arrow.names) != COLUMNS[table]:
                raise ValueError("its columns are another table's")
            for batch in file.iter_batches(batch_size=GROUP_ROWS):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(str(error).partition("\n")[0]) from None  # pyarrow calls some broken files an OSError, too


def facts_of(path: Path) -> Any:
    """Return the facts of a file of Parquet. Raises OSError, ValueError, LookupError and pyarrow's errors."""
    return json.loads((parquet.read_schema(path).metadata or {})[METADATA_KEY.encode()])


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
