"""Holds: exemptions of some rounds from cancellation."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from retention.core.planning.holds import WITHOUT_FIELDS, Hold, already_ended
from retention.errors import UsageError
from retention.ledger.given_text import require_text
from retention.ledger.records import records

if TYPE_CHECKING:
    from datetime import datetime

    from retention.ledger.database import Database


class Holds:
    """The ledger's holds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._durable = database.durable()

    async def add_hold(
        self,
        partner: str | None,
        market: str | None,
        game: str | None,
        user: str | None,
        round: str | None,  # noqa: A002 - the contract's word
        reason: str,
        by: str,
        until: datetime | None,
    ) -> int:
        """Exempt the rounds that match all given fields; returns the hold's number.

        Raises UsageError if no field is given, a text is blank, or the hold would end before it begins.
        """
        fields = {"partner": partner, "market": market, "game_id": game, "user_id": user, "round_id": round}
        given = {name: require_text(value, name) for name, value in fields.items() if value is not None}
        if not given:
            raise UsageError(WITHOUT_FIELDS)
        words = {"by": require_text(by, "who holds"), "reason": require_text(reason, "the reason")}
        row = await self._durable.row("holds/add_hold", until=until, **(dict.fromkeys(fields) | given | words))
        if row is None:
            assert until is not None  # a hold without an end is always in force
            raise UsageError(already_ended(until))
        return cast("int", row.hold_id)

    async def list_holds(self, all: bool = False) -> list[Hold]:  # noqa: A002 - the contract's word
        """List the holds in force, oldest first; with `all` ended holds as well."""
        return records(Hold, await self._database.rows("holds/list_holds", ended=all))

    async def release_hold(self, hold_id: int, by: str) -> None:
        """End a hold. Raises UsageError if it is unknown or already released."""
        row = await self._durable.row("holds/release_hold", hold_id=hold_id, by=require_text(by, "who releases"))
        if row is None:
            raise UsageError(f"there is no hold {hold_id}; `retention hold list` shows those that stand")
        if not row.done:
            raise UsageError(f"hold {hold_id} is released already, by {row.released_by or 'somebody else just now'}")
