"""Answers of a vendor, one or several for each row of the contract's section 5, and a claim that may get them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from retention.core.model import Answer, Claim, Kind, NotConnected, Outcome, Reply, Treatment, Unclear
from retention.core.sending.reply_rules import DEFAULT_CODES

CODES = {**DEFAULT_CODES, "70": Treatment.ALREADY_COMPLETED, "71": Treatment.CANCELLED}

DONE = Reply(200, "0", "Success", "EUR", Decimal("1.50"), "bet-7")
UNCLEAR: tuple[Answer, ...] = (
    Unclear("no reply in time"),
    *(
        Reply(status, problem=f"HTTP {status}")
        for status in (0, 99, 100, 101, 301, 302, 307, 500, 502, 503, 504, 600, 999)
    ),
    Reply(200, problem="the reply is not JSON"),
    Reply(204, problem="the reply is not JSON"),
)
THROTTLED = (
    Reply(429, problem="HTTP 429"),
    Reply(429, retry_after=7.0, problem="HTTP 429"),
    Reply(503, retry_after=7.0, problem="HTTP 503"),
    Reply(503, retry_after=0.0, problem="HTTP 503"),
)
UNAUTHORIZED = (Reply(401, problem="HTTP 401"), Reply(403, problem="HTTP 403"), Reply(200, "54"), Reply(200, "401"))
REFUSED_BY_STATUS = tuple(
    Reply(status, problem=f"HTTP {status}") for status in (400, 402, 404, 405, 408, 409, 422, 499)
)
UNCONNECTED = (NotConnected("no connection: timed out"),)

ANSWERS: dict[Kind, dict[str, tuple[Answer, ...]]] = {
    Kind.CANCEL: {
        "done": (DONE, Reply(200, "0"), Reply(201, "71"), DONE._replace(retry_after=7.0)),
        "already": (Reply(200, "61"),),
        "completed": (Reply(200, "70"),),
        "rejected": (*REFUSED_BY_STATUS, *(Reply(200, code) for code in ("1", "999", "17", "unheard of", "00", ""))),
        "retry": (Reply(200, "998"),),
        "unclear": UNCLEAR,
        "throttled": THROTTLED,
        "unauthorized": UNAUTHORIZED,
        "unconnected": UNCONNECTED,
    },
    Kind.STATUS: {
        "canceled": tuple(
            Reply(200, "0", round_status=word)
            for word in ("Canceled", "Cancelled", "CancelInProcess", "CANCELED", "cancelled", "cancelinprocess")
        ),
        "completed": tuple(
            Reply(200, "0", round_status=word)
            for word in ("Completed", "CompleteInProcess", "COMPLETED", "completeinprocess")
        ),
        "in progress": tuple(Reply(200, "0", round_status=word) for word in ("InProgress", "INPROGRESS", "inprogress")),
        "rejected": REFUSED_BY_STATUS,
        "unclear": (
            *UNCLEAR,
            *(Reply(200, "0", round_status=word) for word in (None, "", "Suspended", "In Progress", "NotCanceled")),
            *(Reply(200, code, round_status="Canceled") for code in ("1", "17", "61", "70", "998", "unheard of")),
        ),
        "throttled": THROTTLED,
        "unauthorized": UNAUTHORIZED,
        "unconnected": UNCONNECTED,
    },
}
"""Answers to a request of a kind, by a name for their common property."""

OUTCOMES: dict[str, Outcome] = {
    "done": Outcome.CANCELLED,
    "already": Outcome.ALREADY_CANCELLED,
    "rejected": Outcome.REJECTED,
    "retry": Outcome.RETRY,
    "canceled": Outcome.CANCELLED,
    "completed": Outcome.ALREADY_COMPLETED,
    "in progress": Outcome.IN_PROGRESS,
    "unclear": Outcome.IN_DOUBT,
    "throttled": Outcome.THROTTLED,
    "unauthorized": Outcome.UNAUTHORIZED,
    "unconnected": Outcome.NOT_CONNECTED,
}
"""The outcome of each of these."""


def make_claim(**changes: Any) -> Claim:
    """Make a claim of one cancellation on its first attempt."""
    values: dict[str, Any] = {
        "cancellation_id": 7,
        "run_id": str(UUID(int=1)),
        "uuid": str(UUID(int=2)),
        "kind": Kind.CANCEL,
        "partner": "acme",
        "market": "MT",
        "game_id": "lm_1",
        "user_id": "tester",
        "round_id": "R-1",
        "attempts": 1,
        "probes": 0,
        "may_have_taken_effect": False,
        "refusal_pending_probe": False,
        "claimed_at": 0.0,
        "slot": 0.0,
        "send_by": 1.0,
        "lease_until": 15.0,
    }
    return Claim(**{**values, **changes})
