"""Notifications in a real ledger: made once of what runs came to, and each delivery in one process's hands."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from support.receiver import SECRET, notices_of

from retention.core.notifications.events import EVENTS, Event
from retention.ledger.database import Database, open_database
from retention.ledger.notifications import DELIVERY_LEASE_S
from retention.ledger.runs import RunLedger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from support.ledger import Book

    from retention.ledger.notifications import NotificationOutbox

ALL = {"ops": EVENTS}
HALTED: tuple[Event, ...] = ("run.halted",)
FAILED: tuple[Event, ...] = ("run.failed",)
MISSED: tuple[Event, ...] = ("schedule.missed",)
THREE = datetime(2025, 3, 5, 3, tzinfo=UTC)


@pytest.fixture
def notices(database: Database) -> NotificationOutbox:
    return notices_of(database)


class Interrupted(Database):
    """Lets something happen between the look for untold runs and what follows from it."""

    def __init__(self, database: Database, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._database = database
        self._meanwhile = meanwhile

    def control(self) -> Database:
        """Whoever asks with patience is interrupted as well."""
        return self

    def durable(self) -> Database:
        """Whoever wants to be sure is, too."""
        return self

    async def rows(self, name: str, **values: Any) -> list[Any]:
        """Run a statement."""
        found = await self._database.rows(name, **values)
        if name == "notifications/list_runs_to_notify":
            await self._meanwhile()
        return found

    async def row(self, name: str, **values: Any) -> Any:
        """Run a statement."""
        return await self._database.row(name, **values)

    async def count(self, name: str, **values: Any) -> int:
        """Run a statement."""
        return await self._database.count(name, **values)


async def missed(book: Book, policy: str, days: int) -> None:
    """Add times that passed without a run, one for each day."""
    for day in range(days):
        await book.run(
            policy=policy,
            trigger="schedule",
            status="cancelled",
            scheduled_for=THREE + timedelta(days=day),
            halt_reason=f"missed: {day}",
        )


async def told(book: Book) -> list[Any]:
    """The bodies of all notifications."""
    return [
        json.loads(row.body) for row in await book.all("SELECT body FROM retention.notifications ORDER BY created_at")
    ]


async def deliveries(book: Book) -> list[Any]:
    """All deliveries, with the seconds until they are due."""
    return await book.all(
        "SELECT d.*, n.event, extract(epoch FROM due_at - statement_timestamp())::float8 AS due_in"
        " FROM retention.deliveries d JOIN retention.notifications n USING (notification_id) ORDER BY event, target"
    )


async def test_what_needs_a_person_is_made_a_notification_once(book: Book, notices: NotificationOutbox) -> None:
    """Every kind of event is found in the ledger, missed times of a policy are one, and quiet ends are marked only."""
    await book.run(policy="halted", status="halted", halt_reason="max_rounds: 7", paused=False)
    await book.run(policy="failed", status="failed", halt_reason="unreachable: acme")
    doubtful = await book.run(policy="doubtful")
    await book.row(doubtful, "R-1", "in_doubt")
    await book.row(doubtful, "R-2", "cancelled")
    await missed(book, "nightly", 3)
    await missed(book, "weekly", 1)
    clean = await book.run(policy="clean")
    await book.row(clean, "R-3", "cancelled")
    dry = await book.run(policy="dry", mode="dry_run")
    await book.row(dry, "R-4", "not_sent")
    await book.run(policy="refused", status="cancelled", halt_reason="rejected by bob")
    await book.run(policy="going", status="running")
    made = await notices.collect(ALL)
    events = Counter((notice.event, notice.policy, notice.targets) for notice in made)
    by_policy = {body["policy"] if "missed" in body else body["run"]["policy"]: body for body in await told(book)}

    assert {
        ("run.halted", "halted", ("ops",)): 1,
        ("run.failed", "failed", ("ops",)): 1,
        ("run.review", "doubtful", ("ops",)): 1,
        ("schedule.missed", "nightly", ("ops",)): 1,
        ("schedule.missed", "weekly", ("ops",)): 1,
    } == events
    assert {policy for _, policy, _ in events} == set(by_policy)
    assert {"in_doubt": 1, "cancelled": 1} == by_policy["doubtful"]["run"]["states"]
    assert {"EUR": "100"} == by_policy["doubtful"]["run"]["refunds"]
    assert {"count": 3, "oldest": "2025-03-05T03:00:00Z", "newest": "2025-03-07T03:00:00Z"} == by_policy["nightly"][
        "missed"
    ]
    assert ["going"] == [row.policy for row in await book.all("SELECT policy FROM retention.runs WHERE NOT notified")]
    assert [] == await notices.collect(ALL)
    assert 5 == len(await deliveries(book))


async def test_where_nobody_is_to_be_told_nothing_is_kept_for_later(book: Book, notices: NotificationOutbox) -> None:
    """Without targets, or with none that wants the event, runs are marked; a target that comes later is not flooded."""
    await book.run(status="halted", halt_reason="max_rounds: 7")
    nobody = await notices.collect({})
    await book.run(status="failed", halt_reason="unreachable: acme")
    await missed(book, "nightly", 2)
    others = await notices.collect({"ops": HALTED})

    assert ([], []) == (nobody, others)
    assert [] == await notices.collect(ALL)
    assert ([], []) == (await told(book), await deliveries(book))


async def test_each_target_gets_the_events_that_it_wants(book: Book, notices: NotificationOutbox) -> None:
    """One notification for all targets, a delivery for each that wants it."""
    await book.run(status="halted", halt_reason="max_rounds: 7")
    await book.run(status="failed", halt_reason="unreachable: acme")
    await notices.collect({"ops": EVENTS, "boss": FAILED, "art": MISSED})

    assert [("run.failed", "boss"), ("run.failed", "ops"), ("run.halted", "ops")] == [
        (row.event, row.target) for row in await deliveries(book)
    ]
    assert [["run.failed"], []] == [[one.event for one in await notices.claim(name, 9)] for name in ("boss", "art")]


async def test_a_secret_in_a_reason_is_masked(book: Book, notices: NotificationOutbox) -> None:
    """Whatever made its way into the ledger goes no further."""
    await book.run(status="failed", halt_reason=f"what {SECRET} said", requested_by=f"{SECRET}-ann")
    await notices.collect(ALL)
    (body,) = await told(book)

    assert ("what *** said", "***-ann") == (body["run"]["halt_reason"], body["run"]["requested_by"])
    assert SECRET not in json.dumps(body)


async def test_two_processes_that_find_the_same_tell_it_once(database_dsn: str, database: Database, book: Book) -> None:
    """Both have read the same untold runs before either tells of them: what one makes, the other leaves alone."""
    for number in range(5):
        await book.run(policy=f"p{number}", status="halted", halt_reason="max_rounds: 7")
    await book.run(policy="quiet")
    await missed(book, "nightly", 20)
    both = asyncio.Barrier(2)
    async with open_database(lambda: database_dsn) as other:
        made = await asyncio.gather(
            *(notices_of(Interrupted(one, both.wait)).collect(ALL) for one in (database, other))
        )

    assert 6 == len(made[0]) + len(made[1]) == len(await told(book)) == len(await deliveries(book))
    assert [(20,)] == [(body["missed"]["count"],) for body in await told(book) if "missed" in body]
    assert [] == await book.all("SELECT policy FROM retention.runs WHERE NOT notified")


async def test_a_run_that_goes_on_meanwhile_is_not_told_of(database: Database, book: Book) -> None:
    """What a run was when it was read is told only while that still holds; what it comes to next is told in its turn."""
    run_id = await book.run(status="halted", halt_reason="max_rounds: 7")
    runs = RunLedger(database)
    notices = notices_of(database)

    async def goes_on() -> None:
        assert await runs.start_run(run_id, None, again=True)

    async def is_halted_again() -> None:
        await goes_on()
        await runs.halt_run(run_id, "replica", "max_failure_ratio: 0.5")

    assert [] == await notices_of(Interrupted(database, goes_on)).collect(ALL)
    assert [] == await notices.collect(ALL)
    await runs.halt_run(run_id, "replica", "max_failure_ratio: 0.4")
    assert [] == await notices_of(Interrupted(database, is_halted_again)).collect(ALL)
    assert ["run.halted"] == [notice.event for notice in await notices.collect(ALL)]
    await is_halted_again()
    assert ["run.halted"] == [notice.event for notice in await notices.collect(ALL)]
    assert ["max_failure_ratio: 0.5"] * 2 == [body["run"]["halt_reason"] for body in await told(book)]
    await is_halted_again()
    assert [] == await notices_of(Interrupted(database, goes_on)).collect({"ops": FAILED})
    assert [(False,)] == await book.all("SELECT notified FROM retention.runs")


async def test_who_has_a_run_under_lock_is_not_waited_for(
    database_dsn: str, notices: NotificationOutbox, book: Book
) -> None:
    """A run that somebody is changing is left for the next look, and holds up neither us nor the others."""
    await book.run(policy="locked", status="halted", halt_reason="max_rounds: 7")
    await book.run(policy="locked", mode="dry_run")  # nothing to tell, only to mark
    await book.run(policy="free", status="halted", halt_reason="max_rounds: 7")
    async with await psycopg.AsyncConnection.connect(database_dsn) as connection:
        await connection.execute("SELECT FROM retention.runs WHERE policy = 'locked' FOR UPDATE")
        first = await notices.collect(ALL)
    second = await notices.collect(ALL)

    assert (["free"], ["locked"]) == ([one.policy for one in first], [one.policy for one in second])


async def one_delivery(book: Book, notices: NotificationOutbox) -> None:
    """Make a notification for one target."""
    await book.run(status="halted", halt_reason="max_rounds: 7")
    assert 1 == len(await notices.collect(ALL))


async def test_a_claim_is_a_lease_that_ends_by_itself(book: Book, notices: NotificationOutbox) -> None:
    """While it holds nobody else gets the delivery; what its process never settled is then tried again, as it was."""
    await one_delivery(book, notices)
    (first,) = await notices.claim("ops", 4)
    assert [] == await notices.claim("ops", 4)
    (row,) = await deliveries(book)
    assert DELIVERY_LEASE_S - 30 < row.due_in <= DELIVERY_LEASE_S
    await book.all("UPDATE retention.deliveries SET due_at = now()")
    (second,) = await notices.claim("ops", 4)

    assert (1, 2) == (first.tries, second.tries)
    assert (first.notification_id, first.body) == (second.notification_id, second.body)


async def test_a_claim_that_kills_its_process_each_time_is_made_less_and_less_often(
    book: Book, notices: NotificationOutbox
) -> None:
    """The lease grows with the tries, up to an hour: nobody dies of the same message every minute."""
    await one_delivery(book, notices)
    await book.all("UPDATE retention.deliveries SET tries = 5000")
    await notices.claim("ops", 4)
    (row,) = await deliveries(book)

    assert 3570 < row.due_in <= 3600


async def test_a_late_word_of_failure_changes_nothing(book: Book, notices: NotificationOutbox) -> None:
    """A try that was overtaken by another says no more; a success stands, whoever had it."""
    await one_delivery(book, notices)
    (first,) = await notices.claim("ops", 4)
    await book.all("UPDATE retention.deliveries SET due_at = now()")
    (second,) = await notices.claim("ops", 4)
    await notices.undelivered(first, "too late", 0.0)
    assert [None] == [row.last_error for row in await deliveries(book)]
    await notices.delivered(first)
    await notices.undelivered(second, "no reply in time", 0.0)
    (row,) = await deliveries(book)

    assert (2, None, None) == (row.attempts, row.due_at, row.last_error)
    assert row.delivered_at is not None
    assert [] == await notices.claim("ops", 4)


async def test_what_waits_for_a_target_that_is_gone_is_given_up_in_the_end(
    book: Book, notices: NotificationOutbox
) -> None:
    """A target may come back with the next configuration, for three days; a known one is tried once, however late."""
    await one_delivery(book, notices)
    assert [] == await notices.abandon([])
    await book.all("UPDATE retention.notifications SET created_at = now() - make_interval(days => 3, secs => 1)")
    assert [] == await notices.abandon(["ops"])
    (given_up,) = await notices.abandon(["boss"])
    (row,) = await deliveries(book)

    assert ("ops", 0, "no such target is configured") == (given_up.target, given_up.tries, given_up.problem)
    assert (None, None, given_up.problem) == (row.due_at, row.delivered_at, row.last_error)
    assert [] == await notices.abandon(["boss"])
