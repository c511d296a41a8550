"""On a large table of the operator's, plans and claims go by the sample's indexes; nothing reads it from end to end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from support.bare_database import SCOPE, TERMS, as_role, bare_database, begin, install_samples, run

from retention.core.model import Kind
from retention.ledger.checks.readiness import check_database, sequential_scans
from retention.ledger.database import Database, open_database
from retention.ledger.engine_ledger import EngineLedger
from retention.ledger.plans import Plans
from retention.ledger.queries import query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

BY_AGE = "game_rounds_open_by_age"
BY_ROUND = "game_rounds_open_by_round"
COMPARED = "reconciliation/compare_rounds"

NAMED = ("plans/freeze_named_rounds", "plans/supersede_named_rounds", "plans/list_refused_rounds")

# One round in a hundred is open; half of those are stale.
SEED = """
INSERT INTO casino.game_rounds
    (id, account, vendor_round_id, vendor_user_id, market, state, opened_at, currency, stake)
SELECT i, 'acme', md5(i::text), 'U-' || i % 1000, 'MT', CASE WHEN i % 100 = 0 THEN 'open' ELSE 'completed' END,
       now() - interval '6 days' * (i::float8 / {rows}), 'EUR', 1.50
FROM generate_series(1, {rows}) i
"""

PARTITIONED = """
CREATE TABLE casino.spins (id bigint, account text, opened_at timestamptz, state smallint)
    PARTITION BY RANGE (opened_at);
CREATE TABLE casino.spins_1 PARTITION OF casino.spins FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
CREATE TABLE casino.spins_2 PARTITION OF casino.spins FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
INSERT INTO casino.spins SELECT i, 'acme', timestamptz '2024-12-01' + make_interval(mins => i), (i % 1000 > 0)::integer
FROM generate_series(1, 120000) i;
CREATE INDEX ON casino.spins (opened_at) WHERE state = 0;
CREATE INDEX ON casino.spins (account, (id::text)) WHERE state = 0;
ANALYZE casino.spins;
CREATE OR REPLACE VIEW retention.open_rounds AS
SELECT account AS partner, 'MT'::text AS market, NULL::text AS game_id, 'U'::text AS user_id, id::text AS round_id,
       opened_at, NULL::timestamptz AS last_activity_at, 'EUR'::text AS currency, NULL::numeric AS stake,
       NULL::text AS bet_transaction_id
FROM casino.spins WHERE state = 0;
"""


class Explaining(Database):
    """Explains each statement with its values instead of running it, and keeps the plan."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.plans: dict[str, Any] = {}
        self.values: dict[str, Mapping[str, Any]] = {}

    def bulk(self) -> Database:
        """The same object, so that its statements are explained as well."""
        return self

    control = durable = bulk

    async def rows(self, name: str, /, **values: Any) -> list[Any]:
        """Explain a statement instead of running it, but for the one that tells the time."""
        if name == "clocks/get_time":
            return await self.database.rows(name)
        async with self.database.connection() as connection:
            cursor = await connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) " + query(name), values)
            [[[plan]]] = await cursor.fetchall()
        self.plans[name], self.values[name] = plan["Plan"], values
        return []

    tuples = rows

    @asynccontextmanager
    async def transaction(self, *, snapshot: bool = False) -> AsyncIterator[Any]:  # noqa: ARG002 - as the real one's
        """Several statements: each is explained by itself."""
        yield self


@contextmanager
def large_database(server: str, front: str, rows: int) -> Iterator[str]:
    """DSN of a database with the samples and that many rounds."""
    with bare_database(server, front) as dsn:
        install_samples(dsn)
        run(dsn, SEED.format(rows=rows), "VACUUM ANALYZE casino.game_rounds")
        yield as_role(dsn, "retention_job")


@pytest.fixture(scope="module")
def large(postgres: str, front: str) -> Iterator[str]:
    with large_database(postgres, front, 300_000) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def huge(postgres: str, front: str) -> Iterator[str]:
    with large_database(postgres, front, 10_000_000) as dsn:
        yield dsn


@pytest.fixture
def partitioned(postgres: str, front: str) -> Iterator[str]:
    with bare_database(postgres, front) as dsn:
        install_samples(dsn)
        run(dsn, PARTITIONED)
        yield as_role(dsn, "retention_job")


def indexes(plan: Mapping[str, Any]) -> set[str]:
    """Names of the operator's indexes that a plan uses."""
    used = {plan["Index Name"]} if "Index Name" in plan else set()
    return {name for name in used if name.startswith("game_rounds")}.union(*map(indexes, plan.get("Plans", ())))


def scanned(plan: Mapping[str, Any]) -> set[str]:
    """Names of the operator's tables that a plan reads from end to end."""
    return {relation for schema, relation in sequential_scans(plan) if schema != "retention"}


async def explained(dsn: str) -> Mapping[str, Any]:
    """Plans of the statements that touch the operator's table, with a run's own values and a ledger that has a run."""
    async with open_database(lambda: dsn) as database:
        await begin(database)
        explaining = Explaining(database)
        await Plans(explaining).preview_plan(SCOPE)
        bounds = explaining.values["plans/preview_plan"]
        await explaining.rows("shared/stale_rounds", **bounds)
        await explaining.rows(
            "plans/freeze_plan",
            **bounds,
            run_id=uuid4(),
            replica=None,
            dry_run=False,
            dry_run_detail="",
            max_rounds=None,
        )
        named = {"partners": ["acme"] * 20, "round_ids": [str(i) for i in range(20)], "max_runs": [3] * 20}
        for name in NAMED:
            values = {"run_id": uuid4(), "replica": None, "dry_run": False, "dry_run_detail": "", "detail": ""}
            await explaining.rows(name, **named, **values, as_of=bounds["as_of"], max_rounds=None)
        await explaining.rows(COMPARED, ids=list(range(20)))
        work = EngineLedger.of_run(explaining, uuid4(), "replica", None, asyncio.get_running_loop().time)
        await work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=20)
        await work.claims.claim(Kind.STATUS, replace(TERMS, ask_first=True), after=0, batch=20)
    return explaining.plans


async def assert_plans_go_by_the_indexes(dsn: str) -> None:
    plans = await explained(dsn)

    # A plan finds the twins of its rounds by either index, as the server's version prefers.
    planning = {name: {BY_AGE} for name in ("plans/preview_plan", "shared/stale_rounds", "plans/freeze_plan")}
    claiming = {name: {BY_ROUND} for name in ("claims/claim_rounds", "claims/claim_probes", COMPARED, *NAMED)}
    used = {name: indexes(plan) for name, plan in plans.items()}
    assert planning == {name: used[name] - ({BY_ROUND} if BY_AGE in used[name] else set()) for name in planning}
    assert claiming == {name: used[name] for name in claiming}
    assert {} == {name: found for name, plan in plans.items() if (found := scanned(plan))}


async def test_plans_and_claims_use_indexes(large: str) -> None:
    """Of 300,000 rounds a plan reads only open rounds, and a claim or a targeted plan only its own rounds."""
    await assert_plans_go_by_the_indexes(large)


async def test_holds_are_read_a_few_times_per_plan(database: Database) -> None:
    """With 500 rounds and 400 holds, a plan and a freeze read each hold at most a few times."""
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO public.rounds (partner, market, user_id, round_id, opened_at)"
            " SELECT 'acme', 'MT', 'U', 'r' || i, now() - interval '5 days' FROM generate_series(1, 500) i"
        )
        await connection.execute(
            "INSERT INTO retention.holds (round_id, user_id, reason, created_by)"
            " SELECT 'x' || i, CASE WHEN i % 2 = 0 THEN 'V' END, 'r', 'ann' FROM generate_series(1, 400) i"
        )
        await connection.execute("ANALYZE")
    explaining = Explaining(database)
    await Plans(explaining).preview_plan(SCOPE)
    async with database.connection() as connection:
        cursor = await connection.execute(
            "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) " + query("plans/preview_plan"),
            explaining.values["plans/preview_plan"],
        )
        [[[plan]]] = await cursor.fetchall()
    assert 1 <= rows_read(plan["Plan"], "standing_holds") / 400 <= 3


def rows_read(plan: Mapping[str, Any], cte: str) -> float:
    """How many rows of a CTE a plan has read in all."""
    here = plan["Actual Rows"] * plan["Actual Loops"] if plan.get("CTE Name") == cte else 0
    return here + sum(rows_read(part, cte) for part in plan.get("Plans", ()))


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_plans_and_claims_use_indexes_among_millions(huge: str) -> None:
    """Plans and claims still use the sample's indexes with ten million rounds."""
    await assert_plans_go_by_the_indexes(huge)


async def test_check_accepts_the_sample_indexes(large: str) -> None:
    """With the sample's indexes on a large table, `check` gives no warning."""
    async with open_database(lambda: large) as database:
        findings = await check_database(database, [("nightly", SCOPE)])

    assert [] == [
        finding for finding in findings if finding.name != "durability" and (finding.warning or not finding.ok)
    ]


def test_close_rounds_uses_its_index(large: str) -> None:
    """The sample function finds a batch of rounds without reading the table, as the server itself has counted."""
    with psycopg.connect(large) as connection:
        closed = connection.execute(
            "SELECT count(*) FROM unnest(ARRAY[1000, 2000, 3]) i, retention.close_rounds("
            "ARRAY['acme'], ARRAY[md5(i::text)], ARRAY[now()], ARRAY['EUR'], ARRAY[1.5], ARRAY['T'])"
        ).fetchone()
        counted = connection.execute(
            "SELECT seq_scan, idx_scan > 0 FROM pg_stat_xact_user_tables WHERE relname = 'game_rounds'"
        ).fetchone()
        connection.rollback()

    assert (2,) == closed
    assert (0, True) == counted


async def test_partitions_and_numeric_ids_use_indexes(partitioned: str) -> None:
    """The samples' advice for partitioned tables and numeric ids avoids sequential scans."""
    plans = await explained(partitioned)

    assert {} == {name: found for name, plan in plans.items() if (found := scanned(plan))}
