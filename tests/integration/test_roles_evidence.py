"""The job's login closes rounds again, and the reporting login makes reports, each with its own privileges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import run
from support.role_database import guarded_database

from retention.ledger.database import open_database
from retention.ledger.review import Review
from retention.reports.read import read_report
from retention.reports.report import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = """
INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, finished_at)
VALUES ('00000000-0000-0000-0000-000000000001', 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'finished', now());
INSERT INTO retention.cancellations
    (run_id, partner, market, user_id, round_id, opened_at, state, settled_at, attempts, conflict)
SELECT '00000000-0000-0000-0000-000000000001', partner, market, user_id, round_id, opened_at, v.state,
       CASE WHEN v.state = 'cancelled' THEN now() - interval '1 day' END, 1, v.state = 'cancelled'
FROM retention.open_rounds, (VALUES ('cancelled')) AS v (state);
"""


@pytest.fixture
def owned(postgres: str) -> Iterator[str]:
    with guarded_database(postgres) as dsn:
        run(dsn, SEED)
        yield dsn


async def test_each_login_does_its_own_part_alone(owned: str) -> None:
    """`review reclose` closes the round by the job's own login; a report of a period is made by the other one."""
    job, reporter = (make_conninfo(owned, user=role) for role in ("retention_job", "retention_report"))
    async with open_database(lambda: job) as database:
        (done,) = await Review(database).reclose_rounds(None, "ann")
    assert ("R-1", True, None) == (done.round_id, done.closed, done.why)
    assert [("cancelled",)] == run(owned, "SELECT state FROM casino.game_rounds WHERE vendor_round_id = 'R-1'")
    async with (
        open_database(lambda: reporter) as database,
        read_report(database, Selection(end=datetime.now(UTC))) as report,
    ):
        assert ["R-1"] == [item.round_id async for item in report.rows]
