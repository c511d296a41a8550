"""`runs`: the list of runs, one run, and the end of a run that a person calls off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.help_text import WholeHelp
from retention.cli.lookups import known_run
from retention.cli.options import MAX_COUNT, AsJson, By, RunId
from retention.cli.output import print_json
from retention.cli.parsing import requester

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals
    from retention.wiring.services import Services

UNFINISHED = frozenset({"planned", "running", "halted"})
"""The statuses of runs that a vendor's pause still holds up."""


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    runs = typer.Typer(cls=WholeHelp, help="Runs and their results.", no_args_is_help=True)
    runs.command("list")(runs_list)
    runs.command("show")(runs_show)
    runs.command("close")(runs_close)
    app.add_typer(runs, name="runs")


@command(ready_for="runs list", prints=True)
async def runs_list(
    services: Services,
    /,
    limit: Annotated[int, typer.Option(min=1, max=MAX_COUNT, metavar="N", help="The newest N.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest runs with their counts."""
    from retention.render.json_file import row_objects
    from retention.render.terminal_lists import print_runs

    found = await services.run_ledger.list_runs(limit)
    if as_json:
        print_json(row_objects(found))
        return
    print_runs(found, await services.run_ledger.count_telling_digits([row.run_id for row in found]))


@command(ready_for="runs show", prints=True)
async def runs_show(services: Services, /, run: RunId, as_json: AsJson = False) -> None:
    """Show one run: who asked for it, its settings and its result."""
    from retention.render.terminal_runs import print_record
    from retention.reports.run_view import record_document

    run_id = await known_run(services, run)
    row = await services.run_ledger.require_run(run_id)
    summary = await services.run_ledger.summarize_run(run_id)
    partners = row.settings.get("partners") or None
    pauses = await services.pauses.list_vendor_pauses(partners) if row.status in UNFINISHED else {}
    document = record_document(row, summary, pauses)
    print_json(document) if as_json else print_record(document)


@command(ready_for="runs close")
async def runs_close(
    services: Services,
    signals: ShutdownSignals,
    /,
    run: RunId,
    by: By,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with the run.")],
) -> None:
    """End a run for good: rounds that were not sent are not sent any more, doubts stay."""
    run_id = await known_run(services, run)
    closed = await services.runs(signals).close(run_id, requester(by), note)
    print(f"run {run_id} is closed: {closed.not_sent} not sent, {closed.in_doubt} left in doubt")
    if closed.claimed:
        print(f"  {closed.claimed} claimed by a process just now:")
        print(f"  `retention runs show {run_id}` shows their results")
