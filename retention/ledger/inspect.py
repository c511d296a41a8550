"""Whether the database is as the contract wants it, and how to mend what is not. Only looks; changes nothing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import psycopg

from retention.errors import SchemaError
from retention.ledger import migrations
from retention.ledger.durability import check_closing, check_durability
from retention.ledger.finding import Finding
from retention.ledger.freezing import bounds
from retention.ledger.grants import grants
from retention.ledger.inspect_policies import policy_findings
from retention.ledger.queries import query
from retention.ledger.session_settings import check_session
from retention.ledger.trouble import AWAY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from retention.core.plan import Scope
    from retention.ledger.database import Database

__all__ = [
    "Finding",
    "function_finding",
    "inspect_database",
    "require_ready",
    "sequential_scans",
    "view_finding",
    "wallet_findings",
]

OLDEST_SERVER = 14

ENCODINGS = {"UTF8", "SQL_ASCII"}
"""Of a database: any other lacks letters that a vendor may use, and a reply that cannot be written would be lost."""

LARGE = 100_000
"""Rows; a relation of the operator's that is larger than this is not to be read from end to end."""

ARGUMENTS = "text[], text[], timestamp with time zone[], text[], numeric[], text[]"

_TEXT = ("text", "character varying")
_TIME = ("timestamp with time zone",)
_OPEN_ROUNDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("partner", "market", "game_id", "user_id", "round_id"), _TEXT),
    **dict.fromkeys(("opened_at", "last_activity_at"), _TIME),
    "currency": _TEXT,
    "stake": ("numeric",),
    "bet_transaction_id": _TEXT,
}
_WALLET_REFUNDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("partner", "round_id", "currency"), _TEXT),
    "amount": ("numeric",),
    "refunded_at": _TIME,
}
_NEVER_NULL = {"partner", "market", "user_id", "round_id", "opened_at"}
_CASTS = {"timestamp with time zone": "timestamptz"}


async def inspect_database(
    database: Database,
    policies: Sequence[tuple[str, Scope]],
    limited: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[Finding]:
    """Look at everything that runs need, and whether each policy's plan, and the claims, find their indexes.

    `limited` has the currencies of each policy's max_amount.
    """
    findings = await _needed(database)
    if all(finding.ok for finding in findings):
        findings += await check_session(database)
    if all(finding.ok for finding in findings):
        findings += [await check_closing(database), *await check_durability(database)]
    findings += wallet_findings(await database.rows("check_view", relation="wallet_refunds"))
    if all(finding.ok for finding in findings):
        as_of = (await database.row("now")).now
        for name, scope in policies:
            values = bounds(scope, as_of)
            findings.append(await _index_use(database, f"index use of policy {name}", "stale_rounds", values))
            findings += await policy_findings(database, name, values, limited.get(name, ()))
    return findings


async def require_ready(database: Database) -> None:
    """Raise SchemaError unless runs have what they need; its message is all that is wrong with the first such thing."""
    for finding in await _needed(database):
        if not finding.ok:
            raise SchemaError(finding.message)


async def _needed(database: Database) -> list[Finding]:
    server = await database.row("check_server")
    findings = [_server(server)]
    if not server.has_schema:
        missing = "there is no schema `retention`; run `retention db migrate`"
        return [*findings, Finding("schema", ok=False, message=missing)]
    lacking = await _lacking(database, server.role)
    # Without these two nobody can tell which migrations are applied.
    unread = [grant for object_, grant in lacking if object_ in {"SCHEMA retention", "retention.schema_migrations"}]
    findings += [
        await _schema(database, unread),
        view_finding(await database.rows("check_view", relation="open_rounds")),
        function_finding(await database.rows("check_function")),
        _privileges(server.role, [grant for _, grant in lacking if grant not in unread]),
    ]
    if all(finding.ok for finding in findings):
        keys = ["?"] * 20
        values = {"partners": keys, "round_ids": keys}
        findings.append(await _index_use(database, "index use of claims", "check_lookup", values))
    return findings


def _server(server: Any) -> Finding:
    if server.number < OLDEST_SERVER * 10_000:
        message = f"PostgreSQL {server.version} is too old; version {OLDEST_SERVER} or newer is needed"
        return Finding("database", ok=False, message=message)
    if server.encoding not in ENCODINGS:
        message = f"its encoding is {server.encoding}, and a vendor may use any letter; a database in UTF8 is needed"
        return Finding("database", ok=False, message=message)
    return Finding("database", ok=True, message=f"PostgreSQL {server.version}, as {server.role}")


async def _schema(database: Database, unread: list[str]) -> Finding:
    if unread:
        return Finding("schema", ok=False, message=f"the schema `retention` cannot be read; {'; '.join(unread)}")
    try:
        await migrations.require_current(database)
    except SchemaError as error:
        return Finding("schema", ok=False, message=str(error))
    return Finding("schema", ok=True, message="current")


async def _lacking(database: Database, role: str) -> list[tuple[str, str]]:
    """What is lacking to this role, and the GRANT that mends it, object by object."""
    wanted = grants()
    rows = await database.rows(
        "check_privileges",
        privileges=[grant.privilege for grant in wanted],
        relations=[grant.relation for grant in wanted],
        columns=[grant.column for grant in wanted],
        arguments=ARGUMENTS,
    )
    return [(row.object, f"GRANT {row.privilege}{_in_brackets(row.columns)} ON {row.object} TO {role}") for row in rows]


def _in_brackets(columns: Sequence[str] | None) -> str:
    return f" ({', '.join(columns)})" if columns else ""


def _privileges(role: str, lacking: list[str]) -> Finding:
    if lacking:
        message = f"{role} lacks privileges; run sql/operator/roles.sql, or {'; '.join(lacking)}"
        return Finding("privileges", ok=False, message=message)
    return Finding("privileges", ok=True, message="all that the job needs")


def view_finding(rows: Sequence[Any]) -> Finding:
    """Judge the view of open rounds by the rows of check_view.sql."""
    if not rows:
        message = "there is no view retention.open_rounds; `retention db sample` prints one to adapt"
        return Finding("view", ok=False, message=message)
    problems = list(_column_problems(_OPEN_ROUNDS, rows))
    if rows[0].kind == "m":
        problems.insert(0, "it is a materialized view, which does not show what is open now: make it a plain view")
    if problems:
        return Finding("view", ok=False, message=f"retention.open_rounds: {'; '.join(problems)}")
    return Finding("view", ok=True, message="retention.open_rounds has every column, of the right type")


def wallet_findings(rows: Sequence[Any]) -> list[Finding]:
    """Judge the view of refunds in the same way, where there is one; no run needs it."""
    if not rows:
        return []
    problems = list(_column_problems(_WALLET_REFUNDS, rows))
    if not rows[0].readable:
        problems.append("this role may not read it; run sql/operator/roles.sql again")
    message = f"retention.wallet_refunds: {'; '.join(problems) or 'every column is there, of the right type'}"
    return [Finding("wallet view", ok=not problems, message=message)]


def _column_problems(wanted: Mapping[str, tuple[str, ...]], rows: Sequence[Any]) -> Iterator[str]:
    types = {row.name: row.type for row in rows}
    for name, allowed in wanted.items():
        found, cast = types.get(name), _CASTS.get(allowed[0], allowed[0])
        if found is None:
            without = "" if name in _NEVER_NULL else f" (NULL::{cast} AS {name} where there is no such thing)"
            yield f"column {name} is missing; add it as {cast}{without}"
        elif found == "timestamp without time zone" and allowed is _TIME:
            yield f"column {name} is {found}; write {name} AT TIME ZONE 'UTC', or whichever zone its times are in"
        elif found not in allowed:
            yield f"column {name} is {found}; cast it, {name}::{cast}"


def function_finding(rows: Sequence[Any]) -> Finding:
    """Judge the function by the rows of check_function.sql."""
    sample = "`retention db sample` prints one to adapt"
    if not rows:
        return Finding("function", ok=False, message=f"there is no function retention.close_rounds; {sample}")
    row = next((row for row in rows if row.arguments == ARGUMENTS), None)
    if row is None:
        found = " and ".join(f"({row.arguments})" for row in rows)
        message = f"retention.close_rounds takes {found}, not ({ARGUMENTS}); {sample}"
        return Finding("function", ok=False, message=message)
    if not row.returns_rows or tuple(column in _TEXT for column in row.columns) != (True, True):
        found = ("rows of " if row.returns_rows else "") + (", ".join(row.columns) or "nothing")
        message = f"retention.close_rounds returns {found}; declare it RETURNS TABLE (partner text, round_id text)"
        return Finding("function", ok=False, message=message)
    if not row.definer and not row.ours:
        warning = "is not SECURITY DEFINER, so the job's own role needs rights on your tables"
    elif row.definer and not row.fixed_path:
        warning = "is SECURITY DEFINER without a fixed path; add SET search_path = pg_catalog, pg_temp"
    else:
        return Finding("function", ok=True, message="retention.close_rounds takes and returns what it should")
    return Finding("function", ok=True, message=f"retention.close_rounds {warning}", warning=True)


async def _index_use(database: Database, name: str, statement: str, values: Mapping[str, Any]) -> Finding:
    """Explain a statement and look for large relations of the operator's that it would read from end to end."""
    try:
        async with database.connection() as connection:
            cursor = await connection.execute("EXPLAIN (VERBOSE, FORMAT JSON) " + query(statement), values)
            row = await cursor.fetchone()
    except AWAY:
        raise
    except psycopg.errors.InsufficientPrivilege as error:
        message = (
            f"retention.open_rounds cannot be read: {error.diag.message_primary}; grant SELECT to the view's owner, "
            "and leave security_invoker out"
        )
        return Finding(name, ok=False, message=message)
    except psycopg.Error as error:
        return Finding(name, ok=False, message=f"retention.open_rounds cannot be read: {error.diag.message_primary}")
    assert row is not None
    scanned = sorted(set(sequential_scans(row[0][0]["Plan"])))
    large = await _large(database, scanned) if scanned else []
    if large:
        tables = " and ".join(f"{table.relation} (about {table.rows:,} rows)" for table in large)
        message = f"reads all of {tables}; `retention db sample` prints the indexes that are wanted"
        return Finding(name, ok=True, message=message, warning=True)
    return Finding(name, ok=True, message="no large table is read from end to end")


async def _large(database: Database, relations: Sequence[tuple[str, str]]) -> list[Any]:
    schemas, names = zip(*relations, strict=True)
    return await database.rows("check_sizes", schemas=list(schemas), names=list(names), large=LARGE)


def sequential_scans(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Schema and name of every relation that a plan, or a part of it, reads sequentially."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Schema"], plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from sequential_scans(part)
