"""The files in which checkpoints are looked for: workbooks and Parquet files among them."""

from __future__ import annotations

import zipfile
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from support.reports import ROUND, report_of

from retention.audit.anchor_files import MEMBER_BYTES, read_anchors
from retention.core.evidence.anchors import Anchor
from retention.core.evidence.checkpoint import Checkpoint
from retention.errors import UsageError
from retention.render.formats import FORMATS, Format
from retention.render.output import whole_file

if TYPE_CHECKING:
    from pathlib import Path

ROOT = sha256(b"a root").digest()
MEMBER = "docProps/custom.xml"


async def written(path: Path, form: Format) -> Path:
    """Write a report with a checkpoint."""
    report = report_of(ROUND)
    head = replace(report.head, checkpoint=Checkpoint("ledger", 42, b64encode(ROOT).decode()))
    with whole_file(path) as output:
        await FORMATS[form].load()(replace(report, head=head), output)
    return path


@pytest.mark.parametrize("form", ["csv", "json", "xlsx", "parquet"])
async def test_a_report_is_an_anchor(tmp_path: Path, form: str) -> None:
    """The checkpoint of a report is found in its file, whatever its format."""
    path = await written(tmp_path / "report", Format(form))
    assert {str(path): {Anchor(42, ROOT)}} == read_anchors([path])


@pytest.mark.parametrize("form", ["xlsx", "parquet"])
@pytest.mark.parametrize("kept", [4, 10, 0.5, 0.99])
async def test_a_broken_file_is_told(tmp_path: Path, form: str, kept: float) -> None:
    """A file that lost its end is a clear error."""
    path = await written(tmp_path / "report", Format(form))
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(
        UsageError, match=r"--anchors .*report: (this workbook is damaged|the end of this Parquet file)"
    ):
        read_anchors([path])


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    """A member that unpacks to more than a report has is not unpacked."""
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MEMBER, b" " * (MEMBER_BYTES + 1))
    with pytest.raises(UsageError, match="larger than 1000000 bytes"):
        read_anchors([path])


def test_a_password_is_told(tmp_path: Path) -> None:
    """A workbook with a password, and a member with one, are clear errors."""
    office, archive = tmp_path / "office.xlsx", tmp_path / "archive.xlsx"
    office.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000))
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr(MEMBER, b"x")
    marked = bytearray(archive.read_bytes())
    marked[6] |= 1  # the flag of encryption, in the member's own header and in the directory
    marked[marked.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(marked)
    for path in (office, archive):
        with pytest.raises(UsageError, match="has a password"):
            read_anchors([path])


def test_a_workbook_of_others_has_no_checkpoint(tmp_path: Path) -> None:
    """An archive without our property has no checkpoint."""
    path = tmp_path / "other.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", b"<workbook/>")
    with pytest.raises(UsageError, match="no checkpoint is in it"):
        read_anchors([path])
