"""The rules for every reply that a vendor can send, and replies that try to break them."""

from __future__ import annotations

import itertools
import random
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import orjson

from retention.core.model import Claim, Kind, Outcome, Reply, Settlement, State
from retention.core.sending.decision import decide
from retention.core.sending.reply_rules import DEFAULT_CODES, ReplyRules
from retention.core.sending.wire import decode
from support.mutator import Mutator
from support.oracle import (
    LIMIT,
    Digits,
    Said,
    exact,
    exactly,
    fields,
    names_no_other,
    one,
    plain_amount,
    reads,
    says_plainly_zero,
    says_round_cancelled,
    says_zero,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Decode = Callable[[int, Mapping[str, str], bytes | None, datetime], Reply]

CORPUS = Path(__file__).parents[1] / "chaos" / "corpus"
"""Replies as a vendor sends them: a status line, headers, an empty line, a body that ends with the connection."""

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ROUND = "123456"
YEAR = 366 * 86_400.0
SLOW = 1.0
"""Seconds of a processor that no reply may cost."""

_TEXTS = {"error_code": 64, "description": 256, "currency": 3, "transaction_id": 256, "detail": 300}
"""Characters of each text of a settlement, at the most."""

CLAIMS = tuple(
    (
        Claim(
            1,
            str(UUID(int=1)),
            str(UUID(int=2)),
            kind,
            "acme",
            "MT",
            "g",
            "u",
            ROUND,
            tries,
            probes,
            doubtful,
            refused,
            0,
            0,
            1,
            15,
        ),
        ReplyRules(DEFAULT_CODES, 3, status_probe=True),
    )
    for kind, tries, probes, (doubtful, refused) in itertools.product(
        Kind, (1, 3), (0, 3), ((False, False), (True, False), (False, True))
    )
)
"""Rounds that may get the reply: at their first and last attempt, with and without a doubt or a refusal before."""


def read_corpus() -> dict[str, Said]:
    """Every reply of the corpus, by the name of its file."""
    return {path.stem: parse(path.read_bytes()) for path in sorted(CORPUS.glob("*.http"))}


def parse(raw: bytes) -> Said:
    """A reply as it stands in a file."""
    head, _, body = raw.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.1 (\d{3})", head)
    assert status is not None, head
    retry_after = re.search(rb"^Retry-After: ?(.*?)\r?$", head, re.MULTILINE)
    return Said(int(status[1]), retry_after[1].decode("latin-1") if retry_after else None, body)


@dataclass(slots=True)
class Tried:
    """The results of some replies. `slowest` in seconds of a processor; `broken`: each broken rule, with its reply."""

    replies: int = 0
    slowest: float = 0.0
    kinds: dict[tuple[object, ...], Said] = field(default_factory=dict)
    """The first reply of each kind of outcome."""
    broken: list[tuple[str, Said]] = field(default_factory=list)

    def add(self, said: Said, decode: Decode = decode) -> None:
        """Try one more."""
        self.replies += 1
        started = time.thread_time()
        try:
            reply = understood(said, decode)
            items = [settled(reply, claim, treating) for claim, treating in CLAIMS]
        except Exception as error:  # noqa: BLE001 - that there is none is what is being shown
            self.broken.append((f"raised {type(error).__name__}: {error}"[:200], said))
            return
        took = time.thread_time() - started
        self.slowest = max(self.slowest, took)
        known = [value is not None for value in (reply.amount, reply.currency, reply.transaction_id, reply.round_id)]
        self.kinds.setdefault((items[0].outcome, items[-1].outcome, reply.problem, *known), said)
        found = [] if took < SLOW else [f"took {took:.1f} s"]
        found += misread(said, reply) + [word for item in items for word in (*unfounded(said, item), *unsound(item))]
        self.broken += [(word, said) for word in dict.fromkeys(found)]


def understood(said: Said, decode: Decode = decode) -> Reply:
    """The product's reading of a reply."""
    headers = {} if said.retry_after is None else {"Retry-After": said.retry_after}
    return decode(said.status, headers, said.body if len(said.body) <= LIMIT else None, NOW)


def settled(reply: Reply, claim: Claim, treating: ReplyRules) -> Settlement:
    """The reply's effect on a round."""
    return decide(claim, reply, treating, sent_at=NOW, replied_at=NOW, jitter=0.5)


def misread(said: Said, reply: Reply) -> list[str]:
    """Name each field that was read otherwise than it was sent."""
    found = []
    if (reply.code is None) != (reply.problem is not None):
        found.append(f"code {reply.code} with problem {reply.problem}")
    if (reply.code == "0") and not says_zero(said):
        found.append("a success that nobody sent")
    if says_plainly_zero(said) and reply.code != "0":
        found.append("a success that was not understood")
    pairs = fields(said)
    for name, amount in (("amount", reply.amount), ("betAmount", reply.bet_amount)):
        if amount is not None and exactly(amount) != exact(one(pairs, name)):
            found.append(f"{name} {amount} was not sent")
        if amount is not None and not (0 <= amount < 10**20 and -18 <= int(amount.as_tuple().exponent) <= 19):
            found.append(f"{name} {amount} does not fit numeric(38, 18)")
    if reply.code == "0" and plain_amount(said) is not None and reply.amount is None:
        found.append("a refund that was not understood")
    for name, text in (("currency", reply.currency), ("transactionId", reply.transaction_id)):
        sent = one(pairs, name)
        if text is not None and text != sent and not (isinstance(sent, Digits) and exact(text) == exact(sent)):
            found.append(f"{name} {text!r} was not sent")
    if reply.retry_after is not None and not 0 <= reply.retry_after <= YEAR:
        found.append(f"a pause of {reply.retry_after} s")
    return found


def unfounded(said: Said, item: Settlement) -> list[str]:
    """Name a round that counts as cancelled though the vendor did not say so."""
    if item.claim.kind is Kind.CANCEL:
        done, before = says_zero(said), reads(one(fields(said), "error"), "61")
        if not names_no_other(said, item.claim.round_id):
            done = before = False
    else:
        done = before = says_zero(said) and says_round_cancelled(said, item.claim.round_id)
    found = []
    if (item.outcome is Outcome.CANCELLED or item.state is State.CANCELLED) and not done:
        found.append(f"{item.claim.kind}: cancelled without a zero")
    if (item.outcome is Outcome.ALREADY_CANCELLED or item.state is State.ALREADY_CANCELLED) and not before:
        found.append(f"{item.claim.kind}: already cancelled without the vendor's word")
    ours = names_no_other(said, item.claim.round_id)
    if item.claim.kind is Kind.CANCEL and says_plainly_zero(said) and ours and item.state is not State.CANCELLED:
        found.append(f"a success became {item.state}")
    return found


def unsound(item: Settlement) -> list[str]:
    """Name each value that the ledger would refuse, or would have to keep for ever."""
    found = []
    for name, limit in _TEXTS.items():
        text: str | None = getattr(item, name)
        if text is not None and (len(text) > limit or not _storable(text)):
            found.append(f"{name} of {len(text)} characters, or with a character that cannot be kept")
    if item.due_in is not None and not 0 <= item.due_in <= YEAR:
        found.append(f"due in {item.due_in} s")
    if item.http_status is not None and not 100 <= item.http_status <= 999:
        found.append(f"HTTP status {item.http_status}")
    return found


def _storable(text: str) -> bool:
    try:
        orjson.dumps(text)
    except orjson.JSONEncodeError:  # half a character
        return False
    return not re.search(r"[\x00-\x1f\x7f-\x9f]", text)


def mutated(corpus: Sequence[Said], seed: int) -> Iterator[Said]:
    """Replies without end: each is one of the corpus that was changed in a few places."""
    mutator = Mutator(random.Random(seed), corpus)
    while True:
        yield mutator.reply()
