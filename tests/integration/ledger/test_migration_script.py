"""The script of `db migrate --sql` makes the schema that `db migrate` makes."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import bare_database, run
from support.described import DESCRIBED
from support.postgres import new_database
from support.psql import run_script

from retention.ledger.database import open_database
from retention.ledger.migration_script import migration_script
from retention.ledger.migrations import TABLE, migrate, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def migrated(postgres: str) -> Iterator[list[object]]:
    """The schema that `db migrate` makes."""
    with bare_database(postgres, postgres) as dsn:
        yield run(dsn, DESCRIBED)


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    """DSN of a database without our schema."""
    with ExitStack() as stack:
        name = stack.enter_context(new_database(postgres, "template0"))
        yield make_conninfo(postgres, dbname=name)


def migrate_first(dsn: str, count: int) -> None:
    """Make the ledger that an earlier version leaves: only the first `count` migrations are applied."""
    run(dsn, "CREATE SCHEMA retention", TABLE)
    for one in migrations()[:count]:
        row = f"({one.number}, '{one.name}', '{one.checksum}')"
        run(dsn, one.text, f"INSERT INTO retention.schema_migrations (number, name, checksum) VALUES {row}")


@pytest.mark.parametrize("applied", [0, 1, len(migrations()) - 1])
def test_the_script_makes_the_schema_of_db_migrate(empty: str, migrated: list[object], applied: int) -> None:
    """From nothing and from an earlier version, psql makes exactly the schema of `db migrate`; a second time it changes
    nothing, and `db migrate` has nothing left to do.
    """
    if applied:
        migrate_first(empty, applied)
    for names in ([one.name for one in migrations()[applied:]], []):
        done = run_script(empty, script=migration_script())
        assert (0, "", [f"applied {name}" for name in names]) == (
            done.returncode,
            done.stderr,
            done.stdout.split("\n")[:-1],
        )
        assert migrated == run(empty, DESCRIBED)
    assert [] == asyncio.run(_migrate(empty))


async def _migrate(dsn: str) -> list[object]:
    async with open_database(lambda: dsn, size=1) as database:
        return [*await migrate(database)]


def test_a_failing_migration_leaves_nothing(empty: str) -> None:
    """A migration that fails leaves the database as it was, without a schema of ours."""
    broken = migration_script().replace("\nCOMMIT;", "\nSELECT 1 / 0;\nCOMMIT;")
    done = run_script(empty, script=broken)
    assert (3, True) == (done.returncode, "division by zero" in done.stderr)
    assert [] == run(empty, "SELECT FROM pg_namespace WHERE nspname = 'retention'")


@pytest.mark.parametrize("change", ["number = 9000", "checksum = 'another'"])
def test_the_script_leaves_an_unknown_schema_alone(empty: str, change: str) -> None:
    """A schema of a newer version, or with another text of a migration, is refused by name and left as it is."""
    assert run_script(empty, script=migration_script()).returncode == 0
    last = migrations()[-1]
    run(empty, f"UPDATE retention.schema_migrations SET {change} WHERE number = {last.number}")
    before = run(empty, DESCRIBED)
    done = run_script(empty, script=migration_script())
    assert (3, True) == (done.returncode, f"({last.name}) is applied, and this version does not know it" in done.stderr)
    assert before == run(empty, DESCRIBED)
