"""Settlements that another client blocks: who, and how."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import structlog
from support.bare_database import TERMS, begin, cancelled

from retention.core.model import Kind
from retention.core.sending.settle_batch import SettleBatch
from retention.engine.batch_writer import BatchWriter
from retention.engine.claims_in_hand import ClaimsInHand
from retention.ledger import database as module

if TYPE_CHECKING:
    import pytest
    from support.world import World

    from retention.ledger.database import Database
    from retention.ledger.results import SettledRow


async def busy(world: World, database: Database, body: str) -> list[dict[str, Any]]:
    """Settle one round while `close_rounds` does this; returns the log."""
    await world.seed(1)
    await world.sql(
        "CREATE OR REPLACE FUNCTION retention.close_rounds(p_partner text[], p_round_id text[], p_cancelled_at"
        " timestamptz[], p_currency text[], p_amount numeric[], p_transaction_id text[])"
        " RETURNS TABLE (partner text, round_id text) LANGUAGE plpgsql AS"
        f" $$ BEGIN {body} RETURN; END $$"
    )
    planned = await begin(database)
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=100)).claims
    events: list[dict[str, Any]] = []

    def keep(_logger: Any, _level: str, event: Any) -> Any:
        events.append(event)
        raise structlog.DropEvent

    log = structlog.wrap_logger(None, processors=[keep], wrapper_class=structlog.BoundLogger)
    writer = BatchWriter(planned.work.settlements, planned.work.claims, ClaimsInHand(), log, asyncio.Event())
    assert [] == [part async for part in writer.write(SettleBatch(cancelled(claims)))]
    assert 1 == len(writer.parked)
    return events


async def test_a_slow_function_is_not_a_database_that_went_away(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the server answers others, a call that takes too long is reported as busy, by the function's name."""
    monkeypatch.setattr(module, "BULK_TIMEOUT_S", 0.5)
    events = await busy(world, database, "PERFORM pg_sleep(60);")
    assert ["database.busy"] == [event["event"] for event in events]
    assert (
        "close_rounds: no answer for 0 s (settlements/settle_replies), while the server answers others"
        == events[0]["problem"]
    )


async def test_a_lock_in_the_functions_way_is_told_with_its_sqlstate(world: World, database: Database) -> None:
    """The function's error is repeated with the function's name and the SQLSTATE."""
    events = await busy(world, database, "RAISE lock_not_available USING MESSAGE = 'not now';")
    assert [("database.busy", "close_rounds: not now (SQLSTATE 55P03)")] == [
        (event["event"], event["problem"]) for event in events
    ]


async def test_halves_of_a_committed_batch_are_settled_and_not_late(world: World, database: Database) -> None:
    """A batch whose COMMIT was not answered is tried again by halves, and each round is found settled, once."""
    await world.seed(4)
    planned = await begin(database)
    items = cancelled((await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=100)).claims)
    settlements = planned.work.settlements
    await settlements.settle_replies(items)  # its answer is lost
    written: dict[str, SettledRow] = {}
    for half in SettleBatch(items).failed().halves():
        written |= (await settlements.settle_replies(half.items, again=half.again)).written
    assert {item.claim.uuid for item in items} == written.keys()
    assert not any(row.conflict for row in written.values())
    assert {"cancelled": 4} == Counter((await world.states()).values())
