"""The message of a notification."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from support.notified_runs import RUN_ID, THREE, run, summary

from retention.core.evidence.checkpoint import Checkpoint
from retention.core.model import ReviewWhy, State
from retention.core.notifications.events import EVENTS
from retention.core.notifications.message import chat_message, missed_message, run_message, serialize

if TYPE_CHECKING:
    from datetime import datetime

    from retention.core.notifications.events import Event, RunToNotify
    from retention.core.runs.summary import Summary

PASS = f"retention run --resume {RUN_ID} --override TEXT --by WHO (passes the rail)"
CLOSE = f"retention runs close {RUN_ID} --by WHO --note TEXT (calls it off)"


def written(event: Event, run: RunToNotify, summary: Summary) -> Any:
    """A notification of a run, as a receiver reads it; `hush` is a secret."""
    message = run_message(event, run, summary, lambda text: text.replace("hush", "***"))
    return json.loads(serialize(event, UUID(int=1), THREE, message))


def test_a_message_has_all_of_a_run_but_its_players_and_secrets() -> None:
    """Amounts are exact decimals in text, times are UTC, doubts of earlier runs stand apart, secrets are masked."""
    zone = timedelta(hours=-2)
    scheduled = run(trigger="schedule", scheduled_for=THREE + zone, requested_by="hush-1", halt_reason="no hush here")
    counted = summary(
        states={State.REJECTED: 1, State.CANCELLED: 2},
        taken_up={State.IN_DOUBT: 3},
        refunds={"SEK": Decimal("0.10"), "EUR": Decimal("12345678901234567890.123456789")},
        review={
            ReviewWhy.IN_DOUBT: 3,
            ReviewWhy.REJECTED: 1,
            ReviewWhy.CONFLICT: 4,
            ReviewWhy.DISCREPANCY: 5,
            ReviewWhy.INCOMPLETE: 6,
            ReviewWhy.REFUND_MISSING: 7,
        },
    )
    assert {
        "event": "run.review",
        "notification_id": str(UUID(int=1)),
        "created_at": "2025-03-05T03:00:00Z",
        "checkpoint": None,
        "run": {
            "run_id": str(RUN_ID),
            "policy": "nightly",
            "trigger": "schedule",
            "mode": "enforce",
            "scheduled_for": "2025-03-05T01:00:00Z",
            "requested_by": "***-1",
            "status": "finished",
            "halt_reason": "no *** here",
            "rounds": 3,
            "plan_digest": None,
            "approval_expires_at": None,
            "states": {"cancelled": 2, "rejected": 1},
            "taken_up": {"in_doubt": 3},
            "refunds": {"EUR": "12345678901234567890.123456789", "SEK": "0.1"},
            "conflicts": 4,
            "discrepancies": 5,
            "incomplete": 6,
            "review": {
                "conflict": 4,
                "discrepancy": 5,
                "in_doubt": 3,
                "incomplete": 6,
                "refund_missing": 7,
                "rejected": 1,
            },
        },
        "text": f"Run {RUN_ID} of policy nightly is finished and needs a person: 3 in_doubt, 1 rejected, 4 conflicts,"
        f" 5 discrepancies, 6 incomplete, 7 for another reason. Next: retention review list (shows what needs a person);"
        f" retention report --all --run {RUN_ID} (lists its rounds)",
    } == written("run.review", scheduled, counted)


@pytest.mark.parametrize(
    ("text", "event", "run"),
    [
        (
            f"was halted: max_rounds: 7. Next: {PASS}; {CLOSE}",
            "run.halted",
            run(status="halted", halt_reason="max_rounds: 7"),
        ),
        (
            "failed: *** broke. Next: retention run nightly (once the vendor answers: what was not sent is planned again)",
            "run.failed",
            run(status="failed", halt_reason="hush broke"),
        ),
    ],
)
def test_the_text_of_a_halt_and_of_a_failure_names_the_next_command(text: str, event: Event, run: RunToNotify) -> None:
    """The text names the run, the reason and the command to type next."""
    assert f"Run {RUN_ID} of policy nightly {text}" == written(event, run, summary())["text"]


def test_a_long_halt_reason_is_cut_in_the_text_alone() -> None:
    """Chat services refuse long messages; the object has all of it."""
    message = written("run.halted", run(status="halted", halt_reason="x" * 9000), summary())

    assert "x" * 9000 == message["run"]["halt_reason"]
    assert f"was halted: {'x' * 500}…. Next" in message["text"]
    whole = written("run.halted", run(status="halted", halt_reason="x" * 500), summary())
    assert f"was halted: {'x' * 500}. Next" in whole["text"]


def test_a_serialized_message_is_compact_ascii() -> None:
    """The stored text is compact, in the order of its keys, and in ASCII, so that each try sends the same bytes."""
    expected = (
        '{"event":"schedule.missed","notification_id":"00000000-0000-0000-0000-000000000001",'
        '"created_at":"2025-03-05T03:00:00Z","policy":"n\\u00e4chtlich","missed":{"count":1},'
        '"checkpoint":{"size":17,"root":"a root"}}'
    )
    message = {"policy": "nächtlich", "missed": {"count": 1}}
    checkpoint = Checkpoint("ledger", 17, "a root")
    assert expected == serialize("schedule.missed", UUID(int=1), THREE, message, checkpoint)


@pytest.mark.parametrize(
    ("missed", "text", "times"),
    [
        (
            {"count": 1, "oldest": "2025-03-05T03:00:00Z", "newest": "2025-03-05T03:00:00Z"},
            "the scheduled time 2025-03-05T03:00:00Z",
            [THREE],
        ),
        (
            {"count": 2, "oldest": "2025-03-05T03:00:00Z", "newest": "2025-03-06T03:00:00Z"},
            "2 scheduled times, from 2025-03-05T03:00:00Z to 2025-03-06T03:00:00Z",
            [THREE, THREE + timedelta(days=1)],
        ),
    ],
)
def test_missed_times_of_a_policy_are_one_message(missed: dict[str, Any], text: str, times: list[datetime]) -> None:
    """The message has the number of missed times, the oldest and the newest."""
    message = missed_message("nightly", times)

    assert ("nightly", missed) == (message["policy"], message["missed"])
    assert (
        f"Policy nightly missed {text}. Its next run plans what is stale then. Next: retention run nightly"
        == message["text"]
    )


TITLES: dict[Event, str] = {
    "run.halted": "run halted",
    "run.failed": "run failed",
    "run.review": "a run needs review",
    "run.stalled": "a run has stalled",
    "run.awaiting_approval": "a run awaits approval",
    "schedule.missed": "scheduled times missed",
}


@pytest.mark.parametrize("event", [event for event in EVENTS if not event.startswith("report.")])
def test_a_chat_message_names_the_policy_and_has_the_text(event: Event) -> None:
    """Title and text are read from the stored text, so that each try sends the same."""
    message = (
        missed_message("nightly", [THREE])
        if event == "schedule.missed"
        else run_message(event, run(halt_reason="Zeitüberschreitung"), summary(), str)
    )
    body = serialize(event, UUID(int=1), THREE, message)
    title, text = chat_message(event, body)

    assert body.isascii()
    assert message["text"] == text
    assert f"retention, policy nightly: {TITLES[event]}" == title
