"""Notifications on their way: real HTTP to a receiver that takes them, refuses them, or hangs."""

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
    """Add runs that somebody is to be told of."""
    for _ in range(count):
        await book.run(status="halted", halt_reason="max_rounds: 7")


async def due_again(book: Book) -> None:
    """Let the pauses pass."""
    await book.all("UPDATE retention.deliveries SET due_at = now() WHERE due_at IS NOT NULL")


async def problems(book: Book) -> list[tuple[str, str | None]]:
    """What became of the newest try of each delivery, by target."""
    rows = await book.all("SELECT target, last_error FROM retention.deliveries ORDER BY target")
    return [(row.target, row.last_error) for row in rows]


def expected_signature(request: Received) -> str:
    """The signature as a receiver computes it, from nothing but the specification."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(KEY.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


async def test_a_receiver_that_refuses_gets_the_same_again_until_it_takes_it(
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


async def test_a_target_that_hangs_holds_up_no_other(book: Book, database: Database) -> None:
    """The other has all of its messages while the first try of the one that hangs is still going on."""
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


async def test_a_target_that_hangs_is_cut_at_the_timeout(book: Book, database: Database) -> None:
    """Its tries have failed then, and it is not asked for the rest of its messages in the same pass."""
    await halted(book, DELIVERIES_PER_CLAIM + 2)
    async with Receiver(hanging=True) as deaf, notifier(database, webhook(deaf), cut_after=0.3) as one:
        counts = await one.run_once()

    assert NotifierCounts(created=DELIVERIES_PER_CLAIM + 2, failed=DELIVERIES_PER_CLAIM) == counts
    assert [("ops", "no reply in time")] * DELIVERIES_PER_CLAIM == [found for found in await problems(book) if found[1]]


async def test_two_notifiers_deliver_each_message_once(book: Book, database: Database, database_dsn: str) -> None:
    """Both work on the same messages at once, and no id comes twice."""
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


async def test_what_a_killed_process_had_in_hand_is_delivered_by_another(
    book: Book, database: Database, database_dsn: str
) -> None:
    """A process that is killed while the receiver has its message leaves a try on record, and another tries again."""
    await halted(book)
    async with Receiver(hanging=True) as receiver:
        target = webhook(receiver)
        assert target.webhook is not None
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "support.notifier_process", database_dsn, target.webhook.reveal(), cwd=TESTS
        )
        await asyncio.wait_for(receiver.came(), 30)
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


async def test_being_cancelled_in_the_middle_loses_nothing(book: Book, database: Database) -> None:
    """The try stays on record with its lease, and nothing of it goes on behind the caller's back."""
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


async def test_what_nobody_takes_for_three_days_is_given_up(book: Book, database: Database) -> None:
    """The newest problem is kept, an error is logged once, and nobody is asked again."""
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
async def test_a_changed_address_and_key_count_from_the_next_try_on(
    book: Book, database: Database, tmp_path: Path
) -> None:
    """Secrets in files are read for each try, so that whoever mends them need not restart anything."""
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
async def test_what_the_network_does_is_told_without_the_address(
    problem: str | None, scheme: str, reply: bytes
) -> None:
    """Only a 2xx is a delivery; anything else is a problem in words of our own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(reply)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Webhook(timeout=5) as sender:
        assert problem == await sender.post(f"{scheme}://127.0.0.1:{port}/s3cret", KEY, "m-1", "{}")


def by_chat(receiver: Receiver, path: str = "") -> Target:
    """A target that apprise knows how to tell."""
    return Target.model_validate({"name": "chat", "apprise": f"json://{receiver.address}/{path}"})


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise looks for modules that are on their way out
async def test_apprise_tells_people_in_a_sentence(book: Book, database: Database) -> None:
    """Title and text come through a real service, with the run and the next command; a refusal is tried again."""
    await book.run(policy="nightly", status="halted", halt_reason="max_rounds: <7> & *more*")
    async with Receiver(500) as receiver, notifier(database, by_chat(receiver, "room")) as one:
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
async def test_a_chat_that_cannot_be_told_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that hangs, that nobody knows, that redirects, and an extra that is missing are problems like others."""
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
