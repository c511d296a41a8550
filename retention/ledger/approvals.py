"""Approvals in the ledger: requests, decisions of persons, and requests that expire.

The columns of an approval are written by functions of the schema, which check the decision by the rows and under a lock
(`sql/migrations/0002_approvals.sql`). A trigger on `retention.runs` is the gate: it lets no run start that requires an
approval and has none, whatever statement starts it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import psycopg

from retention.core.planning.approval import Verdict
from retention.errors import UsageError
from retention.ledger import details
from retention.ledger.records import record, records

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from retention.ledger.database import Database

REFUSED_START = "RT002"
"""SQLSTATE of the gate."""

_REFUSALS = {
    "approval_none": "it is not approved",
    "approval_rejected": "it is rejected",
    "approval_expired": "its approval has expired",
    "approval_own_request": "the person who asked for it has approved it",
    "approval_own_login": "the database login that asked for it has approved it",
    "approval_plan_changed": "its rows are not those that were approved",
    "run_is_over": "it is over",
}


class ApprovalRequest(NamedTuple):
    """A run that waits, or has nothing to wait for; the digest of its plan, and when the request expires."""

    status: str
    plan_digest: str
    approval_expires_at: datetime


class ExpiredRun(NamedTuple):
    """A run whose approval was not given, or not used, in time."""

    run_id: UUID
    policy: str
    halt_reason: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """The result of a rejection: why it does not count (None: it does), and how many rounds are not sent."""

    refused: Verdict | None
    not_sent: int


class Approvals:
    """The approvals of runs; `replica` is this process's name."""

    def __init__(self, database: Database, replica: str) -> None:
        self._database = database.durable()
        self._control = database.control()
        self._replica = replica

    async def request_approval(self, run_id: UUID) -> ApprovalRequest | None:
        """Let a run wait for its approval; None where it waits already, or may not wait. An empty run is finished."""
        row = await self._database.row("approvals/request_approval", run_id=run_id, replica=self._replica)
        return None if row is None else record(ApprovalRequest, row)

    async def approve_run(self, run_id: UUID, by: str, digest: str, note: str | None) -> Verdict | None:
        """Approve the plan with this digest for the person `by`; returns why that does not count, None where it does.

        `digest` may be cut, but not below 12 digits.
        """
        values = {"by": by, "digest": digest, "note": note, "replica": self._replica}
        verdict = (await self._database.row("approvals/approve_run", run_id=run_id, **values)).verdict
        return None if verdict == "approved" else Verdict(verdict)

    async def reject_run(self, run_id: UUID, by: str, digest: str | None, note: str) -> Rejection:
        """Reject the plan for the person `by`, and cancel the run."""
        values = {"by": by, "digest": digest, "note": note, "replica": self._replica}
        reason = details.REJECTED.format(by, note)
        row = await self._database.row("approvals/reject_run", run_id=run_id, reason=reason, **values)
        return Rejection(None if row.verdict == "rejected_now" else Verdict(row.verdict), row.not_sent)

    async def expire_approvals(self) -> list[ExpiredRun]:
        """Cancel the runs whose approval has expired; returns them."""
        # Only where there is one: a locked plan must not delay a daemon that has nothing to expire.
        if not (await self._control.row("approvals/find_expired_requests")).expired:
            return []
        rows = await self._control.rows(
            "approvals/expire_approvals", replica=self._replica, reason=details.APPROVAL_EXPIRED
        )
        return records(ExpiredRun, rows)


@contextmanager
def refused_starts(run_id: UUID) -> Iterator[None]:
    """Turn the gate's refusal into an error for people. Raises UsageError."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate != REFUSED_START:
            raise
        code = error.diag.message_primary or ""
        raise UsageError(f"run {run_id} cannot start: {_REFUSALS.get(code, code)}") from None
