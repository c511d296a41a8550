"""Holds: exemptions of rounds from cancellation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.text import time_text

if TYPE_CHECKING:
    from datetime import datetime

    from retention.core.model import OpenRound


WITHOUT_FIELDS = "a hold on nothing; name a partner, market, game, user or round, or several of them"
"""The error about a hold without a field."""


def already_ended(until: datetime) -> str:
    """The error about a hold that ends before it begins."""
    return f"the hold would have ended at {time_text(until)}, which is past"


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold of the rounds that match all its fields that are not None."""

    hold_id: int
    partner: str | None
    market: str | None
    game_id: str | None
    user_id: str | None
    round_id: str | None
    reason: str
    created_by: str
    created_at: datetime
    until: datetime | None
    released_at: datetime | None
    released_by: str | None

    def is_active(self, now: datetime) -> bool:
        """Tell whether the hold is neither released nor at its end."""
        return self.released_at is None and (self.until is None or self.until > now)

    def matches(self, found: OpenRound) -> bool:
        """Tell whether the hold exempts a round."""
        wanted = (self.partner, self.market, self.game_id, self.user_id, self.round_id)
        has = (found.partner, found.market, found.game_id, found.user_id, found.round_id)
        return all(want is None or want == value for want, value in zip(wanted, has, strict=True))
