"""What the database's errors are to the rest: away, busy, or a refusal."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg_pool import PoolTimeout

from retention.core.database_trouble import Trouble, ask_whether_connected, trouble_of

MESSAGE = 500
"""Characters of the database's message that are kept."""

ASK_S = 2.0
"""Seconds that a connection is given to show that it still answers."""

ASK = "SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean"


class AwayError(psycopg.OperationalError):
    """The server is away; the same statement may succeed once it is back."""


class EndedError(AwayError):
    """The connection ended with the statement: the server is away, or the statement ended its own session."""


class NoAnswerError(AwayError):
    """The server has not answered for too long, nor broken the connection."""


class BusyError(psycopg.OperationalError):
    """Others are in the way; the same statement may succeed once they are done."""


AWAY = (AwayError, BusyError, PoolTimeout)
"""The errors after which the same statement may succeed. Every other is a refusal of the server's, or a mistake."""


async def trouble_with(error: psycopg.Error, connection: psycopg.AsyncConnection[Any]) -> Trouble:
    """Class an error, by asking the connection where the error alone does not tell."""
    # libpq could not read the answer: it is not known whether the statement ran.
    garbled = type(error) in {psycopg.DatabaseError, psycopg.OperationalError} and not error.sqlstate
    if garbled or session_ended(error, connection):
        return Trouble.AWAY
    connected, writable = True, True
    if ask_whether_connected(error.sqlstate):
        try:
            async with asyncio.timeout(ASK_S):
                row = await (await connection.execute(ASK)).fetchone()
            writable = bool(row and row[0])
        except (psycopg.Error, TimeoutError):
            connected = False
    trouble = trouble_of(error.sqlstate, connected=connected, writable=writable)
    if trouble is Trouble.SHORT:
        # The operator's function may run into limits of its own, which are no reason to wait.
        return Trouble.REFUSED if in_operators_code(error) else Trouble.AWAY
    return trouble


def session_ended(error: psycopg.Error, connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether the session is over."""
    return connection.broken or connection.closed or error.diag.severity_nonlocalized in {"FATAL", "PANIC"}


def in_operators_code(error: psycopg.Error) -> bool:
    """Whether an error came from inside of the operator's function, or of a trigger: our statements have no context."""
    return bool(error.diag.context)


def said(error: Exception) -> str:
    """What an error says, as it is kept in `detail` and in the log."""
    return first_line(error)[:MESSAGE]


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary is not None:
        return error.diag.message_primary.strip().partition("\n")[0] or f"SQLSTATE {error.sqlstate}"
    return (str(error).strip() or type(error).__name__).splitlines()[0]
