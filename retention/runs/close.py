"""Closes runs for good: their unsent rounds stay unsent, their doubts stay doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.runs.summary import NOT_CONFIRMED
from retention.errors import UsageError
from retention.exit_codes import ExitCode
from retention.ledger.details import CLOSED_BEGINS
from retention.ledger.run_record import no_such_run
from retention.runs.model import RunResult
from retention.runs.server_wait import wait_for_server

if TYPE_CHECKING:
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.core.planning.plan import Plan
    from retention.ledger.run_record import ClosedRun
    from retention.runs.model import RunParts


async def close_run(parts: RunParts, run_id: UUID, by: str, note: str) -> ClosedRun:
    """Close a run for the person `by`. Raises UsageError where there is no such run, or it has ended."""
    await wait_for_server(parts, run_id)
    closed = await parts.ledger.close_run(run_id, parts.replica, f"{CLOSED_BEGINS}{by}: {note}", by, note)
    if closed is None:
        raise no_such_run(run_id)
    if not closed.done:
        raise UsageError(f"run {run_id} is {closed.status} already: there is nothing to call off")
    parts.log.warning(
        "run.closed",
        run_id=str(run_id),
        requested_by=by,
        reason=note,
        not_sent=closed.not_sent,
        in_doubt=closed.in_doubt,
    )
    return closed


async def close_unconfirmed(parts: RunParts, run_id: UUID, log: FilteringBoundLogger, plan: Plan) -> RunResult:
    """Close a run whose plan no person confirmed. This is no failure: its exit code is 0, or the signal's."""
    await parts.ledger.close_run(run_id, parts.replica, NOT_CONFIRMED)
    log.info("run.closed", reason=NOT_CONFIRMED)
    summary, checkpoint = await parts.ledger.summarize_run(run_id), await parts.checkpoints.make()
    return RunResult(summary, parts.signal_code() or ExitCode.DONE, plan, checkpoint=checkpoint)
