"""The database loses commits that it had reported: the processes record their claims and replies again."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from typing import TYPE_CHECKING, LiteralString

import pytest
from support.fail_over import FORGET, on_own_server
from support.invariants import violations

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

LOSE_RELEASES: LiteralString = """
WITH unreleased AS (
    UPDATE retention.attempts SET outcome = NULL WHERE outcome = 'released' RETURNING uuid, cancellation_id, kind
), lost AS (
    DELETE FROM retention.attempts a USING unreleased u
    WHERE a.cancellation_id = u.cancellation_id AND a.uuid <> u.uuid AND a.outcome IS NULL
), claimed AS (
    UPDATE retention.cancellations c
    SET state = 'claimed', attempt_uuid = u.uuid, lease_until = now() + interval '1 s',
        attempts = c.attempts + (c.state = 'planned')::int,
        attempts_this_run = c.attempts_this_run + (c.state = 'planned')::int
    FROM unreleased u WHERE c.id = u.cancellation_id AND c.state IN ('planned', 'claimed')
    RETURNING c.id
)
UPDATE taken_over.server SET started = now() WHERE EXISTS (SELECT FROM claimed) RETURNING (SELECT count(*) FROM claimed)
"""
"""Lose releases and the claims that followed them, as a standby that lagged behind does."""


@pytest.mark.long
@pytest.mark.parametrize("pause", ["6", "1"], ids=["released", "claimed anew"])
async def test_a_release_that_is_lost_is_repeated(world: World, pause: str) -> None:
    """Claims whose release the database lost become no doubts, and the vendor is not asked about their rounds."""
    await on_own_server(world)
    await world.seed(60)
    world.vendor.latency = 1.0
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "status": 429, "headers": {"Retry-After": pause}, "first": 1})
    # Most rounds are still to be sent when the 429 is read, also on a busy machine.
    world.partner |= {"ask_first": False, "rate": 20, "concurrency": 60}
    process = await world.start("run", "nightly", "--json")
    while not await world.sql("SELECT FROM retention.attempts WHERE outcome = 'released' HAVING count(*) > 3"):
        assert not process.over, await process.ended()
        await asyncio.sleep(0.01)
    if pause == "1":
        before = len(world.cancels)
        await process.until(world.vendor, lambda: len(world.cancels) > before + 3)
    ((lost,),) = await world.sql(LOSE_RELEASES)
    assert lost > 3
    done = await process.ended()
    assert {"cancelled": 60} == done.json["states"], done.err
    assert 61 == len(world.cancels)
    assert "round.in_doubt" not in {event["event"] for event in done.events}
    assert [] == world.vendor.asked("GetRoundStatus")
    assert [] == await violations(world)


@pytest.mark.parametrize(
    "ask_first", [pytest.param(True, marks=pytest.mark.long), False], ids=["asked first", "not asked"]
)
@pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.long), 2])
async def test_claims_that_are_lost_are_recorded_again(world: World, ask_first: bool, processes: int) -> None:
    """Requests whose claims the database lost while they were in flight are settled by their replies, and not
    repeated.
    """
    await on_own_server(world)
    await world.seed(60)
    world.vendor.latency = 1.5
    world.partner |= {"ask_first": ask_first, "rate": 40, "concurrency": 30, "timeout": "10s"}
    first = await world.start("run", "nightly", "--json")
    await first.until(world.vendor, lambda: len(world.cancels) > 5)
    run_id = (await world.sql("SELECT run_id FROM retention.runs"))[0].run_id
    others = [await world.start("run", "--resume", str(run_id), "--json") for _ in range(processes - 1)]
    await first.until(world.vendor, lambda: len(world.cancels) > 20)
    await world.sql(FORGET)
    done = [await process.ended() for process in [first, *others]]
    assert {(0, 60)} == {(one.code, one.json["states"]["cancelled"]) for one in done}, done[0].err
    assert {1} == set(Counter(request.round_id for request in world.cancels).values())
    assert "attempts.restored" in {event["event"] for one in done for event in one.events}
    assert [] == await violations(world)


@pytest.mark.parametrize("by", ["401", pytest.param("rail", marks=pytest.mark.long)])
async def test_a_halt_that_is_lost_is_recorded_again(world: World, by: str) -> None:
    """A process whose halt the database lost records it again: the run ends, and nothing more is sent."""
    await on_own_server(world)
    await world.seed(200)
    world.vendor.latency = 1.0  # the halted process waits so long for its last replies
    fault = {"status": 401, "first": 1} if by == "401" else {"code": "99"}
    world.vendor.faults = Faults.of({**fault, "round_ids": [f"r{n}" for n in range(20, 200)], "call": "CancelRound"})
    world.partner |= {"ask_first": False, "rate": 100, "timeout": "3s"}
    first = await world.start("run", "nightly", "--json")
    halted = "halted_partners <> '{}'" if by == "401" else "status = 'halted'"
    while not await world.sql(f"SELECT FROM retention.runs WHERE {halted}"):
        assert not first.over, await first.ended()
    first.signal(signal.SIGSTOP)
    await world.sql("UPDATE retention.runs SET halted_partners = '{}', status = 'running', halt_reason = NULL")
    await world.sql("UPDATE taken_over.server SET started = now()")
    first.signal(signal.SIGCONT)
    sent = len(world.cancels)
    done = await first.ended()
    assert 3 == done.code, done.err
    assert len(world.cancels) - sent <= 60  # what was claimed


async def test_a_row_that_cannot_be_written_fails_alone(world: World) -> None:
    """A constraint of the ledger's that refuses one reply leaves that round in doubt; the others are settled."""
    await world.seed(20)
    await world.sql("ALTER TABLE retention.cancellations ADD CHECK (round_id <> 'r7' OR state <> 'cancelled')")
    process = await world.start("run", "nightly", "--json")
    # The claim of a reply that is still to be written does not expire.
    while not await world.sql("SELECT FROM retention.attempts WHERE kind = 'cancel' AND outcome = 'in_doubt'"):
        assert not process.over, await process.ended()
        await asyncio.sleep(0.05)
    assert {"r7"} == {name for name, state in (await world.states()).items() if state != "cancelled"}
    await world.sql("ALTER TABLE retention.cancellations DROP CONSTRAINT cancellations_check")
    done = await process.ended()
    assert {"round.unwritable"} <= {event["event"] for event in done.events}
    assert {"cancelled": 20} == done.json["states"]
    assert {1} == set(Counter(request.round_id for request in world.cancels).values())


async def test_a_lost_run_ends_its_process(world: World) -> None:
    """A run that the ledger has lost is reported by name; the log has each reply, and the ledger each request."""
    await world.seed(60)
    world.vendor.latency = 1.0
    world.partner |= {"ask_first": False, "rate": 40}
    process = await world.start("run", "nightly", "--json")
    await world.until_settled(5)
    await world.sql(
        "TRUNCATE retention.runs, retention.cancellations, retention.attempts, retention.notifications CASCADE"
    )
    done = await process.ended()
    assert 5 == done.code, done.err
    assert "error: the ledger does not have run " in done.err
    told = {event["round_id"] for event in done.events if event["event"] in {"round.unrecorded", "round.cancelled"}}
    assert {request.round_id for request in world.cancels} <= told
    recorded = {row.uuid for row in await world.sql("SELECT uuid::text FROM retention.attempts")}
    lost = [event["uuid"] for event in done.events if event["event"] == "round.unrecorded"]
    assert lost
    assert {*lost} <= recorded
    assert {request.uuid for request in world.cancels} <= recorded
