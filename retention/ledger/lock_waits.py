"""Reports long waits for the database: the statement, the lock and its holder.

The connection itself reports a wait (`Session.wait`), because every statement passes through it. Another connection
asks, once and after three seconds, which session holds the lock.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import psycopg

from retention.ledger.queries import query

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.session import Session

REPORT_AFTER_S = 3.0
"""Seconds after which a wait is reported."""

LOOKUP_TIMEOUT_S = 2.0
"""Seconds for finding the lock's holder."""

REPEAT_AFTER_S = 600.0
"""Seconds after which a wait that is retried and continues is reported again."""

CONNECTING = "connecting"

FREE_CONNECTION = "a free connection"


@dataclass(slots=True)
class _ReportedWait:
    thing: str
    since: float
    at: float


class LockWaits:
    """Reports the waits of one process, each once, even if many statements wait for it or one retries."""

    def __init__(self, log: FilteringBoundLogger | None = None, dsn: Callable[[], str] | None = None) -> None:
        """`dsn` opens the connection that asks who holds a lock."""
        self._log = log
        self._dsn = dsn
        self._reported: dict[str, _ReportedWait] = {}
        self._reports: set[asyncio.Task[None]] = set()

    def watch(self, what: str | None, session: Session | None = None) -> LockWait:
        """Report a long wait within this context; `what` is a statement's name, CONNECTING or FREE_CONNECTION.

        A wait without a name (None) is not recognised when it is retried.
        """
        return LockWait(self, what, session)

    def begin(self, wait: LockWait) -> asyncio.TimerHandle | None:
        """Schedule the report of a wait."""
        if self._log is None:
            return None
        return asyncio.get_running_loop().call_later(REPORT_AFTER_S, self._start_report, wait)

    def end(self, wait: LockWait, *, answered: bool) -> None:
        """Report that a reported wait has ended. A named wait that was not `answered` is retried, so it continues."""
        if not answered and wait.what is not None:
            return
        what = wait.key
        told = self._reported.pop(what, None)
        if told is None or self._log is None or any(other.thing == told.thing for other in self._reported.values()):
            return
        self._log.info("database.goes_on", statement=wait.what, waited_s=round(time.monotonic() - told.since, 1))

    def _start_report(self, wait: LockWait) -> None:
        task = asyncio.create_task(self._report(wait))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report(self, wait: LockWait) -> None:
        thing, detail = _describe_unknown(wait.what)
        if wait.session is not None and self._dsn is not None:
            pid = None if wait.session.pooled else wait.session.info.backend_pid
            thing, detail = await _find_blocker(self._dsn(), pid) or (thing, detail)
        if wait.over or self._log is None:
            return
        now = time.monotonic()
        known = next(
            (told for told in self._reported.values() if told.thing == thing and now - told.at < REPEAT_AFTER_S), None
        )
        self._reported[wait.key] = _ReportedWait(
            thing, known.since if known else wait.since, known.at if known else now
        )
        if known is None:
            self._log.warning("database.waiting", statement=wait.what, detail=f"waits for {detail}")


class LockWait:
    """One wait, as a context; it is cheap, because each statement has one."""

    __slots__ = ("_handle", "_waits", "over", "session", "since", "what")

    def __init__(self, waits: LockWaits, what: str | None, session: Session | None) -> None:
        self._waits = waits
        self.what = what
        self.session = session
        self.over = False

    @property
    def key(self) -> str:
        """The name by which a retried wait is recognised."""
        return self.what or f"{id(self):x}"

    def __enter__(self) -> Self:
        self.since = time.monotonic()
        self._handle = self._waits.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over = True
        if self._handle is not None:
            self._handle.cancel()
        self._waits.end(self, answered=kind is None)


def _describe_unknown(what: str | None) -> tuple[str, str]:
    if what is None:
        return "an answer", "the database's answer"
    if what == CONNECTING:
        return what, "the database to let it in"
    if what == FREE_CONNECTION:
        return what, "a free connection to the database"
    return what, f"the database's answer ({what})"


async def _find_blocker(dsn: str, pid: int | None) -> tuple[str, str] | None:
    """Ask, on a separate connection, for which lock a process waits and who holds it; None if that is unknown."""
    from retention.ledger.session import CONNECTION_OPTIONS  # noqa: PLC0415 - session imports this module

    try:
        async with (
            asyncio.timeout(LOOKUP_TIMEOUT_S),
            await psycopg.AsyncConnection.connect(dsn, **CONNECTION_OPTIONS) as connection,
        ):
            row = await (await connection.execute(query("session/find_blocker"), {"pid": pid})).fetchone()
    except (psycopg.Error, TimeoutError, OSError):
        return None
    return None if row is None else describe_lock(row)


def describe_lock(row: Any) -> tuple[str, str]:
    """Describe the lock of a row of session/find_blocker.sql: alone, and with its holder."""
    if row.kind == "relation":
        thing = f"a lock on {row.relation}"
    elif row.kind == "advisory":
        thing = "an advisory lock"
    elif row.relation is not None:
        thing = f"a lock on a row of {row.relation}"
    else:
        thing = "a row that another transaction has changed"
    if row.holder == 0:
        return thing, f"{thing}, held by a prepared transaction"
    known = [f"application {row.application}"] if row.application else []
    if row.held_s is not None:
        known.append(f"since {row.held_s:.0f} s")
    return thing, f"{thing}, held by process {row.holder}" + (f" ({', '.join(known)})" if known else "")
