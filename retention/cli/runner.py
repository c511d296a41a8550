"""Runs an asynchronous command to its exit code, and reports its errors on stderr without secrets.

Slow to import, so `command.py` imports this module only when a command runs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg

from retention.core.text import printable_lines
from retention.errors import RetentionError, UnprintedError
from retention.exit_codes import ExitCode
from retention.ledger.database_errors import UNAVAILABLE, describe_unavailable
from retention.process import this_process
from retention.process.busy_loop import busy_runner
from retention.process.shutdown import ShutdownSignals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from retention.redaction import Redactor


def run(
    work: Callable[[ShutdownSignals], Awaitable[int | None]],
    redactor: Redactor,
    log: FilteringBoundLogger,
    *,
    prints: bool,
    machine: bool,
) -> int:
    """Run a command until it ends or a signal ends it; returns its exit code.

    `prints`: the output is all that the command is for. Any other command continues when it cannot print. `machine`: a
    program reads the output. Raises UnprintedError for a command that is only for its output.
    """
    signals = ShutdownSignals()
    if not prints:
        this_process.work_comes_first(machine=machine)

    async def until_signalled() -> int:
        with signals:
            return await work(signals) or ExitCode.DONE

    try:
        with busy_runner() as runner:
            return runner.run(until_signalled())
    except asyncio.CancelledError:
        return signals.code or ExitCode.BUG
    except UnprintedError:
        raise
    except Exception as error:
        code = _report(error, redactor)
        if code is None:
            log.exception("bug")
        return code or ExitCode.BUG


def fail(message: str, code: ExitCode) -> ExitCode:
    """Report an error on stderr; returns its exit code."""
    this_process.report(f"error: {printable_lines(message)}")
    return code


def _report(error: Exception, redactor: Redactor) -> ExitCode | None:
    """Report an error that a person can mend; returns its exit code, or None for a bug."""
    if isinstance(error, RetentionError):
        return fail(redactor.own_text(str(error)), error.exit_code)
    if isinstance(error, UNAVAILABLE):
        return fail(redactor.text(describe_unavailable(error)), ExitCode.UNREACHABLE)
    if not isinstance(error, psycopg.Error):
        return None
    refusal = redactor.text((str(error).strip() or type(error).__name__).splitlines()[0])
    if isinstance(error, psycopg.errors.InsufficientPrivilege):  # the owner of a view or function lacks a privilege
        return fail(f"{refusal}; grant it to the role that needs it: `retention check` looks", ExitCode.USAGE)
    return fail(f"the database refused a statement: {refusal}", ExitCode.USAGE)
