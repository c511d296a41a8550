"""Checks a policy's stale rounds before a run: its stale query runs once, and only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.planning.plan import DUPLICATED, WHY_UNPLANNABLE, Group, Plan
from retention.core.planning.rails import NO_USUAL_SIZE, SURGE_RUNS, check_plan
from retention.core.text import counted, printable
from retention.ledger.checks.bad_rows import shown_ids
from retention.ledger.checks.finding import Finding
from retention.ledger.checks.open_rounds import read_view, why_none
from retention.ledger.records import records
from retention.ledger.scope_parameters import scope_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from retention.core.planning.plan import Scope
    from retention.core.planning.rails import Limits
    from retention.ledger.checks.open_rounds import ViewLook
    from retention.ledger.database import Database

SLOW_S = 2.0
"""Seconds of a stale query that is slow: a plan runs it while others use the same tables."""

ROUND_S = 0.0001
"""Seconds more for each stale round: a million of them took 20 s on a busy machine, with every index."""

UNKNOWN_PARTNER = "unknown_partner"
"""The code of a row whose partner is not configured. The look at all open rounds names those partners."""

ODDITIES = {
    "no_stake": "no stake",
    "negative_stake": "a negative stake",
    "no_currency": "a stake without a currency",
    "bad_currency": "a currency that is no code of ISO 4217",
}
"""What may be odd about the stake of a planned round, by the codes of checks/examine_stale_rounds.sql."""

SHARED = ("doubled", "left out", "stakes")
"""How findings about rows begin that several policies may share."""

_LEFT_OUT = {
    "held": "on hold",
    "in_ledger": "of other runs or cancelled already",
    "given_up": "given up after max_runs",
}


async def policy_findings(
    database: Database, policy: str, scope: Scope, as_of: datetime, limits: Limits | None, look: ViewLook
) -> tuple[list[Finding], bool]:
    """Check a policy's stale rounds; returns also whether the view raises, so that another query raises, too.

    `limits`: the rails of a next run. `look`: the look at all open rounds.
    """
    name = f"stale rounds of policy {policy}"
    values = scope_parameters(scope, as_of)
    found = await read_view(database, name, "checks/examine_stale_rounds", limit=None, **values)
    if found.rows is None:
        return [found.problem] if found.problem else [], found.blocked
    plan = Plan(as_of, tuple(records(Group, (row for row in found.rows if row.standing == "eligible"))))
    others = [row for row in found.rows if row.standing != "eligible"]
    findings = [_stale(name, plan, others, found, look, scope)]
    findings += _doubled(policy, [row for row in others if row.standing == DUPLICATED])
    named_already = look.rows is not None
    broken = [row for row in others if row.standing in WHY_UNPLANNABLE]
    findings += _broken(policy, [row for row in broken if not (named_already and row.standing == UNKNOWN_PARTNER)])
    findings += _odd(policy, [row for row in others if row.standing in ODDITIES])
    if limits is not None:
        findings += await _rails(database, policy, plan, limits)
    return findings, False


def _stale(name: str, plan: Plan, others: Sequence[Any], found: ViewLook, look: ViewLook, scope: Scope) -> Finding:
    """Say how many rounds are stale and how long it took to find them; slow is a warning."""
    left_out = [f"{rounds} {words}" for code, words in _LEFT_OUT.items() if (rounds := _sum(others, code))]
    if plan.rounds == 0 and look.rows is not None:
        message, doubtful = why_none(look, scope, plan.as_of, sum(_sum(others, code) for code in _LEFT_OUT))
    else:
        message, doubtful = f"{plan.rounds} to cancel now", False
    message += f"; besides {', '.join(left_out)}" if left_out else ""
    message += f"; found in {found.seconds:.1f} s"
    if found.seconds > SLOW_S + ROUND_S * sum(row.rounds for row in (*plan.eligible, *others)):
        message += (
            f", longer than {SLOW_S:.0f} s: give the view the indexes that `index use` wants, and ANALYZE its tables;"
            " EXPLAIN (ANALYZE) of the view shows where the time goes"
        )
        doubtful = True
    return Finding(name, ok=True, message=message, warning=doubtful)


def _sum(rows: Sequence[Any], standing: str) -> int:
    return sum(row.rounds for row in rows if row.standing == standing)


def _doubled(policy: str, rows: Sequence[Any]) -> Iterator[Finding]:
    if rows:
        groups = "; ".join(f"{row.rounds} of {printable(row.partner)} ({_ids(row)})" for row in rows)
        message = (
            f"rows of retention.open_rounds with a round that it has more than once are left out: {groups}; make it"
            " give each round once: a join may find several rows, DISTINCT ON (partner, round_id) keeps one"
        )
        yield Finding(f"doubled rounds of policy {policy}", ok=True, message=message, warning=True)


def _broken(policy: str, rows: Sequence[Any]) -> Iterator[Finding]:
    """Name reasons, counts and first rounds, and the partner."""
    if rows:
        kinds = [
            f"{row.rounds} with {WHY_UNPLANNABLE[row.standing]}{_of(row)}, {row.standing} ({_ids(row)})" for row in rows
        ]
        message = (
            f"rows of retention.open_rounds are left out: {'; '.join(kinds)};"
            " correct the view, or the configuration's partners: `retention plan --rounds` lists all of them"
        )
        yield Finding(f"left out rounds of policy {policy}", ok=True, message=message, warning=True)


def _odd(policy: str, rows: Sequence[Any]) -> Iterator[Finding]:
    """Warn of stakes that no rail can judge; their rounds are planned all the same."""
    if rows:
        kinds = [
            f"{counted(row.rounds, 'round')}{_of(row)} with {ODDITIES[row.standing]} ({_ids(row)})" for row in rows
        ]
        message = (
            f"{'; '.join(kinds)}: they are cancelled, but max_amount cannot judge them and no refund is compared; give"
            " stake and currency in the view"
        )
        yield Finding(f"stakes of policy {policy}", ok=True, message=message, warning=True)


def _of(row: Any) -> str:
    return f" of partner {printable(row.partner)}" if row.partner is not None else ""


def _ids(row: Any) -> str:
    return shown_ids(row.first_rounds or (), row.rounds)


async def _rails(database: Database, policy: str, plan: Plan, limits: Limits) -> list[Finding]:
    """Name the rails that a run of these rounds would trip, and the currencies without a limit."""
    findings, recent = [], []
    if limits.max_surge is not None:
        sizes = await database.rows("runs/list_recent_plan_sizes", policy=policy, limit=SURGE_RUNS)
        recent = [row.rounds for row in sizes]
        if not recent:
            findings.append(Finding(f"max_surge of policy {policy}", ok=True, message=NO_USUAL_SIZE))
    if tripped := check_plan(plan.totals(), limits, recent=recent):
        message = f"a run would halt now: {'; '.join(map(str, tripped))}"
        findings.append(Finding(f"rails of policy {policy}", ok=True, message=message, warning=True))
    if codes := plan.currencies_without_limit(limits.max_amount):
        message = f"has no limit for stakes in {', '.join(codes)}, which are open now; add one for each"
        findings.append(Finding(f"max_amount of policy {policy}", ok=True, message=message, warning=True))
    return findings
