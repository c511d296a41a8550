"""The notifications of scheduled reports: their targets, their text, and the command that makes a report by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from retention.core.notifications.message import chat_message, serialize
from retention.core.notifications.report_message import (
    ReportToNotify,
    command_of,
    missed_reports_message,
    report_message,
    report_targets,
)

if TYPE_CHECKING:
    from retention.core.notifications.events import Event

SIX = datetime(2026, 11, 1, 5, tzinfo=UTC)

SETTINGS = {
    "kind": "cancelled",
    "format": "csv",
    "timezone": "Europe/Malta",
    "markets": ["MT"],
    "policies": None,
    "pseudonymise": False,
    "notify": [],
}

MADE = ReportToNotify(
    UUID(int=1),
    "monthly",
    SIX,
    "made",
    "2026-10",
    SETTINGS,
    "/srv/monthly-2026-10.csv",
    "ab12",
    2,
    [{"market": "MT", "currency": "EUR", "count": 2, "amount": "10.50"}],
    {"size": 5, "root": "00"},
    None,
)
FAILED = replace(MADE, status="failed", file=None, file_sha256=None, rows=None, totals=None, problem="disk full")


def test_a_made_report_s_message_names_file_totals_and_checkpoint() -> None:
    """Programs read the object, people the text; the title names the report."""
    message = report_message(MADE, str)
    assert ("2026-10", "ab12", MADE.totals) == tuple(
        message["report"][key] for key in ("period", "file_sha256", "totals")
    )
    assert MADE.checkpoint == message["report"]["checkpoint"]
    assert "rounds 2, refund 10.50" in message["text"]
    title, text = chat_message("report.made", serialize("report.made", UUID(int=2), SIX, message))
    assert ("retention, report monthly: a report is made", message["text"]) == (title, text)


def test_a_failed_report_s_message_has_the_command_that_makes_it() -> None:
    """The problem is masked, and the command has the report's filters."""
    command = "retention report --period 2026-10 --timezone Europe/Malta --market MT --format csv -o FILE"
    message = report_message(FAILED, lambda text: text.replace("disk", "***"))
    assert f"Report monthly of 2026-10 could not be made: *** full. Next: {command}" == message["text"]
    more = {"kind": "refunds", "policies": ["a b"], "markets": None, "pseudonymise": True}
    assert "--kind refunds --policy 'a b' --pseudonymise --format csv" in command_of(
        replace(FAILED, settings=SETTINGS | more)
    )


def test_missed_times_are_one_message() -> None:
    """It has the number, the oldest and the newest, and the periods."""
    missed = [
        replace(FAILED, status="missed", problem="missed: late"),
        replace(FAILED, status="missed", problem="late"),
    ]
    message = missed_reports_message(missed)
    assert {"name": "monthly", "periods": ["2026-10"]} == message["report"]
    assert 2 == message["missed"]["count"]


def test_a_report_s_own_targets_hear_of_it_whatever_their_events() -> None:
    """A finished report goes to its own targets, or to all that want it; a failure to both."""
    wants: dict[str, tuple[Event, ...]] = {"ops": ("report.made", "report.failed"), "finance": ("run.failed",)}
    own = SETTINGS | {"notify": ["finance"]}
    assert ("ops",) == report_targets(MADE, wants)
    assert ("finance",) == report_targets(replace(MADE, settings=own), wants)
    assert ("finance", "ops") == report_targets(replace(FAILED, settings=own), wants)
    assert () == report_targets(replace(FAILED, status="missed", settings=own), wants)
