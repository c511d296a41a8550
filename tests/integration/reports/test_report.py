"""A report from a real ledger: its rounds, their order, and the totals, as of one moment."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
import pytest
from support.ledger import OPENED, SETTLED
from support.reports import output_to

from retention.render.json_file import write_json
from retention.reports.kinds.cancelled import ReportRound, Total
from retention.reports.read import read_report
from retention.reports.report import OUTCOMES, Selection

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.database import Database

FINALS = ("cancelled", "already_cancelled", "already_completed", "rejected", "no_longer_open", "held", "not_sent")
SECOND = timedelta(seconds=1)


async def read(database: Database, selection: Selection | None = None) -> list[ReportRound]:
    """Read a report's rounds."""
    async with read_report(database, selection or Selection()) as report:
        return [item async for item in report.rows]


async def names(database: Database, selection: Selection | None = None) -> list[str]:
    """Read the ids of a report's rounds, in order."""
    return [item.round_id for item in await read(database, selection)]


async def totals(database: Database, selection: Selection | None = None) -> list[tuple[object, ...]]:
    """Read a report's totals: market, outcome, currency, count, amount and stake of each."""
    async with read_report(database, selection or Selection()) as report:
        return [(t.market, t.outcome, t.currency, t.count, t.amount, t.stake) for t in report.totals]


async def every_outcome(book: Book, run_id: UUID) -> None:
    """Add one round of each state, named after it, and one resolved as each, a second apart."""
    for number, state in enumerate(("planned", "claimed", "retrying", "in_doubt", *FINALS)):
        at = {"settled_at": SETTLED + number * SECOND} if state in FINALS else {}
        row = await book.row(run_id, state, state, **at)
        if state == "in_doubt":
            await book.attempt(row, run_id, claimed_at=SETTLED - 2 * SECOND)
            await book.attempt(row, run_id, claimed_at=SETTLED - SECOND)
    for number, state in enumerate(FINALS):
        at = {"settled_at": SETTLED + timedelta(minutes=1, seconds=number)}
        await book.row(run_id, f"resolved as {state}", "resolved", resolved_as=state, **at)


async def test_an_empty_ledger_makes_an_empty_report(database: Database) -> None:
    """A report of an empty ledger has no rounds and no totals."""
    assert [] == await read(database)
    assert [] == await totals(database)


async def test_a_reported_round_has_all_values_of_the_contract(database: Database, book: Book) -> None:
    """A reported round joins its own columns, its run's, its attempt's uuid and its discrepancies."""
    run = await book.run(trigger="targeted", reason="incident 4", evidence="T-7", approved_by="bob")
    row = await book.row(run, amount=Decimal("90.000000000000000001"), currency="USD", transaction_id="T9")
    attempt = await book.attempt(row, run)
    await book.one("UPDATE retention.cancellations SET attempt_uuid = %s", attempt)

    assert [
        ReportRound(
            partner="acme",
            market="MT",
            game_id="g1",
            user_id="U-1",
            round_id="R-1",
            opened_at=OPENED,
            outcome="cancelled",
            cancelled_at=SETTLED,
            currency="USD",
            amount=Decimal("90.000000000000000001"),
            stake_currency="EUR",
            stake=Decimal(100),
            transaction_id="T9",
            uuid=attempt,
            run_id=run,
            policy="nightly",
            trigger="targeted",
            requested_by="ann",
            reason="incident 4",
            evidence="T-7",
            approved_by="bob",
            discrepancies=(
                "amount 90.000000000000000001 USD, stake 100 EUR",
                "currency USD, stake in EUR",
                "transaction T9, bet transaction T1",
            ),
        )
    ] == await read(database)


async def test_discrepancies_include_conflicts_and_incomplete_replies(database: Database, book: Book) -> None:
    """A round's discrepancies name a conflict and missing fields, and the conflict stays after a resolution."""
    run = await book.run()
    await book.row(run, "R-1", conflict=True, amount=None, currency=None)
    await book.row(run, "R-2", "resolved", resolved_as="cancelled", conflict=True)
    conflict = "conflict: the round was not open any more in the operator's view"

    assert [(conflict, "incomplete reply: amount, currency missing"), (conflict,)] == [
        item.discrepancies for item in await read(database)
    ]


async def test_a_report_has_cancelled_rounds(database: Database, book: Book) -> None:
    """Without --all a report has rounds that were cancelled by us, before us, or by a resolution."""
    await every_outcome(book, await book.run())
    found = await read(database)

    assert ["cancelled", "already_cancelled", "resolved as cancelled", "resolved as already_cancelled"] == [
        item.round_id for item in found
    ]
    assert ["cancelled", "already_cancelled"] * 2 == [item.outcome for item in found]
    assert all(item.cancelled_at for item in found)


async def test_a_report_of_all_outcomes_has_every_settled_round(database: Database, book: Book) -> None:
    """With --all a report has all settled rounds and all doubts, but no round in work."""
    await every_outcome(book, await book.run())
    found = await read(database, Selection(all_outcomes=True))

    assert ["in_doubt", *FINALS, *(f"resolved as {state}" for state in FINALS)] == [item.round_id for item in found]
    assert ["in_doubt", *FINALS, *FINALS] == [item.outcome for item in found]
    assert {"in_doubt", *FINALS} == set(OUTCOMES)
    assert {"cancelled", "already_cancelled"} == {item.outcome for item in found if item.cancelled_at}


async def test_a_report_period_is_half_open(database: Database, book: Book) -> None:
    """A period includes its first moment and excludes its last one."""
    run = await book.run()
    for name, at in (("before", -SECOND), ("start", 0 * SECOND), ("end", SECOND)):
        await book.row(run, name, settled_at=SETTLED + at)

    assert ["start"] == await names(database, Selection(start=SETTLED, end=SETTLED + SECOND))
    assert ["before"] == await names(database, Selection(end=SETTLED))
    assert ["end"] == await names(database, Selection(start=SETTLED + SECOND))


async def test_a_doubt_is_as_old_as_its_newest_attempt(database: Database, book: Book) -> None:
    """A doubt belongs to the period of its newest attempt, because it is not settled."""
    run = await book.run()
    row = await book.row(run, state="in_doubt")
    await book.attempt(row, run, claimed_at=SETTLED - SECOND)
    await book.attempt(row, run, claimed_at=SETTLED)

    assert ["R-1"] == await names(database, Selection(start=SETTLED, all_outcomes=True))
    assert [] == await names(database, Selection(end=SETTLED, all_outcomes=True))


async def test_reported_rounds_come_in_the_order_of_settlement(database: Database, book: Book) -> None:
    """Rounds come in the order of settlement, and within one batch in the order of the plan."""
    run = await book.run()
    for name, at in (("late", SECOND), ("first of two", 0 * SECOND), ("second of two", 0 * SECOND)):
        await book.row(run, name, settled_at=SETTLED + at)

    assert ["first of two", "second of two", "late"] == await names(database)


async def test_filters_narrow_a_report_and_its_totals(database: Database, book: Book) -> None:
    """Market, policy and run each exclude other rounds, from the rounds and from the totals."""
    nightly, weekly = await book.run(), await book.run(policy="weekly")
    await book.row(nightly, "R-1")
    await book.row(nightly, "R-2", market="SE")
    await book.row(weekly, "R-3")

    for selection, expected in (
        (Selection(markets=("SE",)), ["R-2"]),
        (Selection(policies=("weekly",)), ["R-3"]),
        (Selection(run_id=nightly), ["R-1", "R-2"]),
        (Selection(markets=("MT",), run_id=nightly), ["R-1"]),
        (Selection(run_id=uuid4()), []),
    ):
        assert expected == await names(database, selection)
        assert len(expected) == sum(int(str(total[3])) for total in await totals(database, selection))


async def test_a_dry_run_is_reported_only_by_its_run_id(database: Database, book: Book) -> None:
    """Rounds of a dry run are reported only with --all and the run's id."""
    dry = await book.run(mode="dry_run")
    await book.row(dry, state="not_sent")

    assert [] == await names(database, Selection(all_outcomes=True))
    assert [] == await names(database, Selection(run_id=dry))
    assert ["R-1"] == await names(database, Selection(run_id=dry, all_outcomes=True))


async def test_totals_count_once_and_sum_under_their_own_currency(database: Database, book: Book) -> None:
    """A round counts under its refund's currency, else its stake's; each sum has one currency."""
    run = await book.run()
    await book.row(run, "same", amount=Decimal("99.5"))
    await book.row(run, "other currency", amount=90, currency="USD")
    await book.row(run, "no refund", amount=None, currency=None)
    await book.row(run, "nothing known", amount=None, currency=None, stake=None, stake_currency=None)
    await book.row(run, "no currency", amount=7, currency=None, stake=None, stake_currency=None)
    await book.row(run, "before", "already_cancelled", amount=None, currency=None, stake=5, stake_currency="GBP")
    await book.row(run, "other market", market="SE", currency="SEK", stake_currency="SEK")

    assert [
        ("MT", "already_cancelled", "GBP", 1, 0, 5),
        ("MT", "cancelled", "EUR", 2, Decimal("99.5"), 300),
        ("MT", "cancelled", "USD", 1, 90, 0),
        ("MT", "cancelled", None, 2, 7, 0),
        ("SE", "cancelled", "SEK", 1, 100, 100),
    ] == await totals(database)


async def test_totals_keep_a_stake_in_another_currency_than_the_refund(database: Database, book: Book) -> None:
    """A refund in another currency leaves the stake a total whose count is 0."""
    await book.row(await book.run(), amount=90, currency="USD")

    assert [("MT", "cancelled", "EUR", 0, 0, 100), ("MT", "cancelled", "USD", 1, 90, 0)] == await totals(database)


async def test_totals_are_exact(database: Database, book: Book) -> None:
    """Sums keep eighteen decimal places, without added zeros."""
    run = await book.run()
    for name in ("R-1", "R-2"):
        await book.row(run, name, amount=Decimal("0.000000000000000001"), stake=Decimal(99999999999999999999))
    file = io.StringIO()
    async with read_report(database, Selection()) as report:
        await write_json(report, output_to(file))
    (total,) = json.loads(file.getvalue())["totals"]

    assert ("0.000000000000000002", "199999999999999999998") == (total["amount"], total["stake"])


async def test_a_report_is_as_of_one_moment(database: Database, book: Book) -> None:
    """A round settled while a report is read is in neither its rounds nor its totals."""
    run = await book.run()
    await book.row(run, "R-1")
    async with read_report(database, Selection()) as report:
        await book.row(run, "R-2")
        found = [item.round_id async for item in report.rows]

    assert ["R-1"] == found
    assert (Total("MT", "cancelled", "EUR", 1, Decimal(100), Decimal(100)),) == report.totals


async def test_a_long_report_is_read_in_pieces(database: Database, book: Book) -> None:
    """The server sends a thousand rounds at a time, and a reader may leave in between."""
    run = await book.run()
    await book.row(run, "template")
    await book.one(
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, state, settled_at,"
        " attempts) SELECT run_id, partner, market, user_id, 'R-' || n, opened_at, state, settled_at, attempts"
        " FROM retention.cancellations, generate_series(1, 2500) n"
    )
    async with read_report(database, Selection()) as report:
        assert "template" == (await anext(report.rows)).round_id
        (reading,) = await book.all(
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        assert "FETCH FORWARD 1000" in reading.query

    assert 2501 == len(await read(database))


async def test_reading_a_report_cannot_write(database: Database) -> None:
    """The server keeps the transaction of a report from any change."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        async with database.transaction(snapshot=True) as transaction:
            await transaction.rows("run_control/leave_run", run_id=uuid4())
