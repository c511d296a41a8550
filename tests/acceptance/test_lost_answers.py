"""PostgreSQL carried out a statement, and the answer was lost with the connection: no work is lost or reported
twice.
"""

from __future__ import annotations

import signal
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from support.invariants import violations
from support.replica import finished, schedule, serve, until
from support.wiretap import Wiretap

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.world import Done, World

REVIEW = 4
"""A lost reply of the vendor's leaves an unknown refund."""

UNREACHABLE = 5
"""A command that has nothing under way yet ends where the database goes away."""


@pytest.fixture
async def tap(world: World) -> AsyncIterator[Wiretap]:
    """Stand between the world's commands and their database."""
    async with Wiretap(world.dsn) as tap:
        world.dsn = tap.dsn
        yield tap


def told(done: Done) -> Counter[str]:
    """How often each transition of a run is in the log."""
    return Counter(line["event"] for line in done.events if line["event"].startswith(("run.", "schedule.")))


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("run_control/heartbeat", marks=pytest.mark.long),
        "claims/claim_rounds",
        pytest.param("claims/claim_probes", marks=pytest.mark.long),
        "settlements/settle_replies",
        pytest.param("run_control/finish_run", marks=pytest.mark.long),
    ],
)
async def test_a_run_in_the_middle(world: World, tap: Wiretap, statement: str) -> None:
    """After any lost answer the run goes on, cancels each round once, and reports its end once."""
    await world.seed(40)
    world.partner |= {"timeout": "1s", "max_attempts": 50}
    world.vendor.faults = Faults.of({"cut": "after", "first": 2})
    tap.lose[statement] = 1
    done = await world.command("run", "--json")
    assert (REVIEW, {"cancelled": 40}) == (done.code, done.json["states"]), done.err
    assert {"run.planned": 1, "run.started": 1, "run.finished": 1} == told(done)
    assert 0 == tap.lose[statement]
    assert [] == await violations(world, at_rest=True)


@pytest.mark.parametrize(
    "statement",
    [
        *(
            pytest.param(one, marks=pytest.mark.long)
            for one in ("runs/insert_run", "plans/freeze_plan", "runs/start_run")
        ),
        "COMMIT",
    ],
)
async def test_a_run_that_begins(world: World, tap: Wiretap, statement: str) -> None:
    """A run whose beginning is lost ends at 5, with or without its row; the next one cancels each round once."""
    await world.seed(40)
    tap.lose[statement] = 1
    done = await world.command("run", "--json")
    assert (UNREACHABLE, 0) == (done.code, tap.lose[statement]), done.err
    assert [] == world.vendor.requests
    await until(lambda: world.sql("SELECT FROM retention.runs HAVING coalesce(max(heartbeat_until), 'epoch') < now()"))
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 40}) == (done.code, done.json["states"]), done.err
    assert [] == await violations(world, at_rest=True)


async def test_a_halt(world: World, tap: Wiretap) -> None:
    """A run that a rail halts says so once, though the answer to the halt was lost, and ends at 3."""
    await world.seed(400)
    world.partner |= {"rate": 100}
    world.vendor.faults = Faults.of({"code": "99"})
    tap.lose["run_control/halt_run"] = 1
    done = await world.command("run", "--json")
    assert (3, "halted", 0) == (done.code, done.json["status"], tap.lose["run_control/halt_run"]), done.err
    assert {"run.planned": 1, "run.started": 1, "run.halted": 1} == told(done)
    assert [] == await violations(world)


async def test_missed_times(world: World, tap: Wiretap) -> None:
    """A daemon tells once of a missed time whose answer was lost, and begins the newest one's run without waiting for
    it.
    """
    await world.seed(3)
    await schedule(world)
    tap.lose["missed"] = 1
    replica = await serve(world)
    await until(lambda: finished(world))
    await until(lambda: decided(world))
    metrics = await replica.get("/metrics")
    done = await replica.stopped(signal.SIGTERM)
    assert 143 == done.code
    assert {"fired": 1, "missed": 1} == {name: told(done)[f"schedule.{name}"] for name in ("fired", "missed")}, done.err
    (run,) = await world.sql("SELECT started_at - as_of AS waited FROM retention.runs WHERE status = 'finished'")
    assert run.waited < timedelta(seconds=5)  # another process takes over a run that was not begun after ten
    assert 'retention_schedule_missed_total{policy="nightly"} 1.0' in metrics[1]
    assert [] == await violations(world, at_rest=True)


async def decided(world: World) -> bool:
    """Whether the schedule's times are all recorded as run or missed, up to the newest one that was run."""
    return bool(
        await world.sql(
            "SELECT FROM retention.schedules s"
            " WHERE s.processed_until = (SELECT max(r.scheduled_for) FROM retention.runs r WHERE r.status = 'finished')"
        )
    )
