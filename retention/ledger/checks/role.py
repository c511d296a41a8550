"""Checks that the connected role has its required privileges, and no dangerous ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from retention.ledger.checks.finding import Finding
from retention.ledger.checks.grants import REPORT_ROLE, ROLE, grants
from retention.ledger.checks.required_privileges import SERVE, required_privileges

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPT = "sql/operator/roles.sql"


SHOWN_GRANTS = 3
"""GRANTs that a message spells out for the job's own role."""


class MissingPrivilege(NamedTuple):
    """A privilege that a role lacks: its object, and the GRANT that gives it."""

    object: str
    grant: str


def privilege_finding(server: Any, lacking: Sequence[MissingPrivilege], command: str | None) -> Finding:
    """Judge a role by checks/describe_server.sql, and by the privileges that it lacks for a command (None: a run)."""
    if not lacking:
        return Finding("privileges", ok=True, message="all that the job needs")
    role, statements = server.role, "; ".join(lack.grant for lack in lacking)
    job = f"connect as {ROLE}" if server.has_job else f"run {SCRIPT} and connect as {ROLE}"
    if role == ROLE or (
        role == REPORT_ROLE and command is not None and {*required_privileges(command)[0]} <= {*grants(role)}
    ):
        mend = f"run {SCRIPT} again"
        # The job of an older version lacks many, and the script gives them all.
        mend += f", or {statements}" if role != ROLE or len(lacking) <= SHOWN_GRANTS else ""
    elif command in {None, SERVE} and role == REPORT_ROLE:
        mend = job  # with all of that it would be another role
    else:
        mend = f"{job}, or {statements}"
    what = f"{role} lacks privileges" + (f" for `retention {command}`" if command is not None else "")
    return Finding("privileges", ok=False, message=f"{what}; {mend}")


def row_security_findings(server: Any) -> list[Finding]:
    """Refuse row-level security on our tables, by checks/describe_server.sql: it would hide holds and pauses."""
    if not server.row_secured:
        return []
    tables = server.row_secured
    more = f" and {len(tables) - 1} more" if len(tables) > 1 else ""
    mend = "; ".join(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY" for table in tables)
    message = f"row-level security on {tables[0]}{more} hides rows from {server.role}, holds and pauses too: {mend}"
    return [Finding("row security", ok=False, message=message)]


def role_finding(server: Any) -> Finding:
    """Warn of a role that can delete evidence."""
    if not server.may_delete:
        return Finding("role", ok=True, message=f"{server.role}, who may delete nothing from the ledger")
    standing = ", a superuser," if server.superuser else ", who owns the ledger," if server.owner else ""
    job = (
        f"use {ROLE} in database.dsn"
        if server.has_job
        else f"run {SCRIPT} (`retention db sample` prints it), and use {ROLE} in database.dsn"
    )
    message = f"connected as {server.role}{standing} who may delete evidence: {job}"
    return Finding("role", ok=True, message=message, warning=True)
