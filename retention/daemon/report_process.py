"""Writes one report, as a process of its own: its work would hold the requests of runs up.

The job comes on stdin, which stays open while the parent lives, and the result goes to stdout. The parent alone changes
the ledger and renames the files.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import pickle
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from retention.errors import DatabaseUnreachableError, RetentionError
from retention.ledger.database import open_database
from retention.ledger.database_errors import UNAVAILABLE, BusyError, first_line
from retention.render.formats import Format
from retention.render.json_file import to_line
from retention.render.write_report import write_report
from retention.reports.read import read_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from retention.daemon.report_files import ReportFiles
    from retention.reports.report import Configured, ReportHead, Selection

CONNECTIONS = 3
"""Database connections at most: for the snapshot, and for the statements before it."""


@dataclass(frozen=True, slots=True)
class WritingJob:
    """The report to write. `files`: None where only its totals are wanted."""

    dsn: str
    selection: Selection
    report_id: UUID
    generated_by: str
    configured: Configured
    format: str
    files: ReportFiles | None


@dataclass(frozen=True, slots=True)
class WritingResult:
    """A written report, or the `problem` that stopped it. `database_away`: the report had no part in the problem.

    `targets`: the names of its files.
    """

    rows: int = 0
    totals: Sequence[Mapping[str, Any]] = ()
    checkpoint: Mapping[str, Any] | None = None
    targets: Sequence[str] = ()
    file_sha256: str | None = None
    problem: str | None = None
    database_away: bool = False


async def write(job: WritingJob) -> WritingResult:
    """Write the report, and return its facts or the problem."""
    try:
        async with open_database(lambda: job.dsn, CONNECTIONS) as database:
            if job.files is None:
                async with read_report(
                    database,
                    job.selection,
                    generated_by=job.generated_by,
                    report_id=job.report_id,
                    configured=job.configured,
                ) as report:
                    return _result(report.head, report.count, report.totals)
            job.files.remove(earlier=True)
            with job.files.writing() as place:
                written = await write_report(
                    database,
                    job.selection,
                    Format(job.format),
                    place,
                    generated_by=job.generated_by,
                    configured=job.configured,
                    report_id=job.report_id,
                )
            with job.files.hidden(job.files.name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            return _result(written.head, written.count, written.totals, job.files.targets, digest)
    except (*UNAVAILABLE, DatabaseUnreachableError) as error:
        # A busy database may be busy with this very report: such tries are counted, so that people are told in time.
        away = not isinstance(error, BusyError)
        return WritingResult(problem=first_line(error) or type(error).__name__, database_away=away)
    except OSError as error:
        where = error.filename or (job.files and job.files.directory)
        return WritingResult(problem=f"{where}: {error.strerror or error}")
    except (RetentionError, psycopg.Error) as error:
        return WritingResult(problem=str(error).strip().partition("\n")[0])
    except Exception as error:  # noqa: BLE001 - the parent tells of it
        traceback.print_exc()
        return WritingResult(problem=f"{type(error).__name__}: {error}")


def _result(
    head: ReportHead, rows: int, totals: Sequence[Any], targets: Sequence[str] = (), digest: str | None = None
) -> WritingResult:
    checkpoint = None if head.checkpoint is None else head.checkpoint.document()
    return WritingResult(rows, [json.loads(to_line(total)) for total in totals], checkpoint, targets, digest)


def main() -> None:
    """Read the job, write the report, print the result."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the parent decides when this process ends
        signal.signal(ignored, signal.SIG_IGN)
    job = pickle.load(sys.stdin.buffer)  # noqa: S301 - it comes from the parent alone
    threading.Thread(target=_end_with_parent, daemon=True).start()
    result = asyncio.run(write(job))
    sys.stdout.buffer.write(pickle.dumps(result))
    sys.stdout.buffer.flush()
    os._exit(0)  # the thread still reads


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
