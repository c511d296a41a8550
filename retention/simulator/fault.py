"""One fault of the simulated vendor: whom it strikes, and what it does to a request and its reply."""

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
    """A reply as it goes out. `code` is the error code in it, where it has one."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What a fault can tell of a request. `credentials` are right or wrong; `age` is the server's, in seconds."""

    call: str
    secure_login: str
    round_id: str
    credentials: str
    age: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, and for whom. Times are in seconds; the window counts from the server's start.

    `effect`: the call still does its work. `said`: goes out instead of the true reply. `edits`: fields of the true
    reply that are written as another JSON token, or left out where that is None. `ending`: how it ends on the wire.
    `repeat`: a cancelled round is cancelled again. `reverse`: a completed one is. `other_round`: the reply names
    another round. `stall`: for so long no reply to anything leaves.
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
    effect: bool = True
    said: CannedReply | None = None
    edits: Mapping[str, str | None] = field(default_factory=dict)
    ending: Literal["reply", "cut", "half", "hang"] = "reply"

    def fits(self, asked: RequestKey) -> bool:
        """Whether this is the kind of request that the fault is meant for; shares and counts are not looked at."""
        return (
            self.call in {asked.call, "any"}
            and self.credentials in {asked.credentials, "any"}
            and self.after_seconds <= asked.age < self.after_seconds + self.for_seconds
            and any(fnmatchcase(asked.round_id, pattern) for pattern in self.round_ids)
        )


NO_FAULT = Fault()


@lru_cache(maxsize=256)
def _quoted(name: str) -> str:
    """Write a field's name; every reply has the same few, and this is on the way of each."""
    return json.dumps(name)


def as_json(value: object) -> str:
    """Write JSON in which a Decimal keeps every digit and its exponent."""
    if isinstance(value, dict):
        return as_object({name: as_json(one) for name, one in value.items()})
    if isinstance(value, list):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def as_object(fields: Mapping[str, str]) -> str:
    """Write a JSON object of fields that are JSON already, valid or not."""
    return "{" + ", ".join(f"{_quoted(name)}: {one}" for name, one in fields.items()) + "}"
