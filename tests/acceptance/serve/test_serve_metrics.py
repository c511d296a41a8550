"""`/metrics` of `serve`: the metrics of its runs, and every series from the start, with or without the database."""

from __future__ import annotations

import signal
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from support.postgres import crashing_server
from support.replica import schedule, serve, until
from support.samples import figures, last_ends, of_policy, waiting
from support.world import World, make_world

from retention.core.model import ReviewWhy
from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.replica import Replica


async def metrics(replica: Replica, shown: Callable[[dict[str, float]], object]) -> dict[str, float]:
    """Wait until `/metrics` satisfies a condition; return its samples."""
    found: dict[str, float] = {}

    async def tells() -> bool:
        nonlocal found
        status, text = await replica.get("/metrics")
        assert 200 == status
        found = figures(text)
        return bool(shown(found))

    await until(tells)
    return found


async def test_serve_exports_the_metrics_of_its_runs(world: World) -> None:
    """After a scheduled run `/metrics` has each of its figures under the contract's names.

    A daemon that starts later reads the last run from the ledger.
    """
    await world.seed(6, stake="1.50")
    await world.seed(2, prefix="se", market="SE", stake="0.25")
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "1", "description": "no"})
    world.partner["rate"] = 20
    await schedule(world)
    first = await serve(world)
    found = await metrics(first, lambda found: of_policy(found, "run_last_exit_code") and waiting(found))
    await first.stopped(signal.SIGTERM)
    ends = [
        found.pop(f'retention_run_last_{what}_timestamp_seconds{{policy="nightly"}}')
        for what in ("finished", "success")
    ]
    assert pytest.approx(await last_ends(world), abs=0.001) == tuple(ends)
    assert found.pop('retention_rate_wait_seconds_total{partner="acme"}') > 0
    assert found.pop('retention_ledger_last_read_timestamp_seconds{policy="nightly"}') > 0
    assert found.pop('retention_schedule_last_time_timestamp_seconds{policy="nightly"}') > 0
    assert 1.0 == found.pop(f'retention_build_info{{version="{version("retention")}"}}')
    (size,) = (found.pop(name) for name in [*found] if name.startswith("retention_checkpoint_size{root="))
    assert size > 0
    zeros = {name for name, value in found.items() if not value}
    assert {
        *("retention_paused", "retention_rounds_total", "retention_review_rounds", "retention_run_stalled"),
        "retention_processes_lost_total",
    } == {name.partition("{")[0] for name in zeros}
    assert {
        'retention_rounds_total{market="MT",outcome="cancelled",partner="acme",policy="nightly"}': 5.0,
        'retention_rounds_total{market="MT",outcome="rejected",partner="acme",policy="nightly"}': 1.0,
        'retention_rounds_total{market="SE",outcome="cancelled",partner="acme",policy="nightly"}': 2.0,
        'retention_stale_rounds{market="MT",policy="nightly"}': 6.0,
        'retention_stale_rounds{market="SE",policy="nightly"}': 2.0,
        'retention_refund_amount_total{currency="EUR",partner="acme"}': 8.0,
        'retention_request_seconds_count{partner="acme"}': float(len(world.vendor.requests)),
        'retention_review_rounds{policy="nightly",why="rejected"}': 1.0,
        'retention_run_last_exit_code{policy="nightly"}': 4.0,
        'retention_schedule_missed_total{policy="nightly"}': 1.0,
    } == {name: value for name, value in found.items() if value}
    second = await serve(world)
    found = await metrics(second, waiting)
    assert 4.0 == of_policy(found, "run_last_exit_code")
    assert "process_resident_memory_bytes" in (await second.get("/metrics"))[1]
    await second.stopped(signal.SIGTERM)


async def test_serve_exports_every_series_from_the_start(world: World) -> None:
    """Policies without runs have all series at 0, also after a reload.

    The first answer has the times of earlier runs, even while the table of reviews is locked.
    """
    world.policies = {"weekly": {"markets": ["SE"]}}
    replica = await serve(world, until="/healthz")
    found = figures((await replica.get("/metrics"))[1])
    for policy in ("nightly", "weekly"):
        names = ("finished_timestamp_seconds", "success_timestamp_seconds", "exit_code")
        assert [0.0] * 3 == [of_policy(found, f"run_last_{name}", policy) for name in names]
        assert 0.0 == of_policy(found, "schedule_missed_total", policy)
        assert {0.0} == {found[f'retention_review_rounds{{policy="{policy}",why="{why}"}}'] for why in ReviewWhy}
    assert 0.0 == found['retention_rounds_total{market="SE",outcome="in_doubt",partner="acme",policy="weekly"}']
    world.policies = {"monthly": {"markets": ["GB"]}}
    world.configure()
    replica.running.signal(signal.SIGHUP)
    found = await metrics(replica, lambda found: [name for name in found if "monthly" in name])
    assert 0.0 == of_policy(found, "run_last_success_timestamp_seconds", "monthly")
    assert not [name for name in found if "weekly" in name]
    await replica.stopped(signal.SIGTERM)
    await world.seed(1)
    assert 0 == (await world.command("run", "nightly")).code
    async with world.locked("retention.cancellations"):
        replica = await serve(world, until="/healthz")
        found = figures((await replica.get("/metrics"))[1])
        await replica.stopped(signal.SIGTERM)
    finished, succeeded = await last_ends(world)
    assert (finished, succeeded) == pytest.approx(
        (
            of_policy(found, "run_last_finished_timestamp_seconds"),
            of_policy(found, "run_last_success_timestamp_seconds"),
        ),
        abs=0.001,
    )


async def test_serve_keeps_every_series_without_the_database(tmp_path: Path) -> None:
    """Without its database, and after its return, a daemon answers `/metrics` at once.

    Every series has its newest value.
    """
    async with crashing_server() as server, make_world(server.dsn, tmp_path) as world:
        world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "99"})
        await world.seed(2)
        assert 4 == (await world.command("run")).code
        replica = await serve(world)
        found = await metrics(replica, waiting)
        server.stop()
        await replica.until("/readyz", 503)
        away = figures((await replica.get("/metrics"))[1])
        read_at = 'retention_ledger_last_read_timestamp_seconds{policy="nightly"}'
        assert found | {read_at: away[read_at]} == away
        await replica.stopped(signal.SIGTERM)


async def test_serve_shows_pauses_and_failed_reports(world: World) -> None:
    """A pause by a person and one by the vendor are shown by partner, until they end; so is a report that failed."""
    world.extra = (
        '[reports.daily]\nschedule = "0 6 * * *"\ntimezone = "UTC"\nperiod = "yesterday"\ndirectory = "/nowhere"\n'
    )
    await world.command("pause", "--partner", "acme", "--by", "ann", "--reason", "incident")
    await world.sql(
        "INSERT INTO retention.partner_state (partner, kind, paused_until)"
        " VALUES ('acme', 'cancel', now() + interval '1 hour')"
    )
    await world.sql(
        "INSERT INTO retention.reports (report_id, name, scheduled_for, status, period, period_start, period_end,"
        " settings, recorded_by, recorded_at, problem, made_at) SELECT gen_random_uuid(), 'daily', now() - age, status,"
        " '2026-10-05', now() - age, now(), '{}', 'tests', now(), problem, made_at FROM (VALUES"
        " ('failed', interval '2 days', 'no room', NULL::timestamptz), ('made', '3 days', NULL, now()))"
        " AS r (status, age, problem, made_at)"
    )
    replica = await serve(world)
    paused = {by: f'retention_paused{{by="{by}",partner="acme"}}' for by in ("person", "vendor")}
    found = await metrics(replica, lambda found: found.get(paused["person"]))
    assert (1.0, 1.0) == (found[paused["vendor"]], found['retention_report_failed{report="daily"}'])
    await world.command("resume", "--partner", "acme", "--by", "ann")
    await world.sql("DELETE FROM retention.reports WHERE status = 'failed'")
    over = (paused["person"], paused["vendor"], 'retention_report_failed{report="daily"}')
    found = await metrics(replica, lambda found: not any(found[name] for name in over))
    assert (0.0, 0.0) == (found[paused["vendor"]], found['retention_report_failed{report="daily"}'])
