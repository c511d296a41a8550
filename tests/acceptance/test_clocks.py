"""Wrong clocks: the database's, a process's, and the times that a wrong one has left behind."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from support.database_clock import database_clock
from support.fleet import clock_off_by
from support.invariants import violations
from support.replica import finished, schedule, serve, until

if TYPE_CHECKING:
    from support.world import World

DAY = 86_400.0

BY_CLOCK = ("on_record_before", "never_again")
"""The checker's findings, from comparing the ledger's times, which a wrong clock wrote, with the vendor's."""


async def test_a_database_clock_days_ahead_stops_planning(world: World) -> None:
    """While the database's clock is five days ahead `serve` plans no run and says so; then it goes on."""
    await world.seed(50, age=timedelta(minutes=1))
    await schedule(world)
    async with database_clock(world.direct) as clock:
        replica = await serve(world)
        await until(lambda: finished(world))
        await clock.set(5 * DAY)
        problem = await replica.until("/readyz", 503)
        await asyncio.sleep(4)
        await clock.set(0)
        await replica.until("/readyz", 200)
        await asyncio.sleep(1.5)  # more than one look of the daemon
        assert "the database's clock is 432000 s ahead of this process's (limit 60 s)" in problem
        assert [(0,)] == await world.sql("SELECT count(*) FROM retention.cancellations")
        done = await replica.stopped(signal.SIGTERM)
    assert [] == world.vendor.requests
    told = [event["event"] for event in done.events if event["event"].startswith("clock.")]
    assert ["clock.difference", "clock.agrees"] == told
    assert 143 == done.code


async def test_a_schedule_goes_on_after_a_year_ahead(world: World) -> None:
    """A clock that is a year ahead for four seconds decides about no time, and the next one fires."""
    await world.seed(3)
    world.partner["timeout"] = "1s"
    async with database_clock(world.direct) as clock:
        world.policy |= {"schedule": "* * * * *", "timezone": "Europe/Malta"}
        replica = await serve(world)
        await clock.set(365 * DAY)
        await replica.until("/readyz", 503)
        await asyncio.sleep(4)
        await clock.set(0)
        await until(lambda: finished(world))
        await replica.stopped(signal.SIGTERM)
        assert [] == await world.sql("SELECT FROM retention.runs WHERE scheduled_for > pg_catalog.now()")
        assert {"cancelled"} == {*(await world.states()).values()}


@pytest.mark.parametrize(
    ("seconds", "lasting"),
    [
        (30.0, True),
        *(
            pytest.param(seconds, lasting, marks=pytest.mark.long)
            for seconds in (30.0, 5 * DAY, -3600.0, -30.0)
            for lasting in (True, False)
            if (seconds, lasting) != (30.0, True)
        ),
    ],
)
async def test_a_clock_jump_sends_no_second_request(world: World, seconds: float, lasting: bool) -> None:
    """A jump of the database's clock while requests are in flight sends no round a second request, and the run ends."""
    world.partner |= {"timeout": "4s", "rate": 6, "status_probe": False}
    world.vendor.latency = 3.0
    await world.seed(60)
    async with database_clock(world.direct) as clock:
        run = await world.start("run", "--json")
        await run.until(world.vendor, lambda: len(world.cancels) > 5)
        (row,) = await world.sql("SELECT run_id FROM retention.runs")
        async with world.locked("retention.partner_state", "EXCLUSIVE"):  # until both are there to claim
            helper = await world.start("run", "--resume", str(row.run_id), "--json")
            await world.until_waiting(2)
        await until(lambda: world.sql("SELECT FROM retention.attempts HAVING count(DISTINCT replica) = 2"))
        heard = len(world.cancels)
        await helper.until(world.vendor, lambda: len(world.cancels) > heard + 3)
        await clock.set(seconds)
        if not lasting or abs(seconds) > 60:
            await asyncio.sleep(4)
            await clock.set(0)
        ends = await asyncio.gather(run.ended(), helper.ended())
        for done in ends:
            assert (0, {"cancelled": 60}) == (done.code, done.json["states"]), done.err
        assert {1} == {*Counter(request.round_id for request in world.cancels).values()}
        told = [[event["event"] for event in done.events if event["event"].startswith("clock.")] for done in ends]
        assert {1} == {one.count("clock.difference") for one in told}
        assert "clock.agrees" in {*itertools.chain(*told)}  # one of them may be over before
    assert [] == [found for found in await violations(world) if not found.startswith(BY_CLOCK)]


@pytest.mark.parametrize(
    ("whose", "seconds"),
    [
        ("database", 90.0),
        ("process", 3600.0),
        *(pytest.param(*one, marks=pytest.mark.long) for one in (("database", -DAY), ("process", -90.0))),
    ],
)
async def test_a_run_by_clocks_that_differ_is_refused(world: World, whose: str, seconds: float) -> None:
    """`plan`, `run` and `check` name the difference, with either clock wrong, and nothing is written; a policy's key
    allows it.
    """
    await world.seed(2)
    async with database_clock(world.direct) as clock:
        environ = clock_off_by(seconds) if whose == "process" else {}
        await clock.set(seconds if whose == "database" else 0)
        for command in ("run", "plan"):
            done = await world.command(command, environ=environ)
            assert 2 == done.code
            assert "error: the database's clock is " in done.err
            assert "(limit 60 s)" in done.err
        checked = await world.command("check", "--json", environ=environ)
        (found,) = [one for one in checked.json["checks"] if one["name"] == "clock"]
        assert (2, False) == (checked.code, found["ok"])
        assert [] == await world.sql("SELECT FROM retention.runs")
        world.policy["max_clock_difference"] = "2d"
        done = await world.command("run", "--json", environ=environ)
        assert (0, {"cancelled": 2}) == (done.code, done.json["states"]), done.err


@pytest.mark.long
async def test_times_far_ahead_are_taken_back_and_told(world: World) -> None:
    """Times that a wrong clock left in the ledger delay no run, schedule or partner, and each is reported once."""
    await world.seed(3)
    await world.command("run")
    await world.seed(3, prefix="s")
    await schedule(world)
    await world.sql("UPDATE retention.schedules SET processed_until = now() + interval '1 year'")
    await world.sql(
        "UPDATE retention.partner_state SET next_slot = now() + interval '1 hour', rate = 100,"
        " rate_at = now() + interval '1 year', paused_until = now() + interval '1 day'"
    )
    world.partner["max_pause"] = "1s"
    world.policy |= {"schedule": "* * * * *"}
    await world.sql("UPDATE retention.schedules SET schedule = '* * * * *'")
    replica = await serve(world)
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE trigger = 'schedule' AND status = 'finished'"))
    done = await replica.stopped(signal.SIGTERM)
    assert {"cancelled"} == {*(await world.states()).values()}
    told = Counter(event["column"] for event in done.events if event["event"] == "clock.corrected")
    assert {"processed_until": 1, "next_slot": 2, "rate_at": 2, "paused_until": 2} == told


@pytest.mark.long
async def test_a_run_with_leases_a_year_ahead_goes_on(world: World) -> None:
    """A killed run whose leases lie a year ahead ends once it is resumed: no claim of the dead process stays for
    ever.
    """
    world.partner |= {"timeout": "1s", "rate": 5}
    await world.seed(30)
    first = await world.start("run")
    await first.until(world.vendor, lambda: len(world.cancels) > 4)
    first.signal(signal.SIGKILL)
    await first.ended()
    await world.sql(
        "UPDATE retention.cancellations SET lease_until = now() + interval '1 year' WHERE state = 'claimed'"
    )
    world.partner["rate"] = 100
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    done = await world.command("run", "--resume", str(run.run_id), "--json")
    assert {"cancelled": 30} == done.json["states"], done.err
    assert "lease_until" in {event.get("column") for event in done.events}
    assert [] == await violations(world)


async def test_a_vendors_pause_is_shown_and_ended(world: World) -> None:
    """A pause that the vendor asked for is capped, named by `plan`, `check`, `runs show` and the run, ended by
    `resume`.
    """
    world.partner |= {"max_pause": "10m"}
    await world.seed(5)
    world.vendor.faults = type(world.vendor.faults).of(
        {"status": 429, "headers": {"Retry-After": "86400"}, "call": "any", "first": 1}
    )
    run = await world.start("run", "--json")
    while not await world.sql("SELECT FROM retention.partner_state WHERE paused_until > now() + interval '1 minute'"):
        await asyncio.sleep(0.05)
    (state,) = await world.sql("SELECT max(paused_until) - now() AS left FROM retention.partner_state")
    assert state.left <= timedelta(minutes=10)
    (row,) = await world.sql("SELECT run_id FROM retention.runs")
    plan, checked, shown = [
        await world.command(*words) for words in (("plan",), ("check",), ("runs", "show", str(row.run_id)))
    ]
    for done in (plan, checked, shown):
        assert "acme is paused by the vendor until " in done.out
    await asyncio.sleep(1)
    ended = await world.command("resume", "--partner", "acme", "--by", "tess")
    assert (0, "ended the pause that the vendor asked for: acme\n") == (ended.code, ended.out)
    again = await world.command("resume", "--partner", "acme", "--by", "tess")
    assert 2 == again.code
    done = await run.ended()
    assert (0, {"cancelled": 5}) == (done.code, done.json["states"]), done.err
    (waiting,) = [event for event in done.events if event["event"] == "run.waiting"]
    assert ("acme", True) == (waiting["partner"], "vendor" in waiting["detail"])
