"""Stands between a program and its PostgreSQL, and notes which statements go by."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from retention.ledger.queries import folder, query

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

_PARSE, _QUERY = b"P", b"Q"


class Wiretap:
    """`dsn` leads through it. `statements`: the names of those of sql/queries/, and the text of others."""

    def __init__(self, dsn: str) -> None:
        self.statements: list[str] = []
        self._to = conninfo_to_dict(dsn)
        self._dsn = dsn
        self._connections: set[asyncio.Task[object]] = set()
        self._names = {
            _shape(query(path.name.removesuffix(".sql"))): path.name.removesuffix(".sql")
            for path in (folder() / "queries").iterdir()
        }

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = self._listener.sockets[0].getsockname()[1]
        self.dsn = make_conninfo(self._dsn, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listener.close()
        await asyncio.gather(*self._connections)  # they end with the program

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        host, port = str(self._to.get("host") or "127.0.0.1"), str(self._to.get("port") or 5432)
        if host.startswith("/"):
            server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            server = await asyncio.open_connection(host, int(port))
        await asyncio.gather(self._to_server(reader, server[1]), _to_client(server[0], writer))

    async def _to_server(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            writer.write(await _message(reader))  # the first one has no type
            while True:
                kind = await reader.readexactly(1)
                message = await _message(reader)
                if kind == _PARSE:  # length, name, text
                    self._note(message[4:].split(b"\0", 2)[1])
                elif kind == _QUERY:
                    self._note(message[4:-1])
                writer.write(kind + message)
        except (asyncio.IncompleteReadError, ConnectionError):  # the program has gone
            writer.close()

    def _note(self, text: bytes) -> None:
        shape = _shape(text.decode())
        self.statements.append(self._names.get(shape, shape))


async def _message(reader: StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big") - 4)


async def _to_client(reader: StreamReader, writer: StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    writer.close()


def _shape(text: str) -> str:
    """A statement's text, however its parameters are written."""
    return re.sub(r"%\(\w+\)[sbt]|\$\d+", "?", text).replace("%%", "%")
