"""What needs a person, and a person's word on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from retention.core.evidence.discrepancies import Payment, discrepancies
from retention.core.model import CANCELLED_STATES, RESOLUTIONS, State
from retention.core.model import Review as Reason
from retention.core.typed_text import is_blank
from retention.errors import UsageError
from retention.ledger import details
from retention.ledger.database import Transaction
from retention.ledger.database_errors import EndedError, said
from retention.ledger.reclosing import NO_LOCK_TIMEOUT, Reclosed, Recloser, note_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A cancellation that needs a person; `id` is its own, and `why` says what for."""

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
    """The ledger's open ends."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, max_runs: Mapping[str, int]) -> list[ReviewItem]:
        """List what needs a person, oldest first; `max_runs` is each partner's."""
        rows = await self._database.rows(
            "review/list_review", partners=list(max_runs), max_runs=list(max_runs.values())
        )
        return [_item(row) for row in rows]

    async def resolve(self, id: int, as_state: str, by: str, note: str) -> Reclosed | None:  # noqa: A002 - the contract's word
        """Close a cancellation with what a person has found out; what the vendor said stays in its row.

        Resolved as cancelled, its round is closed at the operator's too, in the same transaction; returns what came of
        that. Raises UsageError where it is not there, not to be resolved, or where something is missing.
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
        except EndedError as error:
            if not await self._database.prompt().writable():
                raise
            # The server answers others: the operator's function ends the session, and is not called again.
            row, closed = await self._resolve(id, as_state, by, note, refusal=said(error))
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
        """Resolve and close; with `refusal`, the words for which it cannot be closed, the function is not called."""
        async with self._database.connection() as connection, connection.transaction():
            transaction = Transaction(connection)
            await transaction.rows("session/raise_durability")
            await transaction.rows("session/limit_waits", lock_timeout=NO_LOCK_TIMEOUT)
            values = {"as_state": str(as_state), "by": by, "note": note, "earlier": details.EARLIER_RESOLUTION}
            row = await transaction.row("review/resolve_cancellation", id=id, **values)
            if row is None or not row.done or as_state not in CANCELLED_STATES:
                return row, None
            if refusal is not None:
                return row, await note_refusal(connection, id, refusal)
            return row, await Recloser(self._database).close_within(connection, id, by)

    async def reclose(self, ids: Sequence[int] | None, by: str) -> Sequence[Reclosed]:
        """Call the operator's function again for what was cancelled and could not be closed: these, or all of them.

        Raises UsageError, and does nothing, unless every one of `ids` is such a cancellation.
        """
        if not by.strip():
            raise UsageError("who closes must not be blank: it is kept with the cancellation")
        rows = await self._database.rows("review/list_reclose_candidates", ids=None if ids is None else list(ids))
        found = {row.id: row for row in rows}
        wrong = [f"cancellation {one} {words}" for one in ids or () if (words := _not_closable(found.get(one)))]
        if wrong:
            raise UsageError("; ".join(dict.fromkeys(wrong)))
        return await Recloser(self._database).close([*found], by)


def require_resolution(as_state: str) -> None:
    """Raise UsageError unless a person may say that this became of a cancellation."""
    if as_state not in RESOLUTIONS:
        raise UsageError(f"a cancellation is not resolved as {as_state!r}; known: {', '.join(RESOLUTIONS)}")


def _item(row: Any) -> ReviewItem:
    columns = row._asdict()
    conflict, given_up, incomplete = (columns.pop(name) for name in ("conflict", "given_up", "incomplete"))
    review = columns.pop("review")
    # What somebody has resolved is settled but for this: it may still be open at the operator's.
    resolved = row.state == State.RESOLVED
    found = discrepancies(
        Payment(None, None, None) if resolved else Payment(row.amount, row.currency, row.transaction_id),
        Payment(row.stake, row.stake_currency, row.bet_transaction_id),
        incomplete=incomplete and row.state == State.CANCELLED,
        conflict=conflict,
        detail=row.detail,
    )
    return ReviewItem(**columns, why=(*_standing(row.state, given_up), *_WHY.get(review, ()), *found))


_WHY: dict[str | None, tuple[str, ...]] = {
    Reason.WINNINGS: ("the vendor tells winnings, so it was not cancelled",),
    Reason.NOT_ASKED: ("the vendor could not be asked about it, so it was not cancelled",),
    Reason.FINDING: ("the operator's view has it more than once, so it was not cancelled",),
}


def _standing(state: str, given_up: bool) -> list[str]:
    """Say what a state leaves open by itself."""
    words = {
        State.IN_DOUBT: "in doubt: the vendor may or may not have cancelled it",
        State.REJECTED: "rejected by the vendor",
        State.ALREADY_COMPLETED: "already completed at the vendor, still open here",
    }
    found = [words[State(state)]] if state in words else []
    return [*found, "given up: not planned again before it is resolved"] if given_up else found


def _not_closable(row: Any) -> str | None:
    """Say why a cancellation's round is not closed once more."""
    if row is None:
        return "does not exist; `retention review list` shows what needs a person"
    if row.mode == "dry_run":
        return "belongs to a dry run: nothing was cancelled"
    if (outcome := row.resolved_as or row.state) not in CANCELLED_STATES:
        return f"is {outcome}: only what is cancelled is closed at the operator's"
    return None if row.conflict else "is in no conflict: its round is closed at the operator's"


def _refusal(row: Any) -> str:
    """Say why a cancellation that is there was not resolved."""
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
