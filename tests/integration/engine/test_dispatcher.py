"""The dispatcher on a real ledger, one step at a time: claims, releases, throttles, and permissions of the vendor."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from support.bare_database import TERMS, begin
from support.model.engine_parts import engine_of, partner_of

from retention.core.model import Kind, Reply
from retention.core.sending.partner_state import PartnerHalt
from retention.engine.dispatcher import POLL_S
from retention.ledger.engine_ledger import EngineLedger
from retention.vendor_api.client import Exchange

if TYPE_CHECKING:
    from support.world import World

    from retention.engine.engine import Engine
    from retention.ledger.database import Database
    from retention.ledger.terms import PartnerTerms

ASK_FIRST = replace(TERMS, ask_first=True)


async def engine(world: World, database: Database, rounds: int, terms: PartnerTerms = TERMS) -> Engine:
    """An engine, not running, for a run of so many rounds."""
    await world.seed(rounds)
    planned = await begin(database)
    return engine_of(planned.work, partner_of(terms), planned.run_id, time.monotonic)


async def test_a_claim_that_may_not_leave_is_released(world: World, database: Database) -> None:
    """Rounds claimed before a halt are planned again after the release, and this process has none in hand."""
    one = await engine(world, database, 3)
    senders, dispatcher = one.senders[0], one.dispatchers[-1]
    await dispatcher.claim(2, None)
    assert {"claimed": 2, "planned": 1} == Counter((await world.states()).values())
    senders.partner.state.halt(PartnerHalt.UNAUTHORIZED)
    claim = senders.queued()[0]
    while (due := senders.take_due()) is None:
        await asyncio.sleep(0.001)  # until its slot comes
    assert (claim, False) == (due, senders.check(due, connected=True))
    await dispatcher.release_all()
    assert {"planned": 3} == Counter((await world.states()).values())
    assert ([], 0) == (one.settler.in_hand.claims, senders.holding[Kind.CANCEL])


async def test_a_throttled_partner_gets_no_claim(world: World, database: Database) -> None:
    """While the vendor's 429 counts, a look claims nothing and comes again soon."""
    one = await engine(world, database, 1)
    one.senders[0].partner.state.throttle(time.monotonic() + 60)
    assert [POLL_S, POLL_S] == [await dispatcher.claim_once() for dispatcher in one.dispatchers]
    assert {"planned": 1} == Counter((await world.states()).values())


async def test_a_second_replica_obeys_the_throttle_that_the_first_recorded(world: World, database: Database) -> None:
    """After the first replica's 429, the second calls nothing from its next look on, until the ledger's pause ends."""
    await world.seed(2)
    planned = await begin(database)
    first = engine_of(planned.work, partner_of(TERMS), planned.run_id, time.monotonic)
    work = EngineLedger.of_run(database, planned.run_id, "second", None, time.monotonic)
    second = engine_of(work, partner_of(TERMS), planned.run_id, time.monotonic)

    def may_call() -> bool:
        return second.senders[0].partner.state.may_call(Kind.CANCEL, time.monotonic())

    await second.watcher.watch_once()
    assert may_call()
    await first.dispatchers[-1].claim(1, None)
    (claim,), now = first.senders[0].queued(), time.monotonic()
    await first.senders[0].receive(claim, Exchange(Reply(429, retry_after=60.0), now, now))
    await second.watcher.watch_once()
    assert not may_call()
    assert [POLL_S, POLL_S] == [await dispatcher.claim_once() for dispatcher in second.dispatchers]
    assert {"claimed": 1, "planned": 1} == Counter((await world.states()).values())
    await world.sql("UPDATE retention.partner_state SET paused_until = now()")
    await second.watcher.watch_once()
    assert may_call()


async def test_a_cancel_is_claimed_once_a_probe_permits_it(world: World, database: Database) -> None:
    """With ask_first, a cancel is claimed only for the round whose probe was answered `InProgress`, once that is
    written.
    """
    one = await engine(world, database, 2, ASK_FIRST)
    (probes, cancels), senders = one.dispatchers, one.senders[0]
    now = time.monotonic()
    assert 0 == cancels.permitted(now)
    await probes.claim(1, None)
    (probe,) = senders.queued()
    assert Kind.STATUS is probe.kind
    reply = Reply(200, code="0", round_status="InProgress")
    await senders.receive(probe, Exchange(reply, now, now))
    assert 0 == cancels.permitted(now + 2)
    await one.settler.write_once()
    assert 1 == cancels.permitted(now + 2)
    await cancels.claim(5, 1)
    assert [(Kind.CANCEL, probe.round_id)] == [
        (claim.kind, claim.round_id) for claim in senders.queued() if claim.kind is Kind.CANCEL
    ]
