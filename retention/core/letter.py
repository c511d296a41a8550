"""What a notification says: a JSON object for programs, and a sentence or two with the next command for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from retention.core.model import State
from retention.core.plan import VIEW
from retention.core.text import counted, decimal_text, time_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.notice import Event, UntoldRun
    from retention.core.summary import Summary

_LONGEST = 500
"""Characters of a reason that the text quotes; the object has all of it. Chat services cut or refuse long messages."""

_TITLES: Mapping[Event, str] = {
    "run.halted": "run halted",
    "run.failed": "run failed",
    "run.review": "a run needs review",
    "run.awaiting_approval": "a run awaits approval",
    "schedule.missed": "scheduled times missed",
}


def run_letter(event: Event, run: UntoldRun, summary: Summary, redact: Callable[[str], str]) -> dict[str, Any]:
    """What is told of a run. Amounts are exact, times in UTC, and no player is named."""
    reason = None if run.halt_reason is None else redact(run.halt_reason)
    asker = redact(run.requested_by)
    return {
        "run": {
            "run_id": str(run.run_id),
            "policy": run.policy,
            "trigger": run.trigger,
            "mode": run.mode,
            "scheduled_for": time_text(run.scheduled_for) if run.scheduled_for else None,
            "requested_by": asker,
            "status": run.status,
            "halt_reason": reason,
            "rounds": summary.rounds,
            "states": _counts(summary.states),
            "taken_up": _counts(summary.taken_up),
            "refunds": {currency: decimal_text(amount) for currency, amount in sorted(summary.refunds.items())},
            "conflicts": summary.conflicts,
            "discrepancies": summary.discrepancies,
            "incomplete": summary.incomplete,
        },
        "text": f"Run {run.run_id} of policy {run.policy} {_what(event, reason or '', asker, summary)}. "
        f"Next: {_next(event, run)}",
    }


def missed_letter(policy: str, times: Sequence[datetime]) -> dict[str, Any]:
    """What is told of scheduled times that passed without a run, given the oldest first."""
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


def sealed(event: Event, notification_id: UUID, created_at: datetime, letter: Mapping[str, Any]) -> str:
    """The text that is kept, signed and sent: ASCII, so that its bytes are the same wherever it has been."""
    head = {"event": event, "notification_id": str(notification_id), "created_at": time_text(created_at)}
    return json.dumps({**head, **letter}, separators=(",", ":"))


def chat_message(event: Event, body: str) -> tuple[str, str]:
    """Title and text for people, from what was sealed."""
    letter = json.loads(body)
    policy = letter["policy"] if "missed" in letter else letter["run"]["policy"]
    return f"retention, policy {policy}: {_TITLES[event]}", letter["text"]


def _what(event: Event, reason: str, asker: str, summary: Summary) -> str:
    short = reason if len(reason) <= _LONGEST else f"{reason[:_LONGEST]}…"
    match event:
        case "run.halted":
            return f"was halted: {short}"
        case "run.failed":
            return f"failed: {short}"
        case "run.awaiting_approval":
            return f"awaits approval: {counted(summary.rounds, 'round')}, asked for by {asker}"
    return f"is finished and needs a person: {', '.join(_open_ends(summary))}"


def _next(event: Event, run: UntoldRun) -> str:
    match event:
        case "run.halted" if run.paused:
            by_itself = (
                "the run then goes on by itself"
                if run.trigger == "schedule"
                else f"retention run --resume {run.run_id}"
            )
            return f"retention resume --by WHO (--partner P where one is paused); {by_itself}"
        case "run.halted" if (run.halt_reason or "").startswith("stricter: "):
            run_id = run.run_id
            return f"retention run --resume {run_id} goes on as planned, retention runs close {run_id} calls it off"
        case "run.halted":
            return f"retention run --resume {run.run_id} (--override TEXT --by WHO passes the rail)"
        case "run.failed":
            return (
                f"retention check, until it can be read; then retention run {run.policy}"
                if (run.halt_reason or "").startswith(VIEW)
                else "once the vendor answers, a new `retention run`: what was not sent is planned again"
            )
        case "run.awaiting_approval":
            return f"retention approve {run.run_id} --by WHO, or retention reject {run.run_id} --by WHO"
    return f"retention review list; retention report --all --run {run.run_id}"


def _open_ends(summary: Summary) -> Iterator[str]:
    for state in (State.IN_DOUBT, State.REJECTED, State.NOT_SENT):
        if count := summary.states.get(state, 0) + summary.taken_up.get(state, 0):
            yield f"{count} {state.value}"
    if summary.conflicts:
        yield counted(summary.conflicts, "conflict")
    if summary.discrepancies:
        yield counted(summary.discrepancies, "discrepancy", "discrepancies")
    if summary.incomplete:
        yield f"{summary.incomplete} incomplete"
    if summary.to_review:
        yield f"{summary.to_review} not called"


def _counts(states: Mapping[State, int]) -> dict[str, int]:
    return {state.value: count for state, count in sorted(states.items())}
