"""Findings in the ledger, and questions in their slots: together, once, and only where they still hold."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.ledger import OPENED, SETTLED

from retention.core.evidence.reconciliation import FindingKind, Operator, Sides
from retention.ledger.reconciliation import NewFinding, ReconcileScope, Reconciliations
from retention.ledger.terms import PartnerTerms

if TYPE_CHECKING:
    from uuid import UUID

    from support.ledger import Book

    from retention.ledger.database import Database

TERMS = PartnerTerms("acme", 100.0, 1.0, 5, status_probe=True)
SIDES = Sides("cancelled", "InProgress", "not open", "no view")


@pytest.fixture
def ledger(database: Database) -> Reconciliations:
    return Reconciliations(database, "host-1", time.monotonic)


def open_at_vendor(number: int, outcome: str = "cancelled") -> NewFinding:
    """Make a finding about a cancellation, as compared with this outcome."""
    return NewFinding(number, FindingKind.OPEN_AT_VENDOR, outcome, SIDES)


async def listed(ledger: Reconciliations, **scope: Any) -> list[str]:
    """Return the round ids that a scope compares, in their order."""
    return [one.round_id for one in await ledger.list_rounds(ReconcileScope(**scope), 0, 100)]


async def test_settled_rounds_of_enforcing_runs_are_listed(ledger: Reconciliations, book: Book) -> None:
    """Live rows and dry runs are not compared; a row that a later run has taken up is, where it is cancelled."""
    first, dry, later = await book.run(), await book.run(mode="dry_run"), await book.run()
    for state in ("planned", "retrying", "in_doubt"):
        await book.row(first, state, state)
    await book.row(dry, "dry", "not_sent")
    await book.row(first, "again", "rejected")
    await book.row(later, "again", "cancelled")
    await book.row(first, "judged", "resolved", resolved_as="rejected")
    await book.row(first, "reused", "cancelled")
    await book.row(later, "reused", "no_longer_open")
    assert ["again", "judged", "reused", "reused"] == await listed(ledger)
    (again, *_) = await ledger.list_rounds(ReconcileScope(), 0, 1)
    assert ("again", "cancelled") == (again.round_id, again.outcome)


async def test_a_scope_goes_by_the_time_of_the_outcome(ledger: Reconciliations, book: Book) -> None:
    """A resolved row became its outcome when it was resolved; the end of a period is not in it."""
    run_id = await book.run()
    await book.row(run_id, "settled")
    later = SETTLED + timedelta(days=1)
    await book.row(run_id, "resolved", "resolved", resolved_as="cancelled", resolved_from="rejected", resolved_at=later)
    assert ["settled"] == await listed(ledger, start=SETTLED, end=later)
    assert ["resolved"] == await listed(ledger, start=later)
    assert [] == await listed(ledger, start=later, market="SE")
    assert [] == await listed(ledger, run_id=uuid.uuid4())


async def test_pages_of_rounds_follow_each_other(ledger: Reconciliations, book: Book) -> None:
    """Each round is in exactly one batch."""
    run_id = await book.run()
    ids = [await book.row(run_id, f"r{number}") for number in range(5)]
    found, after = [], 0
    while rounds := await ledger.list_rounds(ReconcileScope(), after, 2):
        found += [one.id for one in rounds]
        after = rounds[-1].id
    assert ids == found


async def test_the_same_round_is_told_from_another_one(ledger: Reconciliations, book: Book) -> None:
    """A round of the view is the cancelled one where opening, user and market agree, even if it stands there twice."""
    run_id = await book.run()
    ids = {name: await book.row(run_id, name) for name in ("gone", "same", "opened", "user", "market")}
    await book.open_round("same")
    await book.open_round("opened", opened_at=OPENED + timedelta(seconds=1))
    await book.open_round("user", user_id="U-2")
    await book.open_round("market", market="SE")
    sides = await ledger.read_sides([*ids.values()], wallet=False)
    another = dict.fromkeys(("opened", "user", "market"), Operator.ANOTHER)
    expected = {"gone": Operator.CLOSED, "same": Operator.SAME, **another}
    assert expected == {name: sides[number].operator for name, number in ids.items()}
    assert {None} == {one.refunds for one in sides.values()}


async def test_a_finding_is_kept_once(ledger: Reconciliations, database: Database, book: Book) -> None:
    """Of many that find the same at once, one keeps it; later ones are told that it is known, or resolved."""
    number = await book.row(await book.run())
    others = [Reconciliations(database, f"host-{n}", time.monotonic) for n in range(4)]
    kept = await asyncio.gather(*(one.insert_findings([open_at_vendor(number)]) for one in others))
    assert [False, False, False, True] == sorted(one.new for (one,) in kept)
    assert [(number, "open_at_vendor", "InProgress")] == [
        tuple(row) for row in await book.all("SELECT cancellation_id, kind, vendor FROM retention.findings")
    ]
    await book.all("UPDATE retention.findings SET resolved_at = now()")
    (again,) = await ledger.insert_findings([open_at_vendor(number)])
    assert (False, True) == (again.new, again.resolved)
    assert [] == await ledger.insert_findings([])


async def test_a_finding_about_another_outcome_is_dropped(ledger: Reconciliations, book: Book) -> None:
    """A row that was resolved meanwhile, and one that a later run has taken up, is left to the next reconciliation."""
    run_id = await book.run()
    resolved = await book.row(run_id, "resolved", "resolved", resolved_as="cancelled", resolved_from="rejected")
    taken = await book.row(run_id, "taken", "rejected")
    await book.row(await book.run(), "taken", "planned")
    found = [open_at_vendor(resolved, "rejected"), open_at_vendor(taken, "rejected")]
    assert [] == await ledger.insert_findings(found)
    assert [] == await book.all("SELECT finding_id FROM retention.findings")


async def test_a_finding_about_an_archived_row_is_dropped(ledger: Reconciliations, book: Book) -> None:
    """A row whose month is recorded as archived, and that is not dropped yet, gets no finding: no person would see it."""
    number = await book.row(await book.run())
    await book.all(
        "INSERT INTO retention.archives (name, month, part, first_id, last_id, kept, files, runs, archived_by)"
        " VALUES ('2016-10', '2016-10', 1, %s, %s, 0, '[]', '{}', 'ann')",
        number,
        number,
    )
    assert [] == await ledger.insert_findings([open_at_vendor(number)])


async def question(book: Book) -> list[tuple[str, Any]]:
    """Make a question about a round of the ledger."""
    ledger = Reconciliations(book._database, "host-1", time.monotonic)  # noqa: SLF001
    await book.row(await book.run())
    (one,) = await ledger.list_rounds(ReconcileScope(), 0, 1)
    await ledger.ensure_partners(["acme"])
    return [(str(uuid.uuid4()), one)]


async def test_a_question_is_on_record_before_it_leaves(ledger: Reconciliations, book: Book) -> None:
    """The slot and the attempt come together; without a slot there is no attempt."""
    asked = await question(book)
    found = await ledger.reserve_questions(TERMS, 1, asked)
    assert (1, None, False) == (len(found.slots), found.paused_by, found.by_vendor)
    (row,) = await book.all("SELECT uuid::text, kind, outcome FROM retention.attempts")
    assert (asked[0][0], "status", None) == tuple(row)
    listing = await ledger.reserve_questions(TERMS, 1)
    assert found.slots[0] < listing.slots[0]
    assert 1 == len(await book.all("SELECT uuid FROM retention.attempts"))


@pytest.mark.parametrize(
    ("statement", "paused_by", "by_vendor"),
    [
        ("INSERT INTO retention.pauses (reason, paused_by) VALUES ('x', 'ann')", "ann", False),
        ("INSERT INTO retention.pauses (partner, reason, paused_by) VALUES ('acme', 'x', 'ann')", "ann", False),
        ("UPDATE retention.partner_state SET paused_until = now() + interval '1 h'", None, True),
    ],
)
async def test_a_paused_partner_gets_no_slot(
    ledger: Reconciliations, book: Book, statement: str, paused_by: str | None, *, by_vendor: bool
) -> None:
    """A person's pause and a vendor's are told apart, and nothing is put on record."""
    asked = await question(book)
    await book.all(statement)
    found = await ledger.reserve_questions(TERMS, 1, asked)
    assert ((), paused_by, by_vendor) == (found.slots, found.paused_by, found.by_vendor)
    assert [] == await book.all("SELECT uuid FROM retention.attempts")


async def test_a_pause_of_another_partner_stops_nothing(ledger: Reconciliations, book: Book) -> None:
    """A pause counts for its own partner alone."""
    asked = await question(book)
    await book.all("INSERT INTO retention.pauses (partner, reason, paused_by) VALUES ('other', 'x', 'ann')")
    assert 1 == len((await ledger.reserve_questions(TERMS, 1, asked)).slots)


async def test_an_unlisted_partner_has_no_slots(ledger: Reconciliations, book: Book) -> None:
    """Without its row of rates a partner has no slot, until the row is made."""
    run_id: UUID = await book.run()
    await book.row(run_id)
    assert () == (await ledger.reserve_questions(TERMS, 1)).slots
    await ledger.ensure_partners(["acme"])
    assert 1 == len((await ledger.reserve_questions(TERMS, 1)).slots)
