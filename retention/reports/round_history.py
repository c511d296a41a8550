"""The life of one round: what is known of it now, and everything that was ever done to it, in order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from retention.core.model import LIVE_STATES
from retention.core.money import shown_money, shown_words
from retention.core.text import printable, time_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal
    from uuid import UUID

    from retention.core.model import OpenRound
    from retention.core.planning.eligibility import Verdict
    from retention.core.planning.holds import Hold


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request."""

    uuid: UUID
    cancellation_id: int
    run_id: UUID
    kind: str
    replica: str
    claimed_at: datetime
    sent_at: datetime | None
    replied_at: datetime | None
    http_status: int | None
    error_code: str | None
    outcome: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What one run made of the round, and with which requests.

    `due_at` says from when on more is tried; a doubt without one waits for a later run.
    """

    id: int
    run_id: UUID
    policy: str
    trigger: str
    mode: str
    as_of: datetime
    requested_by: str
    reason: str | None
    evidence: str | None
    approved_by: str | None
    run_status: str
    halt_reason: str | None
    market: str
    game_id: str | None
    user_id: str
    opened_at: datetime
    stake: Decimal | None
    stake_currency: str | None
    bet_transaction_id: str | None
    state: str
    error_code: str | None
    description: str | None
    currency: str | None
    amount: Decimal | None
    transaction_id: str | None
    conflict: bool
    detail: str | None
    settled_at: datetime | None
    due_at: datetime | None
    taken_up_by: UUID | None
    resolved_from: str | None
    resolved_as: str | None
    resolved_by: str | None
    resolved_note: str | None
    resolved_at: datetime | None
    discrepancies: tuple[str, ...]
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class RoundHistory:
    """All that is known of a round. `seen` is false where neither the operator's view nor the ledger has it.

    `alike`: then the rounds that were perhaps meant, each a partner and an id.
    """

    partner: str
    round_id: str
    as_of: datetime
    seen: bool
    open_round: OpenRound | None
    policies: tuple[Verdict, ...]
    cancellations: tuple[Cancellation, ...]
    holds: tuple[Hold, ...]
    alike: tuple[tuple[str, str], ...] = ()


def lines(life: RoundHistory) -> Iterator[str]:
    """Tell a life, line by line."""
    yield f"round {life.round_id} of partner {life.partner}, as of {time_text(life.as_of)}"
    yield _now(life)
    for verdict in life.policies:
        yield f"policy {verdict.policy}: {'would plan it now' if verdict.selected else 'would not plan it now'}"
        yield from (f"  {reason}" for reason in verdict.why_not)
    for at, words in timeline(life):
        yield f"{time_text(at)}  {words}"
    for item in life.cancellations:
        if item.state in LIVE_STATES:
            yield f"cancellation {item.id} is {item.state} now; {_next(item)}"


def timeline(life: RoundHistory) -> list[tuple[datetime, str]]:
    """Tell what happened, oldest first."""
    events = [event for item in life.cancellations for event in _cancellation(item)]
    events += [event for hold in life.holds for event in _hold(hold)]
    return sorted(events, key=lambda event: event[0])


def _now(life: RoundHistory) -> str:
    if not life.seen:
        meant = " or ".join(f"--partner {printable(partner)} --round {printable(name)}" for partner, name in life.alike)
        mend = f"did you mean {meant}?" if meant else "look at partner and round id"
        return f"never seen: neither the operator's open rounds nor the ledger have it; {mend}"
    if (found := life.open_round) is None:
        return "not open any more: the operator's view does not have it"
    return _list(
        "open",
        _say("market", found.market),
        _say("game", found.game_id),
        _say("user", found.user_id),
        _say("opened at", found.opened_at),
        _say("last active at", found.last_activity_at),
        _say("stake", shown_money(found.stake, found.currency)),
        _say("bet transaction", found.bet_transaction_id),
    )


def _cancellation(item: Cancellation) -> Iterator[tuple[datetime, str]]:
    asked = _list(
        f"{item.trigger} by {item.requested_by}",
        item.reason,
        _say("evidence", item.evidence),
        _say("approved by", item.approved_by),
    )
    dry = ", a dry run" if item.mode == "dry_run" else ""
    yield item.as_of, f"planned by run {item.run_id} of policy {item.policy}{dry} ({asked})"
    for attempt in item.attempts:
        yield attempt.claimed_at, _attempt(attempt)
    if item.settled_at and item.settled_at != item.resolved_at:
        yield item.settled_at, f"settled: {_outcome(item)}"
    if item.resolved_at:
        yield item.resolved_at, f"resolved as {item.resolved_as} by {item.resolved_by}: {item.resolved_note}"


def _outcome(item: Cancellation) -> str:
    """Tell how a cancellation ended, with what the vendor said and what does not fit."""
    said = _list(
        item.resolved_from or item.state,
        _say("code", item.error_code),
        item.description,
        _say("refund", shown_money(item.amount, item.currency)),
        _say("transaction", item.transaction_id),
        shown_words(item.detail),
    )
    return "; ".join(filter(None, (said, *map(shown_words, item.discrepancies))))


def _attempt(attempt: Attempt) -> str:
    told = _list(
        _say("sent at", attempt.sent_at),
        _say("answered at", attempt.replied_at),
        _say("HTTP", attempt.http_status),
        _say("code", attempt.error_code),
        attempt.outcome or "no outcome on record",
        shown_words(attempt.detail),
    )
    return f"{attempt.kind} request {attempt.uuid} claimed by {attempt.replica}: {told}"


def _hold(hold: Hold) -> Iterator[tuple[datetime, str]]:
    until = f" until {time_text(hold.until)}" if hold.until else ""
    yield hold.created_at, f"hold {hold.hold_id} set by {hold.created_by}{until}: {hold.reason}"
    if hold.released_at:
        yield hold.released_at, f"hold {hold.hold_id} released by {hold.released_by}"


def _next(item: Cancellation) -> str:
    """Tell what becomes of a cancellation that is not settled."""
    if item.due_at:
        return f"more is tried from {time_text(item.due_at)} on, by run {item.taken_up_by or item.run_id}"
    if item.state == "in_doubt":
        return "the next run takes it up, unless a person resolves it before"
    run = f"run {item.taken_up_by or item.run_id}"
    halted = f": {item.halt_reason}" if item.halt_reason else ""
    return f"{run} is {item.run_status}{halted}"


def _say(label: str, value: object) -> str:
    """Put a label before what is known, and nothing before nothing."""
    if value is None or value == "":
        return ""
    return f"{label} {time_text(value) if isinstance(value, datetime) else value}"


def _list(*words: str | None) -> str:
    return ", ".join(filter(None, words))
