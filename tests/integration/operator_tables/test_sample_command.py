"""`db sample --table` asked badly, on tables that are no tables of rounds, and with values that nobody may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import run
from support.postgres import new_database, only_on_our_own
from support.psql import run_script
from support.world import make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.world import World

TABLES = """
CREATE SCHEMA retention;
CREATE TABLE retention.runs ();
CREATE SCHEMA casino;
CREATE TABLE casino.rounds (
    round_id varchar(36) PRIMARY KEY, vendor_user_id varchar(32) NOT NULL, market text NOT NULL, state text NOT NULL,
    opened_at timestamptz NOT NULL, stake numeric, currency text);
COMMENT ON COLUMN casino.rounds.state IS E'x\n$close$; DROP TABLE casino.rounds; --';
INSERT INTO casino.rounds
SELECT 'secret-round-' || i, 'secret-user-' || i, 'MT', CASE WHEN i < 3 THEN 'open' ELSE E'odd\n$close$; DROP TABLE casino.rounds; --' END,
       now(), 1, 'EUR'
FROM generate_series(1, 9) i;
CREATE TABLE casino.unknowns (a integer PRIMARY KEY, b text);
CREATE TABLE casino.transactions (
    id bigserial PRIMARY KEY, round_id text NOT NULL, player_id integer NOT NULL, type text NOT NULL, amount numeric,
    created_at timestamptz NOT NULL, UNIQUE (round_id, type));
INSERT INTO casino.transactions (round_id, player_id, type, amount, created_at)
SELECT 'r' || i, i, kind, 1, now() FROM generate_series(1, 9) i, unnest(ARRAY['bet', 'win']) kind;
CREATE VIEW casino.all_rounds AS SELECT * FROM casino.rounds;
CREATE MATERIALIZED VIEW casino.old_rounds AS SELECT * FROM casino.rounds;
"""


@pytest.fixture(scope="module")
def operated(postgres: str) -> Iterator[str]:
    """DSN of a database with an operator's tables, and without a schema of ours."""
    only_on_our_own()
    with new_database(postgres, "template0") as name:
        dsn = make_conninfo(postgres, dbname=name)
        run(dsn, TABLES)
        yield dsn


@pytest.fixture
async def asked(operated: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world around that database."""
    async with make_world(operated, tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("casino.round", "this database has no such table; did you mean casino.rounds?"),
        ("public.rounds", "this database has no such table; did you mean casino.rounds?"),
        ("casino.", "write SCHEMA.TABLE"),
        ("a.b.c", "has more than two parts"),
        ('casino."rounds', "with its quotes"),
        ("casino.old_rounds", "a materialized view"),
        ("retention.runs", "a table or view of ours; name your own table of rounds"),
        ("casino.transactions", "several rows of one round (told apart by type)"),
    ],
)
async def test_a_table_that_does_not_do_is_refused_with_its_mend(asked: World, table: str, expected: str) -> None:
    """A name that is wrong, or no table with a row per round, ends with 2 and says how to go on."""
    done = await asked.command("db", "sample", "--table", table)
    assert (2, "") == (done.code, done.out)
    assert expected in done.said


async def test_a_table_that_may_not_be_read_names_role_and_grant(asked: World) -> None:
    """Without the privilege the error names the role, the table and both ways out."""
    run(asked.direct, "DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN")
    asked.dsn = make_conninfo(asked.dsn, user="stranger")
    done = await asked.command("db", "sample", "--table", "casino.rounds")
    assert 2 == done.code
    assert "the role stranger may not read casino.rounds; connect as its owner with [database] owner_dsn" in done.said
    assert "GRANT SELECT ON casino.rounds TO stranger" in done.said


async def test_a_neighbour_that_may_not_be_read_is_named(asked: World) -> None:
    """A proposal that had to do without the players' table says so on stderr."""
    run(
        asked.direct,
        "CREATE TABLE casino.players (id integer PRIMARY KEY, country text)",
        "CREATE TABLE casino.plays (id integer PRIMARY KEY, player_id integer REFERENCES casino.players, state text)",
        "CREATE ROLE reader LOGIN",
        "GRANT USAGE ON SCHEMA casino TO reader",
        "GRANT SELECT ON casino.plays TO reader",
    )
    asked.dsn = make_conninfo(asked.dsn, user="reader")
    done = await asked.command("db", "sample", "--table", "casino.plays")
    assert 0 == done.code
    assert "warning: casino.players: the role reader has no SELECT\n" in done.said
    run(asked.direct, "DROP OWNED BY reader", "DROP ROLE reader")


async def test_nothing_is_written_even_where_the_operator_s_view_would(asked: World) -> None:
    """The transaction only reads: a view with a side effect fails, its values stay unknown, and the proposal says so."""
    run(
        asked.direct,
        "CREATE TABLE casino.reads (at timestamptz)",
        "CREATE FUNCTION casino.note() RETURNS boolean LANGUAGE sql VOLATILE AS"
        " 'INSERT INTO casino.reads VALUES (now()) RETURNING true'",
        "CREATE VIEW casino.noted_rounds AS SELECT *, casino.note() AS noted FROM casino.rounds",
    )
    done = await asked.command("db", "sample", "--table", "casino.noted_rounds")
    assert (0, []) == (done.code, run(asked.direct, "SELECT FROM casino.reads"))
    assert "warning: casino.noted_rounds: its values were not read: cannot execute INSERT in a read-only" in done.said


async def test_no_id_is_shown_and_no_value_leaves_its_comment(asked: World) -> None:
    """States are shown with their counts, ids of players and rounds never; a hostile value stays in its comment."""
    done = await asked.command("db", "sample", "--table", "casino.rounds")
    assert 0 == done.code
    assert "secret-" not in done.out + done.err
    assert "open (2)" in done.out
    lines = done.out.splitlines()
    assert {True} == {line.lstrip().startswith("--") for line in lines if "DROP TABLE" in line}


async def test_psql_stops_at_what_is_unknown(asked: World) -> None:
    """Where nothing tells the user, the state or the time, psql ends at the placeholder and shows its line."""
    done = await asked.command("db", "sample", "--table", "casino.unknowns", "-o", "unknown")
    assert 0 == done.code
    assert "psql stops at" in done.said
    stopped = run_script(asked.direct, "-f", str(asked.folder / "unknown" / "all.sql"))
    assert 3 == stopped.returncode
    assert "open_rounds.sql:" in stopped.stderr
    assert 'column "? market" does not exist' in stopped.stderr
    text = (asked.folder / "unknown" / "open_rounds.sql").read_text()
    assert [] == [
        name for name in ("market", "user_id", "round_id", "opened_at", "open") if f"-- ? {name}:" not in text
    ]


async def test_a_file_is_never_replaced(asked: World) -> None:
    """A second proposal into the same folder is refused, and leaves the files as they were."""
    words = ("db", "sample", "--table", "casino.rounds", "-o", "twice")
    assert 0 == (await asked.command(*words)).code
    (asked.folder / "twice" / "open_rounds.sql").write_text("mine")
    again = await asked.command(*words)
    assert (2, "mine") == (again.code, (asked.folder / "twice" / "open_rounds.sql").read_text())
    assert "open_rounds.sql is there already and is left as it is; name another folder" in again.said
    alone = await asked.command("db", "sample", "-o", "elsewhere")
    assert (2, True) == (alone.code, "-o goes with --table" in alone.said)


async def test_a_view_is_taken_and_says_so(asked: World) -> None:
    """A view with the columns is as good as a table, but for its indexes, which are made below it."""
    done = await asked.command("db", "sample", "--table", "casino.all_rounds")
    assert 0 == done.code
    assert "casino.all_rounds is a view itself" in done.out
    assert "make its indexes on the tables below it" in done.out
    assert "CREATE INDEX" not in done.out
