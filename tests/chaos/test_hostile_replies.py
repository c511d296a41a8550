"""No reply makes a round count as cancelled unless the vendor said that it is cancelled."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.hostile import CORPUS, Tried, mutated, parse, read_corpus, understood
from support.oracle import LIMIT, Said, says_zero
from support.settled_ledger import store

from retention.core.sending.wire import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from support.world import World

    from retention.core.model import Reply
    from retention.ledger.database import Database

REPLIES = 2000
"""How many are tried by default; `tests/chaos/replies.py` tries them by the minute."""

MEMORY = 8 * 2**20
"""Bytes that one reply of 64 KiB may take while it is read."""


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.http")), ids=lambda path: path.stem)
def test_every_reply_that_was_ever_of_interest_is_understood(path: Any) -> None:
    """Each reply of the corpus is read, settled and bounded as it has to be, for every round that may get it."""
    tried = Tried()
    tried.add(parse(path.read_bytes()))
    assert [] == tried.broken


def test_no_reply_is_a_success_but_one_that_says_so() -> None:
    """Thousands of damaged replies raise no error, cost little, and cancel no round without a zero from the vendor."""
    tried = Tried()
    for said in itertools.islice(mutated([*read_corpus().values()], seed=1), REPLIES):
        tried.add(said)
    assert [] == tried.broken
    assert REPLIES == tried.replies
    assert len(tried.kinds) > 50  # else they are all alike, and show nothing


@pytest.mark.parametrize(
    "piece", [b"[", b"[]", b'{"a":', b'"a",', b"1,", b"1", b" ", b"\\u0000", "\u00e9".encode()], ids=repr
)
@pytest.mark.parametrize(
    "shape",
    [b"%b", b'{"error":0,"description":%b}', b'{"error":0,"description":"%b"}', b'{"error":0,"x":[%b0]}'],
    ids=repr,
)
def test_no_reply_takes_much_memory(piece: bytes, shape: bytes) -> None:
    """Reading a reply of 64 KiB takes no more than a few MiB, with any bytes."""
    room = LIMIT - len(shape) + 2
    said = Said(200, None, shape % (piece * (room // len(piece))))
    tracemalloc.start()
    understood(said)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEMORY


async def test_every_reply_can_be_written_down(world: World, database: Database) -> None:
    """The ledger takes the outcome of any reply, to a request or a question, and keeps it as it was read."""
    corpus = [*read_corpus().values()]
    said = [*corpus, *itertools.islice(mutated(corpus, seed=2), 300)]
    assert [] == await store(world, database, said)


async def test_a_decoder_that_keeps_unstorable_text_is_found(world: World, database: Database) -> None:
    """A decoder that lets through a text that PostgreSQL cannot hold is found where its replies are written."""
    assert any("refused" in word for word in await store(world, database, [*read_corpus().values()], _any_letter))


def _falsy(status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Take every value that Python finds false for a zero."""
    reply = decode(status, headers, body, now)
    try:
        document = json.loads(body or b"")
    except (ValueError, RecursionError):
        return reply
    false = (
        reply.problem and status == 200 and isinstance(document, dict) and "error" in document and not document["error"]
    )
    return reply._replace(code="0", problem=None) if false else reply


def _by_float(status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Send amounts through a float."""
    reply = decode(status, headers, body, now)
    return reply if reply.amount is None else reply._replace(amount=Decimal(str(float(reply.amount))))


def _rounded(status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Send codes through a float, in which the smallest numbers are zero."""
    reply = decode(status, headers, body, now)
    try:
        return reply._replace(code="0") if reply.code and float(reply.code) == 0 else reply
    except ValueError:
        return reply


def _last(status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Believe the last of two values."""
    try:
        document = json.loads(body or b"", parse_float=Decimal)
        return decode(status, headers, json.dumps(document, default=str).encode(), now)
    except (ValueError, RecursionError):
        return decode(status, headers, body, now)


def _any_status(_status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Believe a body under every status."""
    return decode(200, headers, body, now)


def _any_length(status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Keep words whole."""
    reply = decode(status, headers, body, now)
    return reply._replace(description=reply.description and reply.description * 300)


def _any_letter(status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Keep characters that PostgreSQL cannot hold."""
    reply = decode(status, headers, body, now)
    return reply._replace(description="\0" if reply.description else None)


def _strict(status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Raise at invalid JSON."""
    json.loads(body or b"")
    return decode(status, headers, body, now)


def _forgetful(status: int, headers: Mapping[str, str], body: bytes | None, now: datetime) -> Reply:
    """Overlook a success that is written as a text."""
    reply = decode(status, headers, body, now)
    return reply._replace(code="00") if body and b'"error":"0"' in body and reply.code else reply


@pytest.mark.parametrize(
    ("word", "broken"),
    [
        ("a success that nobody sent", _falsy),
        ("was not sent", _by_float),
        ("cancelled without a zero", _rounded),
        ("cancelled without a zero", _last),
        ("cancelled without a zero", _any_status),
        ("description of", _any_length),
        ("description of", _any_letter),
        ("raised JSONDecodeError", _strict),
        ("a success that was not understood", _forgetful),
    ],
)
def test_a_decoder_that_errs_is_found(word: str, broken: Callable[..., Reply]) -> None:
    """The search finds each of these mistakes, which decoders make, without being told where to look."""
    tried = Tried()
    # Of these alone: a corpus that holds the very reply would show nothing of the search.
    seeds = [said for name, said in read_corpus().items() if name in {"success", "rejected", "status-cancelled"}]
    for said in itertools.islice(mutated(seeds, seed=3), 3000):
        tried.add(said, broken)
        if any(word in found for found, _ in tried.broken):
            break
    assert any(word in found for found, _ in tried.broken)


@pytest.mark.parametrize(
    ("zero", "body"),
    [
        *[
            (True, body)
            for body in (b'{"error":0}', b'{"error":-0.00e-5}', b'{"error":" 0 "}', b'\xef\xbb\xbf{"error":0E9}')
        ],
        *[
            (False, body)
            for body in (b'{"error":false}', b'{"error":""}', b'{"error":null}', b'{"error":1e-400}', b"{}")
        ],
        *[
            (False, body)
            for body in (b'{"error":0,"error":0}', b'[{"error":0}]', b'{"error":0}x', b'{"error":[0]}', b"\xff")
        ],
    ],
)
def test_the_oracle_tells_a_zero_code_from_a_false_value(zero: bool, body: bytes) -> None:
    """The oracle tells a zero from a value that only looks like one."""
    assert zero == says_zero(Said(200, None, body))
