"""A round that the vendor cancelled and the operator's table still has open is closed there, or stays listed."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from support.closing import replace
from support.invariants import violations

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

BY = ("--by", "ann")

RAISE = "IF cardinality(p_round_id) > 0 THEN RAISE EXCEPTION 'ledger closed for %', p_round_id[1]; END IF;"

ENDS = "IF 'r0' = ANY (p_round_id) THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;"


async def conflicts(world: World, rounds: int, **how: str) -> dict[str, int]:
    """Cancel rounds that cannot be closed; returns the cancellations' ids by round."""
    await world.seed(rounds)
    world.policy["max_conflicts"] = 1000
    await replace(world, **how or {"begin": RAISE})
    done = await world.command("run", "--json")
    assert (4, {"cancelled": rounds}, rounds) == (done.code, done.json["states"], done.json["conflicts"]), done.err
    return {row["round_id"]: row["id"] for row in await listed(world)}


async def listed(world: World) -> list[dict[str, Any]]:
    """The rows that need a person."""
    found: list[dict[str, Any]] = (await world.command("review", "list", "--json")).json
    return found


async def statuses(world: World) -> dict[str, int]:
    """The state of each round in the operator's table."""
    return {row.round_id: row.status for row in await world.sql("SELECT round_id, status FROM public.rounds")}


async def rows(world: World) -> dict[str, Any]:
    """The ledger's row of each round."""
    return {row.round_id: row for row in await world.sql("SELECT * FROM retention.cancellations ORDER BY id")}


async def test_all_are_closed_once_the_function_is_mended(world: World) -> None:
    """Without IDs all of them are closed, with the vendor's amounts and times; the ledger says by whom and when."""
    await conflicts(world, 60)
    before = await rows(world)
    await replace(world)
    done = await world.command("review", "reclose", *BY)
    assert 0 == done.code, done.err
    assert 60 == done.out.count(" closed")
    assert {2} == set((await statuses(world)).values())
    for name, row in (await rows(world)).items():
        assert (False, "cancelled", before[name].settled_at) == (row.conflict, row.state, row.settled_at)
        assert row.detail.startswith(f"{before[name].detail}; closed at the operator's by ann at 20")
    kept = await world.sql("SELECT round_id, cancelled_at, refund FROM public.rounds")
    assert {(name, row.settled_at, row.amount) for name, row in before.items()} == {tuple(row) for row in kept}
    assert [] == await listed(world)
    assert [] == await violations(world)
    again = await world.command("review", "reclose", *BY)
    assert (0, "nothing is left to close\n") == (again.code, again.out)


async def test_reclose_keeps_a_failed_closing_listed_with_its_reason(world: World) -> None:
    """One that raises, one that is left out, one that is closed already, one whose id is another round's: each says
    why.
    """
    ids = await conflicts(world, 8)
    await world.sql("UPDATE public.rounds SET status = 1 WHERE round_id = 'r3'")
    await world.sql("UPDATE public.rounds SET opened_at = now() WHERE round_id = 'r4'")
    await replace(
        world, "IF 'r1' = ANY (p_round_id) THEN RAISE EXCEPTION 'no such wallet'; END IF;", "r.round_id <> 'r2'"
    )
    done = await world.command("review", "reclose", "--json", *BY)
    assert 4 == done.code, done.err
    why = {row["round_id"]: row["why"] for row in done.json}
    assert {
        **dict.fromkeys(("r0", "r5", "r6", "r7"), None),
        "r1": "no such wallet",
        "r2": "it did not return the round, which the operator's view still has",
        "r3": "the round is not open in the operator's view any more; resolve it",
        "r4": "not called, since the operator's view has another round under this id",
    } == why
    assert {name: words is None for name, words in why.items()} == {row["round_id"]: row["closed"] for row in done.json}
    assert {"r0": 2, "r1": 0, "r2": 0, "r3": 1, "r4": 0, "r5": 2, "r6": 2, "r7": 2} == await statuses(world)
    assert {name: [f"conflict: close_rounds: {words}"] for name, words in why.items() if words} == {
        row["round_id"]: row["reasons"] for row in await listed(world)
    }
    once_more = await world.command("review", "reclose", str(ids["r1"]), *BY)
    assert (4, True) == (once_more.code, "no such wallet" in once_more.out)
    assert "close_rounds: no such wallet" == (await rows(world))["r1"].detail


async def test_a_round_that_ends_its_own_session_stays_listed_alone(world: World) -> None:
    """A round at which the function ends its session is kept listed, and the others of its batch are closed."""
    await conflicts(world, 5)
    await replace(world, ENDS)
    done = await world.command("review", "reclose", "--json", *BY)
    assert 4 == done.code, done.err
    assert {"r0": False, **{f"r{nth}": True for nth in range(1, 5)}} == {
        row["round_id"]: row["closed"] for row in done.json
    }
    assert {"r0": 0, **{f"r{nth}": 2 for nth in range(1, 5)}} == await statuses(world)
    assert ["r0"] == [row["round_id"] for row in await listed(world)]


@pytest.mark.long
async def test_reclose_is_undone_if_close_rounds_returns_other_rounds(world: World) -> None:
    """Rounds returned without having been asked for, or twice, undo the transaction: in both tables all stays as it
    was.
    """
    ids = await conflicts(world, 2)
    await world.seed(1, prefix="other")
    await replace(
        world,
        end="RETURN QUERY UPDATE public.rounds r SET status = 2 WHERE r.round_id = 'other0' RETURNING r.partner, r.round_id;",
    )
    done = await world.command("review", "reclose", str(ids["r0"]), *BY)
    assert (4, True) == (done.code, "not asked to close, or one twice: acme/other0" in " ".join(done.out.split())), (
        done.out
    )
    await replace(world, end="RETURN QUERY SELECT p_partner[1], p_round_id[1];")
    done = await world.command("review", "reclose", "--json", *BY)
    assert (4, [False, False]) == (done.code, [row["closed"] for row in done.json])
    assert {0} == set((await statuses(world)).values())


@pytest.mark.long
@pytest.mark.parametrize("state", ["40P01", "40001", "55P03"])
async def test_reclose_retries_a_transient_error(world: World, state: str) -> None:
    """A deadlock, a failed serialization or a lock that was not to be had is no refusal: the next try closes."""
    await conflicts(world, 3)
    await world.sql("CREATE SEQUENCE public.calls")
    await replace(world, f"IF nextval('public.calls') < 3 THEN RAISE EXCEPTION USING ERRCODE = '{state}'; END IF;")
    done = await world.command("review", "reclose", *BY)
    assert (0, {2}) == (done.code, set((await statuses(world)).values())), done.out


@pytest.mark.long
async def test_an_error_of_the_class_of_a_lost_connection_is_a_refusal(world: World) -> None:
    """55000, an operational error to the driver, is reported for its round alone, and no statement hangs."""
    await conflicts(world, 5)
    await replace(
        world,
        "IF 'r1' = ANY (p_round_id) THEN RAISE EXCEPTION USING ERRCODE = '55000', MESSAGE = 'no identity'; END IF;",
    )
    done = await world.command("review", "reclose", "--json", *BY)
    assert 4 == done.code
    assert {"r1": "no identity"} == {row["round_id"]: row["why"] for row in done.json if row["why"]}


@pytest.mark.long
async def test_a_lock_that_is_never_had_is_told(world: World) -> None:
    """While one round is locked, the others are closed and that one stays listed."""
    await conflicts(world, 5)
    await replace(world, "SET LOCAL lock_timeout = '50ms';")
    async with await psycopg.AsyncConnection.connect(world.direct) as connection:
        await connection.execute("SELECT FROM public.rounds WHERE round_id = 'r2' FOR UPDATE")
        done = await world.command("review", "reclose", "--json", *BY)
    assert 4 == done.code
    assert {"r2": "canceling statement due to lock timeout"} == {
        row["round_id"]: row["why"] for row in done.json if row["why"]
    }
    assert 0 == (await world.command("review", "reclose", *BY)).code


@pytest.mark.long
async def test_reclose_refuses_unsuitable_ids_by_name(world: World) -> None:
    """Unknown, uncancelled and closed cancellations are each refused by name, before anything is closed."""
    ids = await conflicts(world, 2)
    await replace(world)
    await world.seed(2, prefix="s")
    world.vendor.faults = Faults.of({"round_ids": ["s1"], "code": "99"})
    assert 4 == (await world.command("run")).code
    known = {name: row.id for name, row in (await rows(world)).items()}
    wanted = (str(ids["r0"]), "987654", str(known["s0"]), str(known["s1"]))
    done = await world.command("review", "reclose", *wanted, *BY)
    assert (2, "") == (done.code, done.out)
    for words in (
        "cancellation 987654 does not exist",
        f"cancellation {known['s0']} is in no conflict",
        f"cancellation {known['s1']} is rejected",
    ):
        assert words in done.err
    assert (0, 0) == ((await statuses(world))["r0"], (await statuses(world))["r1"])
    blank = await world.command("review", "reclose", "--by", " ")
    assert (2, True) == (blank.code, "--by must not be blank" in blank.err)


async def test_two_people_at_once_close_each_round_once(world: World) -> None:
    """Both succeed, and each round was closed by one call alone."""
    await conflicts(world, 40)
    await world.sql("CREATE TABLE public.closings (round_id text)")
    await replace(world, "INSERT INTO public.closings SELECT unnest(p_round_id); PERFORM pg_sleep(0.3);")
    done = await asyncio.gather(*(world.command("review", "reclose", "--by", name) for name in ("ann", "bob")))
    assert [0, 0] == [one.code for one in done], [one.out for one in done]
    (count,) = await world.sql("SELECT count(*) AS calls, count(DISTINCT round_id) AS rounds FROM public.closings")
    assert (40, 40) == (count.calls, count.rounds)
    assert [] == await violations(world)


async def in_doubt(world: World, rounds: int) -> dict[str, int]:
    """Leave rounds in doubt; returns the cancellations' ids by round."""
    await world.seed(rounds)
    world.partner |= {"status_probe": False, "max_attempts": 1}
    world.vendor.faults = Faults.of({"status": 500})
    assert 4 == (await world.command("run")).code
    return {row["round_id"]: row["id"] for row in await listed(world)}


async def test_resolved_as_cancelled_closes_the_round(world: World) -> None:
    """A doubt that turns out cancelled is closed at the operator's, at the time of the word, with no amount made up."""
    ids = await in_doubt(world, 2)
    resolve = ("review", "resolve", "--as", "cancelled", "--note", "the vendor says so", *BY)
    done = await world.command(*resolve, str(ids["r0"]))
    assert (0, f"cancellation {ids['r0']} is resolved as cancelled\n") == (done.code, done.out)
    row = (await rows(world))["r0"]
    assert ("resolved", "cancelled", "in_doubt", False, None) == (
        row.state,
        row.resolved_as,
        row.resolved_from,
        row.conflict,
        row.amount,
    )
    (kept,) = await world.sql("SELECT status, cancelled_at, refund FROM public.rounds WHERE round_id = 'r0'")
    assert (2, row.resolved_at, None) == tuple(kept)
    assert ["r1"] == [one["round_id"] for one in await listed(world)]


@pytest.mark.parametrize(
    "how",
    [
        "raises",
        "ends its session",
        *(pytest.param(one, marks=pytest.mark.long) for one in ("leaves it out", "is missing")),
    ],
)
async def test_resolved_and_still_open_stays_listed(world: World, how: str) -> None:
    """A round that cannot be closed is resolved and stays listed for reclose to close it; then the list is empty."""
    ids = await in_doubt(world, 1)
    match how:
        case "raises":
            await replace(world, RAISE)
        case "ends its session":
            await replace(world, ENDS)
        case "leaves it out":
            await replace(world, condition="false")
        case _:
            await world.sql(
                "DROP FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[])"
            )
    resolve = ("review", "resolve", "--as", "already_cancelled", "--note", "the vendor says so", *BY)
    done = await world.command(*resolve, str(ids["r0"]))
    assert (4, True) == (done.code, "stays listed" in done.out), done.err
    (row,) = await listed(world)
    assert ("r0", "resolved", 1) == (row["round_id"], row["state"], len(row["why"]))
    assert row["reasons"][0].startswith("conflict: close_rounds: ")
    assert 0 == (await world.command("plan", "--json")).json["rounds"] if how != "is missing" else True
    await replace(world)
    closed = await world.command("review", "reclose", str(ids["r0"]), *BY)
    assert (0, {"r0": 2}, []) == (closed.code, await statuses(world), await listed(world)), closed.out
    kept = (await rows(world))["r0"]
    assert ("resolved", "already_cancelled", False) == (kept.state, kept.resolved_as, kept.conflict)


@pytest.mark.long
async def test_a_resolved_conflict_that_is_closed_leaves_the_review(world: World) -> None:
    """A conflict whose round the operator has closed is resolved with a word; a resolved one is cleared by a look."""
    ids = await conflicts(world, 2, condition="false")
    resolve = ("review", "resolve", "--as", "cancelled", "--note", "x", *BY)
    assert 4 == (await world.command(*resolve, str(ids["r0"]))).code
    await world.sql("UPDATE public.rounds SET status = 2")
    assert 0 == (await world.command(*resolve, str(ids["r1"]))).code
    assert ["r0"] == [one["round_id"] for one in await listed(world)]
    done = await world.command("review", "reclose", *BY)
    assert (0, True) == (done.code, "not open any more" in done.out)
    assert [] == await listed(world)


async def test_a_confirmed_cancellation_is_resolved_only_as_cancelled(world: World) -> None:
    """No person frees a round to be cancelled again that the vendor has confirmed as cancelled, closed or not."""
    ids = await conflicts(world, 1)
    resolve = ("review", "resolve", str(ids["r0"]), "--note", "x", *BY, "--as")
    for state in ("not_sent", "already_completed", "rejected"):
        refused = await world.command(*resolve, state)
        assert (2, True) == (refused.code, "is confirmed by the vendor" in refused.err), refused.err
    assert 4 == (await world.command(*resolve, "cancelled")).code
    assert 2 == (await world.command(*resolve, "not_sent")).code
    await replace(world)
    assert 0 == (await world.command("review", "reclose", *BY)).code
    refused = await world.command(*resolve, "not_sent")
    assert (2, True) == (refused.code, "is resolved already" in refused.err), refused.err
    assert 0 == (await world.command("plan", "--json")).json["rounds"]


@pytest.mark.long
async def test_a_word_that_was_wrong_can_be_taken_back(world: World) -> None:
    """Resolved as cancelled and still open, it may be resolved as another thing, and is planned again; both are on
    record.
    """
    ids = await in_doubt(world, 1)
    await replace(world, RAISE)
    resolve = ("review", "resolve", str(ids["r0"]), "--note", "x", *BY, "--as")
    assert 4 == (await world.command(*resolve, "cancelled")).code
    again = await world.command(*resolve, "already_cancelled")
    assert (2, True) == (again.code, "`retention review reclose` closes its round" in again.err), again.err
    assert 0 == (await world.command(*resolve, "rejected")).code
    assert ([], 1) == (await listed(world), (await world.command("plan", "--json")).json["rounds"])
    row = (await rows(world))["r0"]
    assert ("rejected", "in_doubt", False) == (row.resolved_as, row.resolved_from, row.conflict)
    assert re.fullmatch(r"x; before: cancelled by ann at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ: x", row.resolved_note)
    assert isinstance(row.resolved_at, datetime)
