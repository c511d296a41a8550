"""The history of one round, read from a real ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from support.ledger import OPENED, SETTLED

from retention.core.planning.plan import Scope
from retention.ledger.holds import Holds
from retention.ledger.plans import Plans
from retention.ledger.run_request import RunRequest
from retention.render.json_file import to_json
from retention.render.terminal_history import history_lines
from retention.reports.explain import explain

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.database import Database
    from retention.reports.round_history import RoundHistory

NIGHTLY = Scope(("acme",), (2,), timedelta(hours=72), timedelta(hours=24), None, ("GB",), None, ("g9",))
SECOND = timedelta(seconds=1)


async def explained(database: Database, round_id: str = "R-1", scope: Scope = NIGHTLY) -> RoundHistory:
    """Read a round's history and its eligibility under a policy."""
    return await explain(database, "acme", round_id, [("nightly", scope)])


async def test_explain_reports_an_unknown_round(database: Database) -> None:
    """An unknown round is no error: the history says where the search looked."""
    life = await explained(database)

    assert not life.seen
    assert (None, (), ()) == (life.open_round, life.cancellations, life.holds)
    assert ("it is not among the operator's open rounds",) == life.policies[0].why_not
    assert any(line.startswith("never seen: neither") for line in history_lines(life))


async def test_explain_shows_an_open_stale_round(database: Database, book: Book) -> None:
    """The history has the columns of the operator's view, and that the policy would plan the round."""
    await book.open_round()
    life = await explained(database)
    told_lines = list(history_lines(life))

    assert life.seen
    assert life.policies[0].selected
    assert told_lines[1:] == [
        "open, market MT, game g1, user U-1, opened at 2025-03-01T12:00:00Z, stake 100.00 EUR, bet transaction T1",
        "policy nightly: would plan it now",
    ]


async def test_explain_shows_when_a_young_round_becomes_stale(database: Database, book: Book) -> None:
    """The moment is exact, by the database's clock."""
    now = (await database.row("clocks/get_time")).now
    await book.open_round(opened_at=now - timedelta(hours=1))
    life = await explained(database)
    stale_at = (now + timedelta(hours=71)).astimezone(UTC).isoformat().replace("+00:00", "Z")

    assert life.policies[0].why_not[0].endswith(f"it becomes stale at {stale_at}")


async def test_explain_lists_all_events_in_order(database: Database, book: Book) -> None:
    """Runs, attempts, settlement, holds and a resolution come in the order of their times."""
    first = await book.run(as_of=SETTLED - timedelta(days=1), reason="urgent", approved_by="bob")
    refused = await book.row(first, state="rejected", error_code="99", settled_at=SETTLED - timedelta(hours=23))
    cancel = await book.attempt(
        refused,
        first,
        claimed_at=SETTLED - timedelta(hours=23, seconds=2),
        sent_at=SETTLED - timedelta(hours=23, seconds=1),
        replied_at=SETTLED - timedelta(hours=23),
        http_status=200,
        error_code="99",
        outcome="rejected",
    )
    second = await book.run()
    done = await book.row(second, "R-1", "resolved", resolved_as="cancelled", amount=90, resolved_at=SETTLED + SECOND)
    probe = await book.attempt(done, second, kind="status", outcome="in_doubt", detail="the reply is not JSON")
    hold = await Holds(database).add_hold("acme", None, None, None, "R-1", "complaint", "ann", None)
    await book.one("UPDATE retention.holds SET created_at = %s", OPENED)
    await Holds(database).release_hold(hold, "cid")
    await book.one("UPDATE retention.holds SET released_at = %s", OPENED + SECOND)
    life = await explained(database)

    assert list(history_lines(life))[1:] == [
        "not open any more: the operator's view does not have it",
        "policy nightly: would not plan it now",
        "  it is not among the operator's open rounds",
        "2025-03-01T12:00:00Z  hold 1 set by ann: complaint",
        "2025-03-01T12:00:01Z  hold 1 released by cid",
        f"2025-03-04T12:00:00Z  planned by run {first} of policy nightly (on_demand by ann, urgent, approved by bob)",
        (
            f"2025-03-04T12:59:58Z  cancel request {cancel} claimed by host-1: sent at 2025-03-04T12:59:59Z,"
            " answered at 2025-03-04T13:00:00Z, HTTP 200, code 99, rejected"
        ),
        "2025-03-04T13:00:00Z  settled: rejected, code 99",
        f"2025-03-05T11:00:00Z  planned by run {second} of policy nightly (on_demand by ann)",
        f"2025-03-05T11:59:58Z  status request {probe} claimed by host-1: in_doubt, the reply is not JSON",
        "2025-03-05T12:00:00Z  settled: cancelled, refund 90.00 EUR, transaction T1; amount 90.00 EUR, stake 100.00 EUR",
        "2025-03-05T12:00:01Z  resolved as cancelled by bob: asked the vendor",
    ]


async def test_explain_ends_with_the_next_step(database: Database, book: Book) -> None:
    """The history of a live round ends with its next step: a time, a run, or the wait for the next run."""
    halted = await book.run(status="halted", halt_reason="max_rounds: 9 stale rounds, the policy allows 5")
    await book.row(halted, "planned", "planned")
    await book.row(halted, "parked", "in_doubt")
    await book.row(halted, "asked", "in_doubt", due_at=SETTLED)
    last = {name: list(history_lines(await explained(database, name)))[-1] for name in ("planned", "parked", "asked")}

    assert last["planned"].endswith(
        f"is planned now; run {halted} is halted: max_rounds: 9 stale rounds, the policy allows 5"
    )
    assert last["parked"].endswith("is in_doubt now; the next run takes it up, unless a person resolves it before")
    assert last["asked"].endswith(f"is in_doubt now; more is tried from 2025-03-05T12:00:00Z on, by run {halted}")


async def test_explain_lists_every_hold_that_ever_matched(database: Database, book: Book) -> None:
    """A hold matches by the round's present or planned columns, even after its release."""
    await book.row(await book.run(), market="SE")
    await book.open_round(market="MT")
    holds = Holds(database)
    market = await holds.add_hold(None, "MT", None, None, None, "reason", "ann", None)
    former = await holds.add_hold(None, "SE", None, None, None, "reason", "ann", None)
    await holds.add_hold(None, "DK", None, None, None, "reason", "ann", None)
    await holds.add_hold("acme", None, "g2", None, "R-1", "reason", "ann", None)
    await holds.release_hold(former, "bob")
    life = await explained(database)

    assert [market, former] == [hold.hold_id for hold in life.holds]
    assert "on hold by hold 1 of ann: reason" in life.policies[0].why_not


async def test_explain_gives_the_same_as_json(database: Database, book: Book) -> None:
    """JSON has the facts of the lines, with exact amounts and times in UTC."""
    await book.open_round()
    run = await book.run()
    await book.attempt(await book.row(run, amount=90), run)
    document: dict[str, Any] = json.loads(to_json(await explained(database)))

    assert ("acme", "R-1", True) == (document["partner"], document["round_id"], document["seen"])
    assert ("100", "2025-03-01T12:00:00Z") == (document["open_round"]["stake"], document["open_round"]["opened_at"])
    assert ("90", ["amount 90 EUR, stake 100 EUR"]) == (
        document["cancellations"][0]["amount"],
        document["cancellations"][0]["discrepancies"],
    )
    assert ["cancel"] == [attempt["kind"] for attempt in document["cancellations"][0]["attempts"]]
    assert {"policy": "nightly", "selected": False} == {
        key: value for key, value in document["policies"][0].items() if key != "why_not"
    }


async def many_rounds(book: Book, now: datetime) -> list[str]:
    """Add open rounds of each kind that a plan distinguishes, each with a name of its own."""
    await book.open_round("stale")
    await book.open_round("exactly", opened_at=now - NIGHTLY.open_longer_than)
    await book.open_round("young", opened_at=now)
    await book.open_round("idle", last_activity_at=OPENED)
    await book.open_round("active", last_activity_at=now)
    await book.open_round("excluded market", market="GB")
    await book.open_round("excluded game", game="g9")
    await book.open_round("no game", game=None)
    await book.open_round("held")
    await book.open_round("held no more")
    active = await book.run(status="running", heartbeat_until="infinity")
    halted = await book.run(status="halted", halt_reason="max_rounds")
    left = await book.run(status="running")
    for name, run in (("active", active), ("halted", halted), ("left", left)):
        for state in ("planned", "retrying", "in_doubt", "claimed"):
            await book.open_round(f"{state} by {name}")
            await book.row(run, f"{state} by {name}", state)
    await book.open_round("doubtful")
    await book.row(left, "doubtful", "retrying", may_have_taken_effect=True)
    for state in ("cancelled", "already_cancelled", "no_longer_open", "held", "not_sent", "rejected"):
        await book.open_round(f"was {state}")
        await book.row(halted, f"was {state}", state)
    for second in ("rejected", "already_completed", "resolved"):
        await book.open_round(f"rejected and {second}")
        await book.row(halted, f"rejected and {second}", "rejected")
        resolved = {"resolved_as": "rejected"} if second == "resolved" else {}
        await book.row(left, f"rejected and {second}", second, **resolved)
    return [row.round_id for row in await book.all("SELECT round_id FROM retention.open_rounds ORDER BY 1")]


@pytest.mark.parametrize("scope", [NIGHTLY, replace(NIGHTLY, idle_longer_than=None, games=("g1",), markets=("MT",))])
async def test_explain_and_plan_agree_on_eligibility(database: Database, book: Book, scope: Scope) -> None:
    """For each kind of round, `explain` and a plan come to the same verdict."""
    rounds = await many_rounds(book, (await database.row("clocks/get_time")).now)
    holds = Holds(database)
    await holds.add_hold("acme", None, None, None, "held", "complaint", "ann", None)
    released = await holds.add_hold("acme", None, None, None, "held no more", "complaint", "ann", None)
    await holds.release_hold(released, "ann")
    selected = {name for name in rounds if (await explained(database, name, scope)).policies[0].selected}
    run = RunRequest(uuid4(), "nightly", "dry_run", "ann", None, {})
    await Plans(database).create_run(run, scope, ())
    planned = await book.all("SELECT round_id FROM retention.cancellations WHERE run_id = %s", run.run_id)

    assert {row.round_id for row in planned} == selected
    assert {"stale", "held no more", "retrying by left", "was rejected"} < selected
    assert {"young", "held", "in_doubt by left", "doubtful", "rejected and rejected"}.isdisjoint(selected)
