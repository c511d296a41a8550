"""`ledger`: how large the ledger is, its archives, and the erasure of users' ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from retention.cli.archive import ledger_archive
from retention.cli.command import command
from retention.cli.help_text import WholeHelp
from retention.cli.options import AsJson
from retention.cli.output import print_json
from retention.cli.pseudonymise import ledger_pseudonymise

if TYPE_CHECKING:
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    ledger = typer.Typer(
        cls=WholeHelp, help="The ledger's own size, its archives, and users' ids in it.", no_args_is_help=True
    )
    ledger.command("status")(ledger_status)
    ledger.command("archive")(ledger_archive)
    ledger.command("pseudonymise")(ledger_pseudonymise)
    app.add_typer(ledger, name="ledger")


@command(ready_for="ledger status", prints=True)
async def ledger_status(services: Services, /, as_json: AsJson = False) -> None:
    """Show how large the ledger is, what it holds, and how it grows."""
    from retention.render.terminal_ledger import print_ledger_status
    from retention.reports.ledger_status import read_ledger_status

    status = await read_ledger_status(services.database)
    print_json(status) if as_json else print_ledger_status(status)
