"""`runs`: the list of runs, one run, and the end of a run that a person calls off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.help_text import WholeHelp
from retention.cli.lookups import known_run, warn_of_archived
from retention.cli.options import MAX_COUNT, AsJson, By, RunId
from retention.cli.output import open_output, print_json, require_place
from retention.cli.parsing import requester
from retention.errors import UsageError
from retention.render.formats import ListFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.core.evidence.archives import ArchivedMonth
    from retention.ledger.run_record import RunRecord
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


def _set_format(whole_set: bool, format_: ListFormat | None, as_json: bool, output: Path | None) -> ListFormat | None:
    """Return the format of the set; None without --set. Raises UsageError."""
    if not whole_set:
        if format_ is not None or output is not None:
            raise UsageError(f"{'-o' if format_ is None else '--format'} goes with --set")
        return None
    if as_json and format_ not in {None, ListFormat.JSON}:
        raise UsageError(f"--json and --format {format_} exclude each other")
    if output is not None:
        require_place(output)
    return ListFormat.JSON if as_json else format_ or ListFormat.TABLE


@command(ready_for="runs show", before=_set_format, prints=True)
async def runs_show(
    services: Services,
    checked: ListFormat | None,
    /,
    run: RunId,
    whole_set: Annotated[
        bool, typer.Option("--set", help="Its frozen set instead, and what became of each round.")
    ] = False,
    format_: Annotated[
        ListFormat | None, typer.Option("--format", metavar="|".join(ListFormat), help="How the set is written.")
    ] = None,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="The set into a file.")] = None,
) -> None:
    """Show one run: who asked for it, its settings and its result."""
    from retention.core.evidence.archives import of_run
    from retention.core.planning.approval import approval_state
    from retention.ledger.archives import Archives
    from retention.render.terminal_plan_view import print_plan_view
    from retention.render.terminal_runs import print_record
    from retention.reports.plan_view import is_before_its_start, read_plan_view
    from retention.reports.run_view import record_document

    run_id = await known_run(services, run)
    row = await services.run_ledger.require_run(run_id)
    archived = of_run(await Archives(services.database).all(), run_id)
    warn_of_archived(services, archived)
    if checked is not None:
        await _write_set(services, row, checked, output, archived)
        return
    summary = await services.run_ledger.summarize_run(run_id)
    partners = row.settings.get("partners") or None
    pauses = await services.pauses.list_vendor_pauses(partners) if row.status in UNFINISHED else {}
    document = record_document(row, summary, pauses, await services.evidence.newest_checkpoint())
    now = await services.run_ledger.clock.get_time()
    document["archived"] = archived
    document["approval"] = approval_state(row.approval, now).value
    view = await read_plan_view(services.database, row) if is_before_its_start(row) else None
    if as_json:
        print_json(document | {"plan": view})
        return
    print_record(document)
    if view is not None:
        print_plan_view(view)


async def _write_set(
    services: Services, run: RunRecord, form: ListFormat, output: Path | None, archived: Sequence[ArchivedMonth]
) -> None:
    from retention.render.run_set_files import write_run_set
    from retention.reports.run_set import read_run_set

    with open_output(output) as file:
        async with read_run_set(services.database, run.run_id) as rounds:
            await write_run_set(run, rounds, form, file, archived)


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
