"""Runs that start again after a halt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.bare_database import begin

from retention.ledger.runs import RunLedger, Start

if TYPE_CHECKING:
    from support.world import World

    from retention.ledger.database import Database


async def test_halted_run_starts_again_only_by_resume_or_after_a_pause(world: World, database: Database) -> None:
    """A process that joins a run does not restart one that was halted meanwhile, unless a pause halted it."""
    await world.seed(1)
    planned, runs = await begin(database), RunLedger(database)
    assert await planned.work.control.halt_run("max_failure_ratio: too many")
    assert await runs.start_run(planned.run_id, None) is None
    assert await runs.start_run(planned.run_id, None, resumed=True) is Start.STARTED
    assert await planned.work.control.halt_run("paused by tess", paused_for=["acme"])
    assert await runs.start_run(planned.run_id, None) is Start.STARTED
