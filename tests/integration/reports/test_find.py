"""`find` looks an id up as every kind, letter by letter or as a run's first digits, and by an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from retention.ledger.checks.readiness import sequential_scans
from retention.ledger.queries import query
from retention.reports.find import ROUNDS_SHOWN, Found, find_id

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.database import Database

MANY = """
WITH made AS (
    INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, bet_transaction_id)
    SELECT '{run}', 'p' || i %% 3, 'MT', 'U-' || i %% 5000, 'R-' || i, now(), 'T-' || i
    FROM generate_series(1, 60000) i
    RETURNING id
), sent AS (
    INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)
    SELECT gen_random_uuid(), id, '{run}', 'cancel', 'host-1', now() FROM made
)
INSERT INTO retention.other_transactions (transaction_id, cancellation_id) SELECT 'O-' || id, id FROM made
"""

RUNS = """
INSERT INTO retention.runs (run_id, policy, trigger, mode, as_of, requested_by, settings, status, finished_at)
SELECT md5(i::text)::uuid, 'nightly', 'on_demand', 'enforce', now(), 'ann', '{}', 'finished', now()
FROM generate_series(1, 5000) i
"""


def kinds(found: Found) -> list[tuple[str, ...]]:
    """Return the kinds of each found round."""
    return [tuple(one.kinds) for one in found.rounds]


async def test_an_id_is_found_as_every_kind(database: Database, book: Book) -> None:
    """A round, a user, a bet's and a refund's transaction, a request and a run are found, each with its runs."""
    run_id = await book.run()
    id_ = await book.row(run_id, "R-9", user_id="U-9", bet_transaction_id="B-9", transaction_id="B-9")
    uuid = await book.attempt(id_, run_id)
    for given, kind in {
        "R-9": ("round",),
        "U-9": ("user",),
        "B-9": ("bet_transaction", "transaction"),
        str(uuid): ("request",),
        uuid.hex.upper(): ("request",),
    }.items():
        found = await find_id(database, given)
        assert ([kind], [id_], [run_id]) == (kinds(found), [one.id for one in found.rounds], _runs(found)), given
    found = await find_id(database, str(run_id))
    assert ([], [run_id]) == (kinds(found), _runs(found))


@pytest.mark.parametrize("given", ["c0ffee00", "C0FFEE00-1000", "c0ffee001", "{c0ffee00-1000}"])
async def test_a_run_id_may_be_shortened(database: Database, book: Book, given: str) -> None:
    """The first eight digits of a run id find its run, with dashes or without; shared ones find each run."""
    one, other, _ = [
        await book.run(run_id=run_id)
        for run_id in (
            "c0ffee00-1000-4000-8000-000000000001",
            "c0ffee00-2000-4000-8000-000000000002",
            "0a11e1f0-0000-4000-8000-00000000000a",
        )
    ]
    found = await find_id(database, given)
    assert ({one, other} if given == "c0ffee00" else {one}, []) == ({*_runs(found)}, kinds(found))
    assert Found("c0ffee0", [], [], more=False) == await find_id(database, "c0ffee0")


async def test_an_id_may_be_a_round_and_begin_a_run(database: Database, book: Book) -> None:
    """Digits that begin the id of one run and are the id of another run's round find both."""
    planned = await book.run()
    id_ = await book.row(planned, "12345678")
    other = await book.run(run_id="12345678-0000-4000-8000-00000000000a")
    found = await find_id(database, "12345678")
    assert ([id_], {planned, other}) == ([one.id for one in found.rounds], {*_runs(found)})


async def test_an_id_of_several_rounds_has_them_all(database: Database, book: Book) -> None:
    """A round id of two partners and of two runs has each of its rows, the newest first, and one id may be two kinds."""
    first, second = await book.run(), await book.run()
    ids = [
        await book.row(first, "R-1", "rejected", user_id="U-1"),
        await book.row(second, "R-1", user_id="R-1"),
        await book.row(second, "R-1", partner="beta", user_id="U-1"),
    ]
    found = await find_id(database, "R-1")
    assert ids[::-1] == [one.id for one in found.rounds]
    assert [("round",), ("round", "user"), ("round",)] == kinds(found)
    assert {first, second} == {*_runs(found)}


async def test_an_adopted_doubt_names_the_run_that_settles_it(database: Database, book: Book) -> None:
    """The run that adopted a found round is listed beside the run that planned it."""
    planned, adopted = await book.run(), await book.run()
    await book.row(planned, "R-1", "in_doubt", adopted_by_run=adopted)
    assert {planned, adopted} == {*_runs(await find_id(database, "R-1"))}


@pytest.mark.parametrize("given", ["R-1%", "r-1", "R-1 ", "' OR true --", "R\\1", "\u202e", "%(given)s"])
async def test_an_id_is_compared_letter_by_letter(database: Database, book: Book, given: str) -> None:
    """An id may contain anything: no sign of it is a pattern, and no other spelling is found."""
    await book.row(await book.run(), "R-1")
    assert Found(given, [], [], more=False) == await find_id(database, given)
    await book.row(await book.run(), given)
    assert [("round",)] == kinds(await find_id(database, given))


async def test_a_user_with_more_rounds_than_shown(database: Database, book: Book) -> None:
    """Of more rounds than are shown, the newest are found, and the result says that there are more."""
    run_id = await book.run()
    await book.all(MANY.format(run=run_id).replace("5000", "2"))
    found = await find_id(database, "U-1")
    assert (ROUNDS_SHOWN, True) == (len(found.rounds), found.more)
    assert ["R-59999", "R-59997"] == [one.round_id for one in found.rounds[:2]]


async def test_every_kind_is_found_by_an_index(database: Database, book: Book) -> None:
    """Among 60,000 rounds, no kind of id makes the search read a table from end to end."""
    run_id = await book.run()
    await book.all(MANY.format(run=run_id))
    await book.all("ANALYZE")
    values: dict[str, Any] = {"given": "R-17", "uuid": uuid4(), "limit": 1001}
    async with database.connection() as connection:
        cursor = await connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) " + query("reports/find_rounds"), values)
        [[[plan]]] = await cursor.fetchall()
    empty = {name for (name,) in await book.all("SELECT relname FROM pg_class WHERE reltuples = 0")}
    assert set() == {name for _, name in sequential_scans(plan["Plan"])} - {"runs"} - empty


async def test_a_shortened_run_id_is_found_by_the_key(database: Database, book: Book) -> None:
    """Among 5,000 runs, neither a whole run id nor its first digits make the search read all of them."""
    await book.all(RUNS)
    await book.all("ANALYZE")
    low, high = UUID("c4ca4238" + 24 * "0"), UUID("c4ca4238" + 24 * "f")
    values: dict[str, Any] = {"run_ids": [uuid4()], "lowest": low, "highest": high}
    async with database.connection() as connection:
        cursor = await connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) " + query("reports/find_runs"), values)
        [[[plan]]] = await cursor.fetchall()
    assert [] == [*sequential_scans(plan["Plan"])]


def _runs(found: Found) -> list[UUID]:
    return [one.run_id for one in found.runs]
