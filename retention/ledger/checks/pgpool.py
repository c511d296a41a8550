"""Checks a Pgpool-II between this process and the servers: it may send statements to a replica, or to every server.

A replica has no row lock of a claim, and shows holds and pauses late. So the job's statements must all reach the
primary: without load balancing, or with `app_name_redirect_preference_list = 'retention:primary'`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, LiteralString

import psycopg
from psycopg.rows import tuple_row

from retention.ledger.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from retention.ledger.database import Database

NAME = "pgpool"

_SETTINGS: LiteralString = "PGPOOL SHOW ALL"
"""A statement of Pgpool-II's own, so no file of sql/queries/. PostgreSQL answers it with a syntax error."""

_ONE_PRIMARY = {"streaming_replication", "logical_replication", "raw"}
"""The modes in which one server alone gets the writing statements."""


async def check_pgpool(database: Database) -> list[Finding]:
    """Judge the settings of a Pgpool-II; no finding on a server without one."""
    try:
        async with database.connection() as session, session.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_SETTINGS)
            settings = {row[0]: row[1] for row in await cursor.fetchall()}
            return [pgpool_finding(settings, session.info.dbname)]
    except psycopg.errors.SyntaxError:
        return []


def pgpool_finding(settings: Mapping[str, str], database: str) -> Finding:
    """Judge settings of Pgpool-II for the job's statements in this database."""
    if problems := list(_problems(settings, database)):
        return Finding(NAME, ok=False, message=f"Pgpool-II stands between: {'; '.join(problems)}")
    return Finding(
        NAME, ok=True, message="Pgpool-II stands between, and sends all statements of the job to the primary"
    )


def _problems(settings: Mapping[str, str], database: str) -> Iterator[str]:
    mode = settings.get("backend_clustering_mode", "streaming_replication")
    if mode not in _ONE_PRIMARY:
        yield (
            f"backend_clustering_mode is {mode}, where each server computes ids and times for itself:"
            " set it to streaming_replication"
        )
    elif settings.get("load_balance_mode") == "on" and not (
        _redirected(settings.get("app_name_redirect_preference_list", ""), "retention")
        or _redirected(settings.get("database_redirect_preference_list", ""), database)
    ):
        yield (
            "load_balance_mode is on, so a replica may get what looks up holds, pauses and open rounds: set"
            " app_name_redirect_preference_list = 'retention:primary', or load_balance_mode = off"
        )
    if settings.get("statement_level_load_balance") == "on":  # seen with 4.3, without any balancing too
        yield "statement_level_load_balance is on, and transactions break off with a kind mismatch: set it to off"
    if settings.get("memory_cache_enabled") == "on":
        yield "memory_cache_enabled is on, so an answer may be an old one: set it to off"


def _redirected(preferences: str, name: str) -> bool:
    """Whether all of this name goes to the primary; in the list of `pattern:node(share)` the first match counts."""
    for one in preferences.split(","):
        pattern, _, node = one.strip().rpartition(":")
        if pattern and _matches(pattern, name):
            return node in {"primary", "primary(1)", "primary(1.0)"}
    return False


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error:
        return pattern == name
