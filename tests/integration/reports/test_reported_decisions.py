"""The decisions of people in a report, from rows written directly: old ledgers, periods and filters."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb
from support.ledger import SETTLED
from support.postgres import new_database

from retention.ledger.database import open_database
from retention.ledger.migrations import migrations
from retention.reports.read import read_report
from retention.reports.report import Kind, Selection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.ledger import Book

    from retention.ledger.database import Database
    from retention.reports.kinds.decisions import Decision

HOUR = timedelta(hours=1)

OLD = """
INSERT INTO retention.runs
    (run_id, policy, trigger, mode, as_of, requested_by, reason, evidence, overrides, settings, status, halt_reason,
     finished_at)
VALUES ('00000000-0000-0000-0000-000000000001', 'nightly', 'targeted', 'enforce', '2025-01-01Z', 'ann', 'asked', 'T-7',
        '[{"rail": "max_rounds", "text": "agreed", "by": "eve", "at": "2025-01-01T01:00:00.000001Z"}]', '{}',
        'cancelled', 'closed by jo: not today', '2025-01-02Z');
INSERT INTO retention.cancellations
    (run_id, partner, market, user_id, round_id, opened_at, state, settled_at, attempts, resolved_as, resolved_by,
     resolved_note, resolved_at, resolved_from)
VALUES ('00000000-0000-0000-0000-000000000001', 'acme', 'MT', 'U', 'R-1', now(), 'resolved', now(), 1, 'rejected',
        'fay', 'it says so; before: not_sent by fay at 2025-01-02T00:00:00Z: a guess', '2025-01-03Z', 'in_doubt');
INSERT INTO retention.holds (market, reason, created_by, created_at, released_at, released_by)
VALUES ('MT', 'a dispute', 'hal', '2025-01-04Z', '2025-01-05Z', 'hew');
INSERT INTO retention.pauses (reason, paused_by, paused_at, resumed_by, resumed_at)
VALUES ('stop', 'pia', '2025-01-06Z', 'rex', '2025-01-07Z');
"""


async def read(database: Database, **selected: Any) -> list[Decision]:
    """Read the decisions of a report, whose totals count them."""
    async with read_report(database, Selection(kind=Kind.DECISIONS, **selected)) as report:
        found = [item async for item in report.rows]
        assert len(found) == report.count == sum(total.count for total in report.totals)
        return found


@pytest.fixture
async def old_ledger(postgres: str) -> AsyncIterator[Database]:
    """Yield a ledger with the decisions of the first version, and all later migrations."""
    with new_database(postgres, "template0") as name:
        dsn = make_conninfo(postgres, dbname=name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA retention")
            first, *later = migrations()
            for text in (first.text, OLD, *(one.text for one in later)):
                connection.execute(text)
        async with open_database(lambda: dsn) as database:
            yield database


async def test_a_ledger_of_the_first_version_lists_the_decisions_of_its_tables(old_ledger: Database) -> None:
    """Without any evidence, each decision of the tables is listed once, with its words."""
    assert [
        ("requested", "ann", "asked", "evidence T-7"),
        ("overridden", "eve", "agreed", "rail max_rounds"),
        ("closed", None, "closed by jo: not today", None),
        (
            "resolved",
            "fay",
            "it says so; before: not_sent by fay at 2025-01-02T00:00:00Z: a guess",
            "in_doubt -> rejected",
        ),
        ("held", "hal", "a dispute", None),
        ("released", "hew", None, None),
        ("paused", "pia", "stop", None),
        ("resumed", "rex", None, None),
    ] == [(one.decision, one.by, one.words, one.detail) for one in await read(old_ledger)]


async def test_an_empty_ledger_has_no_decisions(database: Database) -> None:
    """A report of an empty ledger has no decisions and no totals."""
    assert [] == await read(database)


async def test_filters_leave_out_what_has_another_fact(database: Database, book: Book) -> None:
    """A decision without a market, policy or run is listed unless the filter can exclude it."""
    run = await book.run(reason="of MT")
    await book.row(run)
    other = await book.run(policy="other", reason="of SE")
    await book.row(other, "R-2", market="SE")
    await book.run(mode="dry_run", reason="a trial")
    await book.run(trigger="schedule", scheduled_for=SETTLED, reason="nobody's")
    holds = (
        "INSERT INTO retention.holds (market, round_id, reason, created_by, created_at) VALUES (%s, %s, %s, 'b', %s)"
    )
    await book.all(holds, "MT", None, "a hold of MT", SETTLED)
    await book.all(holds, None, "R-9", "a hold of any", SETTLED + 9 * HOUR)
    await book.all(
        "INSERT INTO retention.pauses (reason, paused_by, paused_at) VALUES ('a pause', 'c', %s)", SETTLED - 9 * HOUR
    )

    async def words(**selected: Any) -> set[str | None]:
        return {one.words for one in await read(database, **selected)}

    everything = {"of MT", "of SE", "a hold of MT", "a hold of any", "a pause"}
    assert everything == await words()
    assert everything - {"of SE"} == await words(markets=("MT",))
    assert everything - {"of MT"} == await words(policies=("other",))
    assert {"of MT", "a hold of MT", "a pause"} == await words(run_id=run)
    assert {"a hold of MT", "of MT", "of SE"} == await words(start=SETTLED - HOUR, end=SETTLED + HOUR)
    assert {"of MT", "of SE"} == await words(start=SETTLED - HOUR, end=SETTLED)


async def test_a_named_round_with_winnings_tells_it(database: Database, book: Book) -> None:
    """A request that cancels rounds in spite of winnings says so beside its evidence."""
    settings = Jsonb({"named": {"rounds": 1, "despite_winnings": True}})
    await book.run(trigger="targeted", evidence="T-7", settings=settings)

    assert ["evidence T-7; despite winnings"] == [one.detail for one in await read(database)]
