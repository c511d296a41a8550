"""`pause` and `resume`: the kill switch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.lookups import require_partner
from retention.cli.options import By, Partner
from retention.cli.parsing import requester
from retention.core.runs.next_steps import resume_command

if TYPE_CHECKING:
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("pause")(pause)
    app.command("resume")(resume)


@command(ready_for="pause", check=require_partner)
async def pause(
    services: Services,
    /,
    by: By,
    reason: Annotated[str, typer.Option(metavar="T", help="Why; shown by every run that it stops.")],
    partner: Partner = None,
) -> None:
    """Stop all calls, or those to one partner, everywhere and within a second."""
    await services.pauses.begin_pause(partner, requester(by), reason)
    print(f"paused: {partner or 'all partners'}; `{resume_command(partner)}` ends it")


@command(ready_for="resume")
async def resume(services: Services, /, by: By, partner: Partner = None) -> None:
    """End a pause, also the vendor's. A scheduled run that it halted goes on by `serve`, others by `run --resume`."""
    # A paused partner may have left the configuration meanwhile.
    if partner is not None and partner not in {pause.partner for pause in await services.pauses.list_pauses()}:
        require_partner(services.settings, partner)
    by_person, by_vendor = await services.pauses.end_pause(partner, requester(by))
    if by_person:
        print(f"resumed: {partner or 'all partners'}")
    if by_vendor:
        names = ", ".join(by_vendor)
        print(f"ended the pause that the vendor asked for: {names}")
        services.log.warning("partner.resumed", partner=names, requested_by=requester(by))
