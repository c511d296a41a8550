"""Breaks a plan down: its rounds by market, by game or by partner."""

from __future__ import annotations

import enum
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from retention.core.planning.plan import sum_stakes

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from decimal import Decimal

    from retention.core.planning.plan import Group
    from retention.core.planning.plan_comparison import ComparedGroup


class By(enum.StrEnum):
    """The kinds of breakdown: the values of `--by`."""

    MARKET = "market"
    GAME = "game"
    PARTNER = "partner"

    def of(self, group: Group | ComparedGroup) -> str | None:
        """Return the market, game or partner of a group."""
        match self:
            case By.MARKET:
                return group.market
            case By.GAME:
                return group.game_id
        return group.partner


class Part(NamedTuple):
    """The planned rounds of one market, game or partner (`name`) in one currency.

    `stake` is their sum in units of `currency`, None where no stake is known.
    """

    name: str | None
    currency: str | None
    rounds: int
    stake: Decimal | None
    oldest: datetime | None


def broken_down(groups: Iterable[Group], by: By) -> list[Part]:
    """Sum the groups of planned rounds by market, game or partner, and by currency; the names in their order."""
    parts: dict[tuple[str | None, str | None], list[Group]] = defaultdict(list)
    for group in groups:
        parts[by.of(group), group.currency].append(group)
    return [
        Part(
            name,
            currency,
            sum(group.rounds for group in some),
            # A group without a currency has one sum too: nothing is added across currencies.
            sum_stakes(("", group.stake) for group in some).get(""),
            min((group.oldest for group in some if group.oldest), default=None),
        )
        for (name, currency), some in sorted(parts.items(), key=lambda one: (one[0][0] or "", one[0][1] or ""))
    ]
