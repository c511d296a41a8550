"""`plan --compare`: earlier runs beside the plan of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.cli.lookups import known_run
from retention.cli.output import open_output, print_json
from retention.cli.plan_output import tell_written
from retention.core.text import time_text
from retention.errors import UsageError
from retention.render.formats import ListFormat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from retention.cli.plan_output import Shown
    from retention.core.planning.plan import Scope
    from retention.core.planning.plan_comparison import ComparedRound
    from retention.ledger.run_record import RunRecord
    from retention.settings.policy import Policy
    from retention.wiring.services import Services


async def compared_runs(services: Services, view: Shown, policy: str) -> list[RunRecord]:
    """Find the runs to compare with, the oldest first. Raises UsageError where there is none."""
    if view.since is not None:
        found = await services.run_ledger.list_dry_runs(policy, view.since)
        if not found:
            raise UsageError(f"policy {policy} has no dry run as of {time_text(view.since)} or later")
    else:
        found = [await known_run(services, given) for given in view.compare]
    runs = [await services.run_ledger.require_run(run_id) for run_id in dict.fromkeys(found)]
    for run in runs:
        if run.unwritten is not None:
            rounds = run.unwritten["rounds"]
            raise UsageError(f"a rail halted run {run.run_id} before its {rounds} rounds were written: it has none")
    return sorted(runs, key=lambda run: (run.as_of, run.run_id))


async def show_comparison(
    services: Services,
    view: Shown,
    runs: Sequence[RunRecord],
    policy: Policy,
    scope: Scope,
    plan: Mapping[str, Any],
    as_of: datetime,
) -> None:
    """Compare runs with the plan of now, whose document is `plan`. Raises UsageError for the place."""
    from retention.render.terminal_comparison import print_comparison
    from retention.reports.compared_runs import comparison_document
    from retention.runs.narrowing import CONFIGURED, NAMED

    newest = {key: value for key, value in runs[-1].settings.items() if key not in {CONFIGURED, NAMED}}
    now = policy.model_copy(update={"partners": scope.partners}).as_record()
    async with services.plans.compare_runs([run.run_id for run in runs], scope, as_of) as (groups, rounds):
        compared = comparison_document(runs, groups, newest, now)
        if view.rounds:
            tell_written(services, view, await _write_rounds(view, plan, compared, rounds))
        elif view.form is ListFormat.JSON:
            print_json({**plan, "compared": compared})
        else:
            print_comparison(plan, compared, view.by)


async def _write_rounds(
    view: Shown, plan: Mapping[str, Any], compared: Mapping[str, Any], rounds: AsyncIterator[ComparedRound]
) -> int:
    from retention.core.planning.plan_comparison import ComparedRound
    from retention.render.csv_file import write_rows
    from retention.render.json_file import write_with_list
    from retention.render.terminal_comparison import print_compared_rounds

    with open_output(view.output) as file:
        match view.form:
            case ListFormat.CSV:
                return await write_rows(ComparedRound._fields, rounds, file)
            case ListFormat.JSON:
                return await write_with_list({**plan, "compared": compared}, "compared_rounds", rounds, file)
        return await print_compared_rounds(plan, compared, view.by, rounds, file)
