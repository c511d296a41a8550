"""A vendor that knows the truth of each round, and a network that keeps its requests and replies for as long as it
likes.
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retention.core.model import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retention.core.model import Claim


class Truth(enum.StrEnum):
    """The state of a round at the vendor."""

    IN_PROGRESS = "InProgress"
    CANCELLED = "Canceled"
    COMPLETED = "Completed"


@dataclass(frozen=True, slots=True)
class Mood:
    """How the vendor treats one request: whether it does it, and its reply.

    A `status` of 200 without a `body` is the truth; `denies`: it says that it has not acted.
    """

    name: str
    does: bool = True
    status: int = 200
    body: bytes | None = b""
    retry_after: str | None = None
    denies: bool = False

    @property
    def tells(self) -> bool:
        """Whether a question gets its answer."""
        return self.status == 200 and self.body == b"" and self is not OTHER_ROUND

    def __repr__(self) -> str:
        return repr(self.name)


HONEST = Mood("honest")
IN_PROCESS = Mood("honest, in other words")
OTHER_MONEY = Mood("honest, with another amount")
NO_MONEY = Mood("honest, without an amount")
OTHER_ROUND = Mood("about another round", does=False)


def _code(code: str) -> bytes:
    return json.dumps({"error": code, "description": "so it is"}).encode()


MOODS = (
    *[HONEST] * 6,
    IN_PROCESS,
    OTHER_MONEY,
    NO_MONEY,
    OTHER_ROUND,
    Mood("done, 500", status=500),
    Mood("500", does=False, status=500),
    Mood("done, 503", status=503),
    Mood("done, redirected", status=302),
    Mood("done, no JSON", body=b"<html>"),
    Mood("no JSON", does=False, body=b"<html>"),
    Mood("done, error null", body=b'{"error": null}'),
    Mood("done, too long", body=None),
    Mood("429", does=False, status=429, denies=True),
    Mood("429, 3 s", does=False, status=429, retry_after="3", denies=True),
    Mood("503, 3 s", does=False, status=503, retry_after="3", denies=True),
    Mood("404", does=False, status=404, denies=True),
    Mood("refused", does=False, body=_code("1"), denies=True),
    Mood("retry", does=False, body=_code("998"), denies=True),
    Mood("done, retry", body=_code("998"), denies=True),
    Mood("401", does=False, status=401, denies=True),
    Mood("code 54", does=False, body=_code("54"), denies=True),
)


@dataclass(slots=True)
class Sent:
    """A request that left. `at` counts the events of the whole history; so do the other moments here."""

    replica: int
    claim: Claim
    at: int
    when: float = 0.0
    """In seconds."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A reply on its way: the arguments of `decode`, but for the time."""

    sent: Sent
    status: int
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(slots=True)
class Round:
    """One round's truth and its past."""

    truth: Truth = Truth.IN_PROGRESS
    cancelled_by: str | None = None
    arrived: dict[str, int] = field(default_factory=dict)
    """Cancel requests that arrived, and when they were sent; a copy that the network made is no other request."""
    denied: list[int] = field(default_factory=list)
    """When the vendor said that nothing was done yet."""
    amounts: list[str | None] = field(default_factory=list)
    """The refunds that the vendor promised."""


@dataclass(slots=True)
class Vendor:
    """The vendor's rounds, and the requests and replies under way."""

    rounds: dict[str, Round]
    requests: list[Sent] = field(default_factory=list)
    replies: list[Wire] = field(default_factory=list)
    served: int = 0

    def arrive(self, sent: Sent, mood: Mood, now: int) -> None:
        """Deal with a request, and send the reply on its way."""
        self.served += 1
        truth = self.rounds[sent.claim.round_id]
        if truth.cancelled_by == sent.claim.uuid and mood.denies:
            mood = HONEST  # a copy of a request gets no denial of the first one's effect
        if sent.claim.kind is Kind.CANCEL:
            body, denied = self._cancel(sent, truth, mood), mood.denies
        else:
            body, denied = self._tell(sent, truth, mood), mood.tells and truth.truth is Truth.IN_PROGRESS
        if denied:
            truth.denied.append(now)
        headers = {} if mood.retry_after is None else {"Retry-After": mood.retry_after}
        self.replies.append(Wire(sent, mood.status, headers, body if mood.body == b"" else mood.body))

    def _cancel(self, sent: Sent, round_: Round, mood: Mood) -> bytes:
        name, uuid = sent.claim.round_id, sent.claim.uuid
        round_.arrived[uuid] = sent.at
        if round_.truth is Truth.COMPLETED:
            return _code("60")
        if round_.truth is Truth.CANCELLED:
            return _code("61")
        if not mood.does:
            return b"{}"
        round_.truth, round_.cancelled_by = Truth.CANCELLED, uuid
        amount = {OTHER_MONEY: "1.25", NO_MONEY: None}.get(mood, "1.50")
        round_.amounts.append(amount)
        reply = {"error": 0, "currency": "EUR", "amount": amount, "transactionId": f"bet-{name}"}
        return json.dumps({key: value for key, value in reply.items() if value is not None}).encode()

    def _tell(self, sent: Sent, round_: Round, mood: Mood) -> bytes:
        name = "another" if mood is OTHER_ROUND else sent.claim.round_id
        word = round_.truth.value
        if mood is IN_PROCESS:
            word = {"Canceled": "CancelInProcess", "Completed": "COMPLETEINPROCESS"}.get(word, "inprogress")
        return json.dumps({"error": "0", "roundId": name, "roundStatus": word, "betAmount": "1.50"}).encode()
