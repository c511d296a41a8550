"""Checks that the database meets the contract, and names repairs; it changes nothing."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from retention.errors import SchemaError
from retention.ledger import migrations
from retention.ledger.checks.durability import check_closing, check_durability
from retention.ledger.checks.finding import Finding
from retention.ledger.checks.index_use import claim_index_use, plan_index_use
from retention.ledger.checks.open_rounds import look_at_open_rounds, open_round_findings
from retention.ledger.checks.policies import SHARED, policy_findings
from retention.ledger.checks.required_privileges import ARGUMENTS, SERVE, closes_rounds, reads_view, required_privileges
from retention.ledger.checks.role import MissingPrivilege, privilege_finding, role_finding, row_security_findings
from retention.ledger.checks.scans import sequential_scans
from retention.ledger.checks.session_settings import check_session
from retention.ledger.checks.view_looks import look_on_replica
from retention.ledger.months import check_months
from retention.ledger.read_replica import PlanViews
from retention.ledger.scope_parameters import scope_parameters
from retention.ledger.server_kind import NEWEST_MAJOR, encoding_problem, untested

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from retention.core.planning.plan import Scope
    from retention.core.planning.rails import Limits
    from retention.ledger.database import Database

__all__ = [
    "Finding",
    "check_database",
    "function_finding",
    "require_ready",
    "sequential_scans",
    "view_finding",
    "wallet_findings",
]

SAMPLE = "`retention db sample --table SCHEMA.TABLE -o DIR` proposes one for your table"

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


async def check_database(
    database: Database,
    policies: Sequence[tuple[str, Scope]],
    limits: Mapping[str, Limits] = MappingProxyType({}),
    command: str | None = None,
    views: PlanViews | None = None,
) -> list[Finding]:
    """Check all requirements of runs, and the index use of claims and of each policy's plan.

    `limits` are each policy's rails, which its next run may trip. `command`: SERVE where `serve` makes reports.
    `views`: where plans read the view.
    """
    findings = await _required_findings(database, command)
    if all(finding.ok for finding in findings):
        findings += [role_finding(await database.row("checks/describe_server")), *await check_session(database)]
    if all(finding.ok for finding in findings):
        findings += [await check_closing(database), await check_months(database), *await check_durability(database)]
    findings += wallet_findings(await database.rows("checks/describe_view", relation="wallet_refunds"))
    if all(finding.ok for finding in findings):
        as_of = (await database.row("clocks/get_time")).now
        look = partial(_round_findings, policies=policies, limits=limits, as_of=as_of)
        findings += await look_on_replica(database, views or PlanViews(), look)
    return findings


async def _round_findings(
    database: Database, policies: Sequence[tuple[str, Scope]], limits: Mapping[str, Limits], as_of: datetime
) -> list[Finding]:
    """Look at all open rounds, and run each policy's stale query; stop where the view gives no answer."""
    look = await look_at_open_rounds(database, as_of)
    partners = sorted({name for _, scope in policies for name in (*scope.partners, *scope.other_partners)})
    findings = open_round_findings(look, partners, as_of) if policies or look.problem else []
    if look.blocked:
        return findings
    for name, scope in policies:
        findings.append(await plan_index_use(database, name, scope_parameters(scope, as_of)))
        of_policy, blocked = await policy_findings(database, name, scope, as_of, limits.get(name), look)
        told = {finding.message for finding in findings}
        findings += [one for one in of_policy if one.message not in told or not one.name.startswith(SHARED)]
        if blocked:
            break
    return findings


async def require_ready(database: Database, command: str | None = None) -> None:
    """Raise SchemaError unless the requirements of a command (None: of a run) are met.

    Its message describes the first requirement that is not met.
    """
    for finding in await _required_findings(database, command):
        if not finding.ok:
            raise SchemaError(finding.message)


async def _required_findings(database: Database, command: str | None = None) -> list[Finding]:
    server = await database.row("checks/describe_server")
    findings = [_server_finding(server)]
    if not server.has_schema:
        message = "there is no schema `retention`; run `retention db migrate`"
        if not server.may_create:
            message += (
                f", with the owner's login as owner_dsn in [database] or --as DSN: {server.role} may not create it"
                f" (GRANT CREATE ON DATABASE {server.database} TO {server.role} would let it)"
            )
        return [*findings, Finding("schema", ok=False, message=message)]
    lacking = await _missing_privileges(database, server.role, command)
    # Without these two privileges the applied migrations are unknown.
    unread = [lack for lack in lacking if lack.object in {"SCHEMA retention", "retention.schema_migrations"}]
    if not unread or unread == lacking:  # else the privileges below name the one mend
        findings.append(await _schema_finding(database, [lack.grant for lack in unread]))
    if reads_view(command):
        findings.append(view_finding(await database.rows("checks/describe_view", relation="open_rounds")))
    # A person may resolve a cancellation without the function: its round stays listed, and is reclosed later.
    if closes_rounds(command) and command != "review resolve":
        findings.append(function_finding(await database.rows("checks/describe_function")))
    findings.append(privilege_finding(server, [] if unread == lacking else lacking, command))
    findings += row_security_findings(server)
    if command in {None, SERVE} and all(finding.ok for finding in findings):
        findings.append(await claim_index_use(database))
    return findings


def _server_finding(server: Any) -> Finding:
    if problem := encoding_problem(server.encoding):
        return Finding("database", ok=False, message=problem)
    message = f"PostgreSQL {server.version}, as {server.role}"
    if untested(server.number):
        message += f"; no test of this version of retention ran on a PostgreSQL newer than {NEWEST_MAJOR}"
        return Finding("database", ok=True, message=message, warning=True)
    return Finding("database", ok=True, message=message)


async def _schema_finding(database: Database, unread: list[str]) -> Finding:
    if unread:
        return Finding("schema", ok=False, message=f"the schema `retention` cannot be read; {'; '.join(unread)}")
    try:
        await migrations.require_current(database)
    except SchemaError as error:
        return Finding("schema", ok=False, message=str(error))
    return Finding("schema", ok=True, message="current")


async def _missing_privileges(database: Database, role: str, command: str | None) -> list[MissingPrivilege]:
    """List the privileges that this role lacks, by object."""
    wanted, functions = required_privileges(command)
    rows = await database.rows(
        "checks/list_missing_privileges",
        privileges=[grant.privilege for grant in wanted],
        relations=[grant.relation for grant in wanted],
        columns=[grant.column for grant in wanted],
        functions=list(functions),
    )
    return [
        MissingPrivilege(row.object, f"GRANT {row.privilege}{_column_list(row.columns)} ON {row.object} TO {role}")
        for row in rows
    ]


def _column_list(columns: Sequence[str] | None) -> str:
    return f" ({', '.join(columns)})" if columns else ""


def view_finding(rows: Sequence[Any]) -> Finding:
    """Judge the view of open rounds by the rows of check_view.sql."""
    if not rows:
        message = f"there is no view retention.open_rounds; {SAMPLE}"
        return Finding("view", ok=False, message=message)
    problems = list(_column_problems(_OPEN_ROUNDS, rows))
    if rows[0].kind == "m":
        problems.insert(0, "it is a materialized view, which does not show what is open now: make it a plain view")
    if problems:
        return Finding("view", ok=False, message=f"retention.open_rounds: {'; '.join(problems)}")
    return Finding("view", ok=True, message="retention.open_rounds has every column, of the right type")


def wallet_findings(rows: Sequence[Any]) -> list[Finding]:
    """Judge the optional view of refunds in the same way; no run needs it."""
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
    if not rows:
        return Finding("function", ok=False, message=f"there is no function retention.close_rounds; {SAMPLE}")
    row = next((row for row in rows if row.arguments == ARGUMENTS), None)
    if row is None:
        found = " and ".join(f"({row.arguments})" for row in rows)
        message = f"retention.close_rounds takes {found}, not ({ARGUMENTS}); {SAMPLE}"
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
