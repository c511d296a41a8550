"""Migrations of our own schema: numbered SQL files, each applied once, all pending files in one transaction.

Migrations are forty lines of our own. Tools that run plain SQL keep a lock row, which a killed process leaves behind,
or need tables in `public`. A transaction-level advisory lock works through PgBouncer, and a killed migration leaves
nothing.

A ledger may be migrated while runs are at work. All its tables that they write are locked first, and for no longer than
`LOCK_TIMEOUT` a try, since claims queue behind a lock that waits. Between two tries the claims go on.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

import psycopg

from retention.errors import SchemaError
from retention.ledger.database_errors import BusyError
from retention.ledger.queries import sql_root
from retention.ledger.server_kind import encoding_problem

if TYPE_CHECKING:
    from datetime import datetime

    from retention.ledger.database import Database

UNRELEASED = "de46f4836a5b4e7a5fe5ecb0b98330f51e92aaf58e3d8072c9bd2337643ea6ee"
"""Checksum of the first migration in ledgers that are older than 0.1.0. No version can update those."""

LOCK_TIMEOUT = "2s"
"""How long a try waits for a lock: far shorter than a lease, since nobody extends one meanwhile."""

LOCK_TRIES = 30
"""Tries to lock a ledger at work before `migrate` gives up."""

PAUSE_S = 0.5
"""Seconds between two tries, in which the processes at work go on."""

LOCK = 7_368_742_101  # any number, as long as every version of this program uses the same


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of sql/migrations/."""

    number: int
    name: str
    text: LiteralString

    @property
    def checksum(self) -> str:
        """The SHA-256 of the file, which shows whether the applied file has changed."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """A migration, and when it was applied; None if it is pending."""

    migration: Migration
    applied_at: datetime | None


@functools.cache
def migrations() -> list[Migration]:
    """All migrations of this version, in order."""
    files = sorted((sql_root() / "migrations").iterdir(), key=lambda file: file.name)
    return [
        Migration(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in files
        if file.name.endswith(".sql")
    ]


async def status(database: Database) -> list[MigrationStatus]:
    """List the migrations with their times. Raises SchemaError if the schema is not this version's."""
    async with database.connection() as connection:
        return await _status(connection)


async def migrate(database: Database, tries: int = LOCK_TRIES) -> list[Migration]:
    """Apply all pending migrations or none; returns them. Two processes may run it at the same time.

    Raises SchemaError where the role may not, the schema is another version's, or its tables stay locked by others.
    """
    for left in reversed(range(tries)):
        try:
            async with database.connection() as connection:
                return await _apply_pending(connection)
        except (BusyError, psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if not left:
                raise SchemaError(
                    f"db migrate: other sessions lock the ledger's tables, also at the last of {tries} tries; nothing"
                    " is changed: end them (pg_stat_activity shows them), or wait until they are done"
                ) from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise SchemaError(
                f"db migrate: {error.diag.message_primary}; run it as a role that has CREATE on this database",
            ) from None
        await asyncio.sleep(PAUSE_S)
    raise AssertionError


async def _apply_pending(connection: psycopg.AsyncConnection[object]) -> list[Migration]:
    """Apply all pending migrations in one transaction; returns them."""
    if problem := encoding_problem(connection.info.parameter_status("server_encoding") or "UTF8"):
        raise SchemaError(f"db migrate: {problem}; nothing is changed")
    async with connection.transaction():
        # A transaction-level lock works through PgBouncer, and a killed migration leaves no lock.
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        await connection.execute("CREATE SCHEMA IF NOT EXISTS retention")
        await connection.execute(TABLE)
        pending = [item.migration for item in await _status(connection) if item.applied_at is None]
        if pending and pending[0].number > 1:
            await connection.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT])
            await connection.execute(LOCKS)
        for migration in pending:
            await connection.execute(migration.text)
            await connection.execute(
                "INSERT INTO retention.schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
                [migration.number, migration.name, migration.checksum],
            )
    return pending


async def require_current(database: Database) -> None:
    """Raise SchemaError unless every migration of this version is applied."""
    pending = [item.migration.name for item in await status(database) if item.applied_at is None]
    if pending:
        raise SchemaError(f"the schema lacks {', '.join(pending)}; run `retention db migrate`")


LOCKS: LiteralString = """
LOCK TABLE retention.runs, retention.cancellations, retention.attempts, retention.partner_state, retention.holds,
    retention.pauses, retention.schedules, retention.notifications, retention.deliveries IN ACCESS EXCLUSIVE MODE"""
"""Locks what processes at work write, in the order in which their statements do."""

TABLE: LiteralString = """
CREATE TABLE IF NOT EXISTS retention.schema_migrations (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    checksum    text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)"""


async def _status(connection: psycopg.AsyncConnection[object]) -> list[MigrationStatus]:
    known = migrations()
    try:
        row = await (
            await connection.execute("SELECT to_regclass('retention.schema_migrations') IS NOT NULL AS there")
        ).fetchone()
        if not getattr(row, "there", False):
            return [MigrationStatus(migration, None) for migration in known]
        cursor = await connection.execute("SELECT number, name, checksum, applied_at FROM retention.schema_migrations")
    except psycopg.errors.InsufficientPrivilege as error:
        mend = "GRANT USAGE ON SCHEMA retention and SELECT ON retention.schema_migrations to this role"
        raise SchemaError(f"{error.diag.message_primary}; {mend}: sql/operator/roles.sql does") from None
    applied = {getattr(item, "number"): item for item in await cursor.fetchall()}  # noqa: B009 - rows are named tuples
    if any(getattr(item, "checksum", None) == UNRELEASED for item in applied.values()):
        raise SchemaError(
            "the ledger is older than 0.1.0, and no version can update it: keep a copy (pg_dump --schema=retention),"
            " DROP SCHEMA retention CASCADE, then run `retention db migrate` and what `retention db sample` prints"
        )
    numbers = {migration.number for migration in known}
    unknown = sorted(number for number in applied if number not in numbers)
    if unknown:
        raise SchemaError(
            f"the schema has migration {unknown[-1]:04}, which this version does not know; install a newer one"
        )
    standings = []
    for migration in known:
        row = applied.get(migration.number)
        if row is not None and getattr(row, "checksum", None) != migration.checksum:
            raise SchemaError(
                f"migration {migration.name} is applied, but as another text than this version's; restore the file",
            )
        standings.append(MigrationStatus(migration, getattr(row, "applied_at", None)))
    return standings
