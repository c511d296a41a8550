"""The message of a notification: a JSON object for programs, and a sentence with the next command for people.

Amounts are exact, times are in UTC, and no player is named.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from retention.core.model import LIVE_STATES, ReviewWhy, State
from retention.core.runs.next_steps import next_steps, while_stalled
from retention.core.text import counted, decimal_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.evidence.checkpoint import Checkpoint
    from retention.core.notifications.events import Event, RunToNotify
    from retention.core.runs.summary import Summary

_MAX_REASON_CHARS = 500
"""Characters of a reason that the text quotes, because chat services refuse long messages. The object has all of it."""

_TITLES: Mapping[Event, str] = {
    "run.halted": "run halted",
    "run.failed": "run failed",
    "run.review": "a run needs review",
    "run.stalled": "a run has stalled",
    "run.awaiting_approval": "a run awaits approval",
    "schedule.missed": "scheduled times missed",
    "report.made": "a report is made",
    "report.failed": "a report could not be made",
}


def run_message(event: Event, run: RunToNotify, summary: Summary, redact: Callable[[str], str]) -> dict[str, Any]:
    """The message about a run; `redact` masks secrets in its texts."""
    reason = None if run.halt_reason is None else redact(run.halt_reason)
    return {
        "run": {
            "run_id": str(run.run_id),
            "policy": run.policy,
            "trigger": run.trigger,
            "mode": run.mode,
            "scheduled_for": time_text(run.scheduled_for) if run.scheduled_for else None,
            "requested_by": redact(run.requested_by),
            "status": run.status,
            "halt_reason": reason,
            "rounds": summary.rounds,
            "plan_digest": summary.plan_digest,
            "approval_expires_at": time_text(summary.approval_expires_at) if summary.approval_expires_at else None,
            "states": _counts(summary.states),
            "taken_up": _counts(summary.taken_up),
            "refunds": {currency: decimal_text(amount) for currency, amount in sorted(summary.refunds.items())},
            "conflicts": summary.conflicts,
            "discrepancies": summary.discrepancies,
            "incomplete": summary.incomplete,
            "review": _counts(summary.review),
        },
        "text": f"Run {run.run_id} of policy {run.policy} {_happened(event, reason or '', summary)}. "
        f"Next: {_next_commands(run, summary)}",
    }


def missed_message(policy: str, times: Sequence[datetime]) -> dict[str, Any]:
    """The message about missed times of one policy, given oldest first."""
    count, oldest, newest = len(times), time_text(times[0]), time_text(times[-1])
    when = (
        f"{counted(count, 'scheduled time')}, from {oldest} to {newest}"
        if count > 1
        else f"the scheduled time {oldest}"
    )
    return {
        "policy": policy,
        "missed": {"count": count, "oldest": oldest, "newest": newest},
        "text": f"Policy {policy} missed {when}. Its next run plans what is stale then. Next: retention run {policy}",
    }


def serialize(
    event: Event,
    notification_id: UUID,
    created_at: datetime,
    message: Mapping[str, Any],
    checkpoint: Checkpoint | None = None,
) -> str:
    """The text that is stored, signed and sent: in ASCII, so that each try sends the same bytes.

    `checkpoint`: the newest one of the evidence. Each receiver that keeps it can prove a later loss.
    """
    head = {"event": event, "notification_id": str(notification_id), "created_at": time_text(created_at)}
    known = checkpoint and checkpoint.document()
    return json.dumps({**head, **message, "checkpoint": known}, separators=(",", ":"))


def chat_message(event: Event, body: str) -> tuple[str, str]:
    """Title and text for people, read from a serialized message."""
    message = json.loads(body)
    if "report" in message:
        subject = f"report {message['report']['name']}"
    else:
        subject = f"policy {message['policy'] if 'missed' in message else message['run']['policy']}"
    return f"retention, {subject}: {_TITLES[event]}", message["text"]


def _happened(event: Event, reason: str, summary: Summary) -> str:
    short = reason if len(reason) <= _MAX_REASON_CHARS else f"{reason[:_MAX_REASON_CHARS]}…"
    match event:
        case "run.halted":
            return f"was halted: {short}"
        case "run.failed":
            return f"failed: {short}"
        case "run.stalled":
            return f"makes no progress: {_live_rounds(summary)} still to be done"
        case "run.awaiting_approval":
            return f"awaits approval: {counted(summary.rounds, 'round')}, digest {summary.plan_digest}"
    return f"is finished and needs a person: {', '.join(_to_review(summary))}"


def _next_commands(run: RunToNotify, summary: Summary) -> str:
    ended = replace(
        summary, status=run.status, halt_reason=run.halt_reason, paused=run.paused, trigger=run.trigger, mode=run.mode
    )
    steps = while_stalled(ended) if run.status in {"planned", "running"} else next_steps(ended)
    return "; ".join(f"{step.command} ({step.does})" for step in steps)


def _live_rounds(summary: Summary) -> str:
    count = sum(counts.get(state, 0) for counts in (summary.states, summary.taken_up) for state in LIVE_STATES)
    return f"{counted(count, 'round')} {'is' if count == 1 else 'are'}"


def _to_review(summary: Summary) -> Iterator[str]:
    for why in (ReviewWhy.IN_DOUBT, ReviewWhy.REJECTED):
        if count := summary.review.get(why, 0):
            yield f"{count} {why.value}"
    if count := summary.states.get(State.NOT_SENT, 0) + summary.taken_up.get(State.NOT_SENT, 0):
        yield f"{count} {State.NOT_SENT.value}"
    if summary.conflicts:
        yield counted(summary.conflicts, "conflict")
    if summary.discrepancies:
        yield counted(summary.discrepancies, "discrepancy", "discrepancies")
    if summary.incomplete:
        yield f"{summary.incomplete} incomplete"
    if summary.to_review:
        yield f"{summary.to_review} for another reason"


def _counts(by: Mapping[State, int] | Mapping[ReviewWhy, int]) -> dict[str, int]:
    return {name.value: count for name, count in sorted(by.items())}
