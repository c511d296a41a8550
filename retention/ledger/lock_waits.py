"""Says what is waited for, where the database does not answer at once."""

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
"""Seconds after which a wait is told."""

LOOKUP_TIMEOUT_S = 2.0
"""Seconds for finding out what is waited for."""

REPEAT_AFTER_S = 600.0
"""Seconds after which what is tried again and again, and still waits for the same, is told once more."""

CONNECTING = "connecting"

FREE_CONNECTION = "a free connection"


@dataclass(slots=True)
class _ReportedWait:
    thing: str
    since: float
    at: float


class LockWaits:
    """Tells of the waits of one process, each once: also where many wait for the same, or one tries again."""

    def __init__(self, log: FilteringBoundLogger | None = None, dsn: Callable[[], str] | None = None) -> None:
        """`dsn` leads to where it can be asked who holds a lock."""
        self._log = log
        self._dsn = dsn
        self._reported: dict[str, _ReportedWait] = {}
        self._reports: set[asyncio.Task[None]] = set()

    def watch(self, what: str | None, session: Session | None = None) -> LockWait:
        """Tell of what is done within it, where that takes long; `what` is a statement's name, or a word of ours.

        None is for what has no name, and is not known again where it is tried again.
        """
        return LockWait(self, what, session)

    def begin(self, wait: LockWait) -> asyncio.TimerHandle | None:
        """Have somebody look after a while."""
        if self._log is None:
            return None
        return asyncio.get_running_loop().call_later(REPORT_AFTER_S, self._start_report, wait)

    def end(self, wait: LockWait, *, answered: bool) -> None:
        """Say that it goes on, where it was told that it waits. What was not `answered` is tried again."""
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
    """One wait, as a context: cheap, since each statement has one."""

    __slots__ = ("_handle", "_waits", "over", "session", "since", "what")

    def __init__(self, waits: LockWaits, what: str | None, session: Session | None) -> None:
        self._waits = waits
        self.what = what
        self.session = session
        self.over = False

    @property
    def key(self) -> str:
        """By which it is known again."""
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
    """Ask, over a connection of its own, for which lock a process waits and who has it; None where nobody can tell."""
    from retention.ledger.session import CONNECTION_OPTIONS  # noqa: PLC0415 - which needs this module

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
    """What is waited for, by a row of waits_for.sql: alone, and with who holds it."""
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
