"""`check`: whether a run has all that it needs, and how to mend what it lacks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.options import MAX_PROCESSES, AsJson
from retention.cli.output import print_json
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.settings.model import Settings

CHECK_MARK_COLUMNS = 6
"""The width of a check's mark; further lines of its message are indented by as much."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("check")(check)


@command(prints=True)
async def check(
    settings: Settings,
    log: FilteringBoundLogger,
    /,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_PROCESSES, metavar="N", help="Say whether N processes get their connections."),
    ] = None,
    as_json: AsJson = False,
) -> ExitCode:
    """Look at configuration, database, view, vendor, notifications and reports; name each mend. Exit code 0 or 2.

    It changes nothing, reads the view for at most 30 s a look, and sends one HealthCheck to each vendor. Lines stand in
    the order of mending: begin with the first FAIL.
    """
    from retention.checks import checks
    from retention.cli.serve import CONNECTIONS as OF_SERVE
    from retention.ledger.checks.connections import ConnectionNeeds
    from retention.render.terminal_table import print_lines
    from retention.wiring.services import CONNECTIONS as OF_RUN

    needs = None if processes is None else ConnectionNeeds(processes, {"run": OF_RUN, "serve": OF_SERVE})
    now = datetime.now(UTC)
    schedules = checks.next_times(settings, now)
    findings = await checks.run_checks(settings, schedules, log, needs)
    if as_json:
        print_json(checks.document(findings, schedules, checks.report_times(settings, now)))
    else:
        print_lines(checks.text(findings).split("\n"), hang=CHECK_MARK_COLUMNS)
    return checks.exit_code(findings)
