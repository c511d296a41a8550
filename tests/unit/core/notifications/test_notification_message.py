"""What is worth telling, in which words, how often it is tried, and how it is signed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.core.model import State
from retention.core.notifications.events import (
    EVENTS,
    GIVE_UP_AFTER_S,
    RETRY_CAP_S,
    Event,
    RunToNotify,
    event_to_send,
    retry_pause,
    signature,
    signing_key,
)
from retention.core.notifications.message import chat_message, missed_message, run_message, serialize
from retention.core.runs.summary import Summary

NAME = UUID(int=7)
THREE = datetime(2025, 3, 5, 3, tzinfo=UTC)


def run(**changes: Any) -> RunToNotify:
    """An enforcing run that ann asked for and that is finished, but for the changes."""
    values: dict[str, Any] = {
        "run_id": NAME,
        "policy": "nightly",
        "trigger": "on_demand",
        "mode": "enforce",
        "scheduled_for": None,
        "requested_by": "ann",
        "status": "finished",
        "halt_reason": None,
        "paused": False,
    }
    return RunToNotify(**{**values, **changes})


def summary(**changes: Any) -> Summary:
    """What the run came to: one round cancelled, but for the changes."""
    values: dict[str, Any] = {"mode": "enforce", "status": "finished", "states": {State.CANCELLED: 1}}
    return Summary(NAME, "nightly", halt_reason=None, **{**values, **changes})


PASS = f"retention run --resume {NAME} --override TEXT --by WHO (passes the rail)"
CLOSE = f"retention runs close {NAME} --by WHO --note TEXT (calls it off)"
DOUBT = {State.CANCELLED: 1, State.IN_DOUBT: 1}
MISSED = {"status": "cancelled", "trigger": "schedule", "scheduled_for": THREE, "halt_reason": "missed: nobody was up"}


@pytest.mark.parametrize(
    ("event", "run", "summary"),
    [
        ("run.halted", run(status="halted", halt_reason="max_rounds: 7"), summary()),
        ("run.failed", run(status="failed", halt_reason="unreachable: acme"), summary()),
        ("run.review", run(), summary(states=DOUBT)),
        ("run.review", run(), summary(conflicts=1)),
        ("schedule.missed", run(**MISSED), summary(states={})),
        (None, run(), summary()),
        (None, run(), summary(states={})),
        (None, run(mode="dry_run"), summary(mode="dry_run", states={State.NOT_SENT: 9})),
        (None, run(status="cancelled", halt_reason="rejected by bob"), summary()),
        (None, run(status="cancelled", halt_reason="missed: so bob says"), summary()),
        (None, run(status="cancelled"), summary()),
        ("run.stalled", run(status="running"), summary(states=DOUBT)),
        ("run.stalled", run(status="planned"), summary(states=DOUBT)),
    ],
)
def test_people_are_told_what_needs_them_and_nothing_else(
    event: Event | None, run: RunToNotify, summary: Summary
) -> None:
    """A halt, a failure, a standstill, a question and a missed time are told; an end only where something is left to people."""
    assert event == event_to_send(run, summary)


def test_all_that_can_be_told_has_a_name_to_ask_for_it_by() -> None:
    """The names that a configuration may list are those of the six things that are told."""
    expected = ("run.halted", "run.failed", "run.review", "run.stalled", "run.awaiting_approval", "schedule.missed")
    assert expected == EVENTS


def test_what_nobody_takes_is_given_up_after_three_days() -> None:
    """A receiver that is down over a weekend still gets what it was to get."""
    assert timedelta(days=3).total_seconds() == GIVE_UP_AFTER_S


def written(event: Event, run: RunToNotify, summary: Summary) -> Any:
    """A notification of a run, as a receiver reads it; `hush` is a secret."""
    letter = run_message(event, run, summary, lambda text: text.replace("hush", "***"))
    return json.loads(serialize(event, UUID(int=1), THREE, letter))


def test_a_notification_tells_all_of_a_run_but_its_players_and_secrets() -> None:
    """Amounts are exact decimals in text, times are UTC, doubts of earlier runs stand apart, secrets are masked."""
    zone = timedelta(hours=-2)
    scheduled = run(trigger="schedule", scheduled_for=THREE + zone, requested_by="hush-1", halt_reason="no hush here")
    counted = summary(
        states={State.REJECTED: 1, State.CANCELLED: 2},
        taken_up={State.IN_DOUBT: 3},
        refunds={"SEK": Decimal("0.10"), "EUR": Decimal("12345678901234567890.123456789")},
        conflicts=4,
        discrepancies=5,
        incomplete=6,
    )
    assert {
        "event": "run.review",
        "notification_id": str(UUID(int=1)),
        "created_at": "2025-03-05T03:00:00Z",
        "run": {
            "run_id": str(NAME),
            "policy": "nightly",
            "trigger": "schedule",
            "mode": "enforce",
            "scheduled_for": "2025-03-05T01:00:00Z",
            "requested_by": "***-1",
            "status": "finished",
            "halt_reason": "no *** here",
            "rounds": 3,
            "states": {"cancelled": 2, "rejected": 1},
            "taken_up": {"in_doubt": 3},
            "refunds": {"EUR": "12345678901234567890.123456789", "SEK": "0.1"},
            "conflicts": 4,
            "discrepancies": 5,
            "incomplete": 6,
        },
        "text": f"Run {NAME} of policy nightly is finished and needs a person: 3 in_doubt, 1 rejected, 4 conflicts,"
        f" 5 discrepancies, 6 incomplete. Next: retention review list (shows what needs a person);"
        f" retention report --all --run {NAME} (lists its rounds)",
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
def test_the_text_says_what_happened_and_what_to_type_next(text: str, event: Event, run: RunToNotify) -> None:
    """Whoever reads it on a phone at night knows the run, the reason and the command."""
    assert f"Run {NAME} of policy nightly {text}" == written(event, run, summary())["text"]


def test_a_long_reason_is_cut_in_the_text_alone() -> None:
    """Chat services refuse long messages; the object has all of it."""
    told = written("run.halted", run(status="halted", halt_reason="x" * 9000), summary())

    assert "x" * 9000 == told["run"]["halt_reason"]
    assert f"was halted: {'x' * 500}…. Next" in told["text"]
    whole = written("run.halted", run(status="halted", halt_reason="x" * 500), summary())
    assert f"was halted: {'x' * 500}. Next" in whole["text"]


def test_what_is_signed_has_no_blank_to_lose() -> None:
    """What is kept is compact, in the order in which it was made, and in ASCII: the same bytes at each try."""
    expected = (
        '{"event":"schedule.missed","notification_id":"00000000-0000-0000-0000-000000000001",'
        '"created_at":"2025-03-05T03:00:00Z","policy":"n\\u00e4chtlich","missed":{"count":1}}'
    )
    assert expected == serialize("schedule.missed", UUID(int=1), THREE, {"policy": "nächtlich", "missed": {"count": 1}})


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
def test_missed_times_are_told_together(missed: dict[str, Any], text: str, times: list[datetime]) -> None:
    """However many they are, there is one number, one oldest and one newest."""
    told = missed_message("nightly", times)

    assert ("nightly", missed) == (told["policy"], told["missed"])
    assert (
        f"Policy nightly missed {text}. Its next run plans what is stale then. Next: retention run nightly"
        == told["text"]
    )


TITLES: dict[Event, str] = {
    "run.halted": "run halted",
    "run.failed": "run failed",
    "run.review": "a run needs review",
    "run.stalled": "a run has stalled",
    "run.awaiting_approval": "a run awaits approval",
    "schedule.missed": "scheduled times missed",
}


@pytest.mark.parametrize("event", EVENTS)
def test_a_chat_message_names_the_policy_and_has_the_text(event: Event) -> None:
    """Title and text are made of what was kept, so that each try says the same; ASCII keeps its bytes the same."""
    letter = (
        missed_message("nightly", [THREE])
        if event == "schedule.missed"
        else run_message(event, run(halt_reason="Zeitüberschreitung"), summary(), str)
    )
    body = serialize(event, UUID(int=1), THREE, letter)
    title, text = chat_message(event, body)

    assert body.isascii()
    assert letter["text"] == text
    assert f"retention, policy nightly: {TITLES[event]}" == title


@pytest.mark.parametrize(("longest", "tries"), [(5.0, 1), (10.0, 2), (2560.0, 10), (3600.0, 11), (3600.0, 1_000_000)])
def test_the_longest_pause_doubles_up_to_an_hour(longest: float, tries: int) -> None:
    """Five seconds at first, twice as much each time; the shortest is half of that."""
    assert (longest / 2, longest) == (retry_pause(tries, 0.0), retry_pause(tries, 1.0))


@given(st.integers(0, 10_000), st.floats(0, 1))
@settings(deadline=None)
def test_a_pause_has_both_ends(tries: int, fraction: float) -> None:
    """Whatever the random number, nobody is asked at once again, nor left alone for more than an hour."""
    assert 1 < retry_pause(tries, fraction) <= RETRY_CAP_S


def test_a_signature_is_that_of_the_specification() -> None:
    """The published example of the Standard Webhooks specification comes out the same."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == signed


def test_a_key_is_base64_only_where_it_says_so() -> None:
    """`whsec_` stands before base64; any other text is the key itself, and what is no base64 is refused."""
    assert b"plain text" == signing_key("plain text")
    assert b"\x01\xff" * 12 == signing_key("whsec_" + base64.b64encode(b"\x01\xff" * 12).decode())
    for odd in ("whsec_not base64!", "whsec_MfKQ!!!!9r8G"):
        with pytest.raises(ValueError, match="base64"):
            signing_key(odd)
