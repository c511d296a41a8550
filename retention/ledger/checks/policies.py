"""Checks a policy's stale rounds before a run; each statement only reads, for at most five seconds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from retention.core.planning.plan import WHY_UNPLANNABLE, Group, Plan
from retention.core.planning.rails import NO_USUAL_SIZE, SURGE_RUNS, check_plan
from retention.ledger.checks.finding import Finding
from retention.ledger.database_errors import BusyError
from retention.ledger.operator_view import describe_view_error, is_transient
from retention.ledger.plans import DOUBLED_ROUNDS_SHOWN
from retention.ledger.records import records

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from retention.core.planning.rails import Limits
    from retention.ledger.database import Database

BROKEN_ROUNDS_SHOWN = 3
"""A finding names at most so many rows per reason."""

SHOWN_ID_CHARS_MAX = 60
"""Characters shown of an id, because the id of a broken row may have any length."""

TIMED_OUT = "not found within 5 seconds; `retention plan` takes its time"


async def policy_findings(
    database: Database, policy: str, values: Mapping[str, Any], limits: Limits | None
) -> list[Finding]:
    """Check a policy's stale rounds; `values` are stale_rounds.sql's parameters, `limits` the rails of a next run."""
    findings = await _findings_of(
        database, f"doubled rounds of policy {policy}", _describe_doubled, "plans/list_doubled_rounds", values
    )
    findings += await _findings_of(
        database, f"left out rounds of policy {policy}", _describe_broken, "checks/count_broken_rounds", values
    )
    if limits is not None:
        recent: list[int] = []
        if limits.max_surge is not None:
            sizes = await database.rows("runs/list_recent_plan_sizes", policy=policy, limit=SURGE_RUNS)
            recent = [row.rounds for row in sizes]
            if not recent:
                findings.append(Finding(f"max_surge of policy {policy}", ok=True, message=NO_USUAL_SIZE))
        halts = partial(_describe_halts, limits, values["as_of"], recent)
        findings += await _findings_of(
            database, f"rails of policy {policy}", halts, "plans/preview_plan", values, limit=None
        )
        # After one timeout the other statement would time out as well.
        if not findings or findings[-1].message != TIMED_OUT:
            unlimited = partial(_describe_unlimited, limits, values["as_of"])
            findings += await _findings_of(
                database, f"max_amount of policy {policy}", unlimited, "plans/preview_plan", values, limit=None
            )
    return findings


async def _findings_of(
    database: Database,
    name: str,
    describe: Callable[[Sequence[Any]], str],
    statement: str,
    values: Mapping[str, Any],
    limit: int | None = DOUBLED_ROUNDS_SHOWN,
) -> list[Finding]:
    """Run a statement with the time limit; warn with the text that `describe` makes of its rows."""
    try:
        async with database.transaction() as transaction:
            await transaction.rows("session/limit_statement_time")
            shown = {"limit": limit, "shown": BROKEN_ROUNDS_SHOWN, "longest": SHOWN_ID_CHARS_MAX}
            rows = await transaction.rows(statement, **shown, **values)
    except BusyError:
        return [Finding(name, ok=True, message=TIMED_OUT)]
    except psycopg.Error as error:
        if is_transient(error):
            raise
        return [Finding(name, ok=False, message=describe_view_error(error))]
    message = describe(rows) if rows else ""
    return [Finding(name, ok=True, message=message, warning=True)] if message else []


def _describe_doubled(rows: Sequence[Any]) -> str:
    rounds = ", ".join(f"{row.partner}/{row.round_id}" for row in rows)
    return (
        f"retention.open_rounds has these more than once, and they are left out: {rounds}; make it give each round once"
    )


def _describe_broken(rows: Sequence[Any]) -> str:
    """Name reasons, counts and first rows, and the partner if it is not configured."""
    kinds = []
    for row in rows:
        first = ", ".join("(none)" if name is None else str(name) for name in row.first_rounds)
        of = f" of partner {row.partner}" if row.partner is not None else ""
        more = ", ..." if row.rounds > len(row.first_rounds) else ""
        kinds.append(f"{row.rounds} with {WHY_UNPLANNABLE[row.broken]}{of}, {row.broken} ({first}{more})")
    return (
        f"rows of retention.open_rounds are left out: {'; '.join(kinds)};"
        " correct the view, or the configuration's partners: `retention plan --rounds` lists all of them"
    )


def _describe_halts(limits: Limits, as_of: datetime, recent: Sequence[int], rows: Sequence[Any]) -> str:
    """Name the rails that a run of these rounds would trip. `recent`: the planned rounds of earlier runs."""
    tripped = check_plan(Plan(as_of, tuple(records(Group, rows))).totals(), limits, recent=recent)
    return f"a run would halt now: {'; '.join(map(str, tripped))}" if tripped else ""


def _describe_unlimited(limits: Limits, as_of: datetime, rows: Sequence[Any]) -> str:
    codes = Plan(as_of, tuple(records(Group, rows))).currencies_without_limit(limits.max_amount)
    return f"has no limit for stakes in {', '.join(codes)}, which are open now; add one for each" if codes else ""
