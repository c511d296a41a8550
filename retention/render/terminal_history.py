"""The history of a round as a terminal shows it, line by line."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING

from retention.core.model import LIVE_STATES
from retention.core.money import display_amounts_in, display_money
from retention.core.text import printable, time_text
from retention.render.terminal_table import print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from retention.core.planning.holds import Hold
    from retention.reports.round_history import Attempt, Cancellation, RoundHistory


def print_history(history: RoundHistory, file: TextIO | None = None) -> None:
    """Print a round's current state, its eligibility under each policy, and its timeline."""
    print_lines(history_lines(history), file)


def history_lines(history: RoundHistory) -> Iterator[str]:
    """Write a round's history, one fact per line."""
    yield f"round {history.round_id} of partner {history.partner}, as of {time_text(history.as_of)}"
    yield _current_state(history)
    for verdict in history.policies:
        yield f"policy {verdict.policy}: {'would plan it now' if verdict.selected else 'would not plan it now'}"
        yield from (f"  {reason}" for reason in verdict.why_not)
    if history.can_be_named and not any(verdict.selected for verdict in history.policies):
        name = f"--partner {shlex.quote(history.partner)} --round {shlex.quote(history.round_id)}"
        yield f"`retention cancel {name} --evidence REF --by WHO` cancels it whatever its age"
    if history.cancelled_in is not None:
        yield f"cancelled in {history.cancelled_in.month}, which is archived: its files tell how"
        yield from (f"  {file}" for file in history.cancelled_in.files)
    elif history.archived:
        first, last = history.archived[0].month, history.archived[-1].month
        yield f"months from {first} to {last} are archived, and not searched: its rows there are not shown"
    for at, event in timeline(history):
        yield f"{time_text(at)}  {event}"
    for item in history.cancellations:
        if item.state in LIVE_STATES:
            yield f"cancellation {item.id} is {item.state} now; {_next_step(item)}"


def timeline(history: RoundHistory) -> list[tuple[datetime, str]]:
    """List the events of a round, oldest first."""
    events = [event for item in history.cancellations for event in _cancellation_events(item)]
    events += [event for hold in history.holds for event in _hold_events(hold)]
    return sorted(events, key=lambda event: event[0])


def _current_state(history: RoundHistory) -> str:
    if not history.seen:
        meant = " or ".join(
            f"--partner {printable(partner)} --round {printable(name)}" for partner, name in history.alike
        )
        mend = f"did you mean {meant}?" if meant else "look at partner and round id"
        return f"never seen: neither the operator's open rounds nor the ledger have it; {mend}"
    if (found := history.open_round) is None:
        return "not open any more: the operator's view does not have it"
    return _joined(
        "open",
        _labelled("market", found.market),
        _labelled("game", found.game_id),
        _labelled("user", found.user_id),
        _labelled("opened at", found.opened_at),
        _labelled("last active at", found.last_activity_at),
        _labelled("stake", display_money(found.stake, found.currency)),
        _labelled("bet transaction", found.bet_transaction_id),
    )


def _cancellation_events(item: Cancellation) -> Iterator[tuple[datetime, str]]:
    request = _joined(
        f"{item.trigger} by {item.requested_by}",
        item.reason,
        _labelled("evidence", item.evidence),
        _labelled("approved by", item.approved_by),
    )
    dry_run = ", a dry run" if item.mode == "dry_run" else ""
    yield item.as_of, f"planned by run {item.run_id} of policy {item.policy}{dry_run} ({request})"
    for attempt in item.attempts:
        yield attempt.claimed_at, _attempt(attempt)
    if item.settled_at and item.settled_at != item.resolved_at:
        yield item.settled_at, f"settled: {_outcome(item)}"
    if item.resolved_at:
        yield item.resolved_at, f"resolved as {item.resolved_as} by {item.resolved_by}: {item.resolved_note}"


def _outcome(item: Cancellation) -> str:
    """Write a cancellation's outcome with the vendor's reply and the discrepancies."""
    reply = _joined(
        item.resolved_from or item.state,
        _labelled("code", item.error_code),
        item.description,
        _labelled("refund", display_money(item.amount, item.currency)),
        _labelled("transaction", item.transaction_id),
        display_amounts_in(item.detail),
    )
    return "; ".join(filter(None, (reply, *map(display_amounts_in, item.discrepancies))))


def _attempt(attempt: Attempt) -> str:
    facts = _joined(
        _labelled("sent at", attempt.sent_at),
        _labelled("answered at", attempt.replied_at),
        _labelled("HTTP", attempt.http_status),
        _labelled("code", attempt.error_code),
        attempt.outcome or "no outcome on record",
        display_amounts_in(attempt.detail),
    )
    return f"{attempt.kind} request {attempt.uuid} claimed by {attempt.replica}: {facts}"


def _hold_events(hold: Hold) -> Iterator[tuple[datetime, str]]:
    until = f" until {time_text(hold.until)}" if hold.until else ""
    yield hold.created_at, f"hold {hold.hold_id} set by {hold.created_by}{until}: {hold.reason}"
    if hold.released_at:
        yield hold.released_at, f"hold {hold.hold_id} released by {hold.released_by}"


def _next_step(item: Cancellation) -> str:
    """Write the next step of a cancellation that is not settled."""
    if item.due_at:
        return f"more is tried from {time_text(item.due_at)} on, by run {item.taken_up_by or item.run_id}"
    if item.state == "in_doubt":
        return "the next run takes it up, unless a person resolves it before"
    run = f"run {item.taken_up_by or item.run_id}"
    halt = f": {item.halt_reason}" if item.halt_reason else ""
    return f"{run} is {item.run_status}{halt}"


def _labelled(label: str, value: object) -> str:
    """Write a known value after its label, and an unknown one as the empty text."""
    if value is None or value == "":
        return ""
    return f"{label} {time_text(value) if isinstance(value, datetime) else value}"


def _joined(*parts: str | None) -> str:
    return ", ".join(filter(None, parts))
