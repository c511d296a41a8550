"""The operator's own function misbehaves: what the vendor has done is on record all the same, and nobody is held up."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from support.agreement import violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.world import World

DROP: LiteralString = "DROP FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[])"
FUNCTION: LiteralString = """
CREATE OR REPLACE FUNCTION retention.close_rounds(
    p_partner text[], p_round_id text[], p_cancelled_at timestamptz[], p_currency text[], p_amount numeric[],
    p_transaction_id text[]
) RETURNS TABLE (partner text, round_id text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    {begin}
    RETURN QUERY
    UPDATE public.rounds r SET status = 2, cancelled_at = c.at, refund = c.amount
    FROM unnest(p_partner, p_round_id, p_cancelled_at, p_amount) AS c (partner, round_id, at, amount)
    WHERE r.partner = c.partner AND r.round_id = c.round_id AND r.status = 0 AND {condition}
    RETURNING r.partner, r.round_id;
END $$
"""


async def replace(world: World, begin: str, condition: str = "true") -> None:
    """Give the operator another function: what it does first, and which rounds it closes."""
    async with await psycopg.AsyncConnection.connect(world.dsn, autocommit=True) as connection:
        await connection.execute(FUNCTION.replace("{begin}", begin).replace("{condition}", condition).encode())


@asynccontextmanager
async def locked_round(world: World, name: str) -> AsyncIterator[None]:
    """Hold a lock on a round in the operator's table."""
    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        await connection.execute("SELECT FROM public.rounds WHERE round_id = %s FOR UPDATE", [name])
        yield


async def test_a_round_that_is_refused_stands_alone(world: World) -> None:
    """Rounds for which the function raises, or that it leaves out, are cancelled in conflict; the others are closed."""
    await world.seed(40)
    await replace(
        world,
        "IF 'r7' = ANY (p_round_id) THEN RAISE EXCEPTION 'ledger closed for %', 'r7'; END IF;"
        " IF 'r9' = ANY (p_round_id) THEN PERFORM 1 / (cardinality(p_round_id) - cardinality(p_round_id)); END IF;",
        "r.round_id <> 'r5'",
    )
    done = await world.command("run", "--json")
    assert (4, {"cancelled": 40}, 3) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    rows = await world.sql(
        "SELECT round_id, detail FROM retention.cancellations WHERE conflict AND amount = 1.5 ORDER BY round_id"
    )
    assert [
        ("r5", None),
        ("r7", "close_rounds: ledger closed for r7"),
        ("r9", "close_rounds: division by zero"),
    ] == [(row.round_id, row.detail) for row in rows]
    still_open = await world.sql("SELECT round_id FROM public.rounds WHERE status <> 2 ORDER BY round_id")
    assert ["r5", "r7", "r9"] == [row.round_id for row in still_open]
    assert {"r5", "r7", "r9"} == {event["round_id"] for event in done.events if event.get("conflict")}
    assert [] == await violations(world)
    listed = {row["round_id"]: row["why"] for row in (await world.command("review", "list", "--json")).json}
    assert {
        "r5": ["conflict: the round was not open any more in the operator's table"],
        "r7": ["conflict: close_rounds: ledger closed for r7"],
        "r9": ["conflict: close_rounds: division by zero"],
    } == listed


async def test_a_missing_function_is_found_before_the_first_call(world: World) -> None:
    """Without the function nothing is planned and nobody is called; the message says how to come by one."""
    await world.seed(2)
    await world.sql(DROP)
    done = await world.command("run")
    assert (2, "") == (done.code, done.out)
    assert "error: there is no function retention.close_rounds; `retention db sample` prints one to adapt\n" == done.err
    assert [] == world.vendor.requests
    assert [] == await world.sql("SELECT FROM retention.runs")


async def test_a_function_that_waits_delays_and_loses_nothing(world: World) -> None:
    """While the operator's application has a round locked the run waits, and is whole once it lets go."""
    await world.seed(30)
    async with locked_round(world, "r3"):
        process = await world.start("run", "nightly", "--json")
        await world.until_waiting()
        await process.until(world.vendor, lambda: len(world.cancels) > 3)
    done = await process.ended()
    assert (0, {"cancelled": 30}, 0) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    assert 30 == len(world.cancels)
    assert [] == await violations(world)


async def test_a_lock_that_is_never_had_holds_up_nobody(world: World) -> None:
    """A function that gives up waiting for a lock, each time, is as one that raises: its round alone is in conflict."""
    await world.seed(30)
    await replace(world, "SET LOCAL lock_timeout = '50ms';")
    async with locked_round(world, "r3"):
        done = await world.command("run", "--json")
    assert (4, {"cancelled": 30}, 1) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    (row,) = await world.sql("SELECT round_id, detail FROM retention.cancellations WHERE conflict")
    assert ("r3", "close_rounds: canceling statement due to lock timeout") == (row.round_id, row.detail)
    assert [] == await violations(world)


@pytest.mark.parametrize("state", ["40P01", "40001"], ids=["deadlock", "serialization"])
async def test_what_asks_to_be_tried_again_is(world: World, state: str) -> None:
    """A deadlock or a failed serialization is no refusal: the batch is written at the next try, without a conflict."""
    await world.seed(10)
    await world.sql("CREATE SEQUENCE public.calls")
    await replace(world, f"IF nextval('public.calls') = 1 THEN RAISE EXCEPTION USING ERRCODE = '{state}'; END IF;")
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 10}, 0) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    assert [(True,)] == await world.sql("SELECT last_value > 1 FROM public.calls")
    assert [] == await violations(world)
