"""The view of a plan before its approval, as a terminal shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.money import display_money, display_sums
from retention.core.text import counted
from retention.render.terminal_table import Column, moment, print_grid, print_lines, sums_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from retention.reports.plan_view import PlanView, PreviousPlan, TouchingHold

_MARKETS = (Column("market"), Column("rounds", right=True), Column("stakes", right=True))
_LARGEST = (
    Column("stake", right=True),
    Column("round"),
    Column("user", 2),
    Column("partner", 3),
    Column("market", 2),
    Column("game", 3),
    Column("opened", 1),
)


def print_plan_view(view: PlanView, file: TextIO | None = None) -> None:
    """Print the plan with its markets and largest stakes, the holds that touch it, and the differences."""
    print_lines(["", f"plan: {counted(view.rounds, 'round')}{_span(view)}"], file)
    if view.rounds:
        print_lines(sums_lines("stakes", view.stakes), file)
    if view.unjudged:
        print_lines([f"{counted(view.unjudged, 'round')} without a usable stake"], file)
    if view.markets:
        rows = ((one.market, one.rounds, ", ".join(display_sums(one.stakes))) for one in view.markets)
        print_grid(_MARKETS, rows, file)
    if view.largest:
        print_lines(["largest stakes:"], file)
        stakes = (
            (
                display_money(one.stake, one.stake_currency),
                one.round_id,
                one.user_id,
                one.partner,
                one.market,
                one.game_id,
                moment(one.opened_at),
            )
            for one in view.largest
        )
        print_grid(_LARGEST, stakes, file)
    print_lines(map(_hold, view.holds), file)
    print_lines(_previous_lines(view, view.previous), file)


def _span(view: PlanView) -> str:
    return f", opened from {moment(view.oldest)} to {moment(view.newest)}" if view.rounds else ""


def _hold(hold: TouchingHold) -> str:
    until = f" until {moment(hold.until)}" if hold.until else ""
    spared = counted(hold.rounds, "planned round")
    return f"hold {hold.hold_id} by {hold.created_by}{until} spares {spared}: {hold.reason}"


def _previous_lines(view: PlanView, previous: PreviousPlan | None) -> Iterator[str]:
    if previous is None:
        yield "no earlier run of the policy was approved"
        return
    found = previous.difference
    approved = f"approved by {previous.approved_by} at {moment(previous.approved_at)}"
    yield f"beside the last approved run, {previous.run_id} ({approved}):"
    yield f"  rounds were {found.rounds_before}, are {view.rounds}"
    for currency in sorted({*found.stakes_before, *view.stakes}):
        before, now = found.stakes_before.get(currency), view.stakes.get(currency)
        yield f"  stakes were {display_money(before, currency) if before is not None else 'none'}, are " + (
            display_money(now, currency) if now is not None else f"none in {currency}"
        )
    for words, names in (
        ("new markets", found.markets_new),
        ("markets gone", found.markets_gone),
        ("new games", found.games_new),
        ("games gone", found.games_gone),
    ):
        if names:
            yield f"  {words}: {', '.join(names)}"
    for change in found.settings:
        yield f"  setting {change.key} was {_value(change.before)}, is {_value(change.now)}"


def _value(value: Any) -> str:
    match value:
        case None:
            return "not set"
        case list():
            return ", ".join(map(str, value)) or "none"
        case dict():
            return ", ".join(f"{key} {one}" for key, one in value.items()) or "none"
    return str(value)
