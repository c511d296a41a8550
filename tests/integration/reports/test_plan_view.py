"""What a person sees before approving a run."""

from __future__ import annotations

import io
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb
from support.ledger import OPENED, SETTLED

from retention.core.planning.plan_comparison import ChangedSetting
from retention.ledger.holds import Holds
from retention.ledger.runs import RunLedger
from retention.render.terminal_plan_view import print_plan_view
from retention.reports.plan_view import LARGEST_SHOWN, MarketPlan, PlanView, is_before_its_start, read_plan_view

if TYPE_CHECKING:
    from uuid import UUID

    from support.ledger import Book

    from retention.ledger.database import Database

DAY = timedelta(days=1)


async def planned(book: Book, *rounds: dict[str, Any], **columns: Any) -> UUID:
    """Make a planned run with these rounds."""
    run_id = await book.run(**{"status": "planned", "as_of": SETTLED, **columns})
    for number, changes in enumerate(rounds):
        await book.row(run_id, f"R-{number}", "planned", **changes)
    return run_id


async def view_of(database: Database, run_id: UUID) -> PlanView:
    """Read the plan of a run."""
    return await read_plan_view(database, await RunLedger(database).require_run(run_id))


async def test_a_plan_has_its_sums_markets_and_largest_stakes(database: Database, book: Book) -> None:
    """Rounds, stakes by currency and market, ages, and the largest stakes of each currency in turns are shown."""
    run_id = await planned(
        book,
        {"stake": Decimal("1.50")},
        {"stake": Decimal(2), "opened_at": OPENED - DAY},
        {"stake": Decimal(900), "stake_currency": "JPY", "market": "JP"},
        {"stake": None, "opened_at": OPENED + DAY},
    )
    view = await view_of(database, run_id)
    assert (4, {"EUR": Decimal("3.50"), "JPY": Decimal(900)}, 1, OPENED - DAY, OPENED + DAY, None) == (
        *(view.rounds, view.stakes, view.unjudged, view.oldest, view.newest, view.previous),
    )
    assert [MarketPlan("JP", 1, {"JPY": Decimal(900)}), MarketPlan("MT", 3, {"EUR": Decimal("3.50")})] == view.markets
    assert ["R-2", "R-1", "R-0"] == [one.round_id for one in view.largest]


async def test_only_the_largest_stakes_are_listed(database: Database, book: Book) -> None:
    """Of more stakes the ten largest are listed."""
    run_id = await planned(book, *({"stake": number} for number in range(LARGEST_SHOWN + 2)))
    largest = (await view_of(database, run_id)).largest
    assert [*range(LARGEST_SHOWN + 1, 1, -1)] == [one.stake for one in largest]


async def test_holds_that_touch_the_plan_are_listed(database: Database, book: Book) -> None:
    """Each standing hold that matches planned rounds is listed with their number; ended and other holds are not."""
    run_id = await planned(
        book, {"user_id": "U-1"}, {"user_id": "U-1", "game_id": None}, {"user_id": "U-2"}, {"market": "SE"}
    )
    holds = Holds(database)

    async def add(**fields: str) -> int:
        given = dict.fromkeys(("partner", "market", "game", "user", "round")) | fields
        return await holds.add_hold(**given, reason="why", by="ann", until=None)

    user, both, market = await add(user="U-1"), await add(user="U-1", game="g1"), await add(market="SE")
    await add(user="U-9")
    await holds.release_hold(await add(partner="acme"), "ann")
    found = (await view_of(database, run_id)).holds
    assert [(user, 3), (both, 2), (market, 1)] == [(one.hold_id, one.rounds) for one in found]


async def test_a_plan_is_compared_with_the_last_approved_one(database: Database, book: Book) -> None:
    """The newest approved run of the policy before this one is compared; other policies, later and rejected runs not."""
    approved: dict[str, Any] = {"approved_by": "bob", "approved_at": SETTLED, "status": "finished"}
    unapproved: dict[str, Any] = {"policy": "nightly", "approved_by": None, "approved_at": None}
    rejected: dict[str, Any] = {"rejected_by": "eve", "rejected_at": SETTLED, "status": "cancelled"}
    for changes in ({"policy": "other"}, unapproved, rejected):
        await book.run(**{"as_of": SETTLED - timedelta(hours=1), **approved, **changes})
    before = await book.run(as_of=SETTLED - DAY, settings=Jsonb({"max_rounds": 5}), **approved)
    await book.row(before, "R-9", market="SE", stake=7)
    await book.run(as_of=SETTLED + DAY, **approved)
    await book.run(as_of=SETTLED - 2 * DAY, **approved)
    view = await view_of(database, await planned(book, {}, settings=Jsonb({"max_rounds": 9})))
    assert view.previous is not None
    assert (before, "bob") == (view.previous.run_id, view.previous.approved_by)
    found = view.previous.difference
    assert (1, {"EUR": Decimal(7)}, ["MT"], ["SE"], [ChangedSetting("max_rounds", 5, 9)]) == (
        *(found.rounds_before, found.stakes_before, found.markets_new, found.markets_gone, found.settings),
    )
    file = io.StringIO()
    print_plan_view(view, file)
    for words in ("rounds were 1, are 1", "new markets: MT", "markets gone: SE", "setting max_rounds was 5, is 9"):
        assert words in file.getvalue()


@pytest.mark.parametrize(
    ("waits", "columns"),
    [
        (True, {"status": "planned"}),
        (True, {"status": "awaiting_approval"}),
        (True, {"status": "halted", "halt_reason": "max_surge: 9"}),
        (False, {"status": "halted", "halt_reason": "max_rounds: 9", "unwritten_plan": Jsonb({"rounds": 9})}),
        (False, {"status": "halted", "halt_reason": "max_conflicts: 9", "started_at": SETTLED}),
        (False, {"status": "running"}),
        (False, {"status": "finished"}),
    ],
)
async def test_only_a_run_before_its_start_has_a_plan_to_see(
    database: Database, book: Book, columns: dict[str, Any], *, waits: bool
) -> None:
    """A run with a written plan and no request yet has the plan to see; no other run has."""
    record = await RunLedger(database).require_run(await book.run(**columns))
    assert waits is is_before_its_start(record)
