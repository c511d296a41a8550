"""One pass of a daemon: its started runs and their ends, on a real ledger and against a real vendor."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb
from support.daemon_parts import daemon_of
from support.receiver import KEY, Receiver
from support.replica import schedule

from retention.daemon import daemon as module
from retention.daemon.pass_counts import PassCounts

if TYPE_CHECKING:
    import pytest
    from support.world import World


async def scheduled_at(world: World, hours_ago: int, **policy: object) -> datetime:
    """Give the policy one time a day, which came some hours ago while no daemon was up; returns that time."""
    (row,) = await world.sql("SELECT date_trunc('minute', now() AT TIME ZONE 'UTC') AS now")
    time: datetime = row.now.replace(tzinfo=UTC) - timedelta(hours=hours_ago)
    fields = f"{time.minute} {time.hour} * * *"
    await schedule(world, minutes_ago=60 * hours_ago + 5, **{"schedule": fields, "timezone": "UTC", **policy})
    return time


async def planned_run(world: World, **settings: object) -> None:
    """Leave a scheduled run that another process has planned and not started, with these settings of its policy."""
    record = {"name": "nightly", "partners": ["acme"], "open_longer_than": "72h", "max_rounds": 5, "mode": "enforce"}
    await world.sql(
        "INSERT INTO retention.runs (run_id, policy, trigger, mode, scheduled_for, as_of, requested_by, settings, status)"
        " VALUES (gen_random_uuid(), 'nightly', 'schedule', 'enforce', now(), now(), 'schedule', %(settings)s, 'planned')",
        settings=Jsonb(record | settings),
    )


async def test_one_pass_plans_the_due_run_once(world: World) -> None:
    """The pass that finds a scheduled time plans its run, which is then finished; the next pass finds nothing due."""
    await world.seed(3)
    time = await scheduled_at(world, 2, catch_up="6h")
    async with daemon_of(world) as replica:
        assert PassCounts(due=1) == await replica.work_once()
        assert 0 == (await replica.work_once()).due
    (run,) = await world.sql("SELECT scheduled_for, status, trigger FROM retention.runs")
    assert (time, "finished", "schedule") == (run.scheduled_for, run.status, run.trigger)
    (fired,) = replica.logged("schedule.fired")
    assert 2 * 3600 <= fired["late_s"] < 2 * 3600 + 120
    assert 3 == len(world.cancels)


async def test_a_second_replica_does_not_plan_the_same_time(world: World) -> None:
    """Two replicas find the same time due at once: one plans its run, and each round is cancelled once."""
    await world.seed(3)
    await scheduled_at(world, 2, catch_up="6h")
    async with daemon_of(world) as first, daemon_of(world) as second:
        async with world.locked("public.rounds"):  # until both plan
            one, other = await asyncio.gather(first.daemon.run_once(), second.daemon.run_once())
            await world.until_waiting()
        await asyncio.gather(first.daemon.drain(), second.daemon.drain())
    assert one == other == PassCounts(due=1)
    assert 1 == len(first.logged("schedule.fired") + second.logged("schedule.fired"))
    assert [("finished",)] == await world.sql("SELECT status FROM retention.runs")
    assert 3 == len(world.cancels)


async def test_a_missed_time_is_recorded_once(world: World) -> None:
    """A time beyond catch_up becomes a cancelled run with its reason, and calls no vendor; the next start is silent."""
    await world.seed(3)
    time = await scheduled_at(world, 2, catch_up="1h")
    async with daemon_of(world) as replica:
        assert PassCounts(due=1) == await replica.work_once()
        assert 0 == (await replica.work_once()).due
    async with daemon_of(world) as restarted:
        assert 0 == (await restarted.work_once()).due
    (missed,) = replica.logged("schedule.missed")
    assert (time.isoformat(), "missed: no daemon could run it within catch_up (1h)") == (
        missed["scheduled_for"],
        missed["reason"],
    )
    assert [("cancelled", missed["reason"])] == await world.sql("SELECT status, halt_reason FROM retention.runs")
    assert [] == restarted.logged("schedule.missed") == world.vendor.requests


async def test_a_new_schedule_catches_up_no_time(world: World) -> None:
    """A new schedule, and one that was changed, begin now, however long their catch_up is."""
    await world.seed(3)
    world.policy |= {"schedule": "@yearly", "timezone": "UTC", "catch_up": "1000d"}
    async with daemon_of(world) as replica:
        assert PassCounts() == await replica.work_once()
    await world.sql(
        "UPDATE retention.schedules SET processed_until = now() - interval '2 years', timezone = 'Europe/Malta'"
    )
    async with daemon_of(world) as restarted:
        assert PassCounts() == await restarted.work_once()
    (row,) = await world.sql(
        "SELECT timezone, processed_until > now() - interval '1 minute' AS is_now FROM retention.schedules"
    )
    assert ("UTC", True) == (row.timezone, row.is_now)


async def test_a_planned_run_of_a_stopped_daemon_is_adopted_once(world: World) -> None:
    """A daemon that is stopped while it plans does not start the run; another one does, in one pass alone."""
    await world.seed(3)
    await scheduled_at(world, 2, catch_up="6h")
    async with daemon_of(world) as stopped, daemon_of(world) as replica:
        async with world.locked("public.rounds"):
            assert PassCounts(due=1) == await stopped.daemon.run_once()
            await world.until_waiting()
            stopped.daemon.stop()
        await stopped.daemon.drain()
        assert [("planned",)] == await world.sql("SELECT status FROM retention.runs")
        await world.sql("UPDATE retention.runs SET heartbeat_until = now() - interval '1 second'")
        assert PassCounts(adopted=1) == await replica.daemon.run_once()
        assert 0 == (await replica.daemon.run_once()).adopted
        await replica.daemon.drain()
    assert 3 == len(world.cancels)


async def test_a_run_of_a_stricter_policy_is_halted_and_not_sent(world: World) -> None:
    """The configured policy allows fewer rounds than the run was planned with: going on is a person's decision."""
    await world.seed(3)
    world.policy["max_rounds"] = 4
    await planned_run(world)
    async with daemon_of(world) as replica:
        assert PassCounts(adopted=1) == await replica.work_once()
        assert 0 == (await replica.work_once()).adopted
    (run,) = await world.sql("SELECT status, halt_reason FROM retention.runs")
    assert ("halted", True) == (run.status, run.halt_reason.startswith("stricter: "))
    assert [] == world.vendor.requests


async def test_a_run_for_partners_that_are_not_configured_is_skipped(world: World) -> None:
    """The run stays as it is for a daemon that has its partners, and this one rests before it tries again."""
    await planned_run(world, partners=["acme", "gone"])
    async with daemon_of(world) as replica:
        assert PassCounts(adopted=1) == await replica.work_once()
        assert PassCounts() == await replica.work_once()
    assert ["there is no partner 'gone'; known: acme"] == [line["problem"] for line in replica.logged("run.skipped")]
    assert [("planned",)] == await world.sql("SELECT status FROM retention.runs")


async def test_a_reloaded_policy_is_planned_from_the_next_pass_on(world: World) -> None:
    """A schedule that a reload brings is registered and begins now; one that it takes away is due no more."""
    async with daemon_of(world) as replica:
        assert [] == await world.sql("SELECT FROM retention.schedules")
        world.policy |= {"schedule": "@yearly", "timezone": "UTC"}
        replica.daemon.reload()
        await replica.work_once()
        assert [("nightly",)] == await world.sql("SELECT name FROM retention.schedules")
        world.policy["mode"] = "nonsense"
        replica.daemon.reload()
        assert PassCounts() == await replica.work_once()
    assert ["configuration.reloaded", "configuration.refused"] == [
        line["event"] for line in replica.log.entries if line["event"].startswith("configuration.")
    ]


async def test_a_schedule_that_comes_back_begins_anew(world: World) -> None:
    """Times that came while a schedule was out of the configuration are neither run nor missed once it is back."""
    await scheduled_at(world, 2, catch_up="6h")
    async with daemon_of(world) as replica:
        assert PassCounts(due=1) == await replica.work_once()
        schedule_keys = {key: world.policy.pop(key) for key in ("schedule", "timezone", "catch_up")}
        replica.daemon.reload()
        await world.sql("UPDATE retention.schedules SET processed_until = now() - interval '1 day'")  # a day without it
        await replica.work_once()
        world.policy |= schedule_keys
        replica.daemon.reload()
        assert 0 == (await replica.work_once()).due
    assert [("finished",)] == await world.sql("SELECT status FROM retention.runs")


async def test_a_run_on_demand_is_never_adopted(world: World) -> None:
    """A run that a person started, and whose process is gone, stays that person's."""
    await planned_run(world)
    await world.sql("UPDATE retention.runs SET trigger = 'on_demand', scheduled_for = NULL")
    async with daemon_of(world) as replica:
        assert PassCounts() == await replica.work_once()


async def test_a_pass_that_finds_a_notification_sends_it(world: World) -> None:
    """A halted run that people were not notified of is sent to the configured webhook."""
    async with Receiver() as receiver:
        world.extra = f'[notify.ops]\nwebhook = "http://{receiver.address}/hook"\nsigning_key = "{KEY}"\n'
        async with daemon_of(world) as replica:
            await planned_run(world)
            await world.sql("UPDATE retention.runs SET status = 'halted', halt_reason = 'max_rounds: 7'")
            assert PassCounts(notifying=True) == await replica.daemon.run_once()
            await receiver.came()


async def test_a_pass_without_the_ledger_starts_no_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that does not answer is logged once, and so is its return; the time that came is run afterwards."""
    monkeypatch.setattr(module, "POLL_TIMEOUT_S", 0.3)
    await world.seed(3)
    await scheduled_at(world, 2, catch_up="6h")
    async with daemon_of(world) as replica:
        async with world.locked("retention.runs"):
            assert [PassCounts()] * 2 == [await replica.daemon.run_once() for _ in range(2)]
        monkeypatch.undo()
        assert PassCounts(due=1) == await replica.work_once()
    assert ["database.away", "database.back"] == [
        line["event"] for line in replica.log.entries if line["event"] in {"database.away", "database.back"}
    ]
