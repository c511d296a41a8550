"""A database server that has restarted or taken over may lack claims: processes wait until earlier requests have ended."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from typing import TYPE_CHECKING, LiteralString

import pytest
from support.fail_over import FORGET, MOVE, on_own_server
from support.invariants import violations
from support.replica import freeze

if TYPE_CHECKING:
    from support.world import Running, World


LOSE_EVERYTHING: LiteralString = """
TRUNCATE retention.runs, retention.cancellations, retention.attempts, retention.notifications, retention.partner_state
    CASCADE;
UPDATE taken_over.server SET started = now()
"""
"""Lose the partner's first run whole, with the row of the partner, and move to another server."""


async def _frozen_with_requests(world: World, *words: str) -> Running:
    """Start a process that sends more than 20 requests and is then stopped, before any reply is written."""
    world.vendor.latency = 4.0  # all these requests leave before the first reply, also on a busy machine
    world.partner |= {"ask_first": False, "rate": 40, "concurrency": 30, "timeout": "8s"}
    process = await world.start(*words, "--json")
    await process.until(world.vendor, lambda: len(world.cancels) > 20)
    await freeze(world, process)
    await asyncio.sleep(0.1)  # until the vendor has read what has left
    return process


async def _going(world: World, process: Running) -> None:
    """Wait until a run is going that this process has planned."""
    while not await world.sql("SELECT FROM retention.runs WHERE status = 'running'"):
        assert not process.over, await process.ended()
        await asyncio.sleep(0.02)


async def test_a_process_that_joins_after_the_loss_waits_for_earlier_requests(world: World) -> None:
    """A process that first meets the ledger on another server sends nothing until the requests of others have ended."""
    await on_own_server(world)
    await world.seed(60)
    first = await _frozen_with_requests(world, "run", "nightly")
    sent = len(world.cancels)
    await world.sql(FORGET)
    run_id = (await world.sql("SELECT run_id FROM retention.runs"))[0].run_id
    second = await world.start("run", "--resume", str(run_id), "--json")
    await asyncio.sleep(2.5)  # the time in which it would send
    assert sent == len(world.cancels)
    first.signal(signal.SIGCONT)
    done = [await process.ended() for process in (first, second)]
    assert {(0, 60)} == {(one.code, one.json["states"]["cancelled"]) for one in done}, done[0].err
    assert {1} == set(Counter(request.round_id for request in world.cancels).values())
    assert ["run.waiting"] == [event["event"] for event in done[1].events if "has restarted" in event.get("detail", "")]
    assert [] == await violations(world)


async def test_a_new_partners_first_run_that_is_lost_is_waited_for(world: World) -> None:
    """Where the ledger has lost a partner's first run whole, the next run waits for the end of its requests."""
    await on_own_server(world)
    await world.seed(60)
    first = await _frozen_with_requests(world, "run", "nightly")
    sent = len(world.cancels)
    await world.sql(LOSE_EVERYTHING)
    second = await world.start("run", "nightly", "--json")
    await _going(world, second)
    await asyncio.sleep(1.5)  # the time in which it would send
    assert sent == len(world.cancels)
    first.signal(signal.SIGCONT)
    done = [await process.ended() for process in (first, second)]
    assert [5, 0] == [one.code for one in done], done[0].err
    assert {"cancelled": 60} == done[1].json["states"], done[1].err
    assert {1} == set(Counter(request.round_id for request in world.cancels).values())


async def test_a_lost_claim_is_recorded_on_the_row_that_holds_its_round(world: World) -> None:
    """A later run that has planned the rounds of lost claims again gets those claims, and sends them no request."""
    await on_own_server(world)
    await world.seed(60)
    world.policy["max_rounds"] = 50
    run_id = (await world.command("run", "nightly", "--json")).json["run_id"]
    await world.sql("CREATE TABLE taken_over.runs AS TABLE retention.runs")
    first = await _frozen_with_requests(world, "run", "--resume", run_id, "--override", "60 is right", "--by", "ann")
    await world.sql(FORGET)
    await world.sql(
        "UPDATE retention.runs SET (status, halt_reason, started_at, send_until, heartbeat_until)"
        " = (SELECT status, halt_reason, started_at, send_until, heartbeat_until FROM taken_over.runs)"
    )
    world.policy["max_rounds"] = 100
    second = await world.start("run", "nightly", "--json")
    await _going(world, second)
    first.signal(signal.SIGCONT)
    done = [await process.ended() for process in (first, second)]
    assert {"cancelled": 60} == done[1].json["states"], done[1].err
    assert {1} == set(Counter(request.round_id for request in world.cancels).values())


@pytest.mark.parametrize("by", [pytest.param("runs close", marks=pytest.mark.long), "reject", "the deadline"])
async def test_rounds_whose_claims_are_lost_are_not_closed_as_unsent(world: World, by: str) -> None:
    """While a new server may lack claims, no person and no deadline settles rounds as not sent: a later run cancels each
    round that no request has left for, and no other.
    """
    await on_own_server(world)
    await world.seed(60)
    world.policy |= {"deadline": "1h", "requires_approval": by == "reject"}
    run_id = (await world.command("run", "nightly", "--by", "bob", "--json")).json["run_id"] if by == "reject" else ""
    await world.sql("CREATE TABLE taken_over.runs AS TABLE retention.runs")
    if run_id:
        assert 0 == (await world.command("approve", run_id, "--by", "ann")).code
    first = await _frozen_with_requests(world, "run", *(["--resume", run_id] if run_id else ["nightly"]))
    sent = len(world.cancels)
    await world.sql(FORGET)
    if run_id:  # the ledger has lost the approval and the start as well
        columns = "status, started_at, send_until, heartbeat_until, approved_by, approved_at, approved_login, approval_used_at"
        await world.sql(f"UPDATE retention.runs SET ({columns}) = (SELECT {columns} FROM taken_over.runs)")
    if by == "the deadline":
        await world.sql("UPDATE retention.runs SET send_until = now()")  # an hour later
    (run,) = await world.sql("SELECT run_id::text FROM retention.runs")
    words = (
        ["run", "--resume", run.run_id]
        if by == "the deadline"
        else [*by.split(), run.run_id, "--by", "ann", "--note", "off"]
    )
    closing = await world.start(*words)
    await asyncio.sleep(4)  # the time in which it would close them
    assert [] == await world.sql("SELECT FROM retention.cancellations WHERE state = 'not_sent'")
    first.signal(signal.SIGCONT)
    done = [await process.ended() for process in (first, closing)]
    assert "run.waiting" in {event["event"] for event in done[1].events}, done[1].err
    states = dict(await world.sql("SELECT state, count(*) FROM retention.cancellations GROUP BY state"))
    assert {"cancelled": sent, "not_sent": 60 - sent} == states, done
    world.policy["requires_approval"] = False
    assert 0 == (await world.command("run", "nightly")).code
    assert {1} == set(Counter(request.round_id for request in world.cancels).values())
    assert 60 == len(world.cancels)
    # The ledger lacks the approval by which the rounds of the rejected run were sent: what is lost cannot be proved.
    known = {"approved_first"} if by == "reject" else set()
    assert known == {one.partition(":")[0] for one in await violations(world)}


@pytest.mark.parametrize("rounds", [3, 0])
async def test_one_run_after_a_restart_waits_and_the_next_does_not(world: World, rounds: int) -> None:
    """The first run on a new server waits for all later ones, also where it asks nothing, or has nothing to send."""
    await on_own_server(world)
    world.partner |= {"ask_first": False, "timeout": "1s"}
    await world.seed(2, prefix="earlier")
    await world.command("run", "nightly")
    await world.sql(MOVE)
    await world.seed(rounds)
    first = await world.command("run", "nightly", "--json")
    await world.seed(2, prefix="later")
    second = await world.command("run", "nightly", "--json")
    assert ({"cancelled": rounds} if rounds else {}) == first.json["states"]
    assert {"cancelled": 2} == second.json["states"]
    waited = [[event["event"] for event in done.events].count("run.waiting") for done in (first, second)]
    assert [1, 0] == waited, second.err


async def test_a_deadline_during_the_wait_stops_one_run_alone(world: World) -> None:
    """A run whose deadline comes before its wait is over sends nothing, and has waited for the next run."""
    await on_own_server(world)
    world.policy["deadline"] = "3s"
    world.partner["timeout"] = "1s"
    await world.seed(5)
    await world.sql(MOVE)
    first = await world.command("run", "nightly", "--json")
    world.policy["deadline"] = "1h"
    second = await world.command("run", "nightly", "--json")
    assert [{"not_sent": 5}, {"cancelled": 5}] == [done.json["states"] for done in (first, second)]
    assert [4, 0] == [first.code, second.code]
