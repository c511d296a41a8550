"""The recipes of sql/operator/README.md: each page's own SQL, run on a schema of its shape, carries a run to its end."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import bare_database, run, sample
from support.job_login import JOB
from support.postgres import only_on_our_own
from support.psql import run_script
from support.world import SECURE_LOGIN, make_world

from retention.ledger.queries import sql_root
from retention.simulator.server import Round

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[2] / "support" / "recipes"

LARGE = 110_000
"""Rounds that are over: more than `check` lets a statement read from end to end."""

RECIPES = dict(
    re.findall(
        r"^## (\w+)\n(.*?)(?=^## |\Z)",
        (sql_root() / "operator" / "README.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)
"""The page's sections by name."""

Stale = dict[str, tuple[str, str, str, Decimal]]
"""User, market, currency and stake of stale rounds, by round id."""

USUAL: Stale = {"1000001": ("u1", "MT", "EUR", Decimal("1.5")), "1000002": ("u2", "GB", "JPY", Decimal(100))}


@dataclass(frozen=True, slots=True)
class Shape:
    """`closed`: the operator's own rounds that are cancelled. `settle`: ends the first stale round as play does."""

    stale: Stale
    closed: str = "SELECT id::text FROM casino.rounds WHERE state = 'cancelled'"
    settle: str = "UPDATE casino.rounds SET state = 'settled' WHERE id = 1000001"


def _with(first: tuple[str, str] | None = None, second: tuple[str, str] | None = None) -> Stale:
    """The usual rounds, with another user and market of the first or second."""
    told = zip((first, second), USUAL.items(), strict=True)
    return {name: (*(other or row[:2]), *row[2:]) for other, (name, row) in told}


def _uuid(first: str, last: int) -> str:
    return f"{first}-0000-0000-0000-{last:012d}"


SHAPES = {
    "uuids": Shape(
        {
            _uuid("00000000", number): (_uuid("aaaaaaaa", number).replace("-", ""), *row[1:])
            for number, row in enumerate(USUAL.values(), 1)
        },
        settle=f"UPDATE casino.rounds SET state = 'settled' WHERE id = '{_uuid('00000000', 1)}'",
    ),
    "sessions": Shape(
        {f"{name}-1": row for name, row in USUAL.items()},
        "SELECT session_id || '-' || round_no FROM casino.plays WHERE state = 'cancelled'",
        "UPDATE casino.plays SET state = 'settled' WHERE session_id = 1000001",
    ),
    "bets": Shape({**_with(None, ("u2", "MT")), "1000003": ("u3", "MT", "KWD", Decimal("0.125"))}),
    "markets": Shape(_with(("1", "MT"), ("99", "unknown"))),
    "journal": Shape(
        USUAL,
        "SELECT round_id FROM casino.transactions WHERE kind = 'cancel'",
        "INSERT INTO casino.transactions (round_id, player, market, kind, booked_at)"
        " VALUES ('1000001', 'u1', 'MT', 'end', now())",
    ),
    "second_row": Shape(
        USUAL,
        "SELECT id::text FROM casino.events WHERE event = 'cancelled'",
        "INSERT INTO casino.events (id, player, market, event, happened_at)"
        " VALUES (1000001, 'u1', 'MT', 'settled', now())",
    ),
    "soft_deletes": Shape(USUAL),
    "time_zones": Shape(USUAL),
    "state_numbers": Shape(
        USUAL,
        "SELECT id::text FROM casino.rounds WHERE state = 2",
        "UPDATE casino.rounds SET state = 1 WHERE id = 1000001",
    ),
    "state_booleans": Shape(
        USUAL,
        "SELECT id::text FROM casino.rounds WHERE ended_as = 'cancelled'",
        "UPDATE casino.rounds SET finished = true WHERE id = 1000001",
    ),
    "state_texts": Shape(USUAL, settle="UPDATE casino.rounds SET state = 'SETTLED' WHERE id = 1000001"),
    "partitions": Shape(USUAL),
    "cases": Shape(_with(None, ("u2", "unknown"))),
    "joins": Shape(_with(None, ("u2", "unknown"))),
}


@pytest.fixture
def bare(postgres: str) -> Iterator[str]:
    """DSN of a database with our schema alone, whose server lets roles in without a password."""
    only_on_our_own()
    with bare_database(postgres, postgres) as dsn:
        yield dsn


def install(dsn: str, name: str, filler: int) -> None:
    """Make the schema with so many rounds that are over, and run the page's own blocks and the sample's roles."""
    schema = (FOLDER / f"{name}.sql").read_text("utf-8").replace(":filler", str(filler))
    blocks = re.findall(r"^```sql\n(.*?)^```", RECIPES[name], re.MULTILINE | re.DOTALL)
    made = run_script(dsn, script="\n".join([schema, *blocks, sample("roles"), "ANALYZE;"]))
    assert 0 == made.returncode, made.stderr


def close(connection: psycopg.Connection[Any], ids: list[str]) -> set[str]:
    """Call the function for these rounds; returns the closed ones."""
    rows = connection.execute(
        "SELECT round_id FROM retention.close_rounds(array_fill('acme'::text, ARRAY[%(count)s]), %(ids)s::text[],"
        " array_fill(now(), ARRAY[%(count)s]), array_fill(NULL::text, ARRAY[%(count)s]),"
        " array_fill(1::numeric, ARRAY[%(count)s]), array_fill(NULL::text, ARRAY[%(count)s]))",
        {"ids": ids, "count": len(ids)},
    ).fetchall()
    return {row[0] for row in rows}


def closed_after(dsn: str, settle: str, ids: list[str]) -> set[str]:
    """Settle a round, then close all of `ids`; returns the closed ones. Nothing of it stays."""
    with psycopg.connect(dsn) as connection:
        connection.execute(settle.encode())
        closed = close(connection, ids)
        connection.rollback()
    return closed


def test_the_page_s_list_and_sections_are_the_tested_shapes() -> None:
    """Each recipe has a schema, stands in the list at the top, and is tested."""
    listed = re.findall(r"\| \[(\w+)\]\(#\1\) \|", (sql_root() / "operator" / "README.md").read_text("utf-8"))
    assert list(SHAPES) == listed == list(RECIPES)
    assert {path.stem for path in FOLDER.glob("*.sql")} == {*SHAPES}


@pytest.mark.parametrize("filler", [50, pytest.param(LARGE, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", SHAPES)
async def test_a_recipe_carries_a_run_to_its_end(bare: str, tmp_path: Path, name: str, filler: int) -> None:
    """The page's SQL makes `check` content, and a run closes exactly the stale rounds, but none that was settled."""
    shape = SHAPES[name]
    install(bare, name, filler)
    async with make_world(bare, tmp_path) as world:
        world.vendor.register(
            Round(SECURE_LOGIN, round_id, user, currency=currency, amount=stake)
            for round_id, (user, _, currency, stake) in shape.stale.items()
        )
        world.dsn = make_conninfo(world.dsn, user=JOB)
        rows = run(
            world.direct,
            "SELECT round_id, user_id, market, currency, stake FROM retention.open_rounds"
            " WHERE opened_at < now() - interval '72 hours'",
        )
        assert sorted((key, *row) for key, row in shape.stale.items()) == sorted(rows)
        first, *others = shape.stale
        assert {*others} == closed_after(world.direct, shape.settle, [first, *others])

        checked = (await world.command("check", "--json")).json["checks"]
        planned = (await world.command("plan", "--json")).json
        ran = await world.command("run")

        assert 2 == len([one for one in checked if "index use" in one["name"]]), checked
        assert [] == [one for one in checked if not one["ok"] or (one.get("warning") and one["name"] != "durability")]
        assert len(shape.stale) == planned["rounds"], planned
        assert 0 == ran.code, ran
        assert sorted(shape.stale) == sorted(row[0] for row in run(world.direct, shape.closed))


@pytest.mark.parametrize("name", ["journal", "second_row"])
async def test_closing_waits_for_a_settlement_by_the_trigger(bare: str, name: str) -> None:
    """Play that may only insert settles a round; a closing meanwhile waits for its commit, and leaves the round out."""
    install(bare, name, 5)
    first, *others = SHAPES[name].stale
    role, table = f"play_of_{name}", {"journal": "transactions"}.get(name, "events")
    run(
        bare,
        f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA casino TO {role}; GRANT INSERT ON casino.{table} TO {role};"
        f" GRANT USAGE ON ALL SEQUENCES IN SCHEMA casino TO {role}",
    )
    try:
        with psycopg.connect(bare) as play, psycopg.connect(bare, autocommit=True) as job:
            play.execute(f"SET LOCAL ROLE {role}; {SHAPES[name].settle}".encode())
            closing = asyncio.create_task(asyncio.to_thread(close, job, [first, *others]))
            while not run(bare, "SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"):
                assert not closing.done()
                await asyncio.sleep(0.01)
            play.commit()
            assert {*others} == await closing
    finally:
        run(bare, f"DROP OWNED BY {role}; DROP ROLE {role}")
