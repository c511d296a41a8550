"""The settler on a real ledger, one step at a time: nothing counts before it is written, and nothing counts twice."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from support.bare_database import TERMS, begin, cancelled
from support.model.engine_parts import engine_of, partner_of

from retention.core.model import Kind
from retention.engine.inbox import ROOM
from retention.engine.lease_keeper import LeaseKeeper

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
    engine.settler.rewrite_recent(0.0)
    assert engine.settler.writes_again
    assert await engine.settler.write_once()
    assert not await engine.settler.write_once()
    assert {"cancelled": 2} == Counter((await world.states()).values())
    assert 2 == engine.counters.done


async def test_replies_from_before_a_long_outage_are_settled_again(world: World, database: Database) -> None:
    """A process that was cut off for minutes, while another server took over, settles its last replies again, and
    none that it wrote long before.
    """
    await world.seed(2)
    planned = await begin(database)
    partner, clock = partner_of(TERMS), [0.0]
    engine = engine_of(planned.work, partner, planned.run_id, lambda: clock[0])
    keeper = LeaseKeeper(planned.work.claims, engine.settler.in_hand, engine.settler.log)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=2)).claims
    for moment, item in zip((0.0, 290.0), cancelled(claims), strict=True):
        clock[0] = moment
        engine.settler.offer((partner, item, 0.1, moment))
        await engine.settler.write_once()
    server = datetime(2026, 3, 1, tzinfo=UTC)
    assert await keeper.keep(server, 300.0) is None
    await world.sql("DELETE FROM retention.attempts")
    clock[0] = 420.0
    since = await keeper.keep(server + timedelta(minutes=1), clock[0])
    assert since is not None
    engine.settler.rewrite_recent(since)
    await engine.settler.write_once()
    assert [claims[1].uuid] == [row.uuid for row in await world.sql("SELECT uuid::text FROM retention.attempts")]


async def test_an_offer_is_refused_while_too_many_replies_are_unwritten(world: World, database: Database) -> None:
    """Beyond so many replies a sender keeps its reply, and sends nothing meanwhile, until a batch is settled."""
    engine, (reply,) = await replied(world, database, 1)
    assert all(engine.settler.offer(reply) for _ in range(ROOM))
    assert not engine.settler.offer(reply)
    await engine.settler.write_once()
    assert engine.settler.offer(reply)
