"""The checks that need the database: its clock, the objects of the contract, pauses, names, and secrets in data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from retention.checks.secret_findings import sample_ids, secret_findings
from retention.core.clock_check import offset_text
from retention.core.evidence.checkpoint import verifier_key
from retention.errors import ConfigurationError, RetentionError
from retention.ledger.checks.connections import check_connections
from retention.ledger.checks.finding import Finding
from retention.ledger.checks.names import check_names
from retention.ledger.checks.pgpool import check_pgpool
from retention.ledger.checks.readiness import check_database
from retention.ledger.checks.required_privileges import SERVE
from retention.ledger.clocks import Clocks
from retention.ledger.database import open_database
from retention.ledger.database_errors import UNAVAILABLE, describe_unavailable
from retention.ledger.pauses import Pauses
from retention.render.terminal_runs import person_pause, vendor_pause
from retention.runs.scope import scope_of
from retention.wiring.services import plan_views_of
from retention.wiring.signing import signer_of

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.ledger.checks.connections import ConnectionNeeds
    from retention.ledger.database import Database
    from retention.redaction import Redactor
    from retention.settings.model import Settings

LEDGER_READABLE = {"database", "schema", "privileges"}
"""The findings without which the ledger's own tables cannot be read."""


async def database_findings(
    settings: Settings, redactor: Redactor, log: FilteringBoundLogger | None, needs: ConnectionNeeds | None = None
) -> list[Finding]:
    """Check the database; an unreachable one is a finding, too. `log` reports long waits.

    `needs`: the processes that are to get connections.
    """
    secret = settings.database.dsn
    scopes = [(policy.name, scope_of(settings, policy)) for policy in settings.policies.values()]
    try:
        async with open_database(secret.reveal if secret else str, 1, log) as database:
            limits = {policy.name: policy.limits for policy in settings.policies.values()}
            findings = await check_pgpool(database)
            if not all(finding.ok for finding in findings):  # each answer may be another server's
                return [*findings, *secret_findings(settings, ())]
            findings += [
                await _clock(database, settings),
                *await check_database(
                    database,
                    scopes,
                    limits,
                    SERVE if settings.reports else None,
                    plan_views_of(settings, redactor, None),
                ),
            ]
            if needs is not None:
                findings.append(await check_connections(database, needs))
            if all(finding.ok for finding in findings if finding.name in LEDGER_READABLE):
                findings += await _pauses(database)
            if not all(finding.ok for finding in findings):
                return [*findings, *secret_findings(settings, ())]
            findings += await _signing(database, settings)
            reports = [(report.name, report.markets or ()) for report in settings.reports.values()]
            findings += await check_names(database, scopes, reports)
            return [*findings, *secret_findings(settings, await sample_ids(database))]
    except RetentionError as error:
        message = str(error)
    except UNAVAILABLE as error:
        message = describe_unavailable(error)
    except psycopg.Error as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        message = f"the database refused a statement: {first_line}"
    return [Finding("database", ok=False, message=redactor.text(message)), *secret_findings(settings, ())]


async def _clock(database: Database, settings: Settings) -> Finding:
    """Compare the database's clock with this process's, by the strictest limit of all policies."""
    clocks, limit = Clocks(), settings.clock_limit()
    await clocks.read(database)
    problem = clocks.problem(limit)
    message = (
        problem or f"the database's clock is {offset_text(clocks.difference)} this process's (limit {limit:.0f} s)"
    )
    return Finding("clock", ok=problem is None, message=message)


async def _signing(database: Database, settings: Settings) -> list[Finding]:
    """Show the public key of the checkpoints' signatures, where they are signed."""
    try:
        signer = signer_of(settings)
    except ConfigurationError as error:
        return [Finding("evidence", ok=False, message=str(error))]
    if signer is None:
        return []
    line = verifier_key((await database.row("evidence/get_frontier")).origin, signer.public_key)
    return [Finding("evidence", ok=True, message=f"checkpoints are signed; verify them with {line}")]


async def _pauses(database: Database) -> list[Finding]:
    by_people = {
        one.partner or "all partners": person_pause(one.partner, one.paused_by, one.paused_at, one.reason)
        for one in await Pauses(database).list_pauses()
    }
    by_vendors = await Pauses(database).list_vendor_pauses(None)
    pauses = [*by_people.items(), *((partner, vendor_pause(partner, until)) for partner, until in by_vendors.items())]
    return [Finding(f"pause of {name}", ok=True, message=message, warning=True) for name, message in pauses]
