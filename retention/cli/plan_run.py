"""`plan` and `run`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import GlobalOptions, command
from retention.cli.lookups import known_run, require_known
from retention.cli.metrics_file import RunMetrics, measuring
from retention.cli.options import AsJson, Limit, Markets, OlderThan, PolicyName, Processes, Reason, ResumedRun, Yes
from retention.cli.output import print_json
from retention.cli.parsing import duration, requester
from retention.cli.plan_output import (
    Bys,
    Compare,
    CompareFrom,
    Rounds,
    RoundsFile,
    RoundsFormat,
    Shown,
    print_summary,
    shown,
    tell_written,
    write_rounds,
)
from retention.core.name_matching import NameKind
from retention.errors import UsageError

if TYPE_CHECKING:
    from retention.core.planning.breakdown import By
    from retention.core.planning.plan import Scope
    from retention.core.runs.run_ids import GivenRunId
    from retention.process.shutdown import ShutdownSignals
    from retention.render.formats import ListFormat
    from retention.runs.model import Confirm, RunResult
    from retention.runs.service import RunService
    from retention.settings.model import Settings
    from retention.settings.policy import Policy
    from retention.wiring.services import Services

    Choice = tuple[Policy, Scope]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("plan")(plan)
    app.command("run")(run)


def _choice(
    settings: Settings,
    policy: str | None,
    market: list[str] | None,
    older_than: str | None,
    limit: int | None,
    reason: str | None,
    dry_run: bool = False,
    enforce: bool = False,
    resume: GivenRunId | None = None,
) -> Choice | None:
    """Return the policy as the options narrow it, and its scope; None for a resumed run. Raises UsageError."""
    from retention.runs.narrowing import narrowed
    from retention.runs.scope import scope_of

    if resume is not None:
        return None
    wanted = narrowed(
        settings.policy(policy),
        markets=market or (),
        older_than=duration("--older-than", older_than) if older_than is not None else None,
        mode="dry_run" if dry_run else "enforce" if enforce else None,
        reason=reason,
    )
    return wanted, scope_of(settings, wanted, limit)


def _refuse_conflicts(
    policy: str | None,
    market: list[str] | None,
    older_than: str | None,
    limit: int | None,
    dry_run: bool,
    enforce: bool,
    by: str | None,
    resume: GivenRunId | None,
    override: str | None,
) -> None:
    """Raise UsageError for options that exclude or require each other."""
    if dry_run and enforce:
        raise UsageError("--dry-run and --enforce exclude each other")
    if override is not None and resume is None:
        raise UsageError("--override goes with --resume RUN_ID")
    if override is not None and by is None:
        raise UsageError("--override needs --by WHO: both are recorded")
    if resume is not None and (policy or market or older_than or limit or dry_run or enforce):
        raise UsageError("--resume goes on with a run as it was planned; leave POLICY and the other choices out")


def _chosen_plan(
    settings: Settings,
    policy: str | None,
    market: list[str] | None,
    older_than: str | None,
    limit: int | None,
    reason: str | None,
    by: list[By] | None,
    rounds: bool,
    format_: ListFormat | None,
    as_json: bool,
    output: Path | None,
    compare: list[GivenRunId] | None,
    compare_from: str | None,
) -> tuple[Policy, Scope, Shown]:
    """Return the policy as the options narrow it, its scope, and the output. Raises UsageError."""
    view = shown(by, rounds, format_, as_json, output, limit, compare, compare_from)
    choice = _choice(settings, policy, market, older_than, limit, reason)
    assert choice is not None
    return *choice, view


@command(ready_for="plan", check=_chosen_plan, prints=True)
async def plan(
    services: Services,
    checked: tuple[Policy, Scope, Shown],
    /,
    policy: PolicyName = None,
    market: Markets = None,
    older_than: OlderThan = None,
    limit: Limit = None,
    reason: Reason = None,
    by: Bys = None,
    rounds: Rounds = False,
    format_: RoundsFormat = None,
    as_json: AsJson = False,
    output: RoundsFile = None,
    compare: Compare = None,
    compare_from: CompareFrom = None,
) -> None:
    """Show the plan of a run. Writes nothing, calls no vendor.

    --compare shows the fate of each round of an earlier run, such as a dry run: still stale, changed, cancelled, or
    come back, so that to cancel it would have been a mistake.
    """
    from retention.cli.plan_comparison import compared_runs, show_comparison
    from retention.core.planning.breakdown import broken_down
    from retention.render.json_file import row_objects
    from retention.reports.run_view import plan_document
    from retention.runs.plan_rails import recent_plan_sizes

    wanted, scope, view = checked
    await require_known(services, "--market", NameKind.MARKET, market or ())
    runs = await compared_runs(services, view, wanted.name) if view.compares else []
    found = await services.plans.preview_plan(scope, services.settings.clock_limit(wanted.name))
    found = replace(found, elsewhere=await services.stalls.list_overlapping_runs(wanted.name, scope, found.as_of))
    by_vendors = await services.pauses.list_vendor_pauses(scope.partners)
    by_people = await services.pauses.list_pauses(scope.partners)
    paces = {terms.partner: terms.pace for terms in services.terms(scope.partners)}
    recent = await recent_plan_sizes(services.run_ledger, wanted)
    document = plan_document(wanted, found, paces, by_vendors, by_people, recent)
    parts = [(one, broken_down(found.eligible, one)) for one in view.by]
    if parts:
        document["by"] = {one.value: row_objects(some) for one, some in parts}
    if runs:
        await show_comparison(services, view, runs, wanted, scope, document, found.as_of)
        return
    if not rounds:
        print_summary(view, document, parts)
        return
    async with services.plans.preview_rounds(scope, found.as_of) as listed:
        count = await write_rounds(view, document, parts, listed)
    tell_written(services, view, count)


@command(before=_refuse_conflicts, measure=measuring, check=_choice)
async def run(
    services: Services,
    signals: ShutdownSignals,
    global_options: GlobalOptions,
    measured: RunMetrics,
    checked: Choice | None,
    /,
    policy: PolicyName = None,
    market: Markets = None,
    older_than: OlderThan = None,
    limit: Limit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Call no vendor, in any mode of the policy.")] = False,
    enforce: Annotated[bool, typer.Option("--enforce", help="Cancel, in any mode of the policy.")] = False,
    by: Annotated[str | None, typer.Option(metavar="WHO", help="Who answers for it; else the user's name.")] = None,
    reason: Reason = None,
    yes: Yes = False,
    resume: ResumedRun = None,
    override: Annotated[str | None, typer.Option(metavar="TEXT", help="Pass the rail that halted it; why.")] = None,
    processes: Processes = 1,
    metrics_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write metrics for Prometheus's textfile collector.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Plan, check the rails, cancel, settle, and report the result."""
    from retention.cli.confirm import ask, at_a_terminal
    from retention.ledger.checks.readiness import require_ready
    from retention.render import terminal_runs
    from retention.reports.run_view import result_document
    from retention.wiring.fleet import with_helpers
    from retention.wiring.services import CONNECTIONS

    import_the_end()
    services = with_helpers(services, processes, global_options.log_form(), CONNECTIONS)
    measured.counters = services.counters
    try:
        # Checked here, so that the metrics file has the ledger's facts even where a privilege is missing.
        await require_ready(services.database)
        runs = services.runs(signals, show=True, stalled=partial(measured.stalled, services))
        if checked is not None:
            await require_known(services, "--market", NameKind.MARKET, market or ())
            ask_first = ask if at_a_terminal() and not yes else None
            measured.result = await _plan_and_execute(services, runs, checked, requester(by), reason, ask_first)
        else:
            assert resume is not None
            measured.resumed = await known_run(services, resume)
            measured.result = await runs.resume(measured.resumed, override=override, by=requester(by))
        document = result_document(measured.result)
        print_json(document) if as_json else terminal_runs.print_result(document)
        if signals.code is None:
            await services.send_notifications()
        return measured.result.exit
    finally:
        await measured.read_ledger(services)


async def _plan_and_execute(
    services: Services, runs: RunService, choice: Choice, by: str, reason: str | None, confirm: Confirm | None
) -> RunResult:
    from retention.runs.model import RequestedBy

    policy, scope = choice
    planned = await runs.plan(policy, scope, services.terms(scope.partners), RequestedBy(by, reason))
    assert planned is not None  # only a scheduled time can have a run already
    return await runs.execute(planned, confirm)


def import_the_end() -> None:
    """Import the modules that a run needs at its end: the package may be replaced while the run is under way."""
    from retention import metrics, metrics_file  # noqa: F401
    from retention.ledger import policy_facts  # noqa: F401
    from retention.notify import apprise_channel, notifier, webhook  # noqa: F401
    from retention.render import json_file  # noqa: F401
