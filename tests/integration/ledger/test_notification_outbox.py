"""The outbox in a real ledger: each notification is made once, and each delivery is leased to one process."""

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
    """Runs a step between the statement that lists runs to notify and the next statement."""

    def __init__(self, database: Database, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._database = database
        self._meanwhile = meanwhile

    def control(self) -> Database:
        """The same object, so that its statements are interrupted as well."""
        return self

    def durable(self) -> Database:
        """The same object."""
        return self

    async def rows(self, name: str, /, **values: Any) -> list[Any]:
        """Run a statement."""
        found = await self._database.rows(name, **values)
        if name == "notifications/list_runs_to_notify":
            await self._meanwhile()
        return found

    async def row(self, name: str, /, **values: Any) -> Any:
        """Run a statement."""
        return await self._database.row(name, **values)

    async def count(self, name: str, /, **values: Any) -> int:
        """Run a statement."""
        return await self._database.count(name, **values)


async def missed(book: Book, policy: str, days: int) -> None:
    """Add missed times, one per day."""
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


async def test_each_event_makes_one_notification(book: Book, notices: NotificationOutbox) -> None:
    """Each kind of event makes one notification, a policy's missed times make one together, and quiet ends are only
    marked.
    """
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
    events = Counter((notice.event, notice.subject, notice.targets) for notice in made)
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


async def test_events_without_a_target_are_marked_notified(book: Book, notices: NotificationOutbox) -> None:
    """Events that no target wants are marked as notified, so a target that is added later is not flooded."""
    await book.run(status="halted", halt_reason="max_rounds: 7")
    nobody = await notices.collect({})
    await book.run(status="failed", halt_reason="unreachable: acme")
    await missed(book, "nightly", 2)
    others = await notices.collect({"ops": HALTED})

    assert ([], []) == (nobody, others)
    assert [] == await notices.collect(ALL)
    assert ([], []) == (await told(book), await deliveries(book))


async def test_each_target_gets_its_events(book: Book, notices: NotificationOutbox) -> None:
    """A notification has one delivery for each target that wants its event."""
    await book.run(status="halted", halt_reason="max_rounds: 7")
    await book.run(status="failed", halt_reason="unreachable: acme")
    await notices.collect({"ops": EVENTS, "boss": FAILED, "art": MISSED})

    assert [("run.failed", "boss"), ("run.failed", "ops"), ("run.halted", "ops")] == [
        (row.event, row.target) for row in await deliveries(book)
    ]
    assert [["run.failed"], []] == [
        [one.event for one in await notices.claim_deliveries(name, 9)] for name in ("boss", "art")
    ]


async def test_notification_masks_secrets(book: Book, notices: NotificationOutbox) -> None:
    """A secret in a halt reason is masked in the notification."""
    await book.run(status="failed", halt_reason=f"what {SECRET} said", requested_by=f"{SECRET}-ann")
    await notices.collect(ALL)
    (body,) = await told(book)

    assert ("what *** said", "***-ann") == (body["run"]["halt_reason"], body["run"]["requested_by"])
    assert SECRET not in json.dumps(body)


async def test_two_processes_make_one_notification(database_dsn: str, database: Database, book: Book) -> None:
    """Two processes that read the same runs make one notification for each."""
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


async def test_resumed_run_makes_no_notification(database: Database, book: Book) -> None:
    """A run that changed after it was read makes no notification; its later end makes its own."""
    run_id = await book.run(status="halted", halt_reason="max_rounds: 7")
    runs = RunLedger(database)
    notices = notices_of(database)

    async def goes_on() -> None:
        assert await runs.start_run(run_id, None, resumed=True)

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


async def test_locked_run_is_left_for_the_next_collect(
    database_dsn: str, notices: NotificationOutbox, book: Book
) -> None:
    """A run that another session has locked is skipped until the next call, and delays no other run."""
    await book.run(policy="locked", status="halted", halt_reason="max_rounds: 7")
    await book.run(policy="locked", mode="dry_run")  # nothing to tell, only to mark
    await book.run(policy="free", status="halted", halt_reason="max_rounds: 7")
    async with await psycopg.AsyncConnection.connect(database_dsn) as connection:
        await connection.execute("SELECT FROM retention.runs WHERE policy = 'locked' FOR UPDATE")
        first = await notices.collect(ALL)
    second = await notices.collect(ALL)

    assert (["free"], ["locked"]) == ([one.subject for one in first], [one.subject for one in second])


async def one_delivery(book: Book, notices: NotificationOutbox) -> None:
    """Make a notification for one target."""
    await book.run(status="halted", halt_reason="max_rounds: 7")
    assert 1 == len(await notices.collect(ALL))


async def test_delivery_lease_expires(book: Book, notices: NotificationOutbox) -> None:
    """No other process gets a leased delivery; after the lease it is claimed again with the same body."""
    await one_delivery(book, notices)
    (first,) = await notices.claim_deliveries("ops", 4)
    assert [] == await notices.claim_deliveries("ops", 4)
    (row,) = await deliveries(book)
    assert DELIVERY_LEASE_S - 30 < row.due_in <= DELIVERY_LEASE_S
    await book.all("UPDATE retention.deliveries SET due_at = now()")
    (second,) = await notices.claim_deliveries("ops", 4)

    assert (1, 2) == (first.tries, second.tries)
    assert (first.notification_id, first.body) == (second.notification_id, second.body)


async def test_delivery_lease_grows_with_its_tries(book: Book, notices: NotificationOutbox) -> None:
    """The lease grows with each try, up to an hour, so a delivery that crashes its process is retried rarely."""
    await one_delivery(book, notices)
    await book.all("UPDATE retention.deliveries SET tries = 5000")
    await notices.claim_deliveries("ops", 4)
    (row,) = await deliveries(book)

    assert 3570 < row.due_in <= 3600


async def test_late_failure_keeps_a_newer_result(book: Book, notices: NotificationOutbox) -> None:
    """The failure of an overtaken try changes nothing, and a success of any try stays."""
    await one_delivery(book, notices)
    (first,) = await notices.claim_deliveries("ops", 4)
    await book.all("UPDATE retention.deliveries SET due_at = now()")
    (second,) = await notices.claim_deliveries("ops", 4)
    await notices.mark_failed(first, "too late", 0.0)
    assert [None] == [row.last_error for row in await deliveries(book)]
    await notices.mark_delivered(first)
    await notices.mark_failed(second, "no reply in time", 0.0)
    (row,) = await deliveries(book)

    assert (2, None, None) == (row.tries, row.due_at, row.last_error)
    assert row.delivered_at is not None
    assert [] == await notices.claim_deliveries("ops", 4)


async def test_delivery_to_an_unknown_target_is_abandoned(book: Book, notices: NotificationOutbox) -> None:
    """A delivery to an unknown target is abandoned after three days; a known target gets at least one try."""
    await one_delivery(book, notices)
    assert [] == await notices.abandon_deliveries([])
    await book.all("UPDATE retention.notifications SET created_at = now() - make_interval(days => 3, secs => 1)")
    assert [] == await notices.abandon_deliveries(["ops"])
    (given_up,) = await notices.abandon_deliveries(["boss"])
    (row,) = await deliveries(book)

    assert ("ops", 0, "no such target is configured") == (given_up.target, given_up.tries, given_up.last_error)
    assert (None, None, given_up.last_error) == (row.due_at, row.delivered_at, row.last_error)
    assert [] == await notices.abandon_deliveries(["boss"])
