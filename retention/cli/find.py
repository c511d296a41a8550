"""`find`: the rounds and runs that have an id."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.options import AsJson
from retention.cli.output import print_json

if TYPE_CHECKING:
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("find")(find)


@command(ready_for="find", prints=True)
async def find(
    services: Services,
    /,
    id_: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="A round, user, transaction or request uuid, exactly; or a run id, of which the first 8 digits do.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Find which rounds and runs of the ledger have an id."""
    from retention.render.terminal_found import print_found
    from retention.reports.find import find_id

    found = await find_id(services.database, id_)
    if not found.rounds and not found.runs:  # no id of the ledger, so it may be a secret by mistake
        found = replace(found, id=services.redactor.text(found.id))
    print_json(found) if as_json else print_found(found)
