"""Checks that statements read the operator's tables by index; it explains them and never runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from retention.ledger.checks.finding import Finding
from retention.ledger.checks.scans import fault_of_index, full_scans, sequential_scans, wanted_index
from retention.ledger.database_errors import UNAVAILABLE
from retention.ledger.operator_view import describe_view_error
from retention.ledger.queries import query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from retention.ledger.checks.scans import Relation, Scan
    from retention.ledger.database import Database

LARGE_TABLE_ROWS = 10_000
"""Rows above which a sequential scan of the operator's relation is a warning.

Measured on PostgreSQL 16: a claim of 20 rounds without an index took 0.8 ms on 10,000 rows, and 6 ms on 85,000.
"""

_NO_SCAN = ("SET LOCAL enable_seqscan = off",)

_ONLY_SCANS = tuple(
    f"SET LOCAL enable_{way} = off"
    for way in ("indexscan", "indexonlyscan", "bitmapscan", "hashjoin", "mergejoin", "partition_pruning")
)
"""Plans with every table and with whole filters: an index takes its own conditions out of them."""


async def claim_index_use(database: Database) -> Finding:
    """Check that a claim finds single rounds by index."""
    keys = ["?"] * 20
    values = {"partners": keys, "round_ids": keys}
    statement = "checks/find_rounds_by_key"
    return await _index_use(database, "index use of claims", (statement, statement, "checks/find_one_round"), values)


async def plan_index_use(database: Database, policy: str, values: Mapping[str, Any]) -> Finding:
    """Check that a policy's plan finds old rounds by index; `values` are the parameters of shared/stale_rounds.sql."""
    core = "checks/find_rounds_by_age"
    return await _index_use(database, f"index use of policy {policy}", ("shared/stale_rounds", core, core), values)


async def _index_use(
    database: Database, name: str, statements: tuple[str, str, str], values: Mapping[str, Any]
) -> Finding:
    """Warn of large relations of the operator's that a statement would read sequentially.

    `statements`: the statement itself; its core, for which an index has to serve where scans are forbidden; and the one
    whose filter shows the view's expressions.
    """
    statement, core, shown = statements
    try:
        large = await _large(database, sequential_scans(await _explained(database, statement, values)))
        if not large:
            return Finding(
                name, ok=True, message=f"no table of more than {LARGE_TABLE_ROWS:,} rows is read from end to end"
            )
        without = {scan.relation for scan in full_scans(await _explained(database, core, values, *_NO_SCAN))}
        lacking = {table.relation for table in await _large(database, without)}
        unindexed = [table for table in large if table.relation in lacking]
        if not unindexed:
            return _unused(name, large)
        scans = list(full_scans(await _explained(database, shown, values, *_ONLY_SCANS)))
        parts = [await _described(database, table, scans) for table in unindexed]
    except UNAVAILABLE:
        raise
    except psycopg.Error as error:
        return Finding(name, ok=False, message=describe_view_error(error))
    return Finding(name, ok=True, message="; ".join(parts), warning=True)


def _unused(name: str, tables: Sequence[Any]) -> Finding:
    """Judge tables whose index would serve, and that PostgreSQL reads from end to end all the same."""
    words = " and ".join(f"{table.relation} (about {table.rows:,} rows)" for table in tables)
    names = ", ".join(table.relation for table in tables)
    if any(table.stale for table in tables):
        message = f"reads all of {words} though an index serves, as the table's statistics are old: ANALYZE {names}"
        return Finding(name, ok=True, message=message, warning=True)
    message = f"reads all of {words}, as PostgreSQL finds that quicker than its index: ANALYZE {names} if it is wrong"
    return Finding(name, ok=True, message=message)


async def _described(database: Database, table: Any, scans: Sequence[Scan]) -> str:
    """Name the scan of a table with its filter, the index that is there and does not serve, and the mend."""
    scan = next((scan for scan in scans if f"{scan.schema}.{scan.table}" in table.members), None)
    node = scan.node if scan else "Seq Scan"
    words = f"{node} on {table.relation} (about {table.rows:,} rows)"
    if scan and scan.filter:
        words += f", filter: {scan.shown_filter()}"
    wanted = wanted_index(scan) if scan else None
    if wanted is None:
        return f"{words}; no index can serve it: join that table by the round's key, in a LATERAL subquery of the view"
    create = wanted.statement(table.relation, partitioned=table.partitioned)
    if table.partitioned:
        create += " (indexes.sql of `retention db sample` tells how to do that beside play)"
    indexes = await database.rows("checks/list_indexes", relation=table.relation)
    faults = [(fault_of_index(wanted, one.keys, one.condition, valid=one.valid), one.name) for one in indexes]
    if found := sorted((fault, name) for fault, name in faults if fault is not None):
        fault, name = found[0]
        mend = f"REINDEX INDEX CONCURRENTLY {name}" if fault.remake else create
        return f"{words}; the index {name} {fault.why}: {mend}"
    return f"{words}; {create}"


async def _explained(database: Database, statement: str, values: Mapping[str, Any], *before: str) -> Mapping[str, Any]:
    async with database.connection() as connection, connection.transaction():
        for setting in before:
            await connection.execute(setting.encode())
        cursor = await connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) " + query(statement), values)
        row = await cursor.fetchone()
    assert row is not None
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


async def _large(database: Database, relations: Iterable[Relation]) -> Sequence[Any]:
    if not (found := sorted(set(relations))):
        return ()
    schemas, names = zip(*found, strict=True)
    return await database.rows(
        "checks/list_large_relations", schemas=list(schemas), names=list(names), large=LARGE_TABLE_ROWS
    )
