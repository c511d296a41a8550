"""`plan` and `run`."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import default_requester, emit_json, run_with_services
from retention.cli.confirm import ask, at_a_terminal
from retention.cli.lookups import MOST, require_known
from retention.cli.metrics_file import measuring
from retention.cli.parsing import duration
from retention.cli.run_ids import ResumedRun, known_run
from retention.core.names import NameKind
from retention.errors import UsageError

if TYPE_CHECKING:
    from retention.core.planning.plan import Scope
    from retention.process.shutdown import ShutdownSignals
    from retention.settings import Settings
    from retention.settings.model import Policy
    from retention.wiring.services import Services

PolicyName = Annotated[str | None, typer.Argument(metavar="POLICY", help="May be left out where there is only one.")]
Markets = Annotated[
    list[str] | None, typer.Option("--market", metavar="M", help="Only this market; may be given more than once.")
]
OlderThan = Annotated[
    str | None,
    typer.Option(metavar="D", help="Another age than the policy's, such as 96h; a lower one needs --reason."),
]
Limit = Annotated[
    int | None, typer.Option(min=1, max=MOST, metavar="N", help="Only the oldest N; the rails look at those.")
]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("plan")(plan)
    app.command("run")(run)


def plan(
    context: typer.Context,
    policy: PolicyName = None,
    market: Markets = None,
    older_than: OlderThan = None,
    limit: Limit = None,
    reason: Reason = None,
    rounds: Annotated[
        bool, typer.Option("--rounds", help="List the rounds too, left out ones with their reason.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a run would do. Writes nothing, calls nobody."""

    def asked(settings: Settings) -> tuple[Policy, Scope]:
        return _asked(settings, policy, market, older_than, limit, None, reason)

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.render import terminal_runs as show
        from retention.render.json_file import write_plan_json
        from retention.reports.run_view import plan_document

        wanted, scope = asked(services.settings)
        await require_ready(services.database, "plan")
        await require_known(services, "--market", NameKind.MARKET, market or ())
        found = await services.plans.preview_plan(scope, services.settings.clock_limit(wanted.name))
        elsewhere = await services.stalls.list_overlapping_runs(wanted.name, scope, found.as_of)
        found = replace(found, elsewhere=elsewhere)
        by_vendors = await services.pauses.list_vendor_pauses(scope.partners)
        by_people = await services.pauses.list_pauses(scope.partners)
        rates = {terms.partner: terms.cancels_per_second for terms in services.terms(scope.partners)}
        document = plan_document(wanted, found, rates, by_vendors, by_people)
        if not rounds:
            emit_json(document) if as_json else show.print_plan(document)
            return 0
        async with services.plans.preview_rounds(scope, found.as_of) as listed:
            if as_json:
                await write_plan_json(document, listed, sys.stdout)
            else:
                await show.print_plan_rounds(document, listed)
        return 0

    run_with_services(context, work, asked=asked, prints=True)


def run(
    context: typer.Context,
    policy: PolicyName = None,
    market: Markets = None,
    older_than: OlderThan = None,
    limit: Limit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Call nobody, whatever the policy's mode.")] = False,
    enforce: Annotated[bool, typer.Option("--enforce", help="Cancel, whatever the policy's mode.")] = False,
    by: Annotated[str | None, typer.Option(metavar="WHO", help="Who answers for it; else the user's name.")] = None,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")] = False,
    resume: ResumedRun = None,
    override: Annotated[str | None, typer.Option(metavar="TEXT", help="Pass the rail that halted it; why.")] = None,
    metrics_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write metrics for Prometheus's textfile collector.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Plan, check the rails, cancel, settle, and tell what became of it."""
    if dry_run and enforce:
        raise UsageError("--dry-run and --enforce exclude each other")
    if override is not None and resume is None:
        raise UsageError("--override goes with --resume RUN_ID")
    if override is not None and by is None:
        raise UsageError("--override needs --by WHO: both are recorded")
    if resume is not None and (policy or market or older_than or limit or dry_run or enforce):
        raise UsageError("--resume goes on with a run as it was planned; leave POLICY and the other choices out")

    def asked(settings: Settings) -> tuple[Policy, Scope]:
        mode = "dry_run" if dry_run else "enforce" if enforce else None
        return _asked(settings, policy, market, older_than, limit, mode, reason)

    async def work(services: Services, signals: ShutdownSignals) -> int:
        _load_the_end()
        measured.tally = services.tally
        try:
            return await carried_out(services, signals)
        finally:
            await measured.read_ledger(services)

    async def carried_out(services: Services, signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.render import terminal_runs as show
        from retention.reports.run_view import result_document
        from retention.runs.model import RequestedBy

        runs = services.runs(signals, show=True, stalled=partial(measured.stalled, services))
        if resume is not None:
            await require_ready(services.database)
            measured.resumed = await known_run(services, resume)
            finished = await runs.resume(measured.resumed, override=override, by=default_requester(by))
        else:
            wanted, scope = asked(services.settings)
            await require_ready(services.database)
            await require_known(services, "--market", NameKind.MARKET, market or ())
            planned = await runs.plan(
                wanted, scope, services.terms(scope.partners), RequestedBy(default_requester(by), reason)
            )
            assert planned is not None  # only a scheduled time can have a run already
            finished = await runs.execute(planned, ask if at_a_terminal() and not yes else None)
        measured.finished = finished
        document = result_document(finished)
        emit_json(document) if as_json else show.print_result(document)
        if signals.code is None:
            await services.tell()
        return int(finished.exit)

    with measuring(context, metrics_file, policy, resumed=resume is not None) as measured:
        run_with_services(context, work, asked=asked if resume is None else None)


def _load_the_end() -> None:
    """Import what a run needs once it is over: the package may be replaced while it goes on."""
    from retention import metrics, metrics_file  # noqa: F401
    from retention.ledger import policy_facts  # noqa: F401
    from retention.notify import apprise_channel, notifier, webhook  # noqa: F401
    from retention.render import json_file  # noqa: F401


def _asked(
    settings: Settings,
    policy: str | None,
    markets: list[str] | None,
    older_than: str | None,
    limit: int | None,
    mode: str | None,
    reason: str | None,
) -> tuple[Policy, Scope]:
    from retention.runs.narrowing import narrowed
    from retention.runs.scope import scope_of

    wanted = narrowed(
        settings.policy(policy),
        markets=markets or (),
        older_than=duration("--older-than", older_than) if older_than is not None else None,
        mode=mode,
        reason=reason,
    )
    return wanted, scope_of(settings, wanted, limit)
