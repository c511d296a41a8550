"""Classes of database errors: the database is away, the statement may be retried, or it is refused.

SQLSTATE and the state of the connection decide whether the database is away, not the driver's exception class.
psycopg calls 55000 operational, and one round that raised it stopped a whole run. A connection that still answers and
may write disproves an error of class 08 or 57: the operator's function raised it.
"""

from __future__ import annotations

import enum


class ErrorClass(enum.Enum):
    """The class of a failed statement, by its chances at the next try."""

    AWAY = "away"
    """The server is gone, restarts, or only reads: the same statement succeeds once it is back."""
    BUSY = "busy"
    """Another session is in the way: the same statement succeeds once that is done."""
    SHORT = "short"
    """The server lacks room, memory or connections, or cannot reach its disk: every statement fails until then."""
    REFUSED = "refused"
    """The server refuses this statement, or a row of it: the next try fails as well."""
    OURS = "ours"
    """The client could not even ask. The next try fails as well."""


READ_ONLY = "25006"
"""The SQLSTATE of a server, or a session, that only reads."""

_BY_SQLSTATE = {
    # Class 08 and those of 57 that end a session: the connection is gone, and `connected` says so.
    "08": ErrorClass.AWAY,
    "57P01": ErrorClass.AWAY,  # admin_shutdown
    "57P02": ErrorClass.AWAY,  # crash_shutdown
    "57P03": ErrorClass.AWAY,  # cannot_connect_now
    "57P04": ErrorClass.AWAY,  # database_dropped
    "57P05": ErrorClass.AWAY,  # idle_session_timeout
    "25P03": ErrorClass.AWAY,  # idle_in_transaction_session_timeout
    "25P04": ErrorClass.AWAY,  # transaction_timeout
    READ_ONLY: ErrorClass.AWAY,  # read_only_sql_transaction: a standby, until it is promoted
    "40": ErrorClass.BUSY,  # serialization failures and deadlocks
    "40002": ErrorClass.REFUSED,  # transaction_integrity_constraint_violation
    "55P03": ErrorClass.BUSY,  # lock_not_available
    "55006": ErrorClass.BUSY,  # object_in_use
    "57014": ErrorClass.BUSY,  # query_canceled: statement_timeout, or an administrator
    "53": ErrorClass.SHORT,  # insufficient resources
    "53400": ErrorClass.REFUSED,  # configuration_limit_exceeded, as temp_file_limit is: it is no shortage that passes
    "58": ErrorClass.SHORT,  # system errors, such as io_error
}
"""The longest beginning decides; every other SQLSTATE is a refusal. Source: PostgreSQL's appendix A."""


def error_class_of(sqlstate: str | None, *, connected: bool, writable: bool = True) -> ErrorClass:
    """Classify an error by its SQLSTATE (None for a client's error) and by its connection's state afterwards.

    `connected`: the connection still answers. `writable`: it may write, asked only where the SQLSTATE denies that.
    """
    if not connected:
        return ErrorClass.AWAY
    if sqlstate is None:
        return ErrorClass.OURS
    found = next((_BY_SQLSTATE[part] for part in (sqlstate, sqlstate[:2]) if part in _BY_SQLSTATE), ErrorClass.REFUSED)
    # A connection that still answers, and may write, disproves it: a function only borrowed the SQLSTATE.
    return ErrorClass.REFUSED if found is ErrorClass.AWAY and writable else found


def ask_whether_connected(sqlstate: str | None) -> bool:
    """Tell whether the SQLSTATE alone does not decide the class, so that the connection has to be asked."""
    return sqlstate is None or error_class_of(sqlstate, connected=True, writable=False) is ErrorClass.AWAY
