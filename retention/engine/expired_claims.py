"""Turns expired claims into doubts: their requests may have been sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import State
from retention.ledger.details import REPLY_LOST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.engine.claims_in_hand import ClaimsInHand
    from retention.engine.run_partner import RunPartner
    from retention.ledger.claims import Claims


class ExpiredClaims:
    """Expires claims in the runs of `run_ids`, but never the claims that this process has in hand."""

    def __init__(
        self,
        claims: Claims,
        partners: Sequence[RunPartner],
        in_hand: ClaimsInHand,
        run_ids: Sequence[UUID],
        log: FilteringBoundLogger,
    ) -> None:
        self._claims = claims
        self._partners = partners
        self._in_hand = in_hand
        self._run_ids = run_ids
        self._log = log

    async def find(self) -> int:
        """Expire claims; returns how many there were."""
        found = 0
        for partner in self._partners:
            rows = await self._claims.expire_claims(partner.terms, self._run_ids, but=self._in_hand.uuids)
            for row in rows:
                found += 1
                if row.state != State.IN_DOUBT:  # only a probe before the first cancel was claimed
                    continue
                self._log.warning(
                    "round.in_doubt",
                    run_id=str(row.run_id),
                    partner=partner.name,
                    market=row.market,
                    round_id=row.round_id,
                    uuid=str(row.attempt_uuid),
                    detail=REPLY_LOST,
                )
        return found
