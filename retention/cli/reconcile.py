"""`reconcile`: ledger, vendor, operator's view and wallet side by side."""

from __future__ import annotations

import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.lookups import known_run, require_known, warn_of_archived
from retention.cli.options import AsJson, OnlyRun
from retention.cli.parsing import period
from retention.core.name_matching import NameKind
from retention.errors import UsageError

if TYPE_CHECKING:
    from retention.cli.parsing import Period
    from retention.exit_codes import ExitCode
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("reconcile")(reconcile)


@command(ready_for="reconcile", check=period)
async def reconcile(
    services: Services,
    checked: Period,
    /,
    run: OnlyRun = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="T", help="Settled at or after; ISO 8601, UTC if it does not say.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="T", help="Settled before.")] = None,
    market: Annotated[str | None, typer.Option(metavar="M", help="Only this market.")] = None,
    as_json: AsJson = False,
) -> ExitCode:
    """Compare ledger, vendor, operator's view and wallet, and keep contradictions for review. Cancels nothing.

    Each finding is kept once, however often it is found. Exit code 4: there are findings, or the vendor did not
    tell of a round. 5: a vendor cannot be reached. 3: a partner is paused. Rounds that were not told are counted.
    """
    from retention.core.evidence.archives import of_period
    from retention.ledger.archives import Archives
    from retention.ledger.reconciliation import ReconcileScope
    from retention.render.reconciliation import Findings

    await require_known(services, "--market", NameKind.MARKET, [market] if market is not None else ())
    run_id = await known_run(services, run) if run is not None else None
    if run_id is not None and (await services.run_ledger.require_run(run_id)).mode == "dry_run":
        raise UsageError(f"run {run_id} is a dry run: it has cancelled nothing that could be compared")
    scope = ReconcileScope(*checked, market, run_id)
    archived = of_period(await Archives(services.database).all(), *checked, run_id=run_id)
    warn_of_archived(services, archived)
    with Findings() as findings:
        async with services.reconciler() as reconciler, aclosing(reconciler.reconcile(scope)) as batches:
            async for batch in batches:
                findings.add(batch)
        findings.write(scope, reconciler, sys.stdout, archived, as_json=as_json)
        return reconciler.exit_code()
