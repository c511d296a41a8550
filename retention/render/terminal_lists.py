"""Reports and lists as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.money import display_amounts_in, display_money
from retention.core.runs.run_ids import shorten_run_id
from retention.core.runs.stalled import status_text
from retention.render.terminal_table import Column, moment, print_grid, print_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO
    from uuid import UUID

    from retention.core.planning.holds import Hold
    from retention.ledger.reclosing import Reclosed
    from retention.ledger.review import ReviewItem


def print_holds(holds: Sequence[Hold], file: TextIO | None = None) -> None:
    """Print holds, released ones included."""
    columns = (
        Column("hold"),
        Column("partner", 2),
        Column("market", 1),
        Column("game", 2),
        Column("user", 1),
        Column("round", 1),
        Column("reason", prose=True),
        Column("by", 3),
        Column("since", 3),
        Column("until", 3),
        Column("released", 4),
    )
    rows = [
        (
            hold.hold_id,
            hold.partner,
            hold.market,
            hold.game_id,
            hold.user_id,
            hold.round_id,
            hold.reason,
            hold.created_by,
            moment(hold.created_at),
            moment(hold.until),
            f"{moment(hold.released_at)} by {hold.released_by}" if hold.released_at else "",
        )
        for hold in holds
    ]
    _print_list(columns, rows, "no holds", file)


def print_reviews(items: Sequence[ReviewItem], file: TextIO | None = None, *, filters: str = "") -> None:
    """Print the rounds that need a person, with the codes of their reasons and the sentences.

    `filters`: the given ones, as on a command line; an empty list names them.
    """
    columns = (
        Column("id"),
        Column("partner", 2),
        Column("market", 1),
        Column("round", 1),
        Column("state", 1),
        Column("why", 1),
        Column("reasons", prose=True),
        Column("vendor", prose=True),
        Column("refund", 2, right=True),
        Column("stake", 2, right=True),
        Column("settled", 3),
        Column("policy", 3),
        Column("run", 4),
    )
    rows = [
        (
            item.id,
            item.partner,
            item.market,
            item.round_id,
            item.state,
            ", ".join(item.why),
            display_amounts_in("; ".join(item.reasons)),
            _vendor_reply(item),
            display_money(item.amount, item.currency),
            display_money(item.stake, item.stake_currency),
            moment(item.settled_at),
            item.policy,
            item.run_id,
        )
        for item in items
    ]
    _print_list(columns, rows, f"nothing needs a person{f' with {filters}' if filters else ''}", file)


def _vendor_reply(item: ReviewItem) -> str:
    """Write the vendor's error code and description, and the round's detail."""
    code = item.error_code and f"code {item.error_code}"
    return ", ".join(filter(None, (code, item.description, display_amounts_in(item.detail))))


def print_reclosed(items: Sequence[Reclosed], file: TextIO | None = None) -> None:
    """Print the results of `review reclose`."""
    rows = [
        (
            item.id,
            item.partner,
            item.round_id,
            "closed" if item.closed else "still listed" if item.why else "not open any more",
            item.why,
        )
        for item in items
    ]
    columns = (Column("id"), Column("partner", 2), Column("round", 1), Column("result", 1), Column("why", prose=True))
    _print_list(columns, rows, "nothing is left to close", file)


def print_runs(runs: Sequence[Any], digits: Mapping[UUID, int], file: TextIO | None = None) -> None:
    """Print runs with their counts, the rows of RunLedger.list. `digits`: how many digits identify each run."""
    columns = (
        Column("run"),
        Column("policy", 1),
        Column("status", 1),
        Column("rounds", 1, right=True),
        Column("mode", 3),
        Column("as of", 2),
        Column("by", 5),
        Column("trigger", 4),
        Column("outcomes", prose=True),
        Column("stopped by", prose=True),
    )
    rows = [
        (
            shorten_run_id(run.run_id, digits[run.run_id]),
            run.policy,
            status_text(run.status, at_work=run.at_work, stalled=run.stalled),
            run.rounds,
            run.mode,
            moment(run.as_of),
            run.requested_by,
            run.trigger if run.scheduled_for is None else f"{run.trigger} {moment(run.scheduled_for)}",
            ", ".join(f"{name} {count}" for name in STATE_COUNTS if (count := getattr(run, name))),
            run.halt_reason or (f"no progress since {moment(run.progressed_at)}" if run.stalled else None),
        )
        for run in runs
    ]
    _print_list(columns, rows, "no runs", file)


STATE_COUNTS = (
    "cancelled",
    "already_cancelled",
    "already_completed",
    "rejected",
    "in_doubt",
    "no_longer_open",
    "held",
    "not_sent",
    "resolved",
    "unfinished",
)
"""The columns of RunLedger.list that count a run's rounds by state."""


def _print_list(columns: Sequence[Column], rows: Sequence[Sequence[object]], nothing: str, file: TextIO | None) -> None:
    """Print rows under their columns, or the text `nothing` for an empty list."""
    if rows:
        print_grid(columns, rows, file)
    else:
        print_lines([nothing], file)
