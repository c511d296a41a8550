"""The work of each batch statement grows no faster than its batch, under any planner estimate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from support.bare_database import SCOPE, TERMS, begin, cancelled, unhurried
from support.explaining import Explaining, explaining

from retention.core.model import Kind
from retention.ledger.reclosing import Recloser

if TYPE_CHECKING:
    from support.world import World

FEW, MANY = 100, 400

BATCHES = 30

FAST = replace(TERMS, rate=1e6)


async def work_of(world: World, rounds: int, prefix: str) -> Counter[str]:
    """Plan, claim, ask, release, restore, keep, settle and close again so many rounds; the work of each statement."""
    await world.seed(rounds, prefix=prefix, at_vendor=False)
    await world.sql("ANALYZE public.rounds")
    async with explaining(world.direct) as database:
        planned = await begin(database, SCOPE)
        work = planned.work
        asked = await work.claims.claim(Kind.STATUS, replace(FAST, ask_first=True), after=0, batch=rounds)
        assert rounds == await work.claims.release_claims(asked.claims)
        claims = (await work.claims.claim(Kind.CANCEL, FAST, after=0, batch=rounds)).claims
        assert rounds == len(await work.claims.reserve_slots(Kind.CANCEL, FAST, unhurried(claims)))
        await work.claims.extend_leases(claims)
        assert {} == await work.claims.restore_attempts(claims)
        assert [] == await work.claims.expire_claims(FAST, [planned.run_id], but=[claim.uuid for claim in claims])
        await world.sql("DELETE FROM retention.attempts WHERE outcome IS NULL")
        assert rounds == len(await work.claims.restore_attempts(claims))
        half = rounds // 2
        for part, close_error in ((claims[:half], None), (claims[half:], "not called")):
            settled = await work.settlements.settle_replies(cancelled(part), close_error)
            assert half == len(settled.written)
        closed = await Recloser(database).reclose([claim.cancellation_id for claim in claims[half:]], "ann")
        assert half == len(closed)
        assert await work.control.finish_run("finished", None)
    return Counter(Explaining.work)


async def test_batch_statements_grow_linearly(world: World) -> None:
    """For four times the rounds no statement goes through more than six times the rows."""
    few, many = await work_of(world, FEW, "few"), await work_of(world, MANY, "many")
    grown = {name: (few[name], work) for name, work in many.items() if work > 6 * max(few[name], 10 * FEW)}
    assert {} == grown


async def test_a_batch_reads_nothing_of_the_batches_before(world: World) -> None:
    """Claims and settlements late in a run go through no more rows than those at its begin, but for a few."""
    await world.seed(BATCHES * FEW, at_vendor=False)
    await world.sql("ANALYZE public.rounds")
    works: list[Counter[str]] = []
    cursor = 0
    async with explaining(world.direct) as database:
        work = (await begin(database, SCOPE)).work
        for _ in range(BATCHES):
            Explaining.work.clear()
            claims = (await work.claims.claim(Kind.CANCEL, FAST, after=cursor, batch=FEW)).claims
            cursor = max(claim.cancellation_id for claim in claims)
            await work.claims.extend_leases(claims)
            assert FEW == len((await work.settlements.settle_replies(cancelled(claims), None)).written)
            works.append(Counter(Explaining.work))
    first, last = works[0], works[-1]
    assert {} == {name: (first[name], rows) for name, rows in last.items() if rows > 1.25 * first[name] + FEW}
