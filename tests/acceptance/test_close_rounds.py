"""The operator's function misbehaves: the vendor's cancellations are recorded all the same, and no round is delayed."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from support.closing import FUNCTION, replace
from support.invariants import violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.world import World

DROP: LiteralString = "DROP FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[])"


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
        ("r5", "close_rounds: did not return it, though the operator's view had it open"),
        ("r7", "close_rounds: ledger closed for r7"),
        ("r9", "close_rounds: division by zero"),
    ] == [(row.round_id, row.detail) for row in rows]
    still_open = await world.sql("SELECT round_id FROM public.rounds WHERE status <> 2 ORDER BY round_id")
    assert ["r5", "r7", "r9"] == [row.round_id for row in still_open]
    assert {"r5", "r7", "r9"} == {event["round_id"] for event in done.events if event.get("conflict")}
    assert [] == await violations(world)
    listed = {row["round_id"]: row["reasons"] for row in (await world.command("review", "list", "--json")).json}
    assert {
        "r5": ["conflict: close_rounds: did not return it, though the operator's view had it open"],
        "r7": ["conflict: close_rounds: ledger closed for r7"],
        "r9": ["conflict: close_rounds: division by zero"],
    } == listed


async def test_a_missing_close_rounds_is_found_before_the_first_call(world: World) -> None:
    """Without the function no round is planned or called; the message says how to get one."""
    await world.seed(2)
    await world.sql(DROP)
    done = await world.command("run")
    assert (2, "") == (done.code, done.out)
    assert done.err.startswith("error: there is no function retention.close_rounds; `retention db sample --table ")
    assert [] == world.vendor.requests
    assert [] == await world.sql("SELECT FROM retention.runs")


async def test_a_close_rounds_that_waits_for_a_lock_delays_the_run(world: World) -> None:
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


async def test_a_round_under_a_permanent_lock_delays_no_other_closing(world: World) -> None:
    """A round whose lock is never to be had waits alone; a stop settles it in conflict, and the others are closed."""
    await world.seed(30)
    await replace(world, "SET LOCAL lock_timeout = '50ms';")
    async with locked_round(world, "r3"):
        process = await world.start("run", "nightly", "--json")
        await process.until(world.vendor, lambda: len(world.cancels) == 30)
        await world.until_settled(29)
        process.signal(signal.SIGTERM)
        done = await process.ended()
    assert (143, {"cancelled": 30}, 1) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    (row,) = await world.sql("SELECT round_id, detail FROM retention.cancellations WHERE conflict")
    assert ("r3", "close_rounds: canceling statement due to lock timeout") == (row.round_id, row.detail)
    assert [] == await violations(world)


async def test_a_lock_that_passes_leaves_no_conflict(world: World) -> None:
    """While CREATE INDEX locks the table replies wait, the wait is reported, and all rounds are closed afterwards."""
    await world.seed(120)
    world.partner |= {"rate": 40, "timeout": "60s"}
    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        process = await world.start("run", "nightly", "--json")
        await process.until(world.vendor, lambda: bool(world.cancels))
        await connection.execute("LOCK TABLE public.rounds IN SHARE MODE")
        await connection.execute("SELECT pg_sleep(12)")
        sent = len(world.cancels)
    done = await process.ended()
    assert (0, {"cancelled": 120}, 0) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    assert {"database.busy", "database.free"} <= {event["event"] for event in done.events}
    assert sent < 120
    assert [] == await violations(world)


async def test_a_lock_that_is_there_before_the_run_is_waited_for(world: World) -> None:
    """Where the operator's table is locked when the run starts, the run waits for it, and closes its cancelled
    rounds.
    """
    await world.seed(10)
    async with world.locked("public.rounds", "SHARE"):
        process = await world.start("run", "nightly", "--json")
        await process.until(world.vendor, lambda: bool(world.cancels))
    done = await process.ended()
    assert (0, {"cancelled": 10}, 0) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    assert [] == await violations(world)


ASSERTED = "RETURN QUERY SELECT * FROM unnest(p_partner, p_round_id); RETURN;"
"""A function that returns all requested rounds, and closes no round."""

LEFT_OPEN = "it returned the round, which the operator's view still has open"


async def test_a_function_that_only_says_so_halts_the_run(world: World) -> None:
    """A round that the function returns and the view still has open is a conflict, for reclose too, until it is
    closed.
    """
    await world.seed(200)
    world.partner["rate"] = 20
    await replace(world, ASSERTED)
    done = await world.command("run", "--json")
    assert 3 == done.code, done.err
    assert done.json["halt_reason"].startswith("max_conflicts: ")
    assert len(world.cancels) == done.json["conflicts"] < 200
    again = await world.command("review", "reclose", "--by", "ann", "--json")
    assert (4, {(False, LEFT_OPEN)}) == (again.code, {(row["closed"], row["why"]) for row in again.json})
    assert {(f"conflict: close_rounds: {LEFT_OPEN}",)} == {
        tuple(row["reasons"]) for row in (await world.command("review", "list", "--json")).json
    }
    await replace(world)
    assert 0 == (await world.command("review", "reclose", "--by", "ann")).code
    assert [] == (await world.command("review", "list", "--json")).json
    assert len(world.cancels) == len(await world.sql("SELECT FROM public.rounds WHERE status = 2"))


async def test_a_round_that_the_function_only_says_it_closed_is_listed(world: World) -> None:
    """One round of many that the function returns without closing it is a conflict; the others are closed."""
    await world.seed(30)
    said = "RETURN QUERY SELECT * FROM unnest(p_partner, p_round_id) AS u (p, r) WHERE u.r = 'r3';"
    await replace(world, condition="r.round_id <> 'r3'", end=said)
    done = await world.command("run", "--json")
    assert (4, {"cancelled": 30}, 1) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    (row,) = (await world.command("review", "list", "--json")).json
    assert ("r3", [f"conflict: close_rounds: {LEFT_OPEN}"]) == (row["round_id"], row["reasons"])
    assert [] == await violations(world)


KINDS = {
    "08001": "sqlclient_unable_to_establish_sqlconnection",
    "0A000": "feature_not_supported",
    "22P02": "invalid_text_representation",
    "23514": "check_violation",
    "25006": "read_only_sql_transaction",
    "28000": "invalid_authorization_specification",
    "38000": "external_routine_exception",
    "42P01": "undefined_table",
    "53100": "disk_full",
    "53400": "configuration_limit_exceeded",
    "55000": "object_not_in_prerequisite_state",
    "57P01": "admin_shutdown",
    "58030": "io_error",
    "HV00N": "fdw_unable_to_establish_connection",
    "P0001": "raise_exception",
    "XX000": "internal_error",
    "RT002": "an operator's own",
}


SHORT = ("08001", "P0001")
"""Of these, one that the driver takes for a lost server, and the most usual."""


@pytest.mark.parametrize("state", [pytest.param(one, marks=() if one in SHORT else pytest.mark.long) for one in KINDS])
async def test_a_close_rounds_error_puts_one_round_in_conflict(world: World, state: str) -> None:
    """An error of any class that the function raises for one round leaves that one in conflict, and no other."""
    await world.seed(6)
    raised = f"IF 'r3' = ANY (p_round_id) THEN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END IF;"
    await replace(world, raised)
    done = await world.command("run", "--json")
    assert (4, {"cancelled": 6}, 1) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    rows = await world.sql("SELECT round_id, detail FROM retention.cancellations WHERE conflict")
    assert [("r3", "close_rounds: no")] == [tuple(row) for row in rows]
    assert [] == await violations(world)


@pytest.mark.parametrize(
    "state",
    [
        "55000",
        *(
            pytest.param(one, marks=pytest.mark.long)
            for one in ("08001", "22P02", "25006", "53100", "57P01", "P0001", "XX000")
        ),
    ],
)
async def test_a_function_that_refuses_every_round_halts_the_run(world: World, state: str) -> None:
    """An error of any class for every round halts the run after a few, with the database's words; reclosing is left."""
    await world.seed(200)
    world.partner["rate"] = 20
    await replace(world, f"IF cardinality(p_round_id) > 0 THEN RAISE 'no' USING ERRCODE = '{state}'; END IF;")
    done = await world.command("run", "--json")
    assert 3 == done.code, done.err
    assert done.json["halt_reason"].startswith("max_conflicts: the operator's database refused to close 6 rounds")
    assert 6 <= len(world.cancels) < 200
    assert {"close_rounds: no"} == {
        row.detail for row in await world.sql("SELECT detail FROM retention.cancellations WHERE state = 'cancelled'")
    }
    assert [] == await violations(world)


async def test_a_close_rounds_that_silently_closes_none_halts_the_run(world: World) -> None:
    """Rounds that it does not return, and that the view still has, are refused closings as well."""
    await world.seed(200)
    world.partner["rate"] = 20
    await replace(world, "", "false")
    done = await world.command("run", "--json")
    assert 3 == done.code, done.err
    assert done.json["halt_reason"].startswith("max_conflicts: ")
    assert len(world.cancels) < 200


@pytest.mark.parametrize(
    "state", ["40001", "55P03", *(pytest.param(one, marks=pytest.mark.long) for one in ("40P01", "55006", "57014"))]
)
async def test_a_transient_closing_error_is_retried_without_conflict(world: World, state: str) -> None:
    """A deadlock, a failed serialization, a lock or a timeout is no refusal, however often: no conflict is left."""
    await world.seed(10)
    await world.sql("CREATE SEQUENCE public.calls")
    await replace(
        world,
        "IF cardinality(p_round_id) > 0 AND nextval('public.calls') < 8 THEN"
        f" RAISE EXCEPTION USING ERRCODE = '{state}'; END IF;",
    )
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 10}, 0) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    assert [(True,)] == await world.sql("SELECT last_value >= 8 FROM public.calls")
    assert [] == await violations(world)


BROKEN = {
    "it raises": ("RAISE 'not today';", "close_rounds: not today"),
    "it returns what it was not asked for": (
        "RETURN QUERY SELECT 'acme', 'r1';",
        "close_rounds: it returned rounds that it was not asked to close: acme/r1",
    ),
    "it sleeps": ("PERFORM pg_sleep(60);", "close_rounds: it takes longer than 5 s to close nothing"),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.long) if kind == "it sleeps" else kind for kind in BROKEN]
)
async def test_a_broken_function_halts_before_the_first_call(world: World, kind: str) -> None:
    """The function is tried without a round: `check` fails, and a run halts before anything is sent, and can be
    resumed.
    """
    await world.seed(5)
    body, message = BROKEN[kind]
    await replace(world, body)
    check = await world.command("check")
    assert 2 == check.code
    assert f"FAIL  closing: {message}" in check.out
    done = await world.command("run", "--json")
    assert 3 == done.code
    assert done.json["halt_reason"].startswith(message)
    assert [] == world.cancels
    await replace(world, "")
    resumed = await world.command("run", "--resume", done.json["run_id"], "--json")
    assert (0, {"cancelled": 5}) == (resumed.code, resumed.json["states"]), resumed.err


async def test_swapped_columns_are_noticed_on_the_first_batch(world: World) -> None:
    """A function whose result swaps round and partner closes no round: the batch is undone and the run halts."""
    await world.seed(200)
    world.partner["rate"] = 20
    body = FUNCTION.replace("{begin}", "").replace("{condition}", "true").replace("{end}", "")
    swapped = body.replace("RETURNING r.partner, r.round_id", "RETURNING r.round_id, r.partner")
    async with await psycopg.AsyncConnection.connect(world.dsn, autocommit=True) as connection:
        await connection.execute(swapped.encode())
    done = await world.command("run", "--json")
    assert 3 == done.code, done.err
    assert len(world.cancels) < 200
    assert [] == await world.sql("SELECT FROM public.rounds WHERE status = 2")


@pytest.mark.long
async def test_a_run_that_was_halted_by_closings_is_made_whole(world: World) -> None:
    """Once the function is mended the run goes on and closes the remaining rounds."""
    await world.seed(40)
    world.partner["rate"] = 30
    await replace(world, "IF cardinality(p_round_id) > 0 THEN RAISE 'not today'; END IF;")
    halted = await world.command("run", "--json")
    assert 3 == halted.code, halted.err
    run_id = halted.json["run_id"]
    overridden = await world.command(
        "run", "--resume", run_id, "--override", "the DBA is on it", "--by", "ann", "--json"
    )
    assert (4, {"cancelled": 40}) == (overridden.code, overridden.json["states"]), overridden.err
    assert ["max_conflicts"] == [
        one["rail"] for row in await world.sql("SELECT overrides FROM retention.runs") for one in row.overrides
    ]
    await replace(world, "")
    closed = await world.command("review", "reclose", "--by", "ann")
    assert 0 == closed.code, closed.err
    assert [] == await world.sql("SELECT FROM public.rounds WHERE status <> 2")
    assert [] == (await world.command("review", "list", "--json")).json
    assert [] == await violations(world)


async def test_a_function_that_is_gone_halts_and_is_made_up_for(world: World) -> None:
    """The function is dropped during a run: cancellations are recorded all the same, and closed once it is back."""
    await world.seed(200)
    world.partner["rate"] = 20
    process = await world.start("run", "nightly", "--json")
    await world.until_settled(3)
    await world.sql(DROP)
    done = await process.ended()
    assert 3 == done.code, done.err
    assert done.json["halt_reason"].startswith("max_conflicts: ")
    assert len(world.cancels) == done.json["states"]["cancelled"]
    await replace(world, "")
    world.partner["rate"] = 2000
    assert (
        0
        == (await world.command("run", "--resume", done.json["run_id"], "--override", "mended", "--by", "ann")).code % 4
    )
    assert 0 == (await world.command("review", "reclose", "--by", "ann")).code
    assert [] == await world.sql("SELECT FROM public.rounds WHERE status <> 2")
    assert [] == await violations(world)


STUBBORN = {
    "it ends its own session": "PERFORM pg_terminate_backend(pg_backend_pid());",
    "the disk is full in a trigger": "RAISE EXCEPTION 'no room' USING ERRCODE = '53100';",
}


@pytest.mark.parametrize("kind", STUBBORN)
async def test_one_round_that_passes_for_a_lost_server_stands_alone(world: World, kind: str) -> None:
    """A round that breaks its session becomes a conflict; the server goes on with the others, and the run ends."""
    await world.seed(12)
    await replace(world, f"IF 'r3' = ANY (p_round_id) THEN {STUBBORN[kind]} END IF;")
    done = await world.command("run", "--json")
    assert (4, {"cancelled": 12}, 1) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    assert [("r3",)] == await world.sql("SELECT round_id FROM retention.cancellations WHERE conflict")
    assert [] == await violations(world)


@pytest.mark.parametrize(
    "setting",
    [
        "statement_timeout = '1ms'",
        "search_path = ''",
        pytest.param("synchronous_commit = off", marks=pytest.mark.long),
        pytest.param("datestyle = 'German'", marks=pytest.mark.long),
    ],
)
async def test_session_settings_of_close_rounds_do_not_outlive_it(world: World, setting: str) -> None:
    """A function that changes its session changes nothing for the statements that follow, nor for its own commit."""
    await world.seed(40)
    world.partner["rate"] = 200
    await replace(world, f"SET {setting};")
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 40}) == (done.code, done.json["states"]), done.err
    assert [] == await violations(world)
