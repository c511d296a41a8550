"""The rounds and runs that have an id, as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.money import display_money
from retention.core.text import counted
from retention.render.terminal_table import Column, moment, print_grid, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from retention.reports.find import Found, FoundRound, FoundRun

_ROUND = (
    Column("found as", 3),
    Column("partner", 2),
    Column("round"),
    Column("user", 4),
    Column("market", 4),
    Column("state", 1),
    Column("settled", 3),
    Column("stake", 4, right=True),
    Column("refund", 4, right=True),
    Column("transaction", 5),
    Column("id", 5, right=True),
    Column("run", 2),
)
_RUN = (
    Column("run"),
    Column("policy", 1),
    Column("status", 1),
    Column("mode", 3),
    Column("as of", 2),
    Column("by", 4),
    Column("trigger", 4),
    Column("stopped by", prose=True),
)


def print_found(found: Found, file: TextIO | None = None) -> None:
    """Print the rounds, then the runs; or that nothing has the id."""
    archived = [line for one in found.archived for line in (f"archived in {one.month}:", *_indented(one.files))]
    if found.not_searched:
        archived.append(f"not searched: {counted(len(found.not_searched), 'archive')}; see `retention ledger status`")
    if not found.rounds and not found.runs:
        print_lines([] if found.archived else [f"nothing in the ledger has {found.id}", *_HINTS], file)
        print_lines(archived, file)
        return
    if found.rounds:
        print_grid(_ROUND, map(_round, found.rounds), file)
    if found.more:
        print_lines([f"and more: these are the newest {len(found.rounds)}"], file)
    print_lines([""] if found.rounds else [], file)
    print_grid(_RUN, map(_run, found.runs), file)
    print_lines(archived, file)


def _indented(files: Iterable[str]) -> Iterator[str]:
    return (f"  {file}" for file in files)


_HINTS = (
    "  an id is compared letter by letter, as a round, user, transaction and request uuid; a run id may be shortened",
    "  `retention explain --partner P --round R` also looks at the operator's open rounds",
)


def _round(item: FoundRound) -> tuple[object, ...]:
    return (
        ", ".join(kind.replace("_", " ") for kind in item.kinds),
        item.partner,
        item.round_id,
        item.user_id,
        item.market,
        f"{item.state} as {item.resolved_as}" if item.resolved_as else item.state,
        moment(item.settled_at),
        display_money(item.stake, item.stake_currency),
        display_money(item.amount, item.currency),
        item.transaction_id or item.bet_transaction_id,
        item.id,
        item.run_id,
    )


def _run(item: FoundRun) -> tuple[object, ...]:
    return (
        item.run_id,
        item.policy,
        item.status,
        item.mode,
        moment(item.as_of),
        item.requested_by,
        item.trigger,
        item.halt_reason,
    )
