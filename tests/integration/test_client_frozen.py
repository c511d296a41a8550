"""A process that is frozen in the middle of a request cannot know the acts of others meanwhile."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
import uvloop

from retention.core.model import NotConnected
from retention.vendor_api.client import VendorClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retention.vendor_api.client import Exchange

TIMEOUT = 0.1
"""Seconds for a request."""

FROZEN = 0.15
"""Seconds for which the process stands still."""


class Listener:
    """Counts arrivals, in a thread of its own: it goes on while the process that asks is frozen."""

    def __init__(self) -> None:
        self.arrived = 0
        self._lock = threading.Lock()
        self._client: socket.socket | None = None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v4/CancelRound"
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    @property
    def listening(self) -> bool:
        """Whether it has not been stopped."""
        return self._thread.is_alive()

    def settled(self) -> int:
        """How much has arrived, once all is counted that has been sent: the thread may not have had its turn."""
        while True:
            with self._lock:
                sockets = [self._socket, *([self._client] if self._client else [])]
                if not select.select(sockets, [], [], 0)[0]:
                    return self.arrived
            time.sleep(0.001)

    def _listen(self) -> None:
        while True:
            select.select([self._socket], [], [])
            with self._lock:
                client, _ = self._socket.accept()
                self._client = client
            data = b" "
            while data:
                select.select([client], [], [])
                with self._lock:
                    data = client.recv(65536)
                    self.arrived += bool(data) and data != b"stop"
                    if data in {b"", b"stop"}:
                        self._client = None
                        client.close()
                if data == b"stop":
                    return

    def stop(self) -> None:
        """Hear everything out."""
        with socket.create_connection(self._socket.getsockname()) as last:
            last.sendall(b"stop")
            self._thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Yield one that listens."""
    listener = Listener()
    try:
        yield listener
    finally:
        if listener.listening:
            listener.stop()


@pytest.mark.parametrize("steps", range(1, 14))
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_request_leaves_in_its_time_or_not_at_all(listener: Listener, loop: object, steps: int) -> None:
    """Frozen after any step of the way to its request for longer than the timeout, a process does not send it any
    more.
    """

    async def freeze() -> tuple[int, Exchange]:
        async with VendorClient(timeout=TIMEOUT) as client:
            request = asyncio.create_task(client.post(listener.url, b"{}"))
            for _ in range(steps):
                await asyncio.sleep(0)
            time.sleep(FROZEN)  # noqa: ASYNC251 - nothing in this process moves
            return listener.settled(), await request

    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        before, exchange = runner.run(freeze())
    listener.stop()
    assert before == listener.arrived
    assert bool(listener.arrived) == (not isinstance(exchange.answer, NotConnected))


async def test_a_request_leaves_while_its_claim_holds_or_not_at_all(listener: Listener) -> None:
    """A request whose claim is not ours any more does not leave, and counts as one that never had a connection."""
    async with VendorClient(timeout=TIMEOUT) as client:
        exchange = await client.post(listener.url, b"{}", until=time.monotonic())
    listener.stop()
    assert (0, NotConnected, None) == (listener.arrived, type(exchange.answer), exchange.sent_at)
