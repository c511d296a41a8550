"""The values that travel between the packages."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

VIEW = "retention.open_rounds"
"""The operator's view that every plan reads."""


class Kind(enum.StrEnum):
    """The kind of an attempt: a cancel request, or a status probe."""

    CANCEL = "cancel"
    STATUS = "status"


class State(enum.StrEnum):
    """The state of a cancellation. The first four are live, the others final."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    RETRYING = "retrying"
    IN_DOUBT = "in_doubt"
    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already_cancelled"
    ALREADY_COMPLETED = "already_completed"
    REJECTED = "rejected"
    NO_LONGER_OPEN = "no_longer_open"
    HELD = "held"
    NOT_SENT = "not_sent"
    RESOLVED = "resolved"


LIVE_STATES = frozenset({State.PLANNED, State.CLAIMED, State.RETRYING, State.IN_DOUBT})

CANCELLED_STATES = frozenset({State.CANCELLED, State.ALREADY_CANCELLED})
"""The states of a round that the vendor has cancelled."""

RESOLUTIONS = tuple(state for state in State if state not in LIVE_STATES and state is not State.RESOLVED)
"""The states that a person may resolve a cancellation as."""


class Treatment(enum.StrEnum):
    """The meaning of a code in a 2xx reply; configurable per partner."""

    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already_cancelled"
    ALREADY_COMPLETED = "already_completed"
    RETRY = "retry"
    REJECTED = "rejected"
    UNAUTHORIZED = "unauthorized"


class Outcome(enum.StrEnum):
    """The outcome of one attempt."""

    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already_cancelled"
    ALREADY_COMPLETED = "already_completed"
    RETRY = "retry"
    REJECTED = "rejected"
    UNAUTHORIZED = "unauthorized"
    THROTTLED = "throttled"
    NOT_CONNECTED = "not_connected"
    IN_DOUBT = "in_doubt"
    IN_PROGRESS = "in_progress"
    RELEASED = "released"


class Review(enum.StrEnum):
    """The reason why a round without a cancel request needs review. Other reasons show in state and amounts."""

    WINNINGS = "winnings"
    NOT_ASKED = "not_asked"
    FINDING = "finding"


class ReviewWhy(enum.StrEnum):
    """A reason for review; a round may have several."""

    IN_DOUBT = "in_doubt"
    CONFLICT = "conflict"
    DISCREPANCY = "discrepancy"
    INCOMPLETE = "incomplete"
    REJECTED = "rejected"
    WINNINGS = "winnings"
    NOT_ASKED = "not_asked"
    REFUND_MISSING = "refund_missing"
    REFUND_DIFFERS = "refund_differs"
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials that every call to a partner's API carries. The repr hides them."""

    secure_login: str
    token: str

    def __repr__(self) -> str:
        return "Credentials(...)"


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round of the operator's view. `broken` is a key of WHY_UNPLANNABLE, None where a run can plan the round.

    A missing time, or one that makes no sense, is None.
    """

    partner: str
    market: str | None
    game_id: str | None
    user_id: str | None
    round_id: str
    opened_at: datetime | None
    last_activity_at: datetime | None
    currency: str | None
    stake: Decimal | None
    bet_transaction_id: str | None
    broken: str | None = None


# One of each of the following is made for every request, and a tuple is made in a third of a frozen dataclass's time.


class Claim(NamedTuple):
    """A claimed cancellation, with the attempt that is already committed for it.

    `run_id` and `uuid` are PostgreSQL's text. `claimed_at`, `slot`, `send_by` and `lease_until` are seconds of this
    process's monotonic clock. The request is sent at its slot. After `send_by` the look at the operator's view is too
    old to send. Until `lease_until` no other process acts on the round. `attempts` and `probes` count the round's
    cancel requests and probes in this run, with this one.
    """

    cancellation_id: int
    run_id: str
    uuid: str
    kind: Kind
    partner: str
    market: str
    game_id: str | None
    user_id: str
    round_id: str
    attempts: int
    probes: int
    may_have_taken_effect: bool
    refusal_pending_probe: bool
    claimed_at: float
    slot: float
    send_by: float
    lease_until: float

    @property
    def is_first_probe(self) -> bool:
        """Whether the claim probes a round before its first cancel request."""
        return self.kind is Kind.STATUS and not self.may_have_taken_effect and not self.refusal_pending_probe


class Reply(NamedTuple):
    """A decoded reply. `problem` says why a reply has no `code`.

    Amounts are exact as sent, in currency units. A field that is missing or makes no sense is None. `round_id` is
    empty where the round's id cannot be read. `retry_after` is in seconds from the reply, None for a success.
    `winnings` is None where the vendor tells none. `winnings_unclear`: the winnings make no sense. `over_idle`:
    a 408 over a connection that may have been idle for long.
    """

    http_status: int
    code: str | None = None
    description: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    transaction_id: str | None = None
    round_id: str | None = None
    round_status: str | None = None
    bet_amount: Decimal | None = None
    retry_after: float | None = None
    problem: str | None = None
    winnings: Decimal | None = None
    winnings_unclear: bool = False
    over_idle: bool = False


@dataclass(frozen=True, slots=True)
class NotConnected:
    """The connection was never made, so nothing can have happened."""

    why: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The request may have left, and no whole reply came back."""

    why: str


Answer = Reply | NotConnected | Unclear


class Settlement(NamedTuple):
    """The changes of one attempt to the ledger.

    `due_in` is in seconds from the write; None in a live state leaves the round to a later run. The failure-ratio rail
    counts `failed`; None is no reply to a cancel request. `uncounted`: the vendor turned the request away, so it uses
    no attempt. `incomplete`: the vendor cancelled, and did not tell the whole refund. `review` is the reason for the
    review of a round that is not cancelled. `winnings`: as this answer tells them, in currency units.
    """

    claim: Claim
    outcome: Outcome
    state: State
    sent_at: datetime | None
    replied_at: datetime | None
    http_status: int | None = None
    error_code: str | None = None
    description: str | None = None
    currency: str | None = None
    amount: Decimal | None = None
    transaction_id: str | None = None
    detail: str | None = None
    due_in: float | None = None
    may_have_taken_effect: bool = False
    refusal_pending_probe: bool = False
    failed: bool | None = None
    uncounted: bool = False
    incomplete: bool = False
    review: Review | None = None
    winnings: Decimal | None = None
