"""Plans and runs as people read them, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.money import UNKNOWN, shown_money
from retention.core.planning.plan import BROKEN
from retention.core.runs.next_steps import resume_command
from retention.core.runs.summary import NOT_CONFIRMED
from retention.core.text import counted
from retention.render.terminal_table import Column, print_grid, print_lines
from retention.render.terminal_values import moment, sums_below, sums_in_short, sums_told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from datetime import datetime

    from retention.core.planning.plan import ListedRound

_LEFT_OUT = {
    "held": "on hold",
    "in_ledger": "in the ledger already (live in another run, in doubt, or cancelled before)",
    "doubled": "in the view more than once: make retention.open_rounds give each round once",
    "given_up": "refused or already completed in max_runs runs (`retention review list`)",
    **{broken: f"with {words} (`retention plan --rounds`)" for broken, words in BROKEN.items()},
}

_OPEN_ENDS = {
    "conflicts": "cancelled, and not closed at the operator's; `retention review list` says why",
    "discrepancies": "with a refund that differs from what the operator has on record",
    "incomplete": "with a reply that lacks amount, currency or transaction",
    "to_review": "not called, and for a person to look at",
}

_PLAN = (
    Column("partner", 2),
    Column("market", 1),
    Column("game", 1),
    Column("rounds", right=True),
    Column("stakes", right=True),
    Column("oldest", 3),
)


def heading(words: str) -> None:
    """Print a step's heading."""
    print_lines(["", f"$ {words}" if words.startswith("retention ") else words], None)


def print_plan(document: Mapping[str, Any]) -> None:
    """Print what `plan` found."""
    print_lines([f"policy {document['policy']} ({document['mode']}), as of {moment(document['as_of'])}"], None)
    if document["groups"]:
        rows = (
            (
                group["partner"],
                group["market"],
                group["game_id"],
                group["rounds"],
                shown_money(group["stake"], group["currency"]) or UNKNOWN,
                moment(group["oldest"]),
            )
            for group in document["groups"]
        )
        print_grid(_PLAN, rows, None)
    print_lines(_plan_lines(document), None)


async def print_listed(document: Mapping[str, Any], rounds: AsyncIterator[ListedRound]) -> None:
    """Print what `plan` found, and each of its rounds as it comes: nobody knows how many these are."""
    print_plan(document)
    async for item in rounds:
        stake = shown_money(item.stake, item.currency) or "no stake"
        known = ", ".join(filter(None, (item.market, item.game_id, item.user_id, item.opened_at, stake)))
        print_lines([f"{item.standing}: {item.partner or UNKNOWN}/{item.round_id or UNKNOWN}, {known}"], None)


def print_run(document: Mapping[str, Any]) -> None:
    """Print what a run came to, and what to do next."""
    print_lines(_run_lines(document), None)


def _plan_lines(document: Mapping[str, Any]) -> Iterator[str]:
    span = _span(document["eta_seconds"])
    rounds = f"{counted(document['rounds'], 'round')} to cancel"
    if document["rounds"]:
        rounds += f", stakes {sums_in_short(document['stakes'])}"
    yield f"{rounds}; {span} at the rate"
    yield from sums_below(document["stakes"])
    if document["oldest"]:
        yield f"the oldest was opened at {moment(document['oldest'])}"
    yield from _left_out(document)
    if document["doubled"]:
        names = [f"{one['partner']}/{one['round_id']}" for one in document["doubled"]]
        yield f"  doubled: {', '.join(names)}"
    for pause in document["pauses"]:
        yield person_pause(pause["partner"], pause["paused_by"], pause["paused_at"], pause["reason"])
    for pause in document["vendor_pauses"]:
        yield vendor_pause(pause["partner"], pause["until"])
    for rail in document["rails"]:
        yield f"a run would halt: {rail['rail']}: {rail['words']}"
    if document["unlimited"]:
        yield f"max_amount has no limit for stakes in {', '.join(document['unlimited'])}"


def _left_out(document: Mapping[str, Any]) -> Iterator[str]:
    for standing, count in sorted(document["left_out"].items()):
        yield f"left out: {count} {_LEFT_OUT[standing]}"
    for other in document["elsewhere"]:
        yield other["words"]


def person_pause(partner: str | None, by: str, since: datetime, reason: str) -> str:
    """Say who is paused, by whom, since when and why, and what ends it."""
    whom = f"{partner} is" if partner is not None else "all partners are"
    return f"{whom} paused by {by} since {moment(since)}: {reason}; `{resume_command(partner)}` ends it"


def vendor_pause(partner: str, until: datetime) -> str:
    """Say who is paused by its vendor, until when, and what ends it."""
    return f"{partner} is paused by the vendor until {moment(until)}; `{resume_command(partner)}` ends it"


def _run_lines(document: Mapping[str, Any]) -> Iterator[str]:
    if (document["status"], document["halt_reason"]) == ("cancelled", NOT_CONFIRMED):
        yield f"nothing was cancelled: run {document['run_id']} is not confirmed, and the next run has its rounds"
        return
    dry = ", dry run: nobody was called" if document["mode"] == "dry_run" else ""
    yield f"run {document['run_id']} of policy {document['policy']}: {document['status']}{dry}"
    if document["halt_reason"]:
        yield f"  {document['halt_reason']}"
    for state, count in document["states"].items():
        yield f"  {count:>8} {state}"
    for state, count in document["taken_up"].items():
        yield f"  {count:>8} {state} (doubts of earlier runs)"
    for why, count in document["unsent"].items():
        yield f"  not sent: {count}, {why}"
    if not document["rounds"] and not document["taken_up"]:
        yield "  no stale rounds" + (" but those of other runs" if document["elsewhere"] else "")
    yield from _left_out(document)
    if document["refunds"]:
        yield from sums_told("refunds promised by the vendor", document["refunds"])
    for name, words in _OPEN_ENDS.items():
        if document[name]:
            yield f"  {document[name]:>8} {words}"
    yield from document["warnings"]
    yield from _next_steps(document)


def _next_steps(document: Mapping[str, Any]) -> Iterator[str]:
    for nth, step in enumerate(document["next"]):
        yield f"{'      ' if nth else 'next: '}{step['command']}  ({step['does']})"


def _span(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - seconds; above, minutes read better
        return counted(round(seconds), "second")
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"  # noqa: PLR2004
