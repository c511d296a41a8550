"""Refunds in reports: what the wallet has given back, beside what was promised, on a real ledger."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.bare_database import as_role, run, sample
from support.explaining import Explaining, explaining
from support.ledger import SETTLED
from support.wallet import Wallet

from retention.core.evidence.reconciliation import Comparison, FindingKind, VendorSide, judge
from retention.core.model import CANCELLED_STATES
from retention.errors import SchemaError, ViewError
from retention.ledger.database import open_database
from retention.ledger.reconciliation import Reconciliations
from retention.reports.read import read_report
from retention.reports.report import Configured, Kind, Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.ledger import Book

    from retention.ledger.database import Database

LONG_AGO = timedelta(0)
CENTURY = {"acme": timedelta(days=36500)}
REFUNDS = Selection(kind=Kind.REFUNDS)


@pytest.fixture
async def wallet(book: Book) -> Wallet:
    """Return a wallet with its view, without refunds."""
    wallet = Wallet(book)
    await wallet.open()
    return wallet


async def compared(
    database: Database, within: dict[str, timedelta] | None = None
) -> tuple[dict[str, Any], Sequence[Any]]:
    """Read the report of refunds: its rows by their rounds, and its totals."""
    async with read_report(database, REFUNDS, configured=Configured(refund_within=within or {})) as report:
        return {item.round_id: item async for item in report.rows}, report.totals


async def seen(database: Database) -> dict[str, tuple[Decimal | None, Any]]:
    """Read the report of cancelled rounds: what the wallet has given back for each, and when."""
    async with read_report(database, Selection()) as report:
        return {item.round_id: (item.refund_seen, item.refund_seen_at) async for item in report.rows}


async def test_without_a_view_nothing_is_concluded(database: Database, book: Book) -> None:
    """Without a view of the wallet every verdict is unknown, and nothing is seen."""
    await book.row(await book.run())
    rows, (total,) = await compared(database)

    assert ("unknown", None, None) == (rows["R-1"].verdict, rows["R-1"].seen_count, rows["R-1"].seen_amount)
    assert (1, 100, None, None, 0) == (total.count, total.amount, total.seen_amount, total.difference, total.missing)
    assert {"R-1": (None, None)} == await seen(database)


@pytest.mark.usefixtures("wallet")
async def test_an_empty_wallet_misses_every_refund(database: Database, book: Book) -> None:
    """With an empty view each promise is missing, or awaited as long as `refund_within` has not passed."""
    await book.row(await book.run())
    await book.row(await book.run(), "free", amount=0, stake=0)
    rows, (total,) = await compared(database)
    assert ("missing", 0, None, "not_promised") == (
        rows["R-1"].verdict,
        rows["R-1"].seen_count,
        rows["R-1"].seen_amount,
        rows["free"].verdict,
    )
    assert (2, 0, -100, 1, 0) == (total.count, total.seen_amount, total.difference, total.missing, total.awaited)
    assert {"R-1": (None, None), "free": (None, None)} == await seen(database)

    rows, (total,) = await compared(database, CENTURY)
    assert ("awaited", 0, 1) == (rows["R-1"].verdict, total.missing, total.awaited)


async def test_a_report_of_refunds_has_cancelled_rounds_alone(database: Database, book: Book) -> None:
    """Rounds of other outcomes are in no report of refunds."""
    run_id = await book.run()
    for state in ("cancelled", "already_cancelled", "rejected", "held"):
        await book.row(run_id, state, state)
    async with read_report(database, REFUNDS) as report:
        assert {"cancelled", "already_cancelled"} == {item.round_id async for item in report.rows}
        assert 2 == report.count


@pytest.mark.parametrize(
    ("promised", "refunds", "expected"),
    [
        # verdict, currency, amount; the sum that kind `cancelled` shows
        ((100, "EUR"), [(100, "EUR")], ("seen", "EUR", 100, 100)),
        ((100, "EUR"), [("100.000", " eur ")], ("seen", "EUR", 100, 100)),
        (
            (100, "EUR"),
            [("99.999999999999999999", "EUR")],
            ("differs", "EUR", "99.999999999999999999", "99.999999999999999999"),
        ),
        ((100, "EUR"), [(100, "USD")], ("differs", "USD", 100, None)),
        ((100, "EUR"), [(100, None)], ("differs", None, 100, None)),
        ((100, "EUR"), [(100, "EUR")] * 2, ("twice", "EUR", 200, 200)),
        ((100, "EUR"), [(60, "EUR"), (40, "EUR")], ("twice", "EUR", 100, 100)),
        ((100, "EUR"), [(100, "EUR"), (5, "USD")], ("twice", "EUR", 100, 100)),
        ((100, "EUR"), [(100, "SEK"), (5, "USD")], ("twice", None, None, None)),
        ((None, None), [(100, "EUR")], ("seen", "EUR", 100, 100)),
        ((None, None), [(7, "USD")], ("differs", "USD", 7, 7)),
        ((None, None), [(7, "USD"), (100, "EUR")], ("twice", "EUR", 100, None)),
        ((100, "EUR"), [("NaN", "EUR")], ("differs", "EUR", None, None)),
        ((100, "EUR"), [("Infinity", "EUR")], ("differs", "EUR", None, None)),
        ((100, "EUR"), [("Infinity", "EUR"), ("-Infinity", "EUR")], ("twice", "EUR", None, None)),
        ((100, "EUR"), [(None, "EUR")], ("differs", "EUR", None, None)),
        ((100, "EUR"), [("-100", "EUR")], ("differs", "EUR", -100, -100)),
        ((100, "EUR"), [("1e20", "EUR")], ("differs", "EUR", None, None)),
        ((100, "EUR"), [("6e19", "EUR")] * 2, ("twice", "EUR", None, None)),
        ((100, "EUR"), [("9" * 131072, "EUR")] * 2, ("twice", "EUR", None, None)),
        ((100, "EUR"), [("1e-19", "EUR")], ("differs", "EUR", None, None)),
        ((100, "EUR"), [(100, "EUR"), ("NaN", "USD")], ("twice", "EUR", 100, 100)),
    ],
)
async def test_refunds_are_judged_and_summed(
    database: Database,
    book: Book,
    wallet: Wallet,
    promised: tuple[Any, Any],
    refunds: list[tuple[Any, Any]],
    expected: tuple[str, str | None, Any, Any],
) -> None:
    """Each promise and its refunds get their verdict, and the exact sum in one currency; a senseless sum is empty."""
    await book.row(await book.run(), amount=promised[0], currency=promised[1])
    for amount, currency in refunds:
        await wallet.refund(amount=amount, currency=currency)
    verdict, currency, amount, in_cancelled = expected
    row = (await compared(database))[0]["R-1"]
    sums = [None if one is None else Decimal(one) for one in (amount, in_cancelled)]

    assert (verdict, currency, sums[0]) == (row.verdict, row.seen_currency, row.seen_amount)
    assert len(refunds) == row.seen_count
    assert sums[1] == (await seen(database))["R-1"][0]


async def test_times_that_no_calendar_has_are_empty(database: Database, book: Book, wallet: Wallet) -> None:
    """The first and last refund are told by their times; infinite, absurd and missing times are not told."""
    run_id = await book.run()
    times: dict[str, tuple[Any, ...]] = {
        "two": (SETTLED + timedelta(hours=2), SETTLED, None),
        "none": ("infinity", "-infinity", None, "1999-12-31 23:59Z", "9001-01-01 00:00Z"),
        "one": ("infinity", SETTLED, "-infinity"),
    }
    for name, found in times.items():
        await book.row(run_id, name)
        for at in found:
            await wallet.refund(name, at=at)
    rows, _ = await compared(database)

    assert {
        "two": (SETTLED, SETTLED + timedelta(hours=2)),
        "none": (None, None),
        "one": (SETTLED, SETTLED),
    } == {name: (row.seen_at, row.last_seen_at) for name, row in rows.items()}
    assert {"two": SETTLED, "none": None, "one": SETTLED} == {
        name: at for name, (_, at) in (await seen(database)).items()
    }


async def test_the_first_time_is_of_a_refund_in_the_promised_currency(
    database: Database, book: Book, wallet: Wallet
) -> None:
    """A refund in another currency gives kind `cancelled` neither sum nor time."""
    await book.row(await book.run())
    await wallet.refund(currency="USD", at=SETTLED)
    await wallet.refund(at=SETTLED + timedelta(hours=1))

    assert {"R-1": (Decimal(100), SETTLED + timedelta(hours=1))} == await seen(database)


async def fill(book: Book, wallet: Wallet, seed: int, rounds: int) -> None:
    """Add cancelled rounds and refunds that draw their parts from a few values, good and hostile ones."""
    draw = random.Random(seed)
    amounts = (100, 100, 100, "100.000000000000000001", 0, None)
    odd = (100, 100, 100, "100.00", "0.1", "NaN", "-Infinity", None, -5, 0)
    run_id = await book.run()
    for number in range(rounds):
        state = draw.choice(("cancelled", "already_cancelled", "resolved"))
        as_state = {"resolved_as": "cancelled"} if state == "resolved" else {}
        money = {
            "amount": draw.choice(amounts),
            "currency": draw.choice(("EUR", "EUR", "usd", None)),
            "stake": draw.choice(amounts),
            "stake_currency": draw.choice(("EUR", "SEK", None)),
        }
        await book.row(run_id, f"R-{number}", state, market=draw.choice(("MT", "SE")), **money, **as_state)
        for _ in range(draw.choice((0, 0, 1, 1, 1, 2, 12))):
            at = draw.choice((SETTLED, None, "infinity", SETTLED + timedelta(hours=1)))
            await wallet.refund(f"R-{number}", draw.choice(odd), draw.choice(("EUR", "EUR", "eur ", "USD", None)), at)


@pytest.mark.parametrize("within", [LONG_AGO, CENTURY["acme"]])
async def test_reports_and_reconciliations_agree(
    database: Database, book: Book, wallet: Wallet, within: timedelta
) -> None:
    """For any promises and refunds, a verdict and the findings of `reconcile` say the same of the same ledger."""
    await fill(book, wallet, seed=4711, rounds=250)
    rows, totals = await compared(database, {"acme": within})
    ids = {row.id: row.round_id for row in await book.all("SELECT id, round_id FROM retention.cancellations")}
    ledger = Reconciliations(database, "host-1", time.monotonic)
    sides = await ledger.read_sides(list(ids), wallet=await ledger.has_wallet())
    told = {}
    for row_id, local in sides.items():
        comparison = Comparison(local.ledger, VendorSide(None, "not asked"), local.operator, local.refunds)
        told[ids[row_id]] = set(judge(comparison, local.now, within))

    expected = {
        "missing": {FindingKind.REFUND_MISSING},
        "differs": {FindingKind.REFUND_DIFFERS},
        "twice": {FindingKind.REFUND_TWICE},
    }
    assert told.keys() == rows.keys()
    for name, row in rows.items():
        assert expected.get(row.verdict, set()) == told[name] - (
            {FindingKind.REFUND_DIFFERS} if row.verdict == "twice" else set()
        ), row
    verdicts = [row.verdict for row in rows.values()]
    assert {"seen", "differs", "twice", "not_promised", "awaited" if within else "missing"} == set(verdicts)
    for verdict in ("seen", "awaited", "missing", "differs", "twice"):
        assert verdicts.count(verdict) == sum(getattr(total, verdict) for total in totals)


async def test_totals_are_plain_sums(database: Database, book: Book, wallet: Wallet) -> None:
    """Totals are the sums of the rows, and the promised ones are those of a plain statement; counts count once."""
    await fill(book, wallet, seed=42, rounds=150)
    rows, totals = await compared(database)
    plain = await book.all(
        "SELECT market, currency, sum(amount) AS amount FROM retention.cancellations"
        " WHERE state IN ('cancelled', 'already_cancelled', 'resolved') GROUP BY 1, 2"
    )
    promised = {(row.market, row.currency): row.amount for row in plain if row.amount is not None}
    told = {(total.market, total.currency): total for total in totals}

    assert 150 == sum(total.count for total in totals)
    assert promised == {key: total.amount for key, total in told.items() if key in promised}
    assert sum(promised.values()) == sum(total.amount for total in totals)
    for key, total in told.items():
        amounts = [row.seen_amount for row in rows.values() if (row.market, row.seen_currency) == key]
        assert sum(amount for amount in amounts if amount is not None) == total.seen_amount
        assert total.seen_amount - total.amount == total.difference


async def test_eighteen_decimals_stay(database: Database, book: Book, wallet: Wallet) -> None:
    """Sums of refunds keep eighteen decimals and twenty digits before the point."""
    run_id = await book.run()
    for name in ("R-1", "R-2"):
        await book.row(run_id, name, amount=Decimal("49999999999999999999.000000000000000001"))
        await wallet.refund(name, "49999999999999999999.000000000000000001")
    rows, (total,) = await compared(database)

    assert {"seen"} == {row.verdict for row in rows.values()}
    assert (Decimal("99999999999999999998.000000000000000002"), 0) == (total.seen_amount, total.difference)


async def test_the_role_that_reports_reads_the_wallet(database_dsn: str, book: Book, wallet: Wallet) -> None:
    """The role retention_report reads both kinds, once sql/operator/roles.sql has been run again."""
    await book.row(await book.run())
    await wallet.refund()
    run(database_dsn, "DROP VIEW retention.wallet_refunds", sample("roles"))
    role = as_role(database_dsn, "retention_report")
    view = "CREATE VIEW retention.wallet_refunds AS SELECT * FROM public.refunds"
    async with open_database(lambda: role) as reporting:
        assert "unknown" == (await compared(reporting))[0]["R-1"].verdict
        run(database_dsn, view)
        for selection in (REFUNDS, Selection()):
            with pytest.raises(SchemaError, match=r"wallet_refunds: this role may not read it; run sql/operator/roles"):
                async with read_report(reporting, selection):
                    pass
        run(database_dsn, sample("roles"))
        assert "seen" == (await compared(reporting))[0]["R-1"].verdict
        assert {"R-1": (Decimal(100), SETTLED)} == await seen(reporting)


@pytest.mark.parametrize("selection", [REFUNDS, Selection()])
async def test_a_view_of_another_shape_is_refused(database: Database, book: Book, selection: Selection) -> None:
    """A view that lacks a column, or fails while it is read, is refused with the words of `reconcile`."""
    await book.row(await book.run())
    columns = "'acme'::text AS partner, 'R-1'::text AS round_id, 'EUR'::text AS currency, now() AS refunded_at"
    await book.all(f"CREATE VIEW retention.wallet_refunds AS SELECT {columns}")
    with pytest.raises(SchemaError, match=r"wallet_refunds: column amount is missing; add it as numeric") as refused:
        async with read_report(database, selection):
            pass
    with pytest.raises(SchemaError) as reconciled:
        await Reconciliations(database, "host-1", time.monotonic).has_wallet()
    assert str(reconciled.value) == str(refused.value)

    await book.all("DROP VIEW retention.wallet_refunds")
    await book.all(
        f"CREATE VIEW retention.wallet_refunds AS SELECT {columns}, 1 / (random() * 0)::integer::numeric AS amount"
    )
    with pytest.raises(ViewError, match=r"retention\.wallet_refunds cannot be read: division by zero"):
        async with read_report(database, selection) as report:
            assert [] == [item async for item in report.rows]


@pytest.mark.usefixtures("wallet")
async def test_refunds_have_pseudonyms(database: Database, book: Book) -> None:
    """A user has the same pseudonym in both kinds, with a view of the wallet and without one."""
    await book.row(await book.run())
    found = []
    for with_wallet in (True, False):
        if not with_wallet:
            await book.all("DROP VIEW retention.wallet_refunds")
        for kind in (Kind.REFUNDS, Kind.CANCELLED):
            async with read_report(database, Selection(kind=kind, pseudonymise=True)) as report:
                found += [item.user_id async for item in report.rows]

    assert 4 == len(found)
    assert 1 == len(set(found))
    assert found[0].startswith("pseudonym:")


MANY = 20_000


@pytest.mark.usefixtures("wallet")
@pytest.mark.parametrize("analyzed", [True, False])
async def test_many_refunds_are_found_by_the_index(direct_dsn: str, book: Book, analyzed: bool) -> None:
    """For 20,000 rounds and as many refunds each statement goes through a few rows per round."""
    await book.row(await book.run(), "template")
    await book.all(
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, state, settled_at,"
        " attempts, stake, stake_currency, amount, currency, transaction_id, attempt_uuid)"
        " SELECT run_id, partner, market, user_id, 'R-' || n, opened_at, state, settled_at, attempts, stake,"
        " stake_currency, amount, currency, transaction_id, gen_random_uuid()"
        f" FROM retention.cancellations, generate_series(2, {MANY}) n"
    )
    await book.all(
        f"INSERT INTO public.refunds SELECT 'acme', 'R-' || n, 'EUR', 100, now() FROM generate_series(1, {MANY}) n"
    )
    if analyzed:
        await book.all("ANALYZE public.refunds, retention.cancellations, retention.runs")
    values = {
        "outcomes": [str(state) for state in CANCELLED_STATES],
        **dict.fromkeys(("start", "end", "markets", "policies", "run_id")),
        "pseudonymise": False,
        "shown": 11,
    }
    names = ("reports/list_refunded_rounds", "reports/list_compared_refunds", "reports/sum_compared_refunds")
    async with explaining(direct_dsn) as counted:
        for name in names:
            await counted.rows(name, **values)
    assert {} == {name: Explaining.work[name] for name in names if not MANY < Explaining.work[name] < 40 * MANY}
