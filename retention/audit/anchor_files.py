"""Reads the files in which anchors are looked for. A file is mapped, not read, so a log of any size needs no memory."""

from __future__ import annotations

import csv
import io
import mmap
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO
from zipfile import BadZipFile, ZipFile

from retention.core.evidence.anchors import CSV_COLUMNS, Anchor, anchors_of_table, find_anchors
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER_BYTES = 20_000
"""Bytes in which the header of a CSV stands."""

MEMBER_BYTES = 1_000_000
"""Bytes of a workbook's member that are read. More is no report."""

_ZIP, _OLE, _PARQUET = b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"PAR1"
_PROPERTIES = "docProps/custom.xml"
"""The member of a workbook that holds its checkpoint."""

_FOOTER = struct.Struct("<I4s")

_CONTENT = "name a log, a report, a webhook's body or a note of this ledger"


def read_anchors(paths: Sequence[Path]) -> dict[str, set[Anchor]]:
    """Find the checkpoints in each file, by its name.

    Raises UsageError for a file that cannot be read, or that has no checkpoint.
    """
    found = {}
    for path in paths:
        try:
            found[str(path)] = _anchors_in(path)
        except OSError as error:
            raise UsageError(f"--anchors {path}: {error.strerror}; {_CONTENT}") from None
        if not found[str(path)]:
            raise UsageError(
                f"--anchors {path}: no checkpoint is in it; {_CONTENT}; of a PDF, the page it was printed from"
            )
    return found


def _anchors_in(path: Path) -> set[Anchor]:
    with path.open("rb") as file:
        begin = file.read(HEADER_BYTES)
        header = begin.partition(b"\n")[0].decode("utf-8-sig", "replace")
        if set(CSV_COLUMNS) <= {name.strip('"\r ') for name in header.split(",")}:
            return _anchors_in_table(path)
        if begin.startswith((_ZIP, _OLE, _PARQUET)):
            whole = file if file.seekable() else io.BytesIO(begin + file.read())
            return set(find_anchors(_footer(path, whole) if begin.startswith(_PARQUET) else _properties(path, whole)))
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
                return set(find_anchors(text))
        except ValueError:  # an empty file cannot be mapped
            return set()
        except OSError:  # a pipe cannot either
            return set(find_anchors(begin + file.read()))


def _anchors_in_table(path: Path) -> set[Anchor]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.reader(file)
        try:
            return set(anchors_of_table(next(rows), rows))
        except csv.Error as error:
            raise UsageError(
                f"--anchors {path}: line {rows.line_num} is no CSV: {error}; make the report anew"
            ) from None


def _footer(path: Path, file: BinaryIO) -> bytes:
    """Read the footer of a Parquet file, which holds its metadata as plain bytes."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _FOOTER.size))
    end = file.read()
    length, sign = _FOOTER.unpack(end) if len(end) == _FOOTER.size else (0, b"")
    if sign != _PARQUET or length > size - _FOOTER.size:
        raise UsageError(f"--anchors {path}: the end of this Parquet file is missing; copy the report again")
    file.seek(size - _FOOTER.size - length)
    return file.read(length)


def _properties(path: Path, file: BinaryIO) -> bytes:
    """Read the properties of a workbook."""
    try:
        with ZipFile(file) as workbook, workbook.open(_PROPERTIES) as member:
            text = member.read(MEMBER_BYTES + 1)
    except KeyError:
        return b""
    except (BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        # A workbook with a password is no zip file. RuntimeError: a member has a password.
        raise UsageError(
            f"--anchors {path}: this workbook is damaged or has a password ({error}); name the report as it was made"
        ) from None
    if len(text) > MEMBER_BYTES:
        raise UsageError(f"--anchors {path}: {_PROPERTIES} is larger than {MEMBER_BYTES} bytes; {_CONTENT}")
    return text
