"""Plans that read the operator's view on a replica, and everything else on the primary.

The replica's rows are streamed into a temporary table of the primary's transaction. The plan's own statements then
read that table in place of the view, so holds, the ledger and all rules are the primary's. A claim looks each round up
on the primary, so a late replica only plans rounds that are skipped later. A player who comes back within the lag
counts as come back after the plan: `view_at` in the run's settings is the moment up to which the plan knew the view.

No run fails for lack of a replica: the same work is done again on the primary, and a warning says why.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, LiteralString, Self, TypeVar

import psycopg

from retention.core.model import VIEW
from retention.core.planning.view_source import (
    VIEW_AT,
    PrimaryState,
    ReplicaState,
    ViewSource,
    primary_problem,
    replica_problem,
    view_moment,
)
from retention.ledger.connect_errors import describe_connect_error
from retention.ledger.database_errors import UNAVAILABLE, first_line
from retention.ledger.operator_view import is_transient
from retention.ledger.queries import query
from retention.ledger.records import record
from retention.ledger.session import CONNECTION_OPTIONS, Session

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.database import Database, Transaction
    from retention.ledger.run_request import RunRequest

T = TypeVar("T")

CONFLICT = "40001"
"""SQLSTATE of a query that the replica cancelled, because it had to replay a change."""

TRIES = 2
"""Tries on a replica that cancels the query."""

COPY: LiteralString = "pg_temp.open_rounds"
"""The table that read_replica/create_view_copy.sql makes."""

CONNECT_LIMIT_S = 8.0
"""Seconds to reach and compare the replica. The primary ends a transaction that is idle for 20 s, and to give up a
silent server takes ten more.
"""

CATCH_UP_S = 1.0
"""Seconds for a replica to replay what the primary had committed."""

POLL_S = 0.05
"""Seconds between two looks at its position."""

SILENCE_S = 600.0
"""Seconds without a row after which the replica counts as away."""

BLOCK_BYTES = 65_536
"""Bytes that are written at once: libpq hands out each row alone."""


class ReplicaError(Exception):
    """The replica cannot serve this plan. `again`: another try may succeed."""

    def __init__(self, words: str, *, again: bool = False) -> None:
        super().__init__(words)
        self.again = again


class PrimaryReading:
    """One try to plan with the view of the primary. `source` is None where no replica is configured."""

    copies = False
    """Whether rows are copied into a table of the transaction, which therefore writes."""

    def __init__(self, source: ViewSource | None = None) -> None:
        self.source = source

    async def begin(self, transaction: Transaction, as_of: datetime, not_before: datetime | None = None) -> None:
        """Prepare to read the view as a plan of the moment `as_of`; see ReplicaReading."""

    async def copy(self, transaction: Transaction, limits: Mapping[str, Any]) -> Transaction:
        """Return the transaction for statements that read the view. `limits`: those of shared/stale_match.sql."""
        del limits
        return transaction

    def request(self, request: RunRequest) -> RunRequest:
        """Return the request with what the run's settings say of the view."""
        return request


class ReplicaReading(PrimaryReading):
    """One try to plan with the view of the replica, and its connection while the context is open."""

    copies = True

    def __init__(self, dsn: Callable[[], str], log: FilteringBoundLogger | None) -> None:
        super().__init__()
        self._dsn = dsn
        self._log = log
        self._stack = AsyncExitStack()
        self._session: Session | None = None
        self._view_at: datetime | None = None

    async def begin(self, transaction: Transaction, as_of: datetime, not_before: datetime | None = None) -> None:
        """Connect, compare the replica with the primary, and learn its lag.

        Raises ReplicaError; also where the replica knows the view only up to a moment before `not_before`.
        """
        state = await self._compare(transaction)
        moment = view_moment(state, as_of)
        if moment is None:
            raise ReplicaError("the replica has replayed no transaction since its start, so its lag is unknown")
        if not_before is not None and moment < not_before:
            raise ReplicaError("the replica is further behind than when the run was planned")
        self._view_at = moment if moment < as_of else None
        self.source = ViewSource((as_of - moment).total_seconds())
        if self.source.doubtful and self._log is not None:
            self._log.warning("plan.replica_behind", lag_s=round(self.source.lag_s, 1), detail=str(self.source))

    async def _compare(self, transaction: Transaction) -> ReplicaState:
        primary = record(PrimaryState, await transaction.row("read_replica/describe_primary"))
        if problem := primary_problem(primary):
            raise ReplicaError(problem)
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                session = await self._connect()
                state = await self._state(session, primary)
                for _ in range(int(CATCH_UP_S / POLL_S)):
                    if state.caught_up:
                        break
                    await asyncio.sleep(POLL_S)
                    state = await self._state(session, primary)
        except TimeoutError:
            raise ReplicaError(f"the server of read_dsn gave no answer for {CONNECT_LIMIT_S:.0f} s") from None
        except psycopg.Error as error:
            raise _described(error) from error
        return state

    async def _connect(self) -> Session:
        try:
            session = await Session.connect(self._dsn(), **CONNECTION_OPTIONS)
        except psycopg.ProgrammingError:
            raise ReplicaError("database.read_dsn is no connection string of PostgreSQL") from None
        except psycopg.OperationalError as error:
            problem = describe_connect_error(error, "database.read_dsn")
            raise ReplicaError(f"the replica cannot be reached: {problem}") from None
        self._stack.push_async_callback(session.close)
        # A pooler gives each transaction to one server, so the server that is compared is the one that is read.
        await self._stack.enter_async_context(session.transaction_with_settings())
        self._session = session
        return session

    @staticmethod
    async def _state(session: Session, primary: PrimaryState) -> ReplicaState:
        values = {"position": primary.position}
        row = await (await session.execute(query("read_replica/describe_replica"), values)).fetchone()
        state = record(ReplicaState, row)
        if problem := replica_problem(primary, state):
            raise ReplicaError(problem)
        return state

    async def copy(self, transaction: Transaction, limits: Mapping[str, Any]) -> Transaction:
        """Copy the rows of the replica's view into the primary's transaction. Raises ReplicaError."""
        try:
            await transaction.rows("read_replica/create_view_copy")
            async with aclosing(self._blocks(limits)) as blocks:
                await transaction.copy_in(f"COPY {COPY} FROM STDIN (FORMAT binary)", blocks)
            await transaction.run(f"ANALYZE {COPY}")
        except psycopg.Error as error:
            if is_transient(error):
                raise
            raise ReplicaError(f"the primary did not take the replica's rows: {first_line(error)}") from error
        await self._stack.aclose()  # the rest of the plan needs no replica
        return transaction.with_texts(_on_copy)

    async def _blocks(self, limits: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """Yield the replica's rows, in PostgreSQL's binary form, so that each value stays exact."""
        assert self._session is not None
        statement = f"COPY ({query('read_replica/read_view')}\n) TO STDOUT (FORMAT binary)"
        block = bytearray()
        try:
            async with self._session.cursor().copy(statement, limits) as rows:
                while True:
                    async with asyncio.timeout(SILENCE_S):
                        row = await rows.read()
                    block += row
                    if len(block) >= BLOCK_BYTES or not row:
                        yield bytes(block)
                        block.clear()
                    if not row:
                        return
        except TimeoutError:
            raise ReplicaError(f"the replica gave no row for {SILENCE_S:.0f} s") from None
        except psycopg.Error as error:
            raise _described(error) from error

    def request(self, request: RunRequest) -> RunRequest:
        """Return the request; its settings have the moment up to which the plan knows the view, if that is not now."""
        if self._view_at is None:
            return request
        view_at = self._view_at.astimezone(UTC).isoformat()
        return replace(request, settings={**request.settings, VIEW_AT: view_at})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(psycopg.Error):  # the replica is gone, and nothing was written there
            await self._stack.aclose()


class PlanViews:
    """Reads the operator's view for plans: on the replica of `dsn` if it serves, else on the primary.

    `redact` masks secrets in the text of the replica's errors, which plans show.
    """

    def __init__(
        self,
        dsn: Callable[[], str] | None = None,
        log: FilteringBoundLogger | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.dsn = dsn
        self._log = log
        self.redact = redact

    async def attempt(self, work: Callable[[PrimaryReading], Awaitable[T]]) -> T:
        """Do `work` with the replica's view; where the replica fails, do it again with the primary's.

        A ReplicaError must leave nothing of the work behind: its transaction is rolled back.
        """
        if self.dsn is None:
            return await work(PrimaryReading())
        why = ""
        for _ in range(TRIES):
            try:
                async with ReplicaReading(self.dsn, self._log) as reading:
                    return await work(reading)
            except ReplicaError as error:
                why = self.redact(str(error))
                if not error.again:
                    break
        if self._log is not None:
            self._log.warning("plan.replica_unused", detail=why)
        return await work(PrimaryReading(ViewSource(why_primary=why)))

    async def probe(self, database: Database) -> ViewSource:
        """Compare the replica with the primary, and learn its lag; reads no view."""

        async def compare(reading: PrimaryReading) -> ViewSource:
            async with database.transaction() as transaction:
                as_of = (await transaction.row("clocks/get_time")).now
                await reading.begin(transaction, as_of)
            return reading.source or ViewSource()

        return await self.attempt(compare)


def _on_copy(name: str) -> LiteralString:
    """Return the text of a statement that reads the copy in place of the view."""
    return query(name).replace(VIEW, COPY)


def _described(error: psycopg.Error) -> ReplicaError:
    """Say why the replica has not answered."""
    if error.sqlstate == CONFLICT:
        return ReplicaError(
            f"the replica cancelled the query to replay a change ({first_line(error)}); set hot_standby_feedback = on"
            " there, or raise its max_standby_streaming_delay",
            again=True,
        )
    if isinstance(error, UNAVAILABLE) or is_transient(error):
        return ReplicaError(f"the replica went away: {first_line(error)}")
    return ReplicaError(f"the replica refused to show the view: {first_line(error)}")
