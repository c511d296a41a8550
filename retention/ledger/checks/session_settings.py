"""Checks the session settings that our statements need; a setting that we cannot change is named, with its repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.ledger.checks.finding import Finding

if TYPE_CHECKING:
    from retention.ledger.database import Database

SMALL_TEMP_BYTES = 2**30
"""Bytes of temporary files that sorting a large plan may need."""


async def check_session(database: Database) -> list[Finding]:
    """Find the operator's defaults that change the behaviour of our statements."""
    async with database.connection() as session:
        pooled = session.pooled
    return session_findings(await database.row("checks/describe_session"), pooled=pooled)


def session_findings(row: Any, *, pooled: bool) -> list[Finding]:
    """Judge a session by checks/describe_session.sql; `pooled`: a pooler stands between."""
    for_role = f"ALTER ROLE {row.role} IN DATABASE {row.database}"
    wrong = []
    if row.standby:
        wrong.append(
            "the server is a standby, which only reads: name its primary in database.dsn, "
            "or add target_session_attrs=read-write"
        )
    elif row.read_only:
        wrong.append(f"it only reads: {for_role} SET default_transaction_read_only = off")
    if row.replication_role == "replica":
        wrong.append(
            "session_replication_role is replica, so no trigger and no foreign key is minded: "
            f"{for_role} SET session_replication_role = origin"
        )
    wrong += [f"{other}, which this job could not change: {for_role} RESET {other.split()[0]}" for other in row.others]
    if wrong:
        return [Finding("session", ok=False, message="; ".join(wrong))]
    doubtful = []
    if row.temp_bytes is not None and row.temp_bytes < SMALL_TEMP_BYTES:
        doubtful.append(
            f"temp_file_limit is {row.temp_file_limit}, and a large plan may need more to be sorted: "
            f"ALTER ROLE {row.role} SET temp_file_limit = -1"
        )
    if row.led_astray:
        doubtful.append(
            f"search_path is {row.search_path}, so functions there come before PostgreSQL's own: "
            f"{for_role} SET search_path without pg_catalog, or with it first"
        )
    if doubtful:
        return [Finding("session", ok=True, message="; ".join(doubtful), warning=True)]
    how = "each transaction, since a pooler stands between" if pooled else "each session"
    return [Finding("session", ok=True, message=f"what our statements rely on is set for {how}")]
