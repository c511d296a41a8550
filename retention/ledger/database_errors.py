"""Classes of database errors: the server is unavailable, it is busy, or it refuses the statement."""

from __future__ import annotations

import asyncio
from typing import Any, LiteralString

import psycopg
from psycopg_pool import PoolTimeout

from retention.core.evidence.closing import ClosingRefusal
from retention.core.sending.database_errors import READ_ONLY, ErrorClass, ask_whether_connected, error_class_of

MESSAGE_CHARS_MAX = 500
"""Characters of the database's message that the ledger and the log keep."""

QUERY_TIMEOUT_S = 2.0
"""Seconds for a question about the session's own state."""

QUERY_CANCELED = "57014"
"""SQLSTATE of a statement that a person or a limit of the server cancelled."""

_CHECK_VIOLATION = "23514"

_SESSION_LIMITS: LiteralString = (
    "SELECT current_setting('statement_timeout'), quote_ident(session_user), pg_is_in_recovery()"
)

IS_WRITABLE = "SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean"


class ServerUnavailableError(psycopg.OperationalError):
    """The server is away; the same statement may succeed after its return."""


class SessionEndedError(ServerUnavailableError):
    """The session ended during the statement: the server is away, or the statement ended its own session."""


class ReadOnlyError(ServerUnavailableError):
    """The server or the session only reads; the same statement may succeed after a standby's promotion."""


class ReplyTimeoutError(ServerUnavailableError):
    """The server did not answer in time, and did not close the connection."""


class BusyError(psycopg.OperationalError):
    """Other sessions block the statement; it may succeed after they finish."""


UNAVAILABLE = (ServerUnavailableError, BusyError, PoolTimeout)
"""Errors after which the same statement may succeed. Any other error is a refusal or a mistake."""


async def classify_error(error: psycopg.Error, connection: psycopg.AsyncConnection[Any]) -> ErrorClass:
    """Classify an error; if its SQLSTATE is ambiguous, ask the connection about its state."""
    # Server errors have a SQLSTATE and client errors a subclass. An error with neither means that libpq could not parse
    # the reply: we do not know whether the statement ran.
    garbled = type(error) in {psycopg.DatabaseError, psycopg.OperationalError} and not error.sqlstate
    if garbled or session_ended(error, connection) or lacks_partition(error):
        return ErrorClass.AWAY
    connected, writable = True, True
    if ask_whether_connected(error.sqlstate):
        try:
            async with asyncio.timeout(QUERY_TIMEOUT_S):
                row = await (await connection.execute(IS_WRITABLE)).fetchone()
            writable = bool(row and row[0])
        except (psycopg.Error, TimeoutError):
            connected = False
    trouble = error_class_of(error.sqlstate, connected=connected, writable=writable)
    if trouble is ErrorClass.SHORT:
        # The operator's function may hit its own limits; waiting would not help.
        return ErrorClass.REFUSED if is_from_operator_code(error) else ErrorClass.AWAY
    return trouble


async def retryable_error(
    error: psycopg.Error, connection: psycopg.AsyncConnection[Any], trouble: ErrorClass
) -> ServerUnavailableError | BusyError | None:
    """Convert an error into one of ours if the same statement may succeed later; None for a refusal."""
    words = first_line(error)
    found: ServerUnavailableError | BusyError
    if trouble is ErrorClass.AWAY:
        if session_ended(error, connection):
            found = SessionEndedError(words)
        elif error.sqlstate == READ_ONLY:
            found = ReadOnlyError(await _describe_read_only(connection, words))
        elif lacks_partition(error):
            found = ServerUnavailableError(f"{words}; the next plan makes it, and `retention check` names it")
        else:
            found = ServerUnavailableError(words)
    elif trouble is ErrorClass.BUSY:
        found = BusyError(
            await _describe_cancellation(connection, words) if error.sqlstate == QUERY_CANCELED else words
        )
    else:
        return None
    found.sqlstate = error.sqlstate
    return found


async def _describe_cancellation(connection: psycopg.AsyncConnection[Any], words: str) -> str:
    """Describe who cancelled a statement, because the server's message may be in any language."""
    row = await _query(connection, _SESSION_LIMITS)
    if row is None or row[0] == "0":
        return f"somebody cancelled the statement (pg_cancel_backend, or a pooler's limit): {words}"
    return (
        f"the database's statement_timeout ({row[0]}) cancelled the statement; "
        f"mend: ALTER ROLE {row[1]} SET statement_timeout = 0"
    )


async def _describe_read_only(connection: psycopg.AsyncConnection[Any], words: str) -> str:
    row = await _query(connection, _SESSION_LIMITS)
    if row is not None and row[2]:
        return (
            f"the server is a standby, which only reads ({words}); name its primary in database.dsn, "
            "or add target_session_attrs=read-write"
        )
    role = "ROLE" if row is None else row[1]
    return f"the session only reads ({words}); mend: ALTER ROLE {role} SET default_transaction_read_only = off"


async def _query(connection: psycopg.AsyncConnection[Any], statement: LiteralString) -> Any:
    try:
        async with asyncio.timeout(QUERY_TIMEOUT_S):
            return await (await connection.execute(statement)).fetchone()
    except (psycopg.Error, TimeoutError):
        return None


def describe_unavailable(error: Exception) -> str:
    """Describe one of UNAVAILABLE, for a command that ends with it."""
    if isinstance(error, PoolTimeout):
        return f"no connection to the database could be had: {first_line(error)}"
    if isinstance(error, ReadOnlyError):
        return f"the database cannot be written to: {first_line(error)}"
    if isinstance(error, BusyError):
        return f"the database did not finish: {first_line(error)}"
    return f"the database went away: {first_line(error)}"


def describe_busy(error: psycopg.Error, *, closing: bool) -> str:
    """Describe the session that blocks a settlement; `closing`: the settlement calls the operator's function."""
    cause = error.__cause__
    if isinstance(cause, ReplyTimeoutError):
        words = f"{first_line(error)}, while the server answers others"
        return str(ClosingRefusal(words)) if closing else words
    inside = isinstance(cause, psycopg.Error) and is_from_operator_code(cause)
    state = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    words = f"{short_message(error)}{state}"
    return str(ClosingRefusal(words)) if inside else words


def session_ended(error: psycopg.Error, connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether the session has ended."""
    return connection.broken or connection.closed or error.diag.severity_nonlocalized in {"FATAL", "PANIC"}


def lacks_partition(error: psycopg.Error) -> bool:
    """Whether a month of the ledger lacks the partition of a row: each statement fails until a plan makes it."""
    diag = error.diag
    # The server has no SQLSTATE of its own for it; a violated constraint has a name.
    return error.sqlstate == _CHECK_VIOLATION and diag.constraint_name is None and diag.schema_name == "retention"


def is_from_operator_code(error: psycopg.Error) -> bool:
    """Whether the operator's function or a trigger raised the error: errors of our own statements have no context."""
    return bool(error.diag.context)


def short_message(error: Exception) -> str:
    """The first line of an error's message, shortened for `detail` and the log."""
    return first_line(error)[:MESSAGE_CHARS_MAX]


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary is not None:
        return error.diag.message_primary.strip().partition("\n")[0] or f"SQLSTATE {error.sqlstate}"
    return (str(error).strip() or type(error).__name__).splitlines()[0]
