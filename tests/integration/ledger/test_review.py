"""Review in a real ledger: the cancellations that need a person, and their resolution."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.ledger import SETTLED

from retention.core.evidence.resolutions import Resolution
from retention.core.model import RESOLUTIONS, ReviewWhy, State
from retention.errors import UsageError
from retention.ledger.policy_facts import PolicyFacts
from retention.ledger.review import Resolved, Review, ReviewFilter
from retention.ledger.runs import RunLedger

if TYPE_CHECKING:
    from uuid import UUID

    from support.ledger import Book

    from retention.ledger.database import Database

MAX_RUNS = {"acme": 2}
ACTIVE = {"status": "running", "heartbeat_until": "infinity"}
DOUBT = "in doubt: the vendor may or may not have cancelled it"
REJECTED = "rejected by the vendor"
GIVEN_UP = "given up: not planned again before it is resolved"
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def review(database: Database) -> Review:
    return Review(database)


async def resolve(review: Review, row: int, as_state: str, by: str, note: str) -> Resolved:
    """Resolve one cancellation, and close its round."""
    resolved = await review.resolve_cancellations([Resolution(row, State(as_state), note)], by)
    await review.close_resolved(resolved, by)
    return resolved


async def why(review: Review) -> dict[str, tuple[str, ...]]:
    """List the reasons for review of each round, in words."""
    return {item.round_id: item.reasons for item in await review.list_review(MAX_RUNS)}


async def test_review_leaves_out_successful_rounds(review: Review, book: Book) -> None:
    """Complete and matching cancellations, and rounds that were never sent, are not listed."""
    run = await book.run()
    for state in ("cancelled", "already_cancelled", "already_completed", "no_longer_open", "held", "not_sent"):
        await book.row(run, state, state)

    assert [] == await review.list_review(MAX_RUNS)


async def test_review_lists_a_doubt_once_no_probe_follows(review: Review, book: Book) -> None:
    """A doubt is listed once no running process will probe it: parked, or left by an inactive run."""
    active, left = await book.run(**ACTIVE), await book.run(status="halted", halt_reason="max_rounds")
    await book.row(active, "asked", "in_doubt", due_at=SETTLED)
    await book.row(active, "parked", "in_doubt")
    await book.row(left, "abandoned", "in_doubt", due_at=SETTLED)
    await book.row(left, "taken up", "in_doubt", due_at=SETTLED, adopted_by_run=active)
    await book.row(active, "left again", "in_doubt", due_at=SETTLED, adopted_by_run=left)

    assert {"parked": (DOUBT,), "abandoned": (DOUBT,), "left again": (DOUBT,)} == await why(review)


async def test_review_lists_conflicts_and_discrepancies(review: Review, book: Book) -> None:
    """Each difference between reply, stake and the operator's table is listed, all of them at once."""
    run = await book.run()
    await book.row(run, "amount", amount=Decimal("90.5"))
    await book.row(run, "all", amount=90, currency="USD", transaction_id="T9", conflict=True)
    await book.row(run, "raised", conflict=True, detail="close_rounds: no such player")
    await book.row(run, "unknown stake", stake=None, stake_currency=None, bet_transaction_id=None)
    await book.row(run, "incomplete", amount=None, currency=None)

    assert {
        "amount": ("amount 90.5 EUR, stake 100 EUR",),
        "all": (
            "amount 90 USD, stake 100 EUR",
            "currency USD, stake in EUR",
            "transaction T9, bet transaction T1",
            "conflict: the round was not open any more in the operator's view",
        ),
        "raised": ("conflict: close_rounds: no such player",),
        "incomplete": ("incomplete reply: amount, currency missing",),
    } == await why(review)


async def test_review_lists_only_the_newest_rejection(review: Review, book: Book) -> None:
    """A newer row of the round replaces a rejection in the list, except a dry run's row."""
    first, second, dry = await book.run(), await book.run(), await book.run(mode="dry_run")
    for name in ("last", "dry", "planned", "gone"):
        await book.row(first, name, "rejected", error_code="99")
    await book.row(dry, "dry", "not_sent")
    await book.row(second, "planned", "planned")
    await book.row(second, "gone", "no_longer_open")

    assert {"last": (REJECTED,), "dry": (REJECTED,)} == await why(review)


async def test_review_lists_a_round_at_max_runs_once(review: Review, book: Book) -> None:
    """A round that ended rejected or already completed in max_runs runs is listed once, with its newest row."""
    first, second = await book.run(), await book.run()
    await book.row(first, "mixed", "rejected")
    await book.row(second, "mixed", "already_completed")
    await book.row(first, "refused", "rejected")
    await book.row(second, "refused", "rejected")
    await book.row(second, "once", "already_completed")
    await book.row(first, "foreign", "already_completed", partner="other")
    await book.row(second, "foreign", "already_completed", partner="other")

    assert {
        "mixed": ("already completed at the vendor, still open here", GIVEN_UP),
        "refused": (REJECTED, GIVEN_UP),
    } == await why(review)


async def test_review_counts_the_endings_of_archived_months(review: Review, book: Book) -> None:
    """A round that no run plans any more is listed, also where its earlier rows have left the ledger."""
    first, second = await book.run(), await book.run()
    archived = await book.row(first, "completed", "already_completed")
    await book.row(second, "completed", "already_completed")
    await book.all("DELETE FROM retention.cancellations WHERE id = %s", archived)

    assert {"completed": ("already completed at the vendor, still open here", GIVEN_UP)} == await why(review)


async def every_kind(book: Book) -> tuple[UUID, UUID]:
    """Write cancellations with every reason for review, and some with none, into two runs of two policies."""
    run, other = await book.run(), await book.run(policy="weekly")
    await book.row(run, "doubt", "in_doubt", adopted_by_run=other)
    await book.row(run, "all", amount=90, conflict=True)
    await book.row(run, "incomplete", amount=None)
    await book.row(run, "refused", "rejected")
    await book.row(run, "fine")
    await book.row(other, "won", "held", review="winnings")
    await book.row(other, "silent", "not_sent", review="not_asked")
    await book.row(other, "twice", "not_sent", review="finding")
    await book.row(run, "completed", "already_completed")
    await book.row(other, "completed", "already_completed", market="SE")
    await book.row(run, "resolved", "resolved", resolved_as="cancelled", conflict=True, amount=90)
    await book.row(run, "done", "resolved", resolved_as="not_sent", review="winnings")
    await book.finding(await book.row(run, "unpaid"), "refund_missing")
    await book.finding(await book.row(other, "underpaid", amount=90), "refund_differs")
    found_again = await book.row(run, "found again", "resolved", resolved_as="rejected")
    await book.finding(found_again, "open_at_vendor")
    await book.finding(found_again, "refund_missing", resolved_at=SETTLED)
    await book.finding(await book.row(run, "judged"), "refund_twice", resolved_at=SETTLED)
    return run, other


async def test_review_has_one_truth(database: Database, review: Review, book: Book) -> None:
    """List, metrics and summaries count the same rounds under the same reasons, over a ledger with every reason."""
    run, other = await every_kind(book)
    listed = await review.list_review(MAX_RUNS)
    by_policy = Counter((item.policy, why) for item in listed for why in item.why)
    by_run = {
        one: Counter(why for item in await review.list_review(MAX_RUNS, ReviewFilter(run_id=one)) for why in item.why)
        for one in (run, other)
    }

    assert {
        ("nightly", "in_doubt"): 1,
        ("nightly", "conflict"): 2,
        ("nightly", "discrepancy"): 1,
        ("nightly", "incomplete"): 1,
        ("nightly", "rejected"): 1,
        ("nightly", "refund_missing"): 1,
        ("nightly", "finding"): 1,
        ("weekly", "winnings"): 1,
        ("weekly", "not_asked"): 1,
        ("weekly", "discrepancy"): 1,
        ("weekly", "refund_differs"): 1,
        ("weekly", "finding"): 2,
    } == by_policy
    assert {*ReviewWhy} == {why for _, why in by_policy}
    assert by_policy == await PolicyFacts(database).count_review(MAX_RUNS)
    ledger = RunLedger(database, max_runs=lambda: MAX_RUNS)
    for one in (run, other):
        summary = await ledger.summarize_run(one)
        assert by_run[one] == summary.review
        assert summary.is_listed
    # The doubt is in the run that planned it, and in the one that took it up.
    assert (1, 1) == (by_run[run][ReviewWhy.IN_DOUBT], by_run[other][ReviewWhy.IN_DOUBT])
    assert all(item.reasons for item in listed)


async def test_findings_are_told_with_all_four_sides(review: Review, book: Book) -> None:
    """An open finding lists its cancellation, and its sentence says what each of the four sides knows."""
    row = await book.row(await book.run(), "unpaid")
    await book.finding(row, "refund_missing", ledger="cancelled, 100 EUR", vendor="cancelled", wallet="nothing")
    await book.finding(row, "open_at_operator", ledger="cancelled", operator="open")
    (item,) = await review.list_review(MAX_RUNS)

    assert (ReviewWhy.REFUND_MISSING, ReviewWhy.FINDING) == item.why
    assert (
        "no refund in the wallet (ledger: cancelled, 100 EUR, vendor: cancelled, operator: unknown, wallet: nothing)",
        "open at the operator's (ledger: cancelled, vendor: unknown, operator: open, wallet: unknown)",
    ) == item.reasons


@pytest.mark.parametrize(
    ("wanted", "rounds"),
    [
        (ReviewFilter(markets=["SE"]), {"completed"}),
        (ReviewFilter(markets=["SE", "MT"], whys=[ReviewWhy.FINDING]), {"twice", "completed", "found again"}),
        (ReviewFilter(policy="weekly", whys=[ReviewWhy.DISCREPANCY, ReviewWhy.WINNINGS]), {"won", "underpaid"}),
        (ReviewFilter(policy="weekly", whys=[ReviewWhy.CONFLICT]), set()),
        (ReviewFilter(markets=["GB"]), set()),
    ],
)
async def test_review_filters_hold_together(review: Review, book: Book, wanted: ReviewFilter, rounds: set[str]) -> None:
    """A listed round matches every filter that is given, and any of the values of each."""
    await every_kind(book)

    assert rounds == {item.round_id for item in await review.list_review(MAX_RUNS, wanted)}


async def test_last_runs_are_listed_by_policy(database: Database, book: Book) -> None:
    """A failed run has ended without success, a halted one is open and the newest, and a missed time never ran. A dry
    run is a success on request, and no run succeeds behind a run that stands still.
    """

    def hour(hours: int) -> datetime:
        return SETTLED + timedelta(hours=hours)

    await book.run(as_of=hour(1), finished_at=hour(2))
    await book.run(as_of=hour(3), status="failed", halt_reason="unreachable: acme", finished_at=hour(4))
    halted = await book.run(as_of=hour(5), status="halted", halt_reason="max_rounds")
    await book.run(as_of=hour(6), status="cancelled", halt_reason="missed: no daemon", finished_at=hour(6))
    dry = await book.run(policy="weekly", mode="dry_run", as_of=hour(1), finished_at=hour(1))
    await book.run(policy="stuck", as_of=hour(1), finished_at=hour(2))
    await book.run(policy="stuck", as_of=hour(3), status="running", started_at=hour(3), stalled_at=hour(4))
    behind = await book.run(policy="stuck", as_of=hour(5), finished_at=hour(6))
    facts = PolicyFacts(database)
    expected = {
        "nightly": (hour(4), hour(2), halted, "halted", None, 0),
        "weekly": (hour(1), None, dry, "finished", None, 0),
        "never": (None, None, None, None, None, 0),
        "stuck": (hour(6), hour(2), behind, "finished", None, 1),
    }
    assert expected == {name: astuple(last) for name, last in (await facts.list_last_runs([*expected], [])).items()}
    assert hour(1) == (await facts.list_last_runs(["weekly"], ["weekly"]))["weekly"].succeeded_at


async def test_review_item_has_reply_and_money(review: Review, book: Book) -> None:
    """A listed row has the vendor's reply, refund and stake, and the time of its settlement."""
    run = await book.run()
    row = await book.row(run, state="rejected", error_code="99", description="Round not found", detail="asked twice")
    (item,) = await review.list_review(MAX_RUNS)

    assert (row, run, "acme", "MT", "R-1", "rejected") == (
        item.id,
        item.run_id,
        item.partner,
        item.market,
        item.round_id,
        item.state,
    )
    assert ("99", "Round not found", "asked twice", SETTLED) == (
        item.error_code,
        item.description,
        item.detail,
        item.settled_at,
    )
    assert (None, None, None, Decimal(100), "EUR", "T1") == (
        item.amount,
        item.currency,
        item.transaction_id,
        item.stake,
        item.stake_currency,
        item.bet_transaction_id,
    )


@pytest.mark.parametrize("as_state", RESOLUTIONS)
async def test_resolve_accepts_each_final_state(review: Review, book: Book, as_state: str) -> None:
    """A person may resolve a doubt as each final state; it then leaves the list."""
    row = await book.row(await book.run(), state="in_doubt", error_code="998", may_have_taken_effect=True)
    before = datetime.now(UTC)
    await resolve(review, row, as_state, "bob", "the vendor says so")
    found = await book.one("SELECT * FROM retention.cancellations")

    assert ("resolved", as_state, "bob", "the vendor says so") == (
        found.state,
        found.resolved_as,
        found.resolved_by,
        found.resolved_note,
    )
    assert found.settled_at == found.resolved_at >= before
    assert ("998", False, None) == (found.error_code, found.needs_follow_up, found.due_at)
    assert (as_state in {"cancelled", "already_cancelled"}) is found.holds_round
    assert [] == await review.list_review(MAX_RUNS)


async def test_resolve_keeps_the_vendors_reply(review: Review, book: Book) -> None:
    """Resolving a cancellation with a discrepancy keeps its refund, its settlement time and its earlier state."""
    row = await book.row(await book.run(), amount=90, conflict=True)
    await resolve(review, row, "cancelled", "bob", "the wallet got 100")
    found = await book.one("SELECT * FROM retention.cancellations")

    assert (90, "EUR", "T1", SETTLED, "cancelled", False) == (
        found.amount,
        found.currency,
        found.transaction_id,
        found.settled_at,
        found.resolved_from,
        found.conflict,
    )
    assert found.detail.startswith("not open at the operator's any more when bob looked at ")
    assert [] == await review.list_review(MAX_RUNS)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("planned", "is planned: its run is not through with it"),
        ("retrying", "is retrying: its run is not through with it"),
        ("claimed", "is being worked on by a run just now"),
        ("resolved", "is resolved already, as rejected by bob"),
    ],
)
async def test_resolve_refuses_active_and_resolved_rows(review: Review, book: Book, state: str, words: str) -> None:
    """Rows that a run still works on, and resolved rows, stay unchanged."""
    resolved: dict[str, Any] = {"resolved_as": "rejected"} if state == "resolved" else {}
    row = await book.row(await book.run(**ACTIVE), state=state, **resolved)
    before = await book.one("SELECT * FROM retention.cancellations")

    with pytest.raises(UsageError, match=f"cancellation {row} {words}"):
        await resolve(review, row, "cancelled", "ann", "sure")
    assert before == await book.one("SELECT * FROM retention.cancellations")


async def test_resolve_refuses_a_dry_run(review: Review, book: Book) -> None:
    """A dry run sent nothing, so its rows cannot be resolved."""
    row = await book.row(await book.run(mode="dry_run"), state="not_sent")

    with pytest.raises(UsageError, match="belongs to a dry run"):
        await resolve(review, row, "cancelled", "ann", "sure")


async def test_resolve_refuses_a_second_cancelled_row(review: Review, book: Book) -> None:
    """An older row cannot be resolved as cancelled while a newer row of its round is live."""
    old = await book.row(await book.run(), state="rejected")
    await book.row(await book.run(), state="planned")

    with pytest.raises(UsageError, match=f"cancellation {old} cannot be cancelled: another row of its round"):
        await resolve(review, old, "cancelled", "ann", "sure")
    await resolve(review, old, "rejected", "ann", "it was")


async def test_resolve_needs_a_name_and_a_note(review: Review, book: Book) -> None:
    """An unknown row or state, and a blank name or note, are refused with a message that helps."""
    row = await book.row(await book.run(), state="in_doubt")

    with pytest.raises(UsageError, match="there is no cancellation 4711"):
        await resolve(review, 4711, "cancelled", "ann", "sure")
    with pytest.raises(
        UsageError, match=r"not resolved as 'in_doubt'; known: cancelled, already_cancelled, .*not_sent"
    ):
        await resolve(review, row, "in_doubt", "ann", "sure")
    with pytest.raises(UsageError, match="must not be blank"):
        await resolve(review, row, "cancelled", "ann", " ")
    with pytest.raises(UsageError, match="must not be blank"):
        await resolve(review, row, "cancelled", "", "sure")


async def test_resolve_twice_is_refused(review: Review, book: Book) -> None:
    """The second person learns who resolved the cancellation first, and as which state."""
    row = await book.row(await book.run(), state="in_doubt")
    await resolve(review, row, "cancelled", "ann", "sure")

    with pytest.raises(UsageError, match="is resolved already, as cancelled by ann"):
        await resolve(review, row, "rejected", "bob", "no")


async def test_resolve_yields_to_a_claim(review: Review, book: Book, database: Database) -> None:
    """A doubt that a run claims while a person resolves it stays claimed."""
    row = await book.row(await book.run(**ACTIVE), state="in_doubt", due_at=SETTLED)
    async with database.connection() as connection, connection.transaction():
        await connection.execute(
            "UPDATE retention.cancellations SET state = 'claimed', attempt_uuid = gen_random_uuid(), due_at = NULL,"
            " lease_until = now() + interval '1 minute'"
        )
        resolving = asyncio.create_task(resolve(review, row, "cancelled", "ann", "sure"))
        while not await book.all(WAITING):
            assert not resolving.done()

    with pytest.raises(UsageError, match=f"cancellation {row} is being worked on by a run just now"):
        await resolving
