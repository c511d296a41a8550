"""Plans that are frozen in a real ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from support.bare_database import SCOPE, TERMS

from retention.ledger import plans as module
from retention.ledger.plans import Plans
from retention.ledger.run_request import RunRequest

if TYPE_CHECKING:
    import pytest
    from support.world import World

    from retention.ledger.database import Database


async def test_heartbeat_of_a_new_run_counts_from_the_end_of_its_plan(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first heartbeat period begins when the plan is written, so a slow plan does not make its run inactive."""
    monkeypatch.setattr(module, "HEARTBEAT_S", 2.0)
    await world.seed(1)
    async with world.locked("public.rounds"):
        request = RunRequest(uuid4(), "nightly", "enforce", "ann", None, {})
        planning = asyncio.create_task(Plans(database).create_run(request, SCOPE, [TERMS]))
        await world.until_waiting()
        await asyncio.sleep(2.1)
    await planning
    counted = "SELECT heartbeat_until - as_of >= interval '4.1 seconds' AS from_its_end FROM retention.runs"
    assert [(True,)] == await world.sql(counted)
