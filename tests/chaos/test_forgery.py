"""The acts of a stolen login that the database cannot prevent, and the traces that show them afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import run, sample
from support.evidence_writer import record_rows
from support.invariants import violations
from support.postgres import only_on_our_own
from support.role_database import guarded_database, logged_in

if TYPE_CHECKING:
    from support.world import World

FORGED = {
    "settled without a request": (
        (
            "UPDATE retention.cancellations SET state = 'cancelled', attempts = 1,"
            " currency = 'EUR', amount = 1.5, transaction_id = 'bet-b0' WHERE round_id = 'b0'"
        ),
        "vendor_and_ledger_agree: round b0: the ledger has cancelled, the vendor InProgress",
    ),
    "a cancellation denied": (
        (
            "UPDATE retention.cancellations SET state = 'rejected', currency = NULL, amount = NULL,"
            " transaction_id = NULL WHERE round_id = 'a0'"
        ),
        "vendor_and_ledger_agree: round a0: the vendor has Canceled, the ledger not",
    ),
    "a cancellation made a hold": (
        (
            "UPDATE retention.cancellations SET state = 'held', currency = NULL, amount = NULL,"
            " transaction_id = NULL WHERE round_id = 'a0'"
        ),
        "vendor_and_ledger_agree: round a0: the vendor has Canceled, the ledger not",
    ),
}


async def with_roles(world: World) -> str:
    """Let the job log in as itself, with a function that has its owner's rights; returns the job's DSN."""
    only_on_our_own()
    run(
        world.direct,
        "ALTER FUNCTION retention.close_rounds SECURITY DEFINER SET search_path = pg_catalog, pg_temp",
        sample("roles"),
    )
    return make_conninfo(world.direct, user="retention_job")


@pytest.mark.parametrize("forged", FORGED)
async def test_a_forged_outcome_differs_from_the_vendors_list(world: World, forged: str) -> None:
    """A forger can rewrite a round's outcome in the ledger, and not at the vendor: the two then differ."""
    statement, shown = FORGED[forged]
    job = await with_roles(world)
    await world.seed(1, prefix="a")
    assert 0 == (await world.command("run")).code
    await world.seed(1, prefix="b")
    await world.sql(
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, state, settled_at)"
        " SELECT run_id, 'acme', 'MT', 'user-b0', 'b0', now() - interval '5 days', 'not_sent', now() FROM retention.runs"
    )
    with psycopg.connect(world.direct) as owner:
        record_rows(owner)
    assert [] == await violations(world)

    run(job, statement)

    found = await violations(world)
    assert shown in found
    assert {"proven", "audited"} <= {one.split(":")[0] for one in found}


@pytest.mark.parametrize(
    ("forged", "found"),
    [
        (
            "DELETE FROM retention.evidence WHERE kind = 'settled'",
            ("proven: cancellation ", ": no evidence", "audited: entry_missing in evidence"),
        ),
        (
            "DELETE FROM retention.evidence_leaves WHERE leaf = 1",
            ("proven: the places have gaps", "audited: tree in evidence_leaves"),
        ),
    ],
)
async def test_missing_evidence_is_found_by_both_judges(world: World, forged: str, found: tuple[str, ...]) -> None:
    """An entry or a place that is gone is found by the naive reading and by the product's own."""
    await world.seed(1)
    assert 0 == (await world.command("run")).code
    assert [] == await violations(world)

    run(world.direct, forged)

    shown = "\n".join(await violations(world))
    assert [] == [words for words in found if words not in shown], shown


async def test_a_round_that_is_closed_past_the_ledger_has_no_row_there(world: World) -> None:
    """A forger that calls the operator's function by hand leaves rounds that are cancelled only at the operator."""
    job = await with_roles(world)
    await world.seed(2)
    assert 0 == (await world.command("run", "--limit", "1")).code

    run(
        job,
        "SELECT FROM retention.close_rounds('{acme}', '{r0,r1}', ARRAY[now()], '{EUR}', '{1.5}', '{bet}')",
        "SELECT FROM retention.close_rounds('{acme}', '{r1}', ARRAY[now()], '{EUR}', '{1.5}', '{bet}')",
    )

    unexplained = await world.sql(
        "SELECT o.round_id FROM public.rounds o WHERE o.status = 2 AND NOT EXISTS ("
        " SELECT FROM retention.cancellations c WHERE c.partner = o.partner AND c.round_id = o.round_id"
        " AND c.state IN ('cancelled', 'already_cancelled'))"
    )
    called = {request.round_id for request in world.vendor.requests if request.call == "CancelRound"}
    assert 1 == len(unexplained)
    assert called.isdisjoint(row.round_id for row in unexplained)


def test_the_view_discloses_its_columns_of_closed_rounds(postgres: str) -> None:
    """A view without a security barrier, which claims could not afford, tells its columns of closed rounds as well."""
    with guarded_database(postgres) as dsn, logged_in(dsn, "retention_job") as job:
        assert [("R-1",)] == job.execute("SELECT round_id FROM retention.open_rounds").fetchall()
        job.execute(
            "CREATE FUNCTION pg_temp.told(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS"
            " $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"
        )
        told: list[str | None] = []
        job.add_notice_handler(lambda notice: told.append(notice.message_primary))
        for scan in ("indexscan", "bitmapscan", "indexonlyscan"):  # else the index's own WHERE leaves closed rounds out
            job.execute(f"SET enable_{scan} = off".encode())
        job.execute("SELECT FROM retention.open_rounds WHERE pg_temp.told(round_id)")

    assert {"R-1", "R-2"} == set(told)
