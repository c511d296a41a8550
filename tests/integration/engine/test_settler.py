"""The settler on a real ledger, one step at a time: nothing counts before it is written, and nothing counts twice."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from support.bare_database import TERMS, begin, cancelled
from support.model.engine_parts import engine_of, partner_of

from retention.core.model import Kind
from retention.engine.inbox import ROOM

if TYPE_CHECKING:
    from support.world import World

    from retention.engine.engine import Engine
    from retention.engine.settler import TimedReply
    from retention.ledger.database import Database


async def replied(world: World, database: Database, rounds: int) -> tuple[Engine, list[TimedReply]]:
    """An engine whose cancel requests have all been answered, and the replies."""
    await world.seed(rounds)
    planned = await begin(database)
    partner = partner_of(TERMS)
    engine = engine_of(planned.work, partner, planned.run_id, time.monotonic)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=rounds)).claims
    engine.settler.in_hand.add(claims)
    return engine, [(partner, item, 0.1, 0.0) for item in cancelled(claims)]


async def test_a_reply_counts_once_it_is_settled(world: World, database: Database) -> None:
    """An offered reply is in no count and in hand, until its settlement is committed."""
    engine, replies = await replied(world, database, 2)
    assert all(engine.settler.offer(reply) for reply in replies)
    assert (False, 2) == (engine.settler.empty, len(engine.settler.in_hand.claims))
    assert {"claimed": 2} == Counter((await world.states()).values())
    assert await engine.settler.write_once()
    assert {"cancelled": 2} == Counter((await world.states()).values())
    assert (True, []) == (engine.settler.empty, engine.settler.in_hand.claims)


async def test_a_reply_that_is_settled_again_counts_once(world: World, database: Database) -> None:
    """After a fail-over the replies of the last half minute are settled again, with the same result."""
    engine, replies = await replied(world, database, 2)
    for reply in replies:
        engine.settler.offer(reply)
    await engine.settler.write_once()
    engine.settler.rewrite_recent()
    assert engine.settler.writes_again
    assert await engine.settler.write_once()
    assert not await engine.settler.write_once()
    assert {"cancelled": 2} == Counter((await world.states()).values())
    assert 2 == engine.counters.done


async def test_an_offer_is_refused_while_too_many_replies_are_unwritten(world: World, database: Database) -> None:
    """Beyond so many replies a sender keeps its reply, and sends nothing meanwhile, until a batch is settled."""
    engine, (reply,) = await replied(world, database, 1)
    assert all(engine.settler.offer(reply) for _ in range(ROOM))
    assert not engine.settler.offer(reply)
    await engine.settler.write_once()
    assert engine.settler.offer(reply)
