"""Connections and transactions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from retention.ledger import database as module
from retention.ledger.database import AWAY

if TYPE_CHECKING:
    from support.world import World

    from retention.ledger.database import Database


async def stand_still(world: World, database: Database) -> None:
    """Stop in the middle of a transaction until the server has had enough, and go on."""
    idle = "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
    async with database.transaction() as transaction:
        await transaction.row("now")
        while await world.sql(idle):
            await asyncio.sleep(0.02)
        await transaction.row("now")


async def test_a_transaction_whose_process_froze_is_ended(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that changes something and stands still is ended by the server: others may be waiting for it."""
    monkeypatch.setattr(module, "IDLE_MS", 100)
    with pytest.raises(AWAY):
        await stand_still(world, database)
