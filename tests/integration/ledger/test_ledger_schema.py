"""The ledger's schema: updates that leave the indexes alone, one live row for each round, and ledgers from before
0.1.0.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from support.bare_database import TERMS, begin, cancelled
from support.ledger import Book

from retention.core.model import Kind
from retention.errors import SchemaError
from retention.ledger import migrations
from retention.ledger.database import open_database

if TYPE_CHECKING:
    from support.world import World

    from retention.ledger.database import Database

ROUNDS = 300
"""Rounds of several pages, so that a page has to hold a batch's claims before it holds their settlements."""

COUNTED = """
SELECT sum(n_tup_upd)::integer AS updates, sum(n_tup_hot_upd)::integer AS hot FROM pg_stat_user_tables
WHERE schemaname = 'retention' AND starts_with(relname, 'cancellations')
"""

TAKE: LiteralString = """
INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, state, settled_at)
SELECT run_id, partner, market, user_id, round_id, opened_at, %s, CASE WHEN %s = 'not_sent' THEN now() END
FROM retention.cancellations WHERE id = %s
RETURNING holds_round
"""


async def test_claim_and_settle_updates_stay_hot(world: World) -> None:
    """A run's claims and settlements add no index entry: the server counts each of their updates as HOT."""
    await world.seed(ROUNDS)
    async with open_database(lambda: world.direct) as database:
        planned = await begin(database)
        after = 0
        while claims := (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=after, batch=100)).claims:
            await planned.work.settlements.settle_replies(cancelled(claims))
            after = claims[-1].cancellation_id
    counted = (0, 0)
    while counted[0] < 2 * ROUNDS:  # the server counts a connection's updates once it has ended
        await asyncio.sleep(0.05)
        ((*counted,),) = await world.sql(COUNTED)
    assert [2 * ROUNDS, 2 * ROUNDS] == [*counted]
    assert {"cancelled"} == {*(await world.states()).values()}


@pytest.mark.parametrize(
    ("state", "columns", "taken"),
    [
        ("planned", {}, True),
        ("cancelled", {}, True),
        ("rejected", {}, False),
        ("resolved", {"resolved_as": "cancelled"}, True),
        ("resolved", {"resolved_as": "rejected"}, False),
    ],
)
async def test_a_round_has_one_row_that_is_live_or_cancelled(
    database: Database, state: str, columns: dict[str, str], taken: bool
) -> None:
    """A second plan skips a round that a row holds, and plans it where no row holds it."""
    book = Book(database)
    row = await book.row(await book.run(), state=state, **columns)
    assert [(False,)] == await book.all(TAKE, "not_sent", "not_sent", row)
    assert ([] if taken else [(True,)]) == await book.all(TAKE, "planned", "planned", row)


async def test_a_row_that_is_resolved_frees_its_round_or_holds_it(database: Database) -> None:
    """`holds_round` follows state and resolution by itself, and no statement can write it."""
    book = Book(database)
    row = await book.row(await book.run(), state="cancelled")
    await book.all(
        "UPDATE retention.cancellations SET state = 'resolved', resolved_as = 'rejected', resolved_from = 'cancelled',"
        " resolved_by = 'ann', resolved_note = 'x', resolved_at = now() WHERE id = %s",
        row,
    )
    assert [(False,)] == await book.all("SELECT holds_round FROM retention.cancellations WHERE id = %s", row)
    with pytest.raises(psycopg.errors.GeneratedAlways):
        await book.all("UPDATE retention.cancellations SET holds_round = true WHERE id = %s", row)


async def test_a_ledger_from_before_0_1_0_is_refused_with_its_mend(database: Database) -> None:
    """A schema that the first, unreleased migrations made is neither used nor changed, and the error names the mend."""
    book = Book(database)
    await book.all("UPDATE retention.schema_migrations SET checksum = %s WHERE number = 1", migrations.UNRELEASED)
    await book.all(
        "INSERT INTO retention.schema_migrations (number, name, checksum) VALUES (99, '0099_stuck_runs', '')"
    )
    for act in (migrations.status, migrations.migrate, migrations.require_current):
        with pytest.raises(SchemaError, match=r"older than 0\.1\.0.*DROP SCHEMA retention CASCADE.*db migrate"):
            await act(database)


async def test_a_migration_of_another_text_is_refused(database: Database) -> None:
    """A migration that was edited after it was applied is named, with its mend."""
    await Book(database).all("UPDATE retention.schema_migrations SET checksum = 'another'")
    with pytest.raises(SchemaError, match=r"0001_ledger is applied, but as another text.*restore the file"):
        await migrations.status(database)
