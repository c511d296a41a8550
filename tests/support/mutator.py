"""Makes hostile replies out of known ones, from the parts of a reply and the known breakers of parsers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from support.oracle import LIMIT, Said

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_FIELD = re.compile(
    rb'"(error|description|currency|amount|transactionId|roundId|roundStatus|betAmount)"\s*:\s*'
    rb'("(?:[^"\\]|\\.)*"|[^\s,}\]]+)'
)
_NAMES = (b"error", b"description", b"currency", b"amount", b"transactionId", b"roundId", b"roundStatus", b"betAmount")
_ODD_NAMES = (b"Error", b"err\\u006fr", b"\\u0065rror", b" error", b"error ", b"", b"\\u0000", b"\\ud800", b"__class__")

_LITERALS = (
    *(b"0", b"-0", b"0.0", b"-0.00", b"0e5", b"0E+999999", b"0e-99999999999", b"0e99999999999999999999", b"00", b".0"),
    *(b"1", b"61", b"6.1e1", b"61.0", b"998", b"54", b"401", b"-1", b"0.3", b"1e-400", b"1e400", b"1e-99999999999"),
    *(b"1e999999999", b"1e-999999999", b"1e99999999999999999999", b"0.1", b"0.30000000000000004", b"9007199254740993"),
    *(
        b"12345678901234567890.123456789012345678",
        b"99999999999999999999.9999999999999999995",
        b"100000000000000000000",
    ),
    *(b"1e19", b"1e20", b"1e-18", b"1e-19", b"0.0000000000000000001", b"NaN", b"Infinity", b"-Infinity", b"0x0", b"+0"),
    *(b"null", b"true", b"false", b"[]", b"[0]", b"{}", b'{"error":0}', b'""', b'" "', b'"0"', b'" 0 "', b'"00"'),
    *(
        b'"0.0"',
        b'"-0"',
        b'"+0"',
        b'"false"',
        b'"null"',
        b'"61"',
        b'"E_BUSY"',
        b'"0\\u0000"',
        b'"\\u00000"',
        b'"\\ud800"',
    ),
    *(b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0660"', '"\u0660"'.encode(), '"\uff10"'.encode(), b'"\\ufeff0"'),
    *(b'"\\u00a00"', b'"\\u20280"', b'"EUR"', b'"eur"', b'"12.50"', b'"1_000"', b'"1e5"', b'"1e9999999"', b'"NaN"'),
    *(
        b'"Canceled"',
        b'"CANCELLED"',
        b'"CancelInProcess"',
        '"CancelInProce\u00df"'.encode(),
        b'"Completed"',
        b'"InProgress"',
    ),
    *(
        b'"123456"',
        b"123456",
        b"123456.0",
        b'"another"',
        b'"\\u001b[2J"',
        b'"\x7f"',
        b"'0'",
        b"undefined",
        b"0 // zero",
    ),
)
_LONG = (
    b"1",
    b"0",
    b"9",
    b" ",
    b"[",
    b"{",
    b'{"a":',
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b'"',
    b"\\",
    b"e9",
    b".0",
    "é".encode(),
)
_RETRY_AFTER = (
    *(
        None,
        "0",
        "5",
        "-1",
        "1.5",
        "9" * 400,
        "soon",
        "",
        "Sun, 01 Mar 2026 12:02:00 GMT",
        "Sunday, 01-Mar-26 12:02:00 GMT",
    ),
    *(
        "Sun Mar  1 12:02:00 2026",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Sun, 01 Mar 2026 12:02:00 +99999999999999",
        "\u0665",
    ),
)
_STATUSES = (*[200] * 8, 201, 204, 299, 199, 300, 307, 400, 401, 403, 404, 429, 429, 500, 503, 503, 600, 999)


class Mutator:
    """Changes replies of a corpus; the same seed makes the same replies."""

    def __init__(self, chance: random.Random, corpus: Sequence[Said]) -> None:
        self._chance = chance
        self._corpus = corpus
        self._changes: tuple[Callable[[bytes], bytes], ...] = (
            *[self._value] * 6,
            self._twice,
            self._rename,
            self._add,
            self._bytes,
            self._bytes,
            self._cut,
            self._splice,
            self._grow,
            self._wrap,
        )

    def reply(self) -> Said:
        """Make the next one."""
        chance = self._chance
        said = chance.choice(self._corpus)
        body = self.body(said.body)
        status = said.status if chance.random() < 0.8 else chance.choice(_STATUSES)
        retry_after = said.retry_after if chance.random() < 0.8 else self._text(chance.choice(_RETRY_AFTER))
        return Said(status, retry_after, body)

    def body(self, body: bytes) -> bytes:
        """Change a body in a few places."""
        for _ in range(self._chance.choice((0, 1, 1, 1, 2, 2, 3, 5))):
            body = self._chance.choice(self._changes)(body)
        return body[: LIMIT + 2]

    def _literal(self) -> bytes:
        if self._chance.random() < 0.04:
            return self._much()
        literal = self._chance.choice(_LITERALS)
        return self._bytes(literal) if self._chance.random() < 0.15 else literal

    def _much(self) -> bytes:
        """Up to 64 KiB of the same, also as a text, or closed again as it was opened."""
        piece, size = self._chance.choice(_LONG), self._chance.choice((70, 300, 5_000, LIMIT - 200, LIMIT))
        much = piece * (size // len(piece))
        shapes = (
            much,
            b'"' + much + b'"',
            b"0." + much,
            b"1e" + much,
            much[: size // 2] + b"]" * (size // 2),
            b"1e-" + much,
        )
        return self._chance.choice(shapes)

    def _value(self, body: bytes) -> bytes:
        places = [*_FIELD.finditer(body)]
        if not places:
            return self._add(body)
        place = self._chance.choice(places)
        return body[: place.start(2)] + self._literal() + body[place.end(2) :]

    def _twice(self, body: bytes) -> bytes:
        places = [*_FIELD.finditer(body)]
        if not places:
            return body
        place, value = self._chance.choice(places), self._chance.choice(places)[2]
        return body[: place.start()] + b'"' + place[1] + b'":' + value + b"," + body[place.start() :]

    def _rename(self, body: bytes) -> bytes:
        places = [*_FIELD.finditer(body)]
        if not places:
            return body
        place = self._chance.choice(places)
        return body[: place.start(1)] + self._chance.choice(_NAMES + _ODD_NAMES) + body[place.end(1) :]

    def _add(self, body: bytes) -> bytes:
        at = body.find(b"{") + 1
        return body[:at] + b'"' + self._chance.choice(_NAMES) + b'":' + self._literal() + b"," + body[at:]

    def _bytes(self, body: bytes) -> bytes:
        at, chance = self._chance.randrange(len(body) + 1), self._chance
        other = chance.choice(
            (b"", chance.randbytes(1), chance.randbytes(3), b"\x00", b'"', b"\\", b",", b"\xed\xa0\x80")
        )
        return body[:at] + other + body[at + chance.choice((0, 0, 1, 1, 2, 9)) :]

    def _cut(self, body: bytes) -> bytes:
        at = self._chance.randrange(len(body) + 1)
        return self._chance.choice((body[:at], body[at:]))

    def _splice(self, body: bytes) -> bytes:
        other = self._chance.choice(self._corpus).body
        return body[: self._chance.randrange(len(body) + 1)] + other[self._chance.randrange(len(other) + 1) :]

    def _grow(self, body: bytes) -> bytes:
        room = self._chance.choice((0, 0, 1, -1, 100)) + LIMIT - len(body)
        blanks = self._chance.choice((b" ", b"\n", b"\t")) * max(room, 0)
        return self._chance.choice((body + blanks, blanks + body))

    def _wrap(self, body: bytes) -> bytes:
        shapes = (b"[" + body + b"]", b"\xef\xbb\xbf" + body, b'{"error":' + body + b"}", body * 2, b")]}'\n" + body)
        if self._chance.random() < 0.2:
            return body.decode("latin-1").encode(self._chance.choice(("utf-16", "utf-32", "utf-16-le", "utf-7")))
        return self._chance.choice(shapes)

    def _text(self, text: str | None) -> str | None:
        if text is None or self._chance.random() < 0.3:
            return text
        at = self._chance.randrange(len(text) + 1)
        return (
            text[:at]
            + self._chance.choice("0123456789:+- ,aZ\x00\xff") * self._chance.choice((1, 1, 2, 12))
            + text[at:]
        )
