"""A trial of the operator's function `close_rounds` before a run needs it.

The settling statement undoes a closing that closed too much: it calls `retention.refuse_closing`, which raises. The
batch is then halved until the offending round stands alone, exactly as for an operator's function that raises.

The statement that calls `close_rounds` cannot see the function's own changes. A second statement of the same
transaction (`mark_left_open.sql`) reads the view again, by key. A round that the function returned and that is still
open becomes a conflict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from retention.core.evidence.closing import ClosingRefusal
from retention.ledger.database import Transaction
from retention.ledger.database_errors import UNAVAILABLE, BusyError, short_message

if TYPE_CHECKING:
    from retention.ledger.database import Database

MEND = "mend the function `retention.close_rounds`; it must take empty arrays, close nothing and return no row"

GRANT = "grant it to whose rights the function has: its owner's where it is SECURITY DEFINER, else this role's"

TRIAL_LOCK_TIMEOUT = "1s"
"""The longest wait for a lock in the trial."""


async def try_close_rounds(database: Database) -> str | None:
    """Have the function close no round, and roll back; returns the refusal, or None if it succeeds.

    A blocking lock is no refusal; a run time above five seconds is. Raises one of UNAVAILABLE if the database is away.
    """
    try:
        async with database.connection() as connection:
            try:
                async with connection.transaction(force_rollback=True):
                    transaction = Transaction(connection)
                    await transaction.rows("session/limit_waits", lock_timeout=TRIAL_LOCK_TIMEOUT)
                    await transaction.rows("session/limit_statement_time")
                    rows = await transaction.rows("checks/try_close_rounds")
            except psycopg.errors.QueryCanceled:
                return str(ClosingRefusal(f"it takes longer than 5 s to close nothing; {MEND}"))
    except BusyError:
        return None
    except UNAVAILABLE:
        raise
    except psycopg.errors.InsufficientPrivilege as error:
        return str(ClosingRefusal(f"{short_message(error)}; {GRANT}"))
    except psycopg.Error as error:
        return str(ClosingRefusal(f"{short_message(error)}; {MEND}"))
    if rows:
        names = ", ".join(f"{row.partner}/{row.round_id}" for row in rows)
        return str(ClosingRefusal(f"it returned rounds that it was not asked to close: {names}; {MEND}"))
    return None
