"""Settlements in a real ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.bare import TERMS, begin, cancelled

from retention.core.model import Kind

if TYPE_CHECKING:
    from support.world import World

    from retention.ledger.database import Database


async def test_settle_is_repeatable_after_a_lost_answer(world: World, database: Database) -> None:
    """A batch that is settled a second time changes no row and returns the same result for each round."""
    await world.seed(3)
    planned = await begin(database)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=100)).claims
    first, *_ = await planned.work.settlements.settle_replies(cancelled(claims))
    settled = await world.sql("SELECT * FROM retention.cancellations ORDER BY id")
    again, recent, *_ = await planned.work.settlements.settle_replies(cancelled(claims), again=True)
    assert 3 == len(first)
    assert (first, None) == (again, recent)
    assert settled == await world.sql("SELECT * FROM retention.cancellations ORDER BY id")
