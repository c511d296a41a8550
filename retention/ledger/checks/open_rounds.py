"""Looks once at all open rounds: whether each row can be read, and whether partners and times fit the configuration."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from retention.core.model import VIEW
from retention.core.name_matching import closest_name, list_names
from retention.core.text import counted, format_duration, printable
from retention.ledger.checks.bad_rows import SHOWN_ID_CHARS_MAX, describe_bad_row, shown_ids
from retention.ledger.checks.finding import Finding
from retention.ledger.database_errors import BusyError
from retention.ledger.operator_view import is_transient
from retention.ledger.read_replica import CONFLICT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from retention.core.planning.plan import Scope
    from retention.ledger.database import Database

VIEW_TIME_S = 30
"""Seconds that one look at the view may take: checks/limit_view_time.sql."""

SHOWN_ROUNDS = 3
"""Ids of rounds that a finding names for each reason."""

GROUPS_MAX = 1000
"""Partners and markets that one look reads at most, the most frequent first."""


@dataclass(frozen=True, slots=True)
class ViewLook:
    """One look at the view. `rows` is None if there is no answer, and `blocked` if another look would raise, too."""

    rows: Sequence[Any] | None
    seconds: float = 0.0
    problem: Finding | None = None
    blocked: bool = False


async def read_view(database: Database, name: str, statement: str, **values: Any) -> ViewLook:
    """Run a statement on the view, which only reads, within 30 s; a problem is a finding of this name."""
    began = time.monotonic()
    try:
        async with database.transaction(snapshot=True) as transaction:
            await transaction.rows("checks/limit_view_time")
            shown = {"shown": SHOWN_ROUNDS, "longest": SHOWN_ID_CHARS_MAX}
            rows = await transaction.rows(statement, **shown, **values)
    except BusyError as error:
        if error.sqlstate == CONFLICT:  # a replica had to replay a change
            raise
        message = (
            f"{VIEW} was not read within {VIEW_TIME_S} s: give it the indexes named here, look with EXPLAIN (ANALYZE)"
            " where the time goes, and in pg_locks whether another session locks its tables"
        )
        return ViewLook(None, problem=Finding(name, ok=True, message=message, warning=True))
    except psycopg.Error as error:
        if is_transient(error):
            raise
        message = await describe_bad_row(database, error)
        return ViewLook(None, problem=Finding(name, ok=False, message=message), blocked=True)
    return ViewLook(rows, time.monotonic() - began)


async def look_at_open_rounds(database: Database, as_of: datetime) -> ViewLook:
    """Read every column of each open round."""
    return await read_view(database, "open rounds", "checks/examine_open_rounds", as_of=as_of, limit=GROUPS_MAX)


def open_round_findings(look: ViewLook, partners: Collection[str], as_of: datetime) -> list[Finding]:
    """Judge the open rounds by one look. `partners`: all that are configured."""
    if look.rows is None:
        return [look.problem] if look.problem else []
    rounds = sum(row.rounds for row in look.rows)
    where = ""
    if rounds:
        markets = list_names({row.market for row in look.rows if row.market})
        where = f" of {list_names({row.partner for row in look.rows if row.partner})}, in {markets}"
    message = f"{counted(rounds, 'round')}{where}; each can be read, in {look.seconds:.1f} s"
    findings = [Finding("open rounds", ok=True, message=message)]
    findings += _strangers(look.rows, partners)
    if ahead := sum(row.ahead for row in look.rows):
        first = [one for row in look.rows for one in row.first_ahead or ()][:SHOWN_ROUNDS]
        furthest = max(row.newest_ahead for row in look.rows if row.newest_ahead) - as_of
        message = (
            f"{counted(ahead, 'round')} of {VIEW} opened in the future, by up to {_roughly(furthest)}"
            f" ({shown_ids(first, ahead)}): times of another zone? Write opened_at AT TIME ZONE 'ZONE' in the view"
        )
        findings.append(Finding("opened_at", ok=True, message=message, warning=True))
    return findings


def _strangers(rows: Sequence[Any], partners: Collection[str]) -> list[Finding]:
    """Warn of the partners of open rounds that no table of the configuration has."""
    strange: dict[str, int] = {}
    for row in rows:
        if row.partner and row.partner.strip() and row.partner not in partners:
            strange[row.partner] = strange.get(row.partner, 0) + row.rounds
    if not strange:
        return []
    parts = []
    for name, rounds in list(strange.items())[:SHOWN_ROUNDS]:
        meant = closest_name(name, partners)
        mend = f"did you mean {printable(meant)}?" if meant is not None else f"known: {list_names(partners)}"
        parts.append(f"{printable(name)} ({counted(rounds, 'open round')}; {mend})")
    more = f" and {len(strange) - SHOWN_ROUNDS} more" if len(strange) > SHOWN_ROUNDS else ""
    message = (
        f"{VIEW} has partners that are not configured, and no run takes their rounds (unknown_partner):"
        f" {', '.join(parts)}{more}; give the names of [partners.NAME] AS partner in the view, or add or rename a table"
    )
    return [Finding("partners", ok=True, message=message, warning=True)]


def why_none(look: ViewLook, scope: Scope, as_of: datetime, left_out: int) -> tuple[str, bool]:
    """Say why a policy has no stale round; the second value: whether that looks like a mistake.

    `left_out`: the stale rounds of the policy that no run plans now.
    """
    rows = [row for row in look.rows or () if row.rounds]
    if not rows:
        return f"none: {VIEW} has no open round now", False
    counts = {"of other partners": 0, "of partners that are not configured": 0, "in markets that it leaves out": 0}
    young, others, oldest = 0, 0, None
    cutoff = as_of - scope.open_longer_than
    for row in rows:
        if row.partner not in scope.partners:
            known = row.partner in scope.other_partners
            counts["of other partners" if known else "of partners that are not configured"] += row.rounds
        elif (scope.markets is not None and row.market not in scope.markets) or row.market in scope.exclude_markets:
            counts["in markets that it leaves out"] += row.rounds
        elif row.oldest is None or row.oldest > cutoff:
            young += row.rounds
            oldest = min(filter(None, (oldest, row.oldest)), default=None)
        else:
            others += row.rounds
    parts = [f"{rounds} {words}" for words, rounds in counts.items() if rounds]
    if young:
        age = f" (the oldest for {_roughly(as_of - oldest)})" if oldest else ""
        parts.append(f"{young} open for less than {format_duration(scope.open_longer_than)}{age}")
    if others:
        held = f", {left_out} of them stale and left out" if left_out else ""
        parts.append(f"{others} too young, too active, of other games or left out{held}")
    # Partners that are not configured have a finding of their own, with the mend.
    doubtful = bool(counts["in markets that it leaves out"]) and not young and not others
    mend = "; correct its markets, or the view's" if doubtful else ""
    return f"none of {counted(sum(row.rounds for row in rows), 'open round')}: {', '.join(parts)}{mend}", doubtful


def _roughly(span: timedelta) -> str:
    """Write a duration without the units that do not matter."""
    seconds = max(0, int(span.total_seconds()))
    unit = 3600 if seconds >= 86_400 else 60 if seconds >= 3600 else 1  # noqa: PLR2004 - seconds
    return format_duration(timedelta(seconds=seconds // unit * unit))
