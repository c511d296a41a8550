"""Turns expired claims into doubts: their requests may have been sent.

While there is other work, the search covers only rounds near the claim cursor: scanning the whole plan takes time
proportional to its size. Rows below the first unsettled id need no search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import State
from retention.ledger.claims import Claims, IdRange
from retention.ledger.details import REPLY_LOST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.engine.claims_in_hand import ClaimsInHand
    from retention.engine.dispatcher import Dispatcher
    from retention.engine.run_partner import RunPartner

LOOKAHEAD_ROUNDS = 10_000
"""Rounds by which other processes may be ahead of this one's claims; later ones are searched at the end."""


class ExpiredClaims:
    """Expires claims in the runs of `run_ids`, but never the claims that this process has in hand."""

    def __init__(
        self,
        claims: Claims,
        partners: Sequence[RunPartner],
        dispatchers: Sequence[Dispatcher],
        in_hand: ClaimsInHand,
        run_ids: Sequence[UUID],
        log: FilteringBoundLogger,
    ) -> None:
        self._claims = claims
        self._partners = partners
        self._dispatchers = dispatchers
        self._in_hand = in_hand
        self._run_ids = run_ids
        self._log = log
        self._first_unsettled: dict[str, int] = {}

    async def find(self, *, whole: bool = True) -> int:
        """Expire claims in the `whole` plan, or near the claim cursor; returns how many there were."""
        found = 0
        for partner in self._partners:
            reached = max(part.highest_claimed_id for part in self._dispatchers if part.partner is partner)
            front = self._first_unsettled.get(partner.name)
            window = None if whole or front is None else IdRange(front, reached + LOOKAHEAD_ROUNDS)
            rows = await self._claims.expire_claims(partner.terms, self._run_ids, window, but=self._in_hand.uuids)
            first = await self._claims.find_first_unsettled(partner.name, front or 0)
            self._first_unsettled[partner.name] = reached if first is None else first - 1
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
