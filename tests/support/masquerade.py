"""Servers that speak PostgreSQL's protocol: a proxy has a real PostgreSQL call itself one of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from support.proxy import Link, Trouble, Way

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GENUINE = re.compile(rb"PostgreSQL \S+ .*on .*")
"""A value that is PostgreSQL's own version()."""


class Masquerade(Trouble):
    """Replaces the server's name and version by another server's, in each message that has them.

    `reported`: its parameters at login, beside and instead of PostgreSQL's. `version`: its version(). `number`: its
    server_version_num. `lacks`: a function of PostgreSQL's that it does not know. `statements`: all that clients sent.
    """

    def __init__(
        self,
        reported: Mapping[str, str],
        version: str | None = None,
        number: int | None = None,
        *,
        lacks: str | None = None,
    ) -> None:
        self._reported, self._version, self._number = reported, version, number
        self._lacks = lacks.encode() if lacks else b""
        self._unread: dict[Link, bytes] = {}
        self._own = b""
        self.statements: list[bytes] = []

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        if way is Way.UP:
            self.statements += [data[start:] for start in link.starts if data[start : start + 1] in {b"Q", b"P"}]
            return data.replace(self._lacks, b"x" * len(self._lacks)) if self._lacks else data
        data = self._unread.pop(link, b"") + data
        passed = b""
        while len(data) >= 5 and len(data) > (length := int.from_bytes(data[1:5], "big")):
            passed += b"".join(self._changed(data[:1], data[5 : length + 1]))
            data = data[length + 1 :]
        self._unread[link] = data
        return passed

    def _changed(self, kind: bytes, body: bytes) -> Iterator[bytes]:
        if kind == b"S" and body.startswith(b"server_version\0"):  # each login has it once
            self._own = body.split(b"\0")[1]
            for name, value in {"server_version": self._own.decode(), **self._reported}.items():
                yield _message(b"S", f"{name}\0{value}\0".encode())
        elif kind == b"D":
            yield _message(b"D", body[:2] + b"".join(self._values(body[2:])))
        else:
            yield _message(kind, body)

    def _values(self, data: bytes) -> Iterator[bytes]:
        """The values of a row, with name and version replaced."""
        while data:
            size, data = int.from_bytes(data[:4], "big", signed=True), data[4:]
            if size < 0:
                yield (-1).to_bytes(4, "big", signed=True)
                continue
            value, data = self._said(data[:size]), data[size:]
            yield len(value).to_bytes(4, "big") + value

    def _said(self, value: bytes) -> bytes:
        if self._version is not None and _GENUINE.fullmatch(value):
            return self._version.encode()
        if value == self._own and "server_version" in self._reported:
            return self._reported["server_version"].encode()
        major = self._own.partition(b".")[0]
        if self._number is not None and re.fullmatch(major + rb"\d{4}", value):
            return str(self._number).encode()
        return value


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body
