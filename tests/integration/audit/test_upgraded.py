"""`audit verify` of a ledger whose first version kept no evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.postgres import new_database

from retention.audit.verify import RowSelection, verify_evidence
from retention.core.evidence.audit_findings import FindingKind
from retention.ledger.database import open_database
from retention.ledger.migrations import migrate, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLD_ROWS = """
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, as_of, requested_by, settings, status, started_at, finished_at)
VALUES ('11111111-1111-4111-8111-111111111111', 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'finished',
        now(), now());
INSERT INTO retention.cancellations
    (run_id, partner, market, user_id, round_id, opened_at, state, settled_at, attempts)
SELECT run_id, 'acme', 'MT', 'U-1', 'R-1', now(), 'rejected', now(), 1 FROM retention.runs;
INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at, outcome)
SELECT gen_random_uuid(), id, run_id, 'cancel', 'host-1', now(), 'rejected' FROM retention.cancellations;
INSERT INTO retention.holds (market, reason, created_by) VALUES ('MT', 'complaint', 'ann');
INSERT INTO retention.pauses (reason, paused_by) VALUES ('fire', 'ann');
"""


@pytest.fixture
def old_ledger(postgres: str) -> Iterator[str]:
    """Yield the DSN of a ledger of the first version, with a row of each kind."""
    with new_database(postgres, "template0") as name:
        dsn = make_conninfo(postgres, dbname=name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA retention")
            connection.execute(
                "CREATE TABLE retention.schema_migrations (number integer PRIMARY KEY, name text NOT NULL,"
                " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            first = migrations()[0]
            connection.execute(first.text)
            connection.execute(
                "INSERT INTO retention.schema_migrations (number, name, checksum) VALUES (%s, %s, %s)",
                [first.number, first.name, first.checksum],
            )
            connection.execute(_OLD_ROWS.encode())
        yield dsn


async def test_old_rows_are_counted_and_new_ones_need_evidence(old_ledger: str) -> None:
    """Rows that are older than the evidence are no finding and are counted; a later row without evidence is one."""
    async with open_database(lambda: old_ledger, size=1) as database:
        await migrate(database)
        result = await verify_evidence(database, RowSelection(), {})
        each = {"runs": 1, "cancellations": 1, "attempts": 1, "holds": 1, "pauses": 1}
        assert ([], each) == (result.findings.kept, result.exempt)
        assert result.kept_since is not None
        with psycopg.connect(old_ledger) as connection:
            connection.execute("INSERT INTO retention.holds (market, reason, created_by) VALUES ('SE', 'x', 'eve')")
        result = await verify_evidence(database, RowSelection(), {})
        assert [(FindingKind.ROW_UNRECORDED, "holds", "2")] == [
            (one.kind, one.table, one.id) for one in result.findings.kept
        ]
