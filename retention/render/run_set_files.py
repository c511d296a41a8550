"""The frozen set of a run as a table, as CSV and as JSON, written round by round."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.money import display_amounts_in, display_money
from retention.render.csv_file import write_rows
from retention.render.formats import ListFormat
from retention.render.json_file import write_with_list
from retention.render.terminal_report import archived_lines
from retention.render.terminal_table import Column, moment, print_grid, print_lines
from retention.reports.run_set import SET_COLUMNS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import TextIO

    from retention.core.evidence.archives import ArchivedMonth
    from retention.ledger.run_record import RunRecord
    from retention.reports.run_set import SetRound

PAGE_ROUNDS = 1000
"""The most rounds of one table; a larger set is printed as several tables."""

_HEAD = ("run_id", "policy", "mode", "status", "as_of", "plan_digest", "unwritten")
"""The facts of the run in JSON, before its rounds."""

_COLUMNS = (
    Column("partner", 4),
    Column("market", 3),
    Column("round"),
    Column("user", 5),
    Column("opened", 4),
    Column("stake", 1, right=True),
    Column("state", 1),
    Column("settled", 2),
    Column("refund", 3, right=True),
    Column("detail", prose=True),
)


async def write_run_set(
    record: RunRecord,
    rounds: AsyncIterator[SetRound],
    form: ListFormat,
    file: TextIO,
    archived: Sequence[ArchivedMonth] = (),
) -> None:
    """Write the set of a run to a text file, which must leave line ends unchanged. `archived` months have the rest."""
    if form is ListFormat.CSV:
        await write_rows(SET_COLUMNS, rounds, file)
    elif form is ListFormat.JSON:
        head = {name: getattr(record, name) for name in _HEAD} | {"archived": archived}
        await write_with_list(head, "rounds", rounds, file)
    else:
        print_lines(archived_lines(archived), file)
        await _print_rounds(record, rounds, file, archived)


async def _print_rounds(
    record: RunRecord, rounds: AsyncIterator[SetRound], file: TextIO, archived: Sequence[ArchivedMonth]
) -> None:
    count, page = 0, []
    async for item in rounds:
        page.append(_cells(item))
        count += 1
        if len(page) == PAGE_ROUNDS:
            print_grid(_COLUMNS, page, file)
            page.clear()
    if page:
        print_grid(_COLUMNS, page, file)
    if record.unwritten:
        print_lines([f"a rail halted the run before its {record.unwritten['rounds']} rounds were written"], file)
    elif not count and not archived:
        print_lines(["the run planned no rounds"], file)


def _cells(item: SetRound) -> tuple[object, ...]:
    return (
        item.partner,
        item.market,
        item.round_id,
        item.user_id,
        moment(item.opened_at),
        display_money(item.stake, item.stake_currency),
        f"{item.state} as {item.resolved_as}" if item.resolved_as else item.state,
        moment(item.settled_at),
        display_money(item.amount, item.currency),
        ", ".join(
            filter(
                None, (item.error_code and f"code {item.error_code}", item.description, display_amounts_in(item.detail))
            )
        ),
    )
