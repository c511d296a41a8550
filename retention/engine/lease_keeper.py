"""Keeps this process's claims on record: their leases, and after a fail-over the claims and releases themselves.

The heartbeat reads when the server started. Another start means a crash or another server, which may lack commits.
Claims in hand, and releases since half a minute before the last look at the earlier server, are then recorded again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.engine.claims_in_hand import RECENT_S
from retention.ledger.claims import LEASE_EXTENSION_S

if TYPE_CHECKING:
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from retention.engine.claims_in_hand import ClaimsInHand
    from retention.ledger.claims import Claims


class LeaseKeeper:
    """Extends leases before they end, and records lost claims and lost releases again."""

    def __init__(self, claims: Claims, in_hand: ClaimsInHand, log: FilteringBoundLogger) -> None:
        self._claims = claims
        self._in_hand = in_hand
        self._log = log
        self._server_started: datetime | None = None
        self._kept_at: float | None = None

    def lacks_since(self, now: float) -> float:
        """The moment since when another server may lack commits: some time before the last look at the one before.

        In seconds on the monotonic clock. A process may be cut off for longer than a take-over lasts.
        """
        return (now if self._kept_at is None else self._kept_at) - RECENT_S

    async def keep(self, server_started: datetime, now: float) -> float | None:
        """Keep all claims in hand; `now` in seconds on the monotonic clock.

        Returns since when commits may be lacking (`lacks_since`) where the server started at another time than before,
        else None. Raises an error of UNAVAILABLE; the next call repeats the work.
        """
        since = self.lacks_since(now)
        changed = self._server_started not in {None, server_started}
        self._in_hand.doubted = self._in_hand.doubted or changed
        expiring = self._in_hand.expiring(now + LEASE_EXTENSION_S)
        if changed:
            # Before the claims: a round that was claimed again after its release stays this process's.
            await self._claims.release_claims(self._in_hand.released_since(since))
        if self._in_hand.doubted:
            # All claims, because requests that have not left yet leave within a second.
            restored = await self._claims.restore_attempts(self._in_hand.claims)
            self._in_hand.move(restored)
            if restored:
                self._log.warning("attempts.restored", rounds=len(restored))
                released = self._in_hand.released_since(since)
                await self._claims.release_claims([claim for claim in released if claim.uuid in restored])
            # The ledger may hold the lease of an older slot, and have lost a later one.
            expiring = self._in_hand.claims
            self._in_hand.doubted = False
        if expiring:
            await self._claims.extend_leases(expiring)
        self._server_started, self._kept_at = server_started, now
        return since if changed else None
