"""A ledger of version 0.1.0 has, after its migration, the values that later statements rely on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.postgres import new_database
from support.totals import wrong_totals

from retention.ledger.migrations import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS = """
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, as_of, requested_by, settings, status, halt_reason, finished_at, unwritten_plan)
VALUES ('00000000-0000-0000-0000-000000000001', 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'finished',
        NULL, now(), NULL),
       ('00000000-0000-0000-0000-000000000002', 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'halted',
        'max_rounds: 9', NULL, '{"rounds": 9}')
"""

ROWS = """
INSERT INTO retention.cancellations
    (run_id, partner, market, user_id, round_id, opened_at, state, settled_at, attempts, bet_transaction_id,
     transaction_id)
SELECT '00000000-0000-0000-0000-000000000001', 'acme', 'MT', 'U', 'R-' || i, now(), 'cancelled', now(), 1,
       CASE WHEN i < 3 THEN 'T-1' END, 'T-' || i
FROM generate_series(1, 3) i
"""


@pytest.fixture
def migrated(postgres: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Yield a connection to a ledger with rows of 0.1.0 and all later migrations."""
    with (
        new_database(postgres, "template0") as name,
        psycopg.connect(make_conninfo(postgres, dbname=name), autocommit=True) as connection,
    ):
        connection.execute("CREATE SCHEMA retention")
        first, *later = migrations()
        for text in (first.text, RUNS, ROWS, *(one.text for one in later)):
            connection.execute(text)
        yield connection


def test_plans_have_their_sizes_and_refunds_their_transactions(
    migrated: psycopg.Connection[tuple[object, ...]],
) -> None:
    """A written plan has its size, an unwritten one none; refunds under another transaction than the bet's have a row."""
    sizes = migrated.execute("SELECT planned_rounds FROM retention.runs ORDER BY run_id").fetchall()
    assert [(3,), (None,)] == sizes
    found = migrated.execute("SELECT transaction_id FROM retention.other_transactions ORDER BY 1").fetchall()
    assert [("T-2",), ("T-3",)] == found


def test_totals_begin_with_the_rows_that_are_there(migrated: psycopg.Connection[tuple[object, ...]]) -> None:
    """A migrated ledger has the totals of all its rows, and counts what comes after."""
    assert [(3,)] == migrated.execute("SELECT sum(rounds) FROM retention.run_totals").fetchall()
    migrated.execute("UPDATE retention.cancellations SET amount = 2.50, currency = 'EUR' WHERE round_id = 'R-1'")
    assert [] == wrong_totals(migrated.info.dsn)
