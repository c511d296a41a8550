"""What stops a cancellation: the kill switch for all of them, and holds for some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from retention.core.invisible_text import is_blank
from retention.core.planning.holds import WITHOUT_FIELDS, Hold, already_ended
from retention.core.runs.pauses import ActivePause, paused_partners
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class Pause:
    """The kill switch, thrown for one partner or (None) for all."""

    pause_id: int
    partner: str | None
    reason: str
    paused_by: str
    paused_at: datetime


class Controls:
    """The ledger's pauses and holds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._durable = database.durable()

    async def paused(self, partners: Sequence[str]) -> dict[str, str]:
        """Say which of the partners are paused, and the words of the pause that covers each."""
        rows = await self._database.rows("pauses/find_pauses", partners=list(partners))
        return paused_partners([ActivePause(*row) for row in rows], partners)

    async def pauses(self, partners: Collection[str] | None = None) -> list[Pause]:
        """List the pauses that are on, oldest first; with `partners` those that cover one of them."""
        pauses = [Pause(*row) for row in await self._database.rows("pauses/list_pauses")]
        return [one for one in pauses if partners is None or one.partner is None or one.partner in partners]

    async def pause(self, partner: str | None, by: str, reason: str) -> None:
        """Stop the calls to one partner or (None) to all. Raises UsageError where they are stopped already."""
        words = {"by": _said(by, "who pauses"), "reason": _said(reason, "the reason")}
        row = await self._durable.row("pauses/begin_pause", partner=partner, **words)
        if not row.made:
            raise UsageError(f"{_whom(partner)} paused already, by {row.paused_by}: {row.reason}")

    async def resume(self, partner: str | None, by: str) -> tuple[bool, list[str]]:
        """End that very pause, and what the vendor asked for of the same partners.

        Returns whether a person's pause has ended, and which partners' vendors had asked. Raises UsageError where there
        is neither.
        """
        row = await self._durable.row("pauses/end_pause", partner=partner, by=_said(by, "who resumes"))
        if not row.by_person and not row.by_vendor:
            others = ", ".join(pause.partner or "all partners" for pause in await self.pauses())
            raise UsageError(f"{_whom(partner)} not paused; paused: {others or 'nobody'}")
        return row.by_person, list(row.by_vendor)

    async def hold_add(
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
        """Exempt the rounds that match all that is given, and return the hold's number.

        Raises UsageError where nothing is given, something is blank, or the hold would end before it begins.
        """
        fields = {"partner": partner, "market": market, "game_id": game, "user_id": user, "round_id": round}
        given = {name: _said(value, name) for name, value in fields.items() if value is not None}
        if not given:
            raise UsageError(WITHOUT_FIELDS)
        words = {"by": _said(by, "who holds"), "reason": _said(reason, "the reason")}
        row = await self._durable.row("holds/add_hold", until=until, **(dict.fromkeys(fields) | given | words))
        if row is None:
            assert until is not None  # a hold without an end always stands
            raise UsageError(already_ended(until))
        return cast("int", row.hold_id)

    async def hold_list(self, all: bool = False) -> list[Hold]:  # noqa: A002 - the contract's word
        """List the holds that stand, or all that ever did, oldest first."""
        return [Hold(*row) for row in await self._database.rows("holds/list_holds", ended=all)]

    async def hold_release(self, hold_id: int, by: str) -> None:
        """End a hold. Raises UsageError where it is unknown or released already."""
        row = await self._durable.row("holds/release_hold", hold_id=hold_id, by=_said(by, "who releases"))
        if row is None:
            raise UsageError(f"there is no hold {hold_id}; `retention hold list` shows those that stand")
        if not row.done:
            raise UsageError(f"hold {hold_id} is released already, by {row.released_by or 'somebody else just now'}")


def _said(words: str, what: str) -> str:
    """Hold what somebody has to say to being more than blanks."""
    if is_blank(words):
        raise UsageError(f"{what} must not be blank")
    return words


def _whom(partner: str | None) -> str:
    return f"{partner} is" if partner is not None else "all partners are"
