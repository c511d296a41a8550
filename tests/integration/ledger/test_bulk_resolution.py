"""Many resolutions at once in a real ledger: all or none, with evidence, and again after a newer finding."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from support.ledger import SETTLED

from retention.core.evidence.resolutions import Resolution
from retention.core.model import ReviewWhy, State
from retention.errors import UsageError
from retention.ledger.queries import query
from retention.ledger.review import REFUSALS_SHOWN, Review

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.ledger import Book

    from retention.ledger.database import Database
    from retention.ledger.reclosing import Reclosed

NOTE = "the wallet has it"
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def review(database: Database) -> Review:
    return Review(database)


def decided(ids: Sequence[int], as_state: str = "cancelled", note: str = NOTE) -> list[Resolution]:
    """The same decision about several cancellations."""
    return [Resolution(one, State(as_state), note) for one in ids]


async def resolve(review: Review, decisions: Sequence[Resolution], by: str = "ann") -> Sequence[Reclosed]:
    """Resolve, and close the rounds."""
    return await review.close_resolved(await review.resolve_cancellations(decisions, by), by)


async def listed(review: Review) -> dict[str, tuple[ReviewWhy, ...]]:
    """The codes of each listed round."""
    return {item.round_id: item.why for item in await review.list_review({"acme": 3})}


async def entries(book: Book, kind: str) -> list[Any]:
    """The evidence of a kind: each entry's body."""
    rows = await book.all("SELECT body FROM retention.evidence WHERE kind = %s ORDER BY entry_id", kind)
    return [json.loads(row.body) for row in rows]


async def test_many_rows_of_two_runs_are_resolved_at_once(review: Review, book: Book) -> None:
    """All leave the list, each with its own state and note; their rounds are closed at the operator's."""
    run, other = await book.run(), await book.run()
    doubts = [await book.row(run, f"d{nth}", "in_doubt") for nth in range(150)]
    refused = [await book.row(other, f"r{nth}", "rejected") for nth in range(5)]
    for nth in range(150):
        await book.open_round(f"d{nth}")
    reclosed = await resolve(review, [*decided(doubts), *decided(refused, "rejected", "it is gone")])

    assert (150, {True}) == (len(reclosed), {one.closed for one in reclosed})
    assert {} == await listed(review)
    assert [] == await book.all("SELECT FROM retention.open_rounds")
    assert {("cancelled", "ann", NOTE, 150), ("rejected", "ann", "it is gone", 5)} == set(
        await book.all(
            "SELECT resolved_as, resolved_by, resolved_note, count(*) FROM retention.cancellations GROUP BY 1, 2, 3"
        )
    )


async def test_the_evidence_of_a_batch_has_every_row_and_a_digest(review: Review, book: Book) -> None:
    """The entries of a batch name each row with its new hash, its author, and the digest of all ids; no user."""
    run, other = await book.run(), await book.run()
    ids = [await book.row(run, "a", "in_doubt"), await book.row(other, "b", "rejected", user_id="U-SECRET")]
    await resolve(review, decided(ids, "not_sent"))
    digest = hashlib.sha256("".join(f"{one}\n" for one in sorted(ids)).encode()).hexdigest()
    found = await entries(book, "resolved")

    assert {str(run): [str(ids[0])], str(other): [str(ids[1])]} == {
        entry["run"]: list(entry["rows"]["cancellation"]) for entry in found
    }
    facts = {"by": "ann", "as": "not_sent", "note": NOTE, "rows": 2, "ids_sha256": digest}
    assert [facts, facts] == [entry["facts"] for entry in found]
    assert "U-SECRET" not in json.dumps(found)
    hashes = {key: value for entry in found for key, value in entry["rows"]["cancellation"].items()}
    assert {str(row.id): row.hash for row in await newest(book)} == hashes


async def newest(book: Book) -> list[Any]:
    """The hash of each cancellation as it stands."""
    leaf = query("shared/cancellation_leaf").partition("\n")[2]
    return await book.all(f"SELECT c.id, {leaf} AS hash FROM retention.cancellations c, retention.ledger_key k")


async def test_the_newest_evidence_is_that_of_the_closed_row(review: Review, book: Book) -> None:
    """Reclosing changes the row once more, and leaves its own entry with the person's name."""
    row = await book.row(await book.run(), "open", "in_doubt")
    await book.open_round("open")
    await resolve(review, decided([row]))
    (resolved,), (reclosed,) = await entries(book, "resolved"), await entries(book, "reclosed")

    assert {"by": "ann", "as": "cancelled", "note": NOTE} == resolved["facts"]
    assert {"by": "ann", "after": "resolved"} == reclosed["facts"]
    assert [(row, reclosed["rows"]["cancellation"][str(row)])] == await newest(book)


async def test_one_refusal_keeps_all_from_being_resolved(review: Review, book: Book) -> None:
    """If one cannot be resolved, none is: each refusal is named, and neither ledger nor evidence changes."""
    run = await book.run()
    good = [await book.row(run, f"g{nth}", "in_doubt") for nth in range(3)]
    bad = [await book.row(run, f"b{nth}") for nth in range(REFUSALS_SHOWN + 5)]
    with pytest.raises(UsageError) as refused:
        await resolve(review, decided([*good, *bad], "rejected"))

    assert REFUSALS_SHOWN == str(refused.value).count("is confirmed by the vendor")
    assert str(refused.value).endswith("and 5 more")
    assert 3 == len(await listed(review))
    assert [] == await entries(book, "resolved")


async def test_discrepancies_are_judged_in_one_go(review: Review, book: Book) -> None:
    """420 cancelled rounds with a discrepancy are resolved as cancelled.

    What was closed at the operator's then is not closed again.
    """
    run = await book.run()
    ids = [await book.row(run, f"r{nth}", amount=90) for nth in range(420)]
    assert [] == await resolve(review, decided(ids))
    (row,) = await book.all(
        "SELECT count(*) AS rows, min(resolved_from) AS before, bool_or(conflict) AS conflict, min(detail) AS detail,"
        " max(settled_at) AS settled_at FROM retention.cancellations WHERE resolved_as = 'cancelled'"
    )

    assert (420, "cancelled", False, None, SETTLED) == (*row,)
    assert {} == await listed(review)


async def test_a_resolution_judges_the_findings_of_its_row_alone(review: Review, book: Book) -> None:
    """The findings of a resolved cancellation need no person any more; those of others stay open."""
    run = await book.run()
    paid, unpaid = await book.row(run, "paid"), await book.row(run, "unpaid")
    for row in (paid, unpaid):
        await book.finding(row, "refund_missing")
        await book.finding(row, "open_at_vendor")
    assert 2 == len(await listed(review))
    await resolve(review, decided([paid]))

    assert {"unpaid": (ReviewWhy.REFUND_MISSING, ReviewWhy.FINDING)} == await listed(review)
    assert [(paid, True), (unpaid, False)] == await book.all(
        "SELECT DISTINCT cancellation_id, resolved_at IS NOT NULL FROM retention.findings ORDER BY 1"
    )


async def test_a_newer_finding_opens_a_resolution_again(review: Review, book: Book) -> None:
    """A resolved row with a newer finding is listed and can be resolved again; its note keeps the earlier one."""
    row = await book.row(await book.run(), "r", "in_doubt")
    await resolve(review, decided([row], "rejected", "the vendor said so"), by="bob")
    await book.finding(row, "refund_twice")
    assert {"r": (ReviewWhy.FINDING,)} == await listed(review)
    await resolve(review, decided([row], "already_completed"))
    found = await book.one("SELECT * FROM retention.cancellations")

    assert ("already_completed", "ann", "in_doubt") == (found.resolved_as, found.resolved_by, found.resolved_from)
    assert found.resolved_note.startswith(f"{NOTE}; before: rejected by bob at 20")
    assert found.resolved_note.endswith("Z: the vendor said so")
    assert {} == await listed(review)
    again = await review.resolve_cancellations(decided([row], "already_completed"), "ann")
    assert ([], [row], []) == again


async def test_a_round_found_open_at_the_operators_is_closed(review: Review, book: Book) -> None:
    """A round that reconciliation found open at the operator's is closed there, once a person confirms it."""
    row = await book.row(await book.run(), "reopened")
    await book.open_round("reopened")
    await book.finding(row, "open_at_operator", operator="open")
    (closed,) = await resolve(review, decided([row]))

    assert (row, True, None) == (closed.id, closed.closed, closed.why)
    assert [] == await book.all("SELECT FROM retention.open_rounds")
    assert {} == await listed(review)


async def test_a_batch_that_was_cut_short_is_finished_by_the_next(review: Review, book: Book) -> None:
    """After the decisions are recorded and before the rounds are closed, the same batch goes on from there."""
    run = await book.run()
    ids = [await book.row(run, f"r{nth}", "in_doubt") for nth in range(3)]
    for nth in range(3):
        await book.open_round(f"r{nth}")
    await review.resolve_cancellations(decided(ids), "ann")  # killed here
    assert dict.fromkeys(("r0", "r1", "r2"), (ReviewWhy.CONFLICT,)) == await listed(review)
    again = await review.resolve_cancellations(decided(ids), "ann")

    assert ([], ids, ids) == (again.ids, again.done, again.unclosed)
    assert [True] * 3 == [one.closed for one in await review.close_resolved(again, "ann")]
    assert {} == await listed(review)
    assert 1 == len(await entries(book, "resolved"))


async def test_two_persons_with_the_same_rows_do_not_mix(review: Review, book: Book, database: Database) -> None:
    """Two batches over the same rows are resolved one after the other: the second is refused whole."""
    run = await book.run()
    ids = [await book.row(run, f"r{nth}", "in_doubt") for nth in range(20)]
    async with database.connection() as connection, connection.transaction():
        await connection.execute("SELECT FROM retention.cancellations ORDER BY id FOR UPDATE")
        both = [
            asyncio.create_task(review.resolve_cancellations(decided(order, "rejected"), by))
            for by, order in (("ann", ids), ("bob", ids[::-1]))
        ]
        while len(await book.all(WAITING)) < len(both):
            assert not any(task.done() for task in both)
    results = await asyncio.gather(*both, return_exceptions=True)

    (refused,) = [one for one in results if isinstance(one, UsageError)]
    assert "is resolved already, as rejected by " in str(refused)
    assert 1 == len(await book.all("SELECT DISTINCT resolved_by FROM retention.cancellations"))


async def test_ten_thousand_rows_are_one_transaction(review: Review, book: Book) -> None:
    """Ten thousand decisions are written by one statement in one transaction, with evidence of each row."""
    await book.row(await book.run(), "r", "rejected")
    await book.all(
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, state, attempts,"
        " settled_at) SELECT run_id, partner, market, user_id, 'r' || n, opened_at, state, attempts, settled_at"
        " FROM retention.cancellations, generate_series(2, 10000) n"
    )
    ids = [row.id for row in await book.all("SELECT id FROM retention.cancellations")]
    resolved = await review.resolve_cancellations(decided(ids, "already_completed"), "ann")

    assert (10_000, [], []) == (len(resolved.ids), resolved.done, resolved.unclosed)
    assert [(10_000,)] == await book.all("SELECT count(*) FROM retention.cancellations GROUP BY xmin, resolved_at")
    found = await entries(book, "resolved")
    assert {10_000} == {entry["facts"]["rows"] for entry in found}
    assert 10_000 == sum(len(entry["rows"]["cancellation"]) for entry in found)
