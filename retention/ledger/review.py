"""Review: the cancellations that need a person, and their resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from retention.core.evidence.discrepancies import discrepancies_of
from retention.core.invisible_text import is_blank
from retention.core.model import CANCELLED_STATES, RESOLUTIONS, State
from retention.core.model import Review as Reason
from retention.errors import UsageError
from retention.ledger import details
from retention.ledger.database import Transaction
from retention.ledger.database_errors import SessionEndedError, short_message
from retention.ledger.reclosing import NO_LOCK_TIMEOUT, Reclosed, Recloser, record_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A cancellation that needs a person; `why` lists the reasons."""

    id: int
    run_id: UUID
    partner: str
    market: str
    round_id: str
    state: str
    why: tuple[str, ...]
    error_code: str | None
    description: str | None
    amount: Decimal | None
    currency: str | None
    stake: Decimal | None
    stake_currency: str | None
    transaction_id: str | None
    bet_transaction_id: str | None
    detail: str | None
    settled_at: datetime | None


class Review:
    """Lists, resolves and recloses cancellations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_review(self, max_runs: Mapping[str, int]) -> list[ReviewItem]:
        """List the cancellations that need a person, oldest first; `max_runs` is each partner's."""
        rows = await self._database.rows(
            "review/list_review", partners=list(max_runs), max_runs=list(max_runs.values())
        )
        return [_item(row) for row in rows]

    async def resolve_cancellation(self, id: int, as_state: str, by: str, note: str) -> Reclosed | None:  # noqa: A002 - the contract's word
        """Resolve a cancellation with a person's finding; the vendor's reply stays in its row.

        If it is resolved as cancelled, the same transaction closes its round at the operator's; returns that result.
        Raises UsageError if the cancellation is unknown or cannot be resolved, or if a text is blank.
        """
        require_resolution(as_state)
        if is_blank(by) or is_blank(note):
            raise UsageError("who resolves and the note must not be blank: they are kept with the cancellation")
        try:
            row, closed = await self._resolve(id, as_state, by, note)
        except psycopg.errors.UniqueViolation:
            raise UsageError(
                f"cancellation {id} cannot be {as_state}: another row of its round is live or cancelled"
            ) from None
        except SessionEndedError as error:
            if not await self._database.control().writable():
                raise
            # The server answers other connections, so the operator's function ended the session: do not call it again.
            row, closed = await self._resolve(id, as_state, by, note, refusal=short_message(error))
        if row is None:
            raise UsageError(f"there is no cancellation {id}; `retention review list` shows what needs a person")
        if not row.done:
            raise UsageError(f"cancellation {id} {_refusal(row)}")
        return closed

    async def _resolve(
        self,
        id: int,  # noqa: A002 - the contract's word
        as_state: str,
        by: str,
        note: str,
        refusal: str | None = None,
    ) -> tuple[Any, Reclosed | None]:
        """Resolve and close; with `refusal`, the reason why the round cannot be closed, the function is not called."""
        async with self._database.connection() as connection, connection.transaction():
            transaction = Transaction(connection)
            await transaction.rows("session/raise_durability")
            await transaction.rows("session/limit_waits", lock_timeout=NO_LOCK_TIMEOUT)
            values = {"as_state": str(as_state), "by": by, "note": note, "earlier": details.EARLIER_RESOLUTION}
            row = await transaction.row("review/resolve_cancellation", id=id, **values)
            if row is None or not row.done or as_state not in CANCELLED_STATES:
                return row, None
            if refusal is not None:
                return row, await record_refusal(connection, id, refusal, by)
            return row, await Recloser(self._database).reclose_within(connection, id, by)

    async def reclose_rounds(self, ids: Sequence[int] | None, by: str) -> Sequence[Reclosed]:
        """Call the operator's function again for cancelled rounds that could not be closed: `ids`, or all of them.

        Raises UsageError, and does nothing, unless each of `ids` is such a cancellation.
        """
        if not by.strip():
            raise UsageError("who closes must not be blank: it is kept with the cancellation")
        rows = await self._database.rows("review/list_reclose_candidates", ids=None if ids is None else list(ids))
        found = {row.id: row for row in rows}
        wrong = [f"cancellation {one} {words}" for one in ids or () if (words := _not_closable(found.get(one)))]
        if wrong:
            raise UsageError("; ".join(dict.fromkeys(wrong)))
        return await Recloser(self._database).reclose([*found], by)


def require_resolution(as_state: str) -> None:
    """Raise UsageError unless a person may resolve a cancellation as this state."""
    if as_state not in RESOLUTIONS:
        raise UsageError(f"a cancellation is not resolved as {as_state!r}; known: {', '.join(RESOLUTIONS)}")


def _item(row: Any) -> ReviewItem:
    columns = row._asdict()
    given_up, review = columns.pop("given_up"), columns.pop("review")
    del columns["conflict"], columns["incomplete"]
    # A conflict outlives its resolution: the round may still be open at the operator's.
    found = discrepancies_of(row, refund_judged=row.state == State.RESOLVED)
    return ReviewItem(**columns, why=(*_standing(row.state, given_up), *_WHY.get(review, ()), *found))


_WHY: dict[str | None, tuple[str, ...]] = {
    Reason.WINNINGS: ("the vendor tells winnings, so it was not cancelled",),
    Reason.NOT_ASKED: ("the vendor could not be asked about it, so it was not cancelled",),
    Reason.FINDING: ("the operator's view has it more than once, so it was not cancelled",),
}


def _standing(state: str, given_up: bool) -> list[str]:
    """Describe why a state needs review."""
    words = {
        State.IN_DOUBT: "in doubt: the vendor may or may not have cancelled it",
        State.REJECTED: "rejected by the vendor",
        State.ALREADY_COMPLETED: "already completed at the vendor, still open here",
    }
    found = [words[State(state)]] if state in words else []
    return [*found, "given up: not planned again before it is resolved"] if given_up else found


def _not_closable(row: Any) -> str | None:
    """Describe why a cancellation's round cannot be reclosed; None if it can."""
    if row is None:
        return "does not exist; `retention review list` shows what needs a person"
    if row.mode == "dry_run":
        return "belongs to a dry run: nothing was cancelled"
    if (outcome := row.resolved_as or row.state) not in CANCELLED_STATES:
        return f"is {outcome}: only what is cancelled is closed at the operator's"
    return None if row.conflict else "is in no conflict: its round is closed at the operator's"


def _refusal(row: Any) -> str:
    """Describe why an existing cancellation was not resolved."""
    if row.mode == "dry_run":
        return "belongs to a dry run: nothing was done that could be resolved"
    if row.state == State.RESOLVED:
        said_already = f"is resolved already, as {row.resolved_as} by {row.resolved_by}"
        return f"{said_already}; `retention review reclose` closes its round" if row.conflict else said_already
    if (row.resolved_from or row.state) in CANCELLED_STATES:
        return "is confirmed by the vendor: it is resolved as cancelled or already_cancelled, as nothing else"
    if row.state == State.CLAIMED:
        return "is being worked on by a run just now; see what becomes of it"
    if row.state in {State.PLANNED, State.RETRYING}:
        return f"is {row.state}: its run is not through with it; go on with `retention run --resume`"
    return "has changed just now; look again"
