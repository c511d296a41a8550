"""What needs a person, and a person's word on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from retention.core.discrepancies import Money, discrepancies
from retention.core.model import LIVE_STATES, State
from retention.core.model import Review as Reason
from retention.core.words import is_blank
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.ledger.database import Database

RESOLUTIONS = tuple(state for state in State if state not in LIVE_STATES and state is not State.RESOLVED)
"""What a person may say that became of a cancellation."""


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
        rows = await self._database.rows("review", partners=list(max_runs), max_runs=list(max_runs.values()))
        return [_item(row) for row in rows]

    async def resolve(self, id: int, as_state: str, by: str, note: str) -> None:  # noqa: A002 - the contract's word
        """Close a cancellation with what a person has found out; what the vendor said stays in its row.

        Raises UsageError where it is not there, not to be resolved, or where something is missing.
        """
        require_resolution(as_state)
        if is_blank(by) or is_blank(note):
            raise UsageError("who resolves and the note must not be blank: they are kept with the cancellation")
        try:
            row = await self._database.durable().row("resolve", id=id, as_state=str(as_state), by=by, note=note)
        except psycopg.errors.UniqueViolation:
            raise UsageError(
                f"cancellation {id} cannot be {as_state}: another row of its round is live or cancelled"
            ) from None
        if row is None:
            raise UsageError(f"there is no cancellation {id}; `retention review list` shows what needs a person")
        if not row.done:
            raise UsageError(f"cancellation {id} {_refusal(row)}")


def require_resolution(as_state: str) -> None:
    """Raise UsageError unless a person may say that this became of a cancellation."""
    if as_state not in RESOLUTIONS:
        raise UsageError(f"a cancellation is not resolved as {as_state!r}; known: {', '.join(RESOLUTIONS)}")


def _item(row: Any) -> ReviewItem:
    columns = row._asdict()
    conflict, given_up, incomplete = (columns.pop(name) for name in ("conflict", "given_up", "incomplete"))
    review = columns.pop("review")
    found = discrepancies(
        Money(row.amount, row.currency, row.transaction_id),
        Money(row.stake, row.stake_currency, row.bet_transaction_id),
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


def _refusal(row: Any) -> str:
    """Say why a cancellation that is there was not resolved."""
    if row.mode == "dry_run":
        return "belongs to a dry run: nothing was done that could be resolved"
    if row.state == State.RESOLVED:
        return f"is resolved already, as {row.resolved_as} by {row.resolved_by}"
    if row.state == State.CLAIMED:
        return "is being worked on by a run just now; see what becomes of it"
    if row.state in {State.PLANNED, State.RETRYING}:
        return f"is {row.state}: its run is not through with it; go on with `retention run --resume`"
    return "has changed just now; look again"
