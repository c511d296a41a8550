"""Makes the reports that are due, one at a time: claims one, has it written, and publishes it while the claim holds.

Any process may make a report. A claim is a lease that heartbeats extend. A process that dies loses it, and another
makes the report again under the same id. The file is renamed inside the transaction that records the report as made,
so one process alone renames it.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from retention.daemon.report_files import ReportFiles
from retention.daemon.report_process import WritingJob, WritingResult
from retention.ledger.database_errors import UNAVAILABLE, first_line
from retention.ledger.scheduled_reports import LEASE_S, FinishedReport
from retention.ledger.schedules import REQUESTED_BY
from retention.render.formats import FORMATS, Format
from retention.reports.report import Kind, Selection
from retention.settings.report import ScheduledReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.scheduled_reports import ClaimedReport, ReportStore
    from retention.reports.report import Configured

HEARTBEAT_INTERVAL_S = 10.0
"""Seconds between two extensions of the lease."""

WRITING_LIMIT_S = 3600.0
"""Seconds of one try: a process that hangs, such as on a file system that is away, would hold up the other reports."""

RENAME_WITHIN_S = 10.0
"""Seconds after which a maker that stood still renames no file: the server may have ended its transaction."""

PAUSES_S = (10.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds after each failed try; after one more failure the report is given up."""

DATABASE_PAUSE_S = 10.0
"""Seconds before the next try after the database was away."""

RELEASE_TIMEOUT_S = 2.0
"""Seconds that a stop waits for the ledger to take a report back."""

_WRITER = "from retention.daemon.report_process import main; main()"

CUT_SHORT = "every try was cut short: its process ended"
"""Of a report whose tries all ended with their processes."""


class LostReportError(Exception):
    """Another process makes the report: this one stood still for longer than its lease."""


class ReportMaker:
    """Makes reports. `dsn` gives the database, `configured` what is configured now, and `redact` masks secrets."""

    def __init__(
        self,
        store: ReportStore,
        dsn: Callable[[], str],
        configured: Callable[[], Configured],
        redact: Callable[[str], str],
        log: FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._dsn = dsn
        self._configured = configured
        self._redact = redact
        self._log = log

    async def make_due(self) -> None:
        """Make all reports that are due. Raises the database's errors; a cancellation gives the present one back."""
        while report := await self._store.claim():
            await self._make(report)

    async def _make(self, report: ClaimedReport) -> None:
        try:
            settings = ScheduledReport.of_record(report.settings)
        except ValueError as error:  # another version planned it
            await self._give_up(report, f"its settings in the ledger cannot be read: {first_line(error)}")
            return
        files = _files(report, settings)
        if report.tries > len(PAUSES_S) + 1:
            await _remove(files, earlier=True)
            await self._give_up(report, report.problem or CUT_SHORT)
            return
        try:
            result = await self._write(report, settings, files)
            if result.problem is None:
                await self._publish(report, settings, files, result)
            else:
                await self._postpone(report, files, result)
        except OSError as error:  # of the rename
            where = f"{error.filename}: " if error.filename else ""
            await self._postpone(report, files, WritingResult(problem=f"{where}{error.strerror or error}"))
        except LostReportError:
            self._log.warning("report.lost", report=report.name, report_id=str(report.report_id))
        except asyncio.CancelledError:
            await _remove(files)
            with suppress(*UNAVAILABLE, TimeoutError):
                async with asyncio.timeout(RELEASE_TIMEOUT_S):
                    await self._store.postpone(report, None, 0.0, counted=False)
            raise
        finally:
            await _remove(files)

    async def _write(
        self, report: ClaimedReport, settings: ScheduledReport, files: ReportFiles | None
    ) -> WritingResult:
        """Have the report written by a process of its own, and keep the lease meanwhile."""
        job = WritingJob(
            self._dsn(),
            _selection(report, settings),
            report.report_id,
            REQUESTED_BY,
            self._configured(),
            settings.format,
            files,
        )
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # nothing is imported from the working directory
            "-c",
            _WRITER,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
        )
        try:
            writing = asyncio.create_task(self._converse(child, pickle.dumps(job)))
            return await self._attend(report, writing)
        finally:
            if child.returncode is None:
                child.kill()
            writing.cancel()
            await child.wait()

    async def _attend(self, report: ClaimedReport, writing: asyncio.Task[WritingResult]) -> WritingResult:
        """Extend the lease until the report is written, or has taken too long."""
        began_s = extended_s = time.monotonic()
        while not (await asyncio.wait({writing}, timeout=HEARTBEAT_INTERVAL_S))[0]:
            if time.monotonic() - began_s > WRITING_LIMIT_S:
                return WritingResult(problem=f"it was not written within {WRITING_LIMIT_S:.0f} s")
            try:
                if not await self._store.extend(report):
                    raise LostReportError
                extended_s = time.monotonic()
            except UNAVAILABLE:
                if time.monotonic() - extended_s > LEASE_S:
                    raise
        return writing.result()

    async def _converse(self, child: asyncio.subprocess.Process, job: bytes) -> WritingResult:
        """Send the job, and read the result until the child ends."""
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            child.stdin.write(job)
            await child.stdin.drain()
        answer, errors = await asyncio.gather(child.stdout.read(), child.stderr.read())
        await child.wait()
        if errors:
            self._log.error("report.crashed", detail=self._redact(errors.decode(errors="replace")))
        try:
            result: WritingResult = pickle.loads(answer)  # noqa: S301 - it comes from our own child
        except (EOFError, pickle.UnpicklingError):  # it ended before its answer, or in the midst of it
            return WritingResult(problem=f"the process that writes it ended with {child.returncode}")
        return result

    async def _publish(
        self, report: ClaimedReport, settings: ScheduledReport, files: ReportFiles | None, result: WritingResult
    ) -> None:
        path = None if files is None else str(files.directory / files.name)
        finished = FinishedReport(result.rows, result.totals, result.checkpoint, path, result.file_sha256)
        async with self._store.finish(report, finished) as is_ours:
            began_s = time.monotonic()
            if not is_ours:
                raise LostReportError
            if files is not None:
                files.targets.extend(result.targets)
                await asyncio.to_thread(_publish, files, began_s)
        self._log.info(
            "report.made",
            report=report.name,
            report_id=str(report.report_id),
            period=report.period,
            kind=settings.kind,
            file=path,
            file_sha256=result.file_sha256,
            rows=result.rows,
            tries=report.tries,
        )

    async def _postpone(self, report: ClaimedReport, files: ReportFiles | None, result: WritingResult) -> None:
        await _remove(files)
        problem = self._redact(result.problem or "")
        if not result.database_away and report.tries > len(PAUSES_S):
            await self._give_up(report, problem)
            return
        pause_s = DATABASE_PAUSE_S if result.database_away else PAUSES_S[report.tries - 1]
        if await self._store.postpone(report, problem, pause_s, counted=not result.database_away):
            self._log.warning(
                "report.deferred",
                report=report.name,
                report_id=str(report.report_id),
                period=report.period,
                problem=problem,
                retry_in_s=pause_s,
            )

    async def _give_up(self, report: ClaimedReport, problem: str) -> None:
        if await self._store.fail(report, problem):
            self._log.error(
                "report.failed",
                report=report.name,
                report_id=str(report.report_id),
                period=report.period,
                problem=problem,
                tries=report.tries,
            )


def _selection(report: ClaimedReport, settings: ScheduledReport) -> Selection:
    return Selection(
        start=report.period_start,
        end=report.period_end,
        markets=settings.markets,
        policies=settings.policies,
        kind=Kind(settings.kind),
        period=report.period,
        timezone=settings.timezone,
        pseudonymise=settings.pseudonymise,
    )


def _files(report: ClaimedReport, settings: ScheduledReport) -> ReportFiles | None:
    if settings.directory is None:
        return None
    suffix = FORMATS[Format(settings.format)].suffix
    return ReportFiles(
        Path(settings.directory), f"{report.name}-{report.period}{suffix}", report.report_id, report.tries
    )


async def _remove(files: ReportFiles | None, *, earlier: bool = False) -> None:
    """Remove hidden files before the report is given back: its next try may have the same number.

    In a thread: a file system that is away must not stop the loop, which sends the requests of runs.
    """
    if files is not None:
        await asyncio.to_thread(files.remove, earlier=earlier)


def _publish(files: ReportFiles, began_s: float) -> None:
    if time.monotonic() - began_s > RENAME_WITHIN_S:
        raise LostReportError
    files.publish()
