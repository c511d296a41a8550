"""Checks that statements read the operator's tables by index; it explains them and never runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from retention.ledger.checks.finding import Finding
from retention.ledger.database_errors import UNAVAILABLE
from retention.ledger.operator_view import describe_view_error
from retention.ledger.queries import query

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retention.ledger.database import Database

LARGE_TABLE_ROWS = 100_000
"""Rows above which a sequential scan of the operator's relation is a warning."""

_BY_INDEX = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}

Relation = tuple[str, str]
"""Schema and name."""


async def claim_index_use(database: Database) -> Finding:
    """Check that a claim finds single rounds by index."""
    keys = ["?"] * 20
    values = {"partners": keys, "round_ids": keys}
    return await _index_use(
        database, "index use of claims", "checks/find_rounds_by_key", "checks/find_rounds_by_key", values
    )


async def plan_index_use(database: Database, policy: str, values: Mapping[str, Any]) -> Finding:
    """Check that a policy's plan finds old rounds by index; `values` are the parameters of shared/stale_rounds.sql."""
    return await _index_use(
        database, f"index use of policy {policy}", "shared/stale_rounds", "checks/find_rounds_by_age", values
    )


async def _index_use(database: Database, name: str, statement: str, core: str, values: Mapping[str, Any]) -> Finding:
    """Warn of large relations of the operator's that a statement would read sequentially.

    If the statement `core` can use an index, the message asks for no new index.
    """
    try:
        scanned = sequential_scans(await _explained(database, statement, values))
        large = await _large(database, scanned)
        if not large:
            return Finding(
                name, ok=True, message=f"no table of more than {LARGE_TABLE_ROWS:,} rows is read from end to end"
            )
        without = unindexed_scans(await _explained(database, core, values, "SET LOCAL enable_seqscan = off"))
        lacking = {table.relation for table in await _large(database, without)}
    except UNAVAILABLE:
        raise
    except psycopg.Error as error:
        return Finding(name, ok=False, message=describe_view_error(error))
    unindexed = [table for table in large if table.relation in lacking]
    tables = " and ".join(f"{table.relation} (about {table.rows:,} rows)" for table in unindexed or large)
    if unindexed:
        mend = "`retention db sample` prints the indexes that are wanted"
        return Finding(
            name, ok=True, message=f"reads all of {tables}, more than {LARGE_TABLE_ROWS:,}; {mend}", warning=True
        )
    names = ", ".join(table.relation for table in large)
    message = f"reads all of {tables}, as PostgreSQL finds that quicker than its index: ANALYZE {names} if it is wrong"
    return Finding(name, ok=True, message=message)


def sequential_scans(plan: Mapping[str, Any]) -> Iterator[Relation]:
    """Yield schema and name of each relation that a plan reads sequentially."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Schema"], plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from sequential_scans(part)


def unindexed_scans(plan: Mapping[str, Any]) -> Iterator[Relation]:
    """Yield each relation that a plan reads without an index condition."""
    kind, parts = plan["Node Type"], plan.get("Plans", ())
    found = kind == "Seq Scan" or (kind in _BY_INDEX and "Index Cond" not in plan)
    if kind == "Bitmap Heap Scan":
        found = any(part["Node Type"] in _BY_INDEX and "Index Cond" not in part for part in parts)
    if found and "Relation Name" in plan:
        yield plan["Schema"], plan["Relation Name"]
    for part in parts:
        yield from unindexed_scans(part)


async def _explained(database: Database, statement: str, values: Mapping[str, Any], *before: str) -> Mapping[str, Any]:
    async with database.connection() as connection, connection.transaction():
        for setting in before:
            await connection.execute(setting.encode())
        cursor = await connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) " + query(statement), values)
        row = await cursor.fetchone()
    assert row is not None
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


async def _large(database: Database, relations: Iterator[Relation]) -> Sequence[Any]:
    if not (found := sorted(set(relations))):
        return ()
    schemas, names = zip(*found, strict=True)
    return await database.rows(
        "checks/list_large_relations", schemas=list(schemas), names=list(names), large=LARGE_TABLE_ROWS
    )
