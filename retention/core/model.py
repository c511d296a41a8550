"""The values that the rest of the house hands around."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


class Kind(enum.StrEnum):
    """What an attempt asks of the vendor."""

    CANCEL = "cancel"
    STATUS = "status"


class State(enum.StrEnum):
    """Where a cancellation stands. The first four are live, the others final."""

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
"""What a round is called that the vendor has cancelled."""

RESOLUTIONS = tuple(state for state in State if state not in LIVE_STATES and state is not State.RESOLVED)
"""What a person may say that became of a cancellation."""


class Treatment(enum.StrEnum):
    """What the vendor's code of a 2xx reply means to us; configurable per partner."""

    CANCELLED = "cancelled"
    ALREADY_CANCELLED = "already_cancelled"
    ALREADY_COMPLETED = "already_completed"
    RETRY = "retry"
    REJECTED = "rejected"
    UNAUTHORIZED = "unauthorized"


class Outcome(enum.StrEnum):
    """What became of one attempt."""

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
    """Why a round that was not called needs a person; the others' reasons show in their states and amounts."""

    WINNINGS = "winnings"
    NOT_ASKED = "not_asked"
    FINDING = "finding"


class ReviewWhy(enum.StrEnum):
    """What a person has to look at a round for; a round may have several."""

    IN_DOUBT = "in_doubt"
    CONFLICT = "conflict"
    DISCREPANCY = "discrepancy"
    INCOMPLETE = "incomplete"
    REJECTED = "rejected"
    WINNINGS = "winnings"
    NOT_ASKED = "not_asked"
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What every call to a partner's API carries. Its repr shows none of it."""

    secure_login: str
    token: str

    def __repr__(self) -> str:
        return "Credentials(...)"


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A round as the operator's view has it. `broken` names what no run could plan it with, as core.plan.BROKEN does.

    A time that makes no sense is None, as one that is missing is.
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
    """One cancellation in this process's hands, with the attempt that is already committed for it.

    `run_id` and `uuid` as PostgreSQL writes them. `slot`, `send_by` and `lease_until` are seconds on this process's
    monotonic clock: when the request's turn comes, until when it may leave (by then the look at the operator's view
    that allowed it is old), and until when nobody else acts on the round. `attempts` and `probes` count the cancel and
    status requests of this round in this run, this one included.
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
    slot: float
    send_by: float
    lease_until: float

    @property
    def is_first_probe(self) -> bool:
        """Whether it asks about a round that no request of ours may have cancelled: before its first cancel."""
        return self.kind is Kind.STATUS and not self.may_have_taken_effect and not self.refusal_pending_probe


class Reply(NamedTuple):
    """A reply as it was understood. `problem` says what could not be; `code` is None then.

    Amounts are exact as sent, in currency units. A field that is missing or makes no sense is None.
    `round_id` is empty where a round is named in a way that cannot be read. `retry_after` is in
    seconds from the reply, and None where that was a success. `winnings` is None where none are told, or 0;
    `winnings_unclear`: they are told, and make no sense. `over_idle`: it is a 408, and came over a connection on which
    the vendor may have waited for long.
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
    """What one attempt changes in the ledger.

    `due_in` is in seconds from the moment it is written; None in a live state means: not before a later run.
    `failed` is what the failure-ratio rail counts: None for what was no reply to a cancel request. `uncounted`: the
    request was turned away at the door, and uses no attempt. `incomplete`: the vendor cancelled, and did not tell the
    whole refund. `review` says why a person has to look at a round that is not cancelled.
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
