"""`serve` makes reports: once and whole, though a replica is killed or stopped while it writes one."""

from __future__ import annotations

import hashlib
import signal
from typing import TYPE_CHECKING

from support.receiver import KEY, Receiver
from support.replica import serve, until
from support.report_schedule import down_since, report, reports

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import World


async def hourly(world: World) -> str:
    """A schedule whose only time of this hour came two minutes ago, so that no other comes during a test."""
    (row,) = await world.sql("SELECT extract(minute FROM now() - interval '2 minutes')::integer AS minute")
    return f"{row.minute} * * * *"


async def test_a_replica_killed_while_writing_leaves_one_whole_report(world: World) -> None:
    """Its process ends with it, another replica makes the report under the same id, and people are notified once."""
    schedule = await hourly(world)
    async with Receiver() as receiver:
        directory = report(world, schedule=schedule)
        world.extra += f'[notify.ops]\nwebhook = "http://{receiver.address}/"\nsigning_key = "{KEY}"\n'
        await down_since(world, 5, schedule)
        async with world.locked("retention.cancellations"):
            first = await serve(world, until="/healthz")
            await until(lambda: reports(world, "writing"))
            await until(lambda: _async(_names(directory)))
            (begun,) = await reports(world, "writing")
            done = await first.stopped(signal.SIGKILL)
            assert -signal.SIGKILL == done.code
        second = await serve(world)
        await world.sql("UPDATE retention.reports SET due_at = now() WHERE status = 'writing'")  # the lease is over
        await until(lambda: reports(world, "made"))
        await until(lambda: _has(receiver))
        await second.stopped(signal.SIGTERM)
        (made,) = await world.sql("SELECT * FROM retention.reports")
        assert (begun.report_id, 2) == (made.report_id, made.tries)
        assert ["daily-2026-10.csv"] == _names(directory)
        assert made.file_sha256 == hashlib.sha256((directory / "daily-2026-10.csv").read_bytes()).hexdigest()
        assert ["report.made"] == [request.json["event"] for request in receiver.requests]


async def test_a_stop_gives_the_report_back_at_once(world: World) -> None:
    """A replica that is stopped while it writes leaves no file and a planned report, whose try does not count."""
    schedule = await hourly(world)
    directory = report(world, schedule=schedule)
    await down_since(world, 5, schedule)
    async with world.locked("retention.cancellations"):
        replica = await serve(world, until="/healthz")
        await until(lambda: reports(world, "writing"))
        await until(lambda: _async(_names(directory)))
        done = await replica.stopped(signal.SIGTERM)
    assert 143 == done.code
    (row,) = await world.sql("SELECT status, tries FROM retention.reports")
    assert ("planned", 0) == (row.status, row.tries)
    assert [] == _names(directory)


async def test_the_files_are_gone_before_a_report_is_given_back(world: World) -> None:
    """A report that is given back keeps the number of its try, so its next maker may use the same hidden names."""
    schedule = await hourly(world)
    directory = report(world, schedule=schedule)
    await down_since(world, 5, schedule)
    async with world.locked("retention.cancellations"):
        replica = await serve(world, until="/healthz")
        await until(lambda: reports(world, "writing"))
        await until(lambda: _async(_names(directory)))
        async with world.locked("retention.reports", "SHARE"):
            replica.running.signal(signal.SIGTERM)
            await until(lambda: _async(not _names(directory)))
            waiting = await world.sql(
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND query LIKE '%%SET status = ''planned''%%'"
            )
            given_back = await reports(world, "planned")
        await replica.running.ended()
    assert waiting
    assert not given_back


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def _async(value: object) -> bool:
    return bool(value)


async def _has(receiver: Receiver) -> bool:
    return bool(receiver.requests)
