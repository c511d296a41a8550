"""Stands between a program and its PostgreSQL, notes which statements go by, and may lose the answer to one."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from retention.ledger.queries import query, statements

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

LAST = 5.0
"""Seconds for a program that has ended to have its last statements noted."""

_PARSE, _QUERY = b"P", b"Q"
_READY = b"Z\0\0\0\5"
"""How the message begins that ends each answer."""


class Wiretap:
    """`dsn` leads through it. `statements`: the names of those of sql/queries/, and the text of others.

    `lose`: how often the answer to a statement is lost yet, by its name: the server does it, and the connection is cut.
    """

    def __init__(self, dsn: str) -> None:
        self.statements: list[str] = []
        self.lose: Counter[str] = Counter()
        self._to = conninfo_to_dict(dsn)
        self._dsn = dsn
        self._connections: set[asyncio.Task[object]] = set()
        self._names = {_shape(query(name)): name for name in statements()}

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.dsn = make_conninfo(self._dsn, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        if self._connections:
            ends = await asyncio.wait(self._connections, timeout=LAST)  # with the program
            for connection in ends[1]:
                connection.cancel()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        host, port = str(self._to.get("host") or "127.0.0.1"), str(self._to.get("port") or 5432)
        if host.startswith("/"):
            server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            server = await asyncio.open_connection(host, int(port))
        losing = asyncio.Event()
        await asyncio.gather(self._to_server(reader, server[1], losing), _to_client(server[0], writer, losing))

    async def _to_server(self, reader: StreamReader, writer: StreamWriter, losing: asyncio.Event) -> None:
        try:
            writer.write(await _message(reader))  # the first one has no type
            while True:
                kind = await reader.readexactly(1)
                message = await _message(reader)
                if kind == _PARSE:  # length, name, text
                    self._note(message[4:].split(b"\0", 2)[1], losing)
                elif kind == _QUERY:
                    self._note(message[4:-1], losing)
                writer.write(kind + message)
        except (asyncio.IncompleteReadError, ConnectionError):  # the program has gone
            writer.close()

    def _note(self, text: bytes, losing: asyncio.Event) -> None:
        shape = _shape(text.decode())
        name = self._names.get(shape, shape)
        self.statements.append(name)
        if self.lose[name]:
            self.lose[name] -= 1
            losing.set()


async def _message(reader: StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big") - 4)


async def _to_client(reader: StreamReader, writer: StreamWriter, losing: asyncio.Event) -> None:
    try:
        while data := await reader.read(65536):
            if not losing.is_set():
                writer.write(data)
            elif _READY in data:  # it is done, and committed
                writer.transport.abort()
                return
    except ConnectionError:
        pass
    writer.close()


def _shape(text: str) -> str:
    """A statement's text, however its parameters are written."""
    return re.sub(r"%\(\w+\)[sbt]|\$\d+", "?", text).replace("%%", "%")
