"""Finds rounds in the operator's view, which it only reads, so that a staging run is refunded what was staked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from retention.errors import RetentionError
from retention.ledger.database_errors import UNAVAILABLE, first_line
from retention.simulator.rounds import Round
from retention.simulator.source import RoundsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.database import Database

DEFAULT = Round("", "")
"""The bet of a round whose stake or currency the view does not have."""


@dataclass(frozen=True, slots=True)
class ViewRounds:
    """Finds rounds in `retention.open_rounds`. `partners`: the partner of each secureLogin."""

    database: Database
    partners: Mapping[str, str]
    log: FilteringBoundLogger

    async def find(self, secure_login: str, round_id: str) -> Round | None:
        """Return the open round of a partner; None where the view has none.

        Raises RoundsUnavailableError while the view cannot be read.
        """
        if (partner := self.partners.get(secure_login)) is None:
            return None
        try:
            row = await self.database.row("simulator/find_open_round", partner=partner, round_id=round_id)
        except (*UNAVAILABLE, psycopg.Error, RetentionError) as error:
            self.log.warning("simulator.view_unreadable", partner=partner, round_id=round_id, detail=first_line(error))
            raise RoundsUnavailableError from None
        if row is None:
            return None
        return Round(
            secure_login,
            round_id,
            user_id=row.user_id,
            game_id=row.game_id or "",
            currency=row.currency or DEFAULT.currency,
            amount=DEFAULT.amount if row.stake is None else row.stake,
            transaction_id=row.bet_transaction_id or "",
            opened_at=row.opened_at,
        )
