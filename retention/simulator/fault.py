"""One fault of the simulated vendor: the requests that it strikes, and its effect on call and reply."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CannedReply:
    """A reply, ready to send. `code` is its error code, if it has one."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The properties of a request that select a fault. `credentials`: right or wrong. `age`: of the server, seconds."""

    call: str
    secure_login: str
    round_id: str
    credentials: str
    age: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Times are in seconds; `after_seconds` counts from the server's start.

    `effect`: the call is carried out all the same. `reply`: replaces the vendor's reply. `edits`: other JSON tokens for
    fields of the vendor's reply; None omits the field. `ending`: how the connection ends. `repeat`: a cancelled round
    is cancelled again. `reverse`: a completed round is cancelled. `other_round`: the reply names another round.
    `stall`: no reply to any request leaves for this time. `hide`: rounds that a page of GetGameRounds leaves out.
    `shift`: so many new rounds come before each further page's begin.
    """

    call: str = "CancelRound"
    credentials: str = "any"
    round_ids: tuple[str, ...] = ("*",)
    share: float = 1.0
    first: float = math.inf
    first_per_round: float = math.inf
    after_seconds: float = 0.0
    for_seconds: float = math.inf
    delay: float = 0.0
    jitter: float = 0.0
    stall: float = 0.0
    complete: bool = False
    repeat: bool = False
    reverse: bool = False
    other_round: bool = False
    hide: tuple[str, ...] = ()
    shift: int = 0
    effect: bool = True
    reply: CannedReply | None = None
    edits: Mapping[str, str | None] = field(default_factory=dict)
    ending: Literal["reply", "cut", "half", "hang"] = "reply"

    def fits(self, request: RequestKey) -> bool:
        """Whether the fault applies to requests of this kind; shares and counts are checked elsewhere."""
        return (
            self.call in {request.call, "any"}
            and self.credentials in {request.credentials, "any"}
            and self.after_seconds <= request.age < self.after_seconds + self.for_seconds
            and any(fnmatchcase(request.round_id, pattern) for pattern in self.round_ids)
        )


NO_FAULT = Fault()


@lru_cache(maxsize=256)
def _quoted(name: str) -> str:
    """Write a field's name as JSON; cached, because every reply has the same few names."""
    return json.dumps(name)


def as_json(value: object) -> str:
    """Write JSON in which a Decimal keeps its digits and its exponent."""
    if isinstance(value, dict):
        return as_object({name: as_json(one) for name, one in value.items()})
    if isinstance(value, list):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def as_object(fields: Mapping[str, str]) -> str:
    """Write a JSON object from fields that are JSON texts already, valid or not."""
    return "{" + ", ".join(f"{_quoted(name)}: {one}" for name, one in fields.items()) + "}"
