"""A TCP proxy that faults are put into: it stands between one process and its PostgreSQL, or its vendor."""

from __future__ import annotations

import asyncio
import enum
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from retention.simulator.connection import reset
from support.wire_framing import Framing

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable, Iterator
    from random import Random

Address = str | tuple[str, int]
"""The path of a Unix socket, or host and port."""


class Way(enum.Enum):
    """A direction: up to the server, or down to its client."""

    UP = "up"
    DOWN = "down"


class CutError(Exception):
    """The connection ends here and now, with a reset to both ends."""


class Link:
    """One connection through the proxy.

    `deaf`: the ways in which bytes were swallowed; none can follow them. `lost`: the next answer does not arrive.
    `starts`: where messages begin in the chunk that is under way, if the protocol is PostgreSQL's.
    """

    def __init__(self, client: StreamWriter, server: StreamWriter, *, postgres: bool) -> None:
        self.deaf: set[Way] = set()
        self.lost = False
        self.postgres = postgres
        self.starts: list[int] = []
        self.to = {Way.UP: server, Way.DOWN: client}
        self._framing = {Way.UP: Framing(first_has_type=False), Way.DOWN: Framing()}

    def follow(self, way: Way, data: bytes) -> None:
        """Count the messages, also lost ones."""
        if self.postgres:
            self.starts = self._framing[way].starts(data)

    def reset(self) -> None:
        """End it as a crash does."""
        for writer in self.to.values():
            abort(writer)

    async def close(self) -> None:
        """Close the connection politely: bytes already written still arrive."""
        for writer in self.to.values():
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self.to.values()), return_exceptions=True)


class Trouble:
    """A fault of the network. As it is, it does no harm."""

    admits = True
    """Whether new connections are made."""
    silent = False
    """Whether the end of a connection goes unnoticed by its other end."""

    def begin(self, links: set[Link]) -> None:
        """Strike the connections that there are."""

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        """The fate of these bytes. Raises CutError."""
        del link, way
        return data


class Cut(Trouble):
    """Every connection is reset, and each new one as soon as it is made."""

    admits = False

    def begin(self, links: set[Link]) -> None:
        for link in links:
            link.reset()


class HalfOpen(Trouble):
    """Bytes are swallowed without an error. A direction that lost some stays silent for good: they are not sent
    again.

    `swallowed` is set once some were.
    """

    silent = True

    def __init__(self, *ways: Way) -> None:
        self._ways = ways or (*Way,)
        self.swallowed = asyncio.Event()

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        if way not in self._ways:
            return data
        link.deaf.add(way)
        self.swallowed.set()
        return b""


class Slow(Trouble):
    """Each chunk comes `latency` seconds later, and in so many pieces, with as much time between them all."""

    def __init__(self, latency: float, pieces: int = 4) -> None:
        self._latency, self._pieces = latency, pieces

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        size = max(1, len(data) // self._pieces)
        await asyncio.sleep(self._latency)
        while len(data) > size:
            link.to[way].write(data[:size])
            data = data[size:]
            await asyncio.sleep(self._latency / self._pieces)
        return data


class CorruptReplies(Trouble):
    """A share of an HTTP server's replies come with a byte flipped.

    Only where that breaks the syntax: in the word HTTP, in the brace that opens the object or in the one that closes
    it. A byte flipped inside an amount would be believed by anybody without TLS, so that nothing could be proved with
    it.
    """

    def __init__(self, chance: Random, share: float) -> None:
        self._chance, self._bulk_slots = chance, share

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        del link
        places = [data.find(b"{"), data.rfind(b"}"), 0 if data.startswith(b"HTTP/") else -1]
        places = [place for place in places if place >= 0]
        if way is Way.UP or not places or self._chance.random() >= self._bulk_slots:
            return data
        return flipped(data, self._chance.choice(places))


class BreakFraming(Trouble):
    """A share of PostgreSQL's messages, in either direction, come with a type or a length that there is not.

    Only those: a byte flipped inside a value would be believed by anybody without TLS. A length loses its whole first
    byte, so that it is negative; a type gets its top bit, which none has.
    """

    def __init__(self, chance: Random, share: float) -> None:
        self._chance, self._bulk_slots = chance, share

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        del way
        if not link.starts or self._chance.random() >= self._bulk_slots:
            return data
        start = self._chance.choice(link.starts)
        place = min(start + self._chance.randrange(2), len(data) - 1)
        return flipped(data, place)


class ReplyLost(Trouble):
    """The request passes; its answer is dropped once the server has done its work, and the connection is cut.

    `chosen` sees the bytes on the way up, and picks the request.
    """

    def __init__(self, chosen: Callable[[bytes], bool]) -> None:
        self._chosen = chosen

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        if way is Way.UP:
            link.lost = link.lost or self._chosen(data)
            return data
        if not link.lost:
            return data
        # PostgreSQL may send rows before it commits; that it is ready for the next statement it says afterwards.
        if not link.postgres or any(data[start] == ord("Z") for start in link.starts):
            raise CutError
        return b""


class Proxy:
    """Passes connections on to `upstream`, which may be set anew; None refuses them. `port` is of 127.0.0.1."""

    def __init__(self, upstream: Address | None, *, postgres: bool = False) -> None:
        self.upstream = upstream
        self.port = 0
        self._postgres = postgres
        self._troubles: list[Trouble] = []
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._calm = asyncio.Event()
        self._calm.set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=256)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        for link in self._links:
            link.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def trouble(self, trouble: Trouble) -> Iterator[None]:
        """Have this trouble, besides the present ones, until the context ends."""
        # The slow trouble comes last: it makes pieces that the others must not see.
        self._troubles = sorted([*self._troubles, trouble], key=lambda one: isinstance(one, Slow))
        self._note()
        trouble.begin(self._links)
        try:
            yield
        finally:
            self._troubles.remove(trouble)
            self._note()

    def _note(self) -> None:
        if any(trouble.silent for trouble in self._troubles):
            self._calm.clear()
        else:
            self._calm.set()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the proxy ends; a listener's task that ends cancelled would be reported as a failure
        finally:
            self._tasks.discard(task)
            abort(writer)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            if self.upstream is None or not all(trouble.admits for trouble in self._troubles):
                return
            if isinstance(self.upstream, str):
                server = await asyncio.open_unix_connection(self.upstream)
            else:
                server = await asyncio.open_connection(*self.upstream)
        except OSError:
            return
        link = Link(writer, server[1], postgres=self._postgres)
        self._links.add(link)
        ends = {Way.UP: reader, Way.DOWN: server[0]}
        pumps = [asyncio.create_task(self._pump(link, way, end)) for way, end in ends.items()]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            await self._calm.wait()
            await link.close()
        finally:
            for pump in pumps:
                pump.cancel()
            link.reset()
            self._links.discard(link)

    async def _pump(self, link: Link, way: Way, reader: StreamReader) -> None:
        try:
            while data := await reader.read(65536):
                link.follow(way, data)
                for trouble in [*self._troubles]:
                    data = await trouble.carry(link, way, data)
                if way not in link.deaf and data:
                    link.to[way].write(data)
                    await link.to[way].drain()
        except (CutError, OSError):
            link.reset()


def abort(writer: StreamWriter) -> None:
    """End a connection with a reset."""
    assert isinstance(writer.transport, asyncio.Transport)
    reset(writer.transport)


def flipped(data: bytes, place: int) -> bytes:
    """The same with the top bit of one byte flipped: an ASCII character becomes none."""
    return data[:place] + bytes([data[place] ^ 0x80]) + data[place + 1 :]
