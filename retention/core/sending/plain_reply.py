"""A plain HTTP reply: status 200, printable headers, a Content-Length, and nothing that changes its framing.

Nearly every reply of a vendor is plain and arrives in one piece. Reading it here costs a fifth of what a general parser
and its stream cost. Everything else is None, and goes to the general parser; a test holds this reader to that one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

LIMIT_BYTES = 16 * 1024
"""Bytes of a plain reply with its head, at the most; less than any limit of a body."""

_HEAD_LIMIT_BYTES = 2048
_HEAD = re.compile(rb"HTTP/1\.1 200 [ -~]{0,64}\r\n(?:[0-9A-Za-z_-]{1,64}:[\t -~]*\r\n){1,64}\r\n")
_NOTED = re.compile(
    rb"\n(content-length|date|(?:proxy-)?connection|transfer-encoding|content-encoding|upgrade):"
    rb"[\t ]*([\t -~]*?)[\t ]*\r",
    re.IGNORECASE,
)
_LENGTH = re.compile(rb"[0-9]{1,5}")


class PlainReply(NamedTuple):
    """The body of a whole reply with status 200, and its Date as it came."""

    body: bytes
    date: str | None


class _Head(NamedTuple):
    length: int
    date: str | None


def read_plain_reply(data: bytes) -> PlainReply | None:
    """Read bytes that are one plain reply and no more; None where they are anything else, or a part of one."""
    blank = data.find(b"\r\n\r\n", 0, _HEAD_LIMIT_BYTES)
    if blank < 0 or len(data) > LIMIT_BYTES:
        return None
    head, body = _read_head(data[: blank + 4]), data[blank + 4 :]
    return PlainReply(body, head.date) if head is not None and head.length == len(body) else None


@lru_cache(maxsize=256)
def _read_head(data: bytes) -> _Head | None:
    """Read a head. A vendor's heads differ by a length and by the second of their Date."""
    if not _HEAD.fullmatch(data):
        return None
    length, date = None, None
    for name, value in _NOTED.findall(data):
        match name.lower():
            case b"content-length" if length is None and _LENGTH.fullmatch(value):
                length = int(value)
            case b"date":
                date = date or value.decode()
            case b"connection" if value.lower() == b"keep-alive":
                pass
            case _:
                return None
    return None if length is None else _Head(length, date)
