"""A vendor that carries out its requests, and is unkind to connections: a real server of plain sockets, over TLS or
not.

Each connection has a thread of its own, so that it ends at once when the server ends it. TLS is spoken over memory, so
that a close_notify can be sent without an end of the stream.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEAD = re.compile(rb"POST \S*/(\w+) HTTP/1\.1\r\n.*?content-length: *(\d+)", re.IGNORECASE | re.DOTALL)
REQUEST_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Heard(NamedTuple):
    """One request: over which connection, its place on it from 1 on, the call and its fields."""

    connection: int
    nth: int
    call: str
    fields: dict[str, str]


class Line:
    """One accepted connection, encrypted or not."""

    def __init__(self, number: int, sock: socket.socket, tls: ssl.SSLContext | None) -> None:
        self.number = number
        self._socket = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._in, self._out, server_side=True) if tls else None
        if self._tls is not None:
            while self._wants(self._tls.do_handshake):
                if not (more := self._received()):
                    raise ConnectionResetError  # or it would be asked for more for ever
                self._in.write(more)
            self._flush()

    def read(self) -> bytes:
        """Some bytes, none at the end of the stream."""
        if self._tls is None:
            return self._socket.recv(65536)
        data: list[bytes] = []
        while self._wants(lambda tls=self._tls: data.append(tls.read(65536))):  # type: ignore[misc]
            more = self._received()
            if not more:
                return b""
            self._in.write(more)
        return b"".join(data)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if self._tls is None:
            self._socket.sendall(data)
        else:
            self._tls.write(data)
            self._flush()

    def notify(self) -> None:
        """Say that nothing more comes: a close_notify of TLS; over plain HTTP the end of this direction."""
        if self._tls is None:
            self._socket.shutdown(socket.SHUT_WR)
        else:
            self._wants(self._tls.unwrap)
            self._flush()

    def half_close(self) -> None:
        """End this direction, and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def wait(self, seconds: float) -> bool:
        """Wait for bytes; whether there are any."""
        self._socket.settimeout(seconds)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return False
        finally:
            self._socket.settimeout(None)
        return True

    def reset(self) -> None:
        """End the connection as a crash does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _received(self) -> bytes:
        self._flush()
        return self._socket.recv(65536)

    def _flush(self) -> None:
        if data := self._out.read():
            self._socket.sendall(data)

    def _wants(self, step: Callable[[], object]) -> bool:
        """Take a step of TLS; whether it needs more bytes first."""
        try:
            step()
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError:
            self._flush()  # the alert that says why
            raise
        return False


@dataclass
class UnkindVendor:
    """`after_reply` has the connection once the nth reply has left; it returns whether the next request is read.

    `answer` may put a reply of its own in place of the kind one. `on_accept` has a connection before its first request.
    """

    after_reply: Callable[[Line, int], bool] = lambda _line, _nth: True
    answer: Callable[[Heard], bytes | None] = lambda _heard: None
    on_accept: Callable[[Line], None] = lambda _line: None
    tls: ssl.SSLContext | None = None
    heard: list[Heard] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    url: str = ""
    _talks: list[tuple[socket.socket, threading.Thread]] = field(default_factory=list)

    @contextmanager
    def serve(self) -> Iterator[UnkindVendor]:
        """Listen until the end of the block, which ends all connections: a thread that is left would slow later
        tests.
        """
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
            self.url = f"{'https' if self.tls else 'http'}://localhost:{listening.getsockname()[1]}"
            accepting = threading.Thread(target=self._accept, args=(listening,), daemon=True)
            accepting.start()
            try:
                yield self
            finally:
                listening.shutdown(socket.SHUT_RDWR)
                accepting.join()
                for sock, talking in self._talks:
                    with suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)
                    talking.join(60)
                assert not any(talking.is_alive() for _, talking in self._talks)

    def _accept(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                sock, _ = listening.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                talking = threading.Thread(target=self._talk, args=(len(self._talks) + 1, sock), daemon=True)
                self._talks.append((sock, talking))
                talking.start()

    def _talk(self, number: int, sock: socket.socket) -> None:
        with sock, suppress(OSError, ssl.SSLError):
            line = Line(number, sock, self.tls)
            self.on_accept(line)
            read, nth = b"", 0
            while True:
                while (head := _HEAD.match(read)) is None or b"\r\n\r\n" not in read:
                    if not (more := line.read()):
                        return
                    read += more
                body = read.index(b"\r\n\r\n") + 4
                while len(read) < body + int(head[2]):
                    if not (more := line.read()):
                        return
                    read += more
                nth += 1
                heard = Heard(number, nth, head[1].decode(), json.loads(read[body : body + int(head[2])]))
                read = read[body + int(head[2]) :]
                self.heard.append(heard)
                line.write(self.answer(heard) or self._kind_answer(heard))
                if not self.after_reply(line, nth):
                    return

    def _kind_answer(self, heard: Heard) -> bytes:
        said: dict[str, object] = {"error": 0, "description": "Success"}
        name = heard.fields.get("roundId", "")
        if heard.call == "CancelRound":
            said |= {"amount": "1.50", "currency": "EUR", "transactionId": f"bet-{name}"}
            if name in self.cancelled:
                said = {"error": 61, "description": "already cancelled"}
            self.cancelled.add(name)
        elif heard.call == "GetRoundStatus":
            said["roundStatus"] = "Canceled" if name in self.cancelled else "InProgress"
        return reply(json.dumps(said).encode())


def reply(body: bytes, status: str = "200 OK") -> bytes:
    """A whole reply."""
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)
