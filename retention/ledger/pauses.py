"""Pauses: the kill switch, and the pauses that vendors ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.runs.pauses import ActivePause, paused_partners
from retention.errors import UsageError
from retention.ledger.given_text import require_text
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from retention.ledger.database import Database


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's pause of the calls to one partner or (None) to all."""

    pause_id: int
    partner: str | None
    reason: str
    paused_by: str
    paused_at: datetime


class Pauses:
    """The ledger's pauses."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._control = database.control()
        self._durable = database.durable()

    async def find_pauses(self, partners: Sequence[str]) -> dict[str, str]:
        """Find which of the partners are paused; returns the text of the pause that covers each."""
        rows = await self._database.rows("pauses/find_pauses", partners=list(partners))
        return paused_partners(records(ActivePause, rows), partners)

    async def list_pauses(self, partners: Collection[str] | None = None) -> list[Pause]:
        """List the pauses in force, oldest first; with `partners` only the pauses that cover one of them."""
        pauses = records(Pause, await self._database.rows("pauses/list_pauses"))
        return [one for one in pauses if partners is None or one.partner is None or one.partner in partners]

    async def list_vendor_pauses(self, partners: Sequence[str] | None) -> dict[str, datetime]:
        """List until when the vendors of these partners (None: of all) have asked for a pause."""
        names = None if partners is None else list(partners)
        return {row.partner: row.until for row in await self._control.rows("pauses/list_vendor_pauses", partners=names)}

    async def begin_pause(self, partner: str | None, by: str, reason: str) -> None:
        """Stop the calls to one partner or (None) to all. Raises UsageError if that pause is in force already."""
        words = {"by": require_text(by, "who pauses"), "reason": require_text(reason, "the reason")}
        row = await self._durable.row("pauses/begin_pause", partner=partner, **words)
        if not row.made:
            raise UsageError(f"{_subject(partner)} paused already, by {row.paused_by}: {row.reason}")

    async def end_pause(self, partner: str | None, by: str) -> tuple[bool, list[str]]:
        """End exactly that pause, and the pauses that the vendors of the same partners asked for.

        Returns whether a person's pause ended, and the partners whose vendors' pauses ended. Raises UsageError if
        neither is in force.
        """
        row = await self._durable.row("pauses/end_pause", partner=partner, by=require_text(by, "who resumes"))
        if not row.by_person and not row.by_vendor:
            others = ", ".join(pause.partner or "all partners" for pause in await self.list_pauses())
            raise UsageError(f"{_subject(partner)} not paused; paused: {others or 'nobody'}")
        return row.by_person, list(row.by_vendor)


def _subject(partner: str | None) -> str:
    return f"{partner} is" if partner is not None else "all partners are"
