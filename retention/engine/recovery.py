"""Finds what processes that are gone had claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import State
from retention.ledger.claims import Claims, IdRange

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.engine.claims_in_hand import ClaimsInHand
    from retention.engine.dispatcher import Dispatcher
    from retention.engine.partner import Partner

LOOKAHEAD_ROUNDS = 10_000
"""Rounds of the plan by which other processes' claims may be ahead of ours; what is farther is found at the end."""


class ExpiredClaims:
    """Turns claims whose leases have ended into doubts, in the runs of `run_ids`; those in hand are not lost."""

    def __init__(
        self,
        claims: Claims,
        partners: Sequence[Partner],
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
        self._fronts: dict[str, int] = {}

    async def find(self, *, whole: bool = True) -> int:
        """Turn what dead processes had claimed into doubts; how many.

        While there is other work, only where claims are being made: a look at the whole plan takes the longer the
        larger that is. All that lies below the front is settled, or known to be unsettled.
        """
        found = 0
        for partner in self._partners:
            reached = max(part.reached for part in self._dispatchers if part.partner is partner)
            front = self._fronts.get(partner.name)
            window = None if whole or front is None else IdRange(front, reached + LOOKAHEAD_ROUNDS)
            rows = await self._claims.expire_claims(partner.terms, self._run_ids, window, but=self._in_hand.uuids)
            first = await self._claims.find_first_unsettled(partner.name, front or 0)
            self._fronts[partner.name] = reached if first is None else first - 1
            for row in rows:
                found += 1
                if row.state != State.IN_DOUBT:  # it was only asked about
                    continue
                self._log.warning(
                    "round.in_doubt",
                    run_id=str(row.run_id),
                    partner=partner.name,
                    market=row.market,
                    round_id=row.round_id,
                    uuid=str(row.attempt_uuid),
                    detail="the process that claimed it never recorded a reply",
                )
        return found
