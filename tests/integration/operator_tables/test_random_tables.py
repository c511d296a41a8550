"""Tables of random columns: whatever their names, types and values are, psql runs the proposal or stops where it says."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import bare_database, run
from support.postgres import only_on_our_own
from support.psql import run_script

from retention.core.operator_tables.ids import JournalError
from retention.core.operator_tables.proposal import propose
from retention.core.operator_tables.table_name import TableName
from retention.ledger.database import open_database
from retention.ledger.operator_tables import OperatorTables
from retention.ledger.queries import sql_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = tuple(
    """
    id round_id roundId external_round_id vendor_round_id uuid spin_no user_id player_id vendor_user_id "user" account_id
    partner operator_id brand provider market country jurisdiction_id game_id game_code game state status is_open finished
    closed opened_at started_at created_at "Start\u00a0Time" created timestamp closed_at settled_at ended deleted_at is_deleted
    updated_at last_bet_at currency currency_id stake bet_amount bet_cents amount total_bet bet_tx_id session_id version data
    refund refund_currency type "order" "my\u00a0col"
    """.strip()
    .replace("\n", " ")
    .split(" ")
)

LIKELY = {
    "id": "bigint",
    "state": "text",
    "opened_at": "timestamptz",
    "user_id": "text",
    "market": "text",
    "stake": "numeric",
}
"""The columns of most tables, with their types."""

TYPES = (
    *(
        "text",
        "varchar(32)",
        "char(3)",
        "uuid",
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "numeric(18,0)",
        "money",
        "real",
    ),
    *("float8", "boolean", "timestamptz", "timestamp", "date", "jsonb", "json"),
)

CLOSING = """
WITH o AS MATERIALIZED (SELECT partner, round_id, stake, market FROM retention.open_rounds)
SELECT (SELECT count(*) FROM o)::integer, (
    SELECT count(*) FROM retention.close_rounds(
        ARRAY(SELECT partner FROM o), ARRAY(SELECT round_id FROM o), ARRAY(SELECT now() FROM o), ARRAY(SELECT 'EUR' FROM o),
        ARRAY(SELECT 1.5 FROM o), ARRAY(SELECT 'T' FROM o)))::integer
"""
"""Closes each open round; returns how many there are, and how many were closed."""

STATES = ("open", "Open", "settled", "cancelled", "pending")

WORDS = (
    "open",
    "OPEN",
    "Pending",
    "settled",
    "cancelled",
    "MT",
    "GB",
    "EUR",
    "jpy",
    "acme",
    "other",
    "bet",
    "win",
    "0",
    "1",
)


@pytest.fixture
def bare(postgres: str) -> Iterator[str]:
    """DSN of a database with our schema alone."""
    only_on_our_own()
    with bare_database(postgres, postgres) as dsn:
        yield dsn


def _value(kind: str, chance: random.Random) -> str:
    if kind == "boolean":
        return chance.choice(["true", "false"])
    if kind in {"timestamptz", "timestamp", "date"}:
        return f"now() - interval '{chance.randrange(40)} days'"
    if kind in {"smallint", "integer", "bigint", "numeric", "numeric(18,0)", "money", "real", "float8"}:
        return f"{chance.randrange(5)}::{kind if kind != 'money' else 'numeric::money'}"
    if kind == "uuid":
        return f"md5('{chance.random()}')::uuid"
    if kind in {"json", "jsonb"}:
        return f"""'{{"currency": "EUR", "stake": {chance.randrange(9)}, "market": "MT", "it''s": true}}'"""
    return f"left('{chance.choice(WORDS)}', 3)" if kind == "char(3)" else f"'{chance.choice(WORDS)}'"


def script(chance: random.Random) -> str:
    """A schema `t` with a table of rounds, perhaps with bets and players beside it."""
    names = chance.sample([one for one in NAMES if one], chance.randrange(3, 16))
    names = [*dict.fromkeys((*(one for one in LIKELY if chance.random() < 0.98), *names))]
    kinds = {name: chance.choice(TYPES) for name in names}
    kinds |= {name: kind for name, kind in LIKELY.items() if name in kinds and chance.random() < 0.97}
    columns = [f"{name} {kind}" for name, kind in kinds.items()]
    keyed = kinds.get("id") in {"bigint", "text", "uuid", "integer"}
    partitioned = keyed and kinds.get("opened_at") == "timestamptz" and chance.random() < 0.4
    if keyed:
        columns.append("PRIMARY KEY (id, opened_at)" if partitioned else "PRIMARY KEY (id)")
    by = " PARTITION BY RANGE (opened_at)" if partitioned else ""
    lines = ["CREATE SCHEMA t", f"CREATE TABLE t.rounds ({', '.join(columns)}){by}"]
    if partitioned:
        lines.append("CREATE TABLE t.rounds_all PARTITION OF t.rounds DEFAULT")
    for number in range(8):
        values = [
            {"bigint": str(number), "integer": str(number), "text": f"'i{number}'"}.get(kind, _value(kind, chance))
            if name == "id"
            else f"'{chance.choice(STATES)}'"
            if (name, kind) == ("state", "text")
            else _value(kind, chance)
            for name, kind in kinds.items()
        ]
        lines.append(f"INSERT INTO t.rounds VALUES ({', '.join(values)})")
    if keyed and not partitioned:
        refers = " REFERENCES t.rounds (id)" if chance.random() < 0.5 else ""
        lines.append(
            f"CREATE TABLE t.bets (id bigint, round_id {kinds['id']}{refers}, amount {chance.choice(['integer', 'numeric'])},"
            f" currency text, kind text, placed_at {chance.choice(['timestamp', 'timestamptz'])})"
        )
    if (kind := kinds.get("player_id")) in {"bigint", "integer", "uuid", "text", "smallint"}:
        lines.append(f"CREATE TABLE t.players (id {kind} PRIMARY KEY, country text, external_id text)")
    return "; ".join([*lines, "ANALYZE"])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
async def test_psql_runs_each_proposal_or_stops_at_its_placeholder(bare: str, tmp_path: Path, seed: int) -> None:
    """A proposal without placeholders runs twice; any other stops at one of its own; and no expression fails on a row."""
    chance, ran = random.Random(seed), 0
    roles = (sql_root() / "operator" / "roles.sql").read_text("utf-8")
    for number in range(40):
        schema = script(chance)
        try:
            run(bare, schema)
        except psycopg.errors.UniqueViolation:
            continue
        async with open_database(lambda: bare, size=1) as database:
            facts = await OperatorTables(database).read(
                TableName("t", "rounds", quoted=True), ["acme"], "retention_job"
            )
        try:
            proposal = propose(facts, roles)
        except JournalError:
            run(bare, "DROP SCHEMA t CASCADE")
            continue
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in proposal.files.items():
            (folder / name).write_text(text)
            assert text.count("CASE") == text.count("ELSE"), text
        for _ in range(2):
            done = run_script(make_conninfo(bare), "-f", str(folder / "all.sql"))
            if proposal.stops:
                assert 'ERROR:  column "? ' in done.stderr, (schema, done.stderr)
            else:
                assert 0 == done.returncode, (schema, done.stderr)
        if not proposal.stops:
            ran += 1
            ((rows, closed),) = run(bare, CLOSING)
            assert rows == closed, schema
        run(
            bare,
            "DROP VIEW IF EXISTS retention.open_rounds",
            "DROP FUNCTION IF EXISTS retention.close_rounds",
            "DROP SCHEMA t CASCADE",
        )
    assert ran > 9
