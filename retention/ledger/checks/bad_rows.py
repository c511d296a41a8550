"""Finds the column, and the round, for which the operator's view raises an error.

PostgreSQL names neither. A column that is not read is not computed, so each column is read alone. A condition on the
round's id is checked before the other columns are computed, so the first bad round is found by halving. A view that
computes its columns in a subquery may raise whatever is asked; then only the column, or nothing, is found.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from retention.core.text import printable
from retention.ledger.database_errors import BusyError
from retention.ledger.operator_view import describe_view_error, is_transient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.ledger.database import Database

COLUMNS = (
    *("partner", "market", "game_id", "user_id", "round_id"),
    *("opened_at", "last_activity_at", "currency", "stake", "bet_transaction_id"),
)
"""The columns of the view."""

SEARCH_S = 15.0
"""Seconds that the search for the column and the round may take."""

SHOWN_ID_CHARS_MAX = 60
"""Characters shown of an id, because the id of a broken row may have any length."""

_MENDS = {
    "22012": "write NULLIF(divisor, 0) in the view",
    "22P02": "give NULL for such a value in the view: CASE WHEN value ~ '^[0-9.]+$' THEN value::numeric END",
    "21000": "the subquery finds several rows: sum them, or add what makes it find one",
}
_ANY_MEND = "guard the expression in the view with CASE, so that such a row gives NULL"


async def describe_bad_row(database: Database, error: psycopg.Error) -> str:
    """Describe the error of a view, with the column and the first round that raise it as far as they can be found."""
    words = describe_view_error(error)
    if isinstance(error, psycopg.errors.InsufficientPrivilege) or (error.sqlstate or "")[:2] not in {"21", "22", "P0"}:
        return words
    mend = _MENDS.get(error.sqlstate or "", _ANY_MEND)
    columns, round_id = await _find(database)
    if columns is None:
        return f"{words}; {mend}; which column was not found out in time: read each one alone"
    if not columns:
        return f"{words}; its WHERE, a join or a subquery raises it, whichever column is read; {mend}"
    which = f"column {' and '.join(columns)} raises it"
    if round_id is None:
        return f"{words}; {which}: {mend}; the round was not found: count {columns[0]} below ever smaller ids"
    shown = printable(round_id[:SHOWN_ID_CHARS_MAX])
    return f"{words}; {which}, first for round {shown}: {mend}"


async def _find(database: Database) -> tuple[list[str] | None, str | None]:
    """Find the columns that raise, None if that takes too long, and the id of the first round for which one does."""
    until = time.monotonic() + SEARCH_S
    columns: list[str] | None = None
    with suppress(BusyError, TimeoutError):
        if await _raises(database, None, None, until):
            return [], None
        columns = [column for column in COLUMNS if await _raises(database, column, None, until)]
        if columns and "round_id" not in columns:
            return columns, await _first_round(database, columns[0], until)
    return columns, None


async def _first_round(database: Database, column: str, until: float) -> str | None:
    """Find the first round, by id, for which a column raises; None if the view raises whatever the condition."""
    above: str | None = None  # no round up to this one raises
    up_to: str | None = None
    while True:
        if time.monotonic() > until:
            return None
        steps = await database.rows("checks/list_round_steps", above=above, up_to=up_to)
        good, bad = 0, len(steps)
        while good < bad:
            middle = (good + bad) // 2
            if await _raises(database, column, steps[middle].round_id, until):
                bad = middle
            else:
                good = middle + 1
        if bad == len(steps):  # rounds were closed meanwhile, or a round without an id raises
            return None
        above, up_to = steps[bad - 1].round_id if bad else above, steps[bad].round_id
        if steps[bad].step == 1:
            # The very first round may be found because every look raises. An empty id is before all others.
            return None if above is None and await _raises(database, column, "", until) else up_to


async def _raises(database: Database, column: str | None, up_to: str | None, until: float) -> bool:
    """Whether the view raises where one column is read. Raises BusyError or TimeoutError if that takes too long."""
    if time.monotonic() > until:
        raise TimeoutError
    try:
        async with database.transaction(snapshot=True) as transaction:
            await transaction.rows("session/limit_statement_time")
            await transaction.rows("checks/read_column", column=column, up_to=up_to)
    except psycopg.Error as error:
        if is_transient(error):
            raise
        return True
    return False


def shown_ids(ids: Sequence[str | None], rounds: int) -> str:
    """List the first ids of some rounds, and show that there are more."""
    listed = ", ".join("(none)" if one is None else printable(one) for one in ids)
    return f"{listed}, ..." if rounds > len(ids) else listed
