"""The database of a model: the real ledger, an operator's rounds, and a clock that the model moves.

The statements ask `statement_timestamp()` and `clock_timestamp()`. A schema that comes before pg_catalog on the search
path answers them from a table. Time passes for leases, due times and slots alike, the statements are the real ones, and
a seed always plays the same history.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, LiteralString, Self, TypeVar
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from retention.core.planning.plan import Scope
from retention.engine import retry
from retention.errors import UsageError
from retention.ledger.approvals import Approvals
from retention.ledger.database import open_database
from retention.ledger.evidence import Evidence
from retention.ledger.holds import Holds
from retention.ledger.pauses import Pauses
from retention.ledger.plans import Plans
from retention.ledger.queries import sql_root
from retention.ledger.run_request import RunRequest
from retention.ledger.runs import RunLedger
from support.evidence import tree_problems, unproven_rows
from support.history import audit_of
from support.model.clock import INSTALL_CLOCK, SEARCH_PATH, START

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping
    from datetime import datetime
    from types import TracebackType
    from uuid import UUID

    from retention.ledger.claims import PartnerTerms

T = TypeVar("T")

PARTNER, GROUP = "acme", "lm"
SCOPE = Scope((PARTNER,), (3,), timedelta(hours=72), None, None, (), None, ())
NO_SETTINGS: Mapping[str, object] = {}

_INSTALL = (
    INSTALL_CLOCK
    + """
-- When the server started: another one that takes over did at another time.
CREATE TABLE model.server (started timestamptz NOT NULL);
INSERT INTO model.server VALUES ('epoch');
CREATE FUNCTION model.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT started FROM model.server';
ALTER TABLE retention.partner_state ALTER server_started SET DEFAULT 'epoch';  -- the server of the migrations
CREATE FUNCTION model.put_back(kept regclass, copy regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    columns text := (
        SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
        WHERE attrelid = kept AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
    );
BEGIN
    EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s', kept, columns, columns, copy);
END $$;
-- Rounds for which the operator's function raises.
CREATE TABLE model.refusing (round_id text PRIMARY KEY);
ALTER FUNCTION retention.close_rounds RENAME TO close_rounds_well;
CREATE FUNCTION retention.close_rounds(text[], text[], timestamptz[], text[], numeric[], text[])
RETURNS TABLE (partner text, round_id text) LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM model.refusing r WHERE r.round_id = ANY ($2)) THEN
        -- The driver takes some of these for a server that is away.
        RAISE 'this round is being audited' USING ERRCODE =
            (ARRAY['P0001', '55000', '08006', '57P01', '25006', '53100'])[1 + abs(hashtext($2[1])::bigint) % 6];
    END IF;
    RETURN QUERY SELECT * FROM retention.close_rounds_well($1, $2, $3, $4, $5, $6);
END $$;
"""
)

_FOR_ROLES = """
-- The functions of approvals do not look at the caller's search path, but at the model's clock.
DO $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN SELECT oid FROM pg_proc
               WHERE pronamespace = 'retention'::regnamespace AND prosrc ~ '(clock|statement)_timestamp' LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = model, pg_catalog, pg_temp', one);
    END LOOP;
END
$$;
GRANT USAGE ON SCHEMA model TO retention_job;
GRANT SELECT ON ALL TABLES IN SCHEMA model TO retention_job;
"""

_KEPT = (
    "public.rounds",
    *(
        f"retention.{name}"
        for name in (
            "runs", "cancellations", "other_transactions", "findings", "attempts", "holds", "pauses", "partner_state", "rate_groups",
            "evidence", "evidence_leaves", "checkpoints",
        )
    ),
)  # fmt: skip
"""The tables of a standby, each after the tables that it refers to."""


def _standby(table: str) -> str:
    return table.replace(".", "_")


_STANDBY = "CREATE SCHEMA standby;" + "".join(f"CREATE TABLE standby.{_standby(one)} (LIKE {one});" for one in _KEPT)

_COPY = "".join(
    f"DELETE FROM standby.{_standby(one)}; INSERT INTO standby.{_standby(one)} SELECT * FROM {one};" for one in _KEPT
)

_PUT_BACK = (
    "".join(f"DELETE FROM {one};" for one in reversed(_KEPT))
    + "".join(f"SELECT model.put_back('{one}', 'standby.{_standby(one)}');" for one in _KEPT)
    + "UPDATE model.server SET started = started + interval '1 s';"
)

_CLEAR = """
TRUNCATE retention.runs, retention.cancellations, retention.other_transactions, retention.findings, retention.attempts,
    retention.holds, retention.pauses, retention.partner_state, retention.rate_groups, retention.notifications, retention.deliveries,
    retention.evidence, retention.evidence_leaves, retention.checkpoints, public.rounds, model.refusing;
UPDATE model.server SET started = 'epoch'
"""


class ModelDatabase:
    """One database, one event loop, and the time, in seconds since `START`."""

    def __init__(self, dsn: str) -> None:
        self.now = 0.0
        self._dsn = dsn
        self._runner = asyncio.Runner()
        self._background: list[asyncio.Task[Any]] = []
        self._first_wait_s = retry.FIRST_WAIT_S
        self._stack = AsyncExitStack()

    def __enter__(self) -> Self:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(_INSTALL)
            connection.execute((sql_root() / "operator" / "roles.sql").read_bytes())
            connection.execute(_FOR_ROLES)
            connection.execute(_STANDBY.encode())
            name = psycopg.sql.Identifier(str(conninfo_to_dict(self._dsn)["dbname"]))
            connection.execute(
                psycopg.sql.SQL("ALTER DATABASE {} SET search_path = {}").format(name, psycopg.sql.SQL(SEARCH_PATH))
            )
        self.run(self._open())
        retry.FIRST_WAIT_S = 0.0  # the model says when a statement is tried again
        return self

    async def _open(self) -> None:
        self.database = await self._stack.enter_async_context(open_database(lambda: self._dsn, size=8))
        self.runs = RunLedger(self.database)
        self.plans = Plans(self.database)
        self.holds = Holds(self.database)
        self.pauses = Pauses(self.database)
        self.evidence = Evidence(self.database)
        self.approvals = Approvals(self.database, "a command")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        retry.FIRST_WAIT_S = self._first_wait_s
        self.run(self.end_background())
        self.run(self._stack.aclose())
        self._runner.close()

    async def unproven(self) -> list[str]:
        """What the evidence does not prove, by a naive reading and by the product's own."""
        await self.evidence.make_checkpoint()
        return [*unproven_rows(self._dsn), *tree_problems(self._dsn), *await audit_of(self.database)]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it on the loop that all connections belong to."""
        return self._runner.run(work)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin something that may outlive the step that began it, but not its example."""
        self._background.append(task := asyncio.create_task(work))
        return task

    async def end_background(self) -> None:
        """Cancel the tasks that have outlived their steps."""
        tasks, self._background = self._background, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def sql(self, statement: LiteralString, **values: object) -> list[Any]:
        """Run a statement of the model's own."""
        async with self.database.connection() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []

    @property
    def at(self) -> datetime:
        """The time as the database shows it."""
        return START + timedelta(seconds=self.now)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, for the database and for every replica's monotonic clock."""
        self.now += seconds
        await self.sql("UPDATE model.clock SET at = %(at)s", at=self.at)

    async def begin_anew(self, rounds: list[str]) -> None:
        """Forget everything, and open these rounds five days ago."""
        await self.end_background()
        await self.script(_CLEAR)
        self.now = 0.0
        await self.pass_time(0)
        await self.sql("INSERT INTO retention.rate_groups (name) VALUES (%(name)s)", name=GROUP)
        await self.sql(
            "INSERT INTO public.rounds (partner, market, game, user_id, round_id, opened_at, currency, stake, bet_tx)"
            " SELECT %(partner)s, 'MT', 'game', 'user-' || id, id, %(at)s - interval '5 days', 'EUR', 1.50, 'bet-' || id"
            " FROM unnest(%(rounds)s::text[]) AS id",
            partner=PARTNER,
            at=self.at,
            rounds=rounds,
        )

    async def plan(self, terms: PartnerTerms, settings: Mapping[str, object] = NO_SETTINGS) -> UUID:
        """Plan a run that ann asks for."""
        run_id = uuid4()
        request = RunRequest(run_id, "nightly", "enforce", "ann", None, settings)
        assert await self.plans.create_run(request, SCOPE, [terms])
        return run_id

    async def start_run(self, run_id: UUID, deadline: float | None, *, resumed: bool) -> bool:
        """Start a run or join it; whether it runs."""
        try:
            return await self.runs.start_run(run_id, deadline, resumed=resumed) is not None
        except UsageError:  # it has no approval
            return False

    async def act_as(self, role: str, statement: LiteralString, **values: object) -> int:
        """Run a statement as another role; returns how many rows it changed. Raises psycopg.Error."""
        async with self.database.connection() as connection, connection.transaction():
            if role != "CURRENT_USER":
                await connection.execute(psycopg.sql.SQL("SET LOCAL ROLE {}").format(psycopg.sql.Identifier(role)))
            return (await connection.execute(statement, values)).rowcount

    async def close(self, name: str) -> None:
        """The operator hears that a player has completed a round."""
        await self.sql("UPDATE public.rounds SET status = 1 WHERE round_id = %(name)s AND status = 0", name=name)

    async def reopen(self, name: str) -> None:
        """A new round under the same id."""
        await self.sql(
            "UPDATE public.rounds SET opened_at = %(at)s WHERE round_id = %(name)s AND status = 0",
            at=self.at,
            name=name,
        )

    async def player_returns(self, name: str) -> None:
        """A round's player is active."""
        await self.sql(
            "UPDATE public.rounds SET last_activity_at = %(at)s WHERE round_id = %(name)s", at=self.at, name=name
        )

    async def toggle_hold(self, name: str, hold: int | None) -> int | None:
        """Put a round on hold, or release that hold; returns the one that stands then."""
        if hold is not None:
            await self.holds.release_hold(hold, "ann")
            return None
        return await self.holds.add_hold(PARTNER, None, None, None, name, "a complaint", "ann", None)

    async def refuse(self, name: str, *, refuse: bool) -> None:
        """Let the operator's function raise for a round, or no longer."""
        await self.sql("DELETE FROM model.refusing WHERE round_id = %(name)s", name=name)
        if refuse:
            await self.sql("INSERT INTO model.refusing VALUES (%(name)s)", name=name)

    async def copy(self) -> None:
        """Have a standby that is like this at this moment, and falls behind from now on."""
        await self.script(_COPY)

    async def fail_over(self) -> None:
        """Lose all commits since the copy: the standby takes over."""
        await self.script(_PUT_BACK)

    async def script(self, script: str) -> None:
        """Run statements of the model's own, all or none."""
        async with self.database.connection() as connection, connection.transaction():
            await connection.execute(script.encode())

    async def open_attempts(self, uuids: Iterable[str]) -> dict[str, bool]:
        """The recorded ones of these attempts, and whether each still has no outcome."""
        rows = await self.sql(
            "SELECT uuid::text, outcome IS NULL AS open FROM retention.attempts WHERE uuid = ANY (%(uuids)s::uuid[])",
            uuids=[*uuids],
        )
        return {row.uuid: row.open for row in rows}

    async def released(self, uuids: Iterable[str]) -> set[str]:
        """The ones of these attempts that the ledger has as released."""
        rows = await self.sql(
            "SELECT uuid::text FROM retention.attempts WHERE outcome = 'released' AND uuid = ANY (%(uuids)s::uuid[])",
            uuids=[*uuids],
        )
        return {row.uuid for row in rows}

    async def toggle_pause(self) -> bool:
        """Throw the kill switch for everybody, or release it; whether it is thrown then."""
        if await self.pauses.list_pauses():
            await self.resume()
            return False
        await self.pauses.begin_pause(None, "ann", "a look at something")
        return True

    async def resume(self) -> None:
        """Release the kill switch if it is thrown."""
        if await self.pauses.list_pauses():
            await self.pauses.end_pause(None, "ann")
