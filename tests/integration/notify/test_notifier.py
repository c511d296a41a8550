"""Deliveries of notifications: real HTTP to a receiver that takes them, refuses them, or hangs."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import LogCapture
from support.receiver import KEY, Received, Receiver, notifier, webhook

from retention.ledger.database import Database, open_database
from retention.notify.apprise_channel import AppriseChannel
from retention.notify.notifier import DELIVERIES_PER_CLAIM, NotifierCounts
from retention.notify.webhook import Webhook
from retention.settings.model import Target

if TYPE_CHECKING:
    from support.ledger import Book

TESTS = Path(__file__).parents[2]


async def halted(book: Book, count: int = 1) -> None:
    """Add halted runs, which people are notified of."""
    for _ in range(count):
        await book.run(status="halted", halt_reason="max_rounds: 7")


async def due_again(book: Book) -> None:
    """Make every delivery due, as if its pause had passed."""
    await book.all("UPDATE retention.deliveries SET due_at = now() WHERE due_at IS NOT NULL")


async def problems(book: Book) -> list[tuple[str, str | None]]:
    """The problem of the newest try of each delivery, by target."""
    rows = await book.all("SELECT target, last_error FROM retention.deliveries ORDER BY target")
    return [(row.target, row.last_error) for row in rows]


def expected_signature(request: Received) -> str:
    """The signature that a receiver computes, written from the specification alone."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(KEY.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


async def test_a_refused_webhook_is_sent_again_unchanged(
    book: Book, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try has the same id and body, a signature of its own, no cookie, no proxy, and goes to that address only."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    await halted(book)
    log, counts, seen = LogCapture(), [], []
    async with Receiver(500, 410, 302) as receiver, notifier(database, webhook(receiver), log=log) as one:
        for _ in range(4):
            counts.append(await one.run_once())
            seen += await problems(book)
            await due_again(book)
        idle = await one.run_once()
    requests = receiver.requests
    notification = await book.one("SELECT notification_id::text AS name, body FROM retention.notifications")

    assert [
        NotifierCounts(1, 0, 1, 0),
        NotifierCounts(0, 0, 1, 0),
        NotifierCounts(0, 0, 1, 0),
        NotifierCounts(0, 1, 0, 0),
        NotifierCounts(),
    ] == [*counts, idle]
    refusals = ["HTTP status 500", "HTTP status 410", "HTTP status 302"]
    assert [("ops", problem) for problem in (*refusals, None)] == seen
    assert [("/hook?from=retention", notification.name, notification.body.encode())] * 4 == [
        (request.path, request.headers["webhook-id"], request.body) for request in requests
    ]
    assert [expected_signature(request) for request in requests] == [
        request.headers["webhook-signature"] for request in requests
    ]
    assert [] == [request for request in requests if abs(time.time() - int(request.headers["webhook-timestamp"])) > 60]
    assert {("application/json", None)} == {
        (one.headers["Content-Type"], one.headers.get("Cookie")) for one in requests
    }
    assert [
        ("notification.created", "info", None),
        *(("notification.failed", "warning", number) for number in (1, 2, 3)),
        ("notification.delivered", "info", 4),
    ] == [(entry["event"], entry["log_level"], entry.get("tries")) for entry in log.entries]
    assert {"run.halted"} == {entry["notice"] for entry in log.entries}
    assert "127.0.0.1" not in str(log.entries)


async def test_a_hanging_target_delays_no_other(book: Book, database: Database) -> None:
    """The other target has all of its messages while the first try of the hanging one still waits."""
    await halted(book, DELIVERIES_PER_CLAIM + 2)
    async with (
        Receiver(hanging=True) as deaf,
        Receiver() as well,
        notifier(database, webhook(deaf, "deaf"), webhook(well, "well"), cut_after=60) as one,
        asyncio.timeout(300),
    ):
        passing = asyncio.create_task(one.run_once())
        while (
            len(await book.all("SELECT target FROM retention.deliveries WHERE delivered_at IS NOT NULL"))
            < DELIVERIES_PER_CLAIM + 2
        ):
            await asyncio.sleep(0.01)
        going_on = not passing.done()
        passing.cancel()

    assert going_on
    assert (DELIVERIES_PER_CLAIM, DELIVERIES_PER_CLAIM + 2) == (len(deaf.requests), len(well.requests))


async def test_a_delivery_to_a_hanging_target_fails_at_the_timeout(book: Book, database: Database) -> None:
    """Its whole batch has failed, and the pass sends it no further messages."""
    await halted(book, DELIVERIES_PER_CLAIM + 2)
    async with Receiver(hanging=True) as deaf, notifier(database, webhook(deaf), cut_after=0.3) as one:
        counts = await one.run_once()

    assert NotifierCounts(created=DELIVERIES_PER_CLAIM + 2, failed=DELIVERIES_PER_CLAIM) == counts
    assert [("ops", "no reply in time")] * DELIVERIES_PER_CLAIM == [found for found in await problems(book) if found[1]]


async def test_two_notifiers_deliver_each_message_once(book: Book, database: Database, database_dsn: str) -> None:
    """Both notifiers work on the same messages at once, and no id arrives twice."""
    await halted(book, 12)
    async with (
        Receiver() as receiver,
        open_database(lambda: database_dsn) as second,
        notifier(database, webhook(receiver)) as one,
        notifier(second, webhook(receiver)) as other,
    ):
        counts = await asyncio.gather(one.run_once(), other.run_once(), one.run_once(), other.run_once())
    ids = [request.headers["webhook-id"] for request in receiver.requests]

    assert 12 == len(ids) == len(set(ids))
    assert (12, 12) == (sum(count.created for count in counts), sum(count.delivered for count in counts))


async def test_a_delivery_of_a_killed_process_is_tried_by_another(
    book: Book, database: Database, database_dsn: str
) -> None:
    """A process that is killed during its request leaves a leased delivery; another process tries it after the
    lease.
    """
    await halted(book)
    async with Receiver(hanging=True) as receiver:
        target = webhook(receiver)
        assert target.webhook is not None
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "support.notifier_process", database_dsn, target.webhook.reveal(), cwd=TESTS
        )
        await asyncio.wait_for(receiver.came(), 300)
        process.kill()
        await process.wait()
        receiver.hanging = False
        async with notifier(database, target) as one:
            leased = await one.run_once()
            await due_again(book)
            after = await one.run_once()
    first, second = receiver.requests

    assert (NotifierCounts(), NotifierCounts(delivered=1)) == (leased, after)
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert (2, None) == await book.one("SELECT tries, due_at FROM retention.deliveries")


async def test_a_cancelled_pass_loses_no_delivery(book: Book, database: Database) -> None:
    """The delivery keeps its lease, and no task of the pass continues in the background."""
    await halted(book)
    async with Receiver(hanging=True) as receiver, notifier(database, webhook(receiver)) as one:
        before = asyncio.all_tasks()
        passing = asyncio.create_task(one.run_once())
        await receiver.came()
        passing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await passing
        left = [task for task in asyncio.all_tasks() - before if "once" in repr(task) or "_try" in repr(task)]
    row = await book.one("SELECT tries, delivered_at, due_at > now() AS leased FROM retention.deliveries")

    assert [] == left
    assert (1, None, True) == row


async def test_a_delivery_is_given_up_after_three_days(book: Book, database: Database) -> None:
    """The newest problem is kept, an error is logged once, and the target is not called again."""
    await halted(book)
    log = LogCapture()
    async with Receiver(500) as receiver, notifier(database, webhook(receiver), log=log) as one:
        await one.run_once()
        await book.all("UPDATE retention.notifications SET created_at = now() - make_interval(days => 3)")
        early = await one.run_once()
        await due_again(book)
        counts = [await one.run_once(), await one.run_once()]

    assert [NotifierCounts(), NotifierCounts(given_up=1), NotifierCounts()] == [early, *counts]
    assert 1 == len(receiver.requests)
    assert (None, None, "HTTP status 500") == await book.one(
        "SELECT due_at, delivered_at, last_error FROM retention.deliveries"
    )
    assert [("notification.given_up", "error", "HTTP status 500", "ops")] == [
        (entry["event"], entry["log_level"], entry["problem"], entry["target"]) for entry in log.entries[2:]
    ]


@pytest.mark.usefixtures("files_settle_at_once")
async def test_a_changed_secret_is_used_from_the_next_delivery_on(
    book: Book, database: Database, tmp_path: Path
) -> None:
    """Secret files are read for each delivery, so that a mended one needs no restart."""
    address, key = tmp_path / "address", tmp_path / "key"
    await halted(book)
    async with Receiver() as receiver:
        address.write_text("http://127.0.0.1:9/closed")
        key.write_text("x" * 24)
        target = Target.model_validate({"name": "ops", "webhook": address, "signing_key": key})
        async with notifier(database, target) as one:
            refused = await one.run_once()
            found = await problems(book)
            address.write_text(f"http://{receiver.address}/mended")
            key.write_text(KEY)
            await due_again(book)
            mended = await one.run_once()
    (request,) = receiver.requests

    assert (NotifierCounts(created=1, failed=1), NotifierCounts(delivered=1)) == (refused, mended)
    assert [("ops", "no connection: connection refused")] == found
    assert ("/mended", expected_signature(request)) == (request.path, request.headers["webhook-signature"])


NOT_TLS = (
    "no connection: the TLS handshake failed: what answers there does not speak TLS; the configured address has a wrong"
    " port, or the other side is misset"
)


@pytest.mark.parametrize(
    ("problem", "scheme", "reply"),
    [
        (None, "http", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("HTTP status 404", "http", b"HTTP/1.1 404 Not Found\r\nContent-Length: 999999999\r\n\r\n"),
        ("the reply is not HTTP", "http", b"220 mail.example.com ESMTP\r\n\r\n"),
        ("the connection was closed before a reply", "http", b""),
        (NOT_TLS, "https", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ],
)
async def test_a_network_error_of_a_webhook_names_no_address(problem: str | None, scheme: str, reply: bytes) -> None:
    """Only a 2xx is a delivery; any other end is a problem in our own words."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Webhook(timeout=5) as sender:
        assert problem == await sender.post(f"{scheme}://127.0.0.1:{port}/s3cret", KEY, "m-1", "{}")


def apprise_target(receiver: Receiver, path: str = "") -> Target:
    """A target that apprise delivers to; it waits for a minute where it would wait for 4 s."""
    return Target.model_validate({"name": "chat", "apprise": f"json://{receiver.address}/{path}?cto=60&rto=60"})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise looks for modules that are on their way out
async def test_apprise_delivers_title_and_text(book: Book, database: Database) -> None:
    """A real service gets title and text, with the run and the next command; a refusal is tried again."""
    await book.run(policy="nightly", status="halted", halt_reason="max_rounds: <7> & *more*")
    async with Receiver(500) as receiver, notifier(database, apprise_target(receiver, "room")) as one:
        refused = await one.run_once()
        found = await problems(book)
        await due_again(book)
        taken = await one.run_once()
    sent: list[Any] = [request.json for request in receiver.requests]
    text = json.loads((await book.one("SELECT body FROM retention.notifications")).body)["text"]

    assert (NotifierCounts(created=1, failed=1), NotifierCounts(delivered=1)) == (refused, taken)
    assert [("chat", "the service did not take it")] == found
    assert [("retention, policy nightly: run halted", text)] * 2 == [(one["title"], one["message"]) for one in sent]
    assert "was halted: max_rounds: <7> & *more*. Next: retention run --resume" in text
    assert {"/room"} == {request.path.rstrip("/") for request in receiver.requests}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_failed_apprise_delivery_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hanging, an unknown and a redirecting service, and a missing extra, are problems without the address."""
    async with Receiver(302, hanging=False) as receiver:
        url = f"json://{receiver.address}/"
        redirected = await AppriseChannel().send(url, "title", "text")
        receiver.hanging = True
        hung = await AppriseChannel(timeout=2).send(url, "title", "text")
        unknown = await AppriseChannel().send("nosuch://s3cret", "title", "text")
        monkeypatch.setitem(sys.modules, "apprise", None)
        missing = await AppriseChannel().send(url, "title", "text")

    assert ("the service did not take it", "no reply in time") == (redirected, hung)
    assert "apprise knows no such service, or its address lacks something" == unknown
    assert "apprise is not installed: pip install 'retention[notify]'" == missing
    assert 2 == len(receiver.requests)
