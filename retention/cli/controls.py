"""`hold`, `pause` and `resume`: what stops a cancellation, or all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.session import emit_json, in_house
from retention.errors import UsageError

if TYPE_CHECKING:
    from retention.cli.session import Work
    from retention.signals import Signals
    from retention.wiring import House

By = Annotated[str, typer.Option(metavar="WHO", help="Who answers for it.")]
Partner = Annotated[str | None, typer.Option(metavar="P", help="Only this partner.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    holds = typer.Typer(help="Exempt rounds from cancellation.", no_args_is_help=True)
    holds.command("add")(hold_add)
    holds.command("list")(hold_list)
    holds.command("release")(hold_release)
    app.add_typer(holds, name="hold")
    app.command("pause")(pause)
    app.command("resume")(resume)


def hold_add(
    context: typer.Context,
    reason: Annotated[str, typer.Option(metavar="T", help="Why; kept with the hold.")],
    by: By,
    partner: Partner = None,
    market: Annotated[str | None, typer.Option(metavar="M", help="Rounds of this market.")] = None,
    game: Annotated[str | None, typer.Option(metavar="G", help="Rounds of this game.")] = None,
    user: Annotated[str | None, typer.Option(metavar="U", help="Rounds of this user.")] = None,
    round_: Annotated[str | None, typer.Option("--round", metavar="R", help="This round.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="T", help="When it ends: ISO 8601, in UTC where no offset is given.")
    ] = None,
) -> None:
    """Hold rounds that match all that is given. Obeyed by runs that are under way as well."""

    async def work(house: House, _signals: Signals) -> int:
        from retention.cli.times import moment

        end = moment("--until", until) if until else None
        number = await house.controls.hold_add(partner, market, game, user, round_, reason, by, end)
        print(f"hold {number} stands")
        return 0

    _on_ledger(context, work)


def hold_list(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Released and ended ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the holds that stand."""

    async def work(house: House, _signals: Signals) -> int:
        from retention.report import table

        rows = await house.controls.hold_list(all_)
        emit_json(table.documents(rows)) if as_json else table.print_holds(rows)
        return 0

    _on_ledger(context, work)


def hold_release(
    context: typer.Context,
    hold_id: Annotated[int, typer.Argument(metavar="HOLD_ID")],
    by: By,
) -> None:
    """Release a hold."""

    async def work(house: House, _signals: Signals) -> int:
        await house.controls.hold_release(hold_id, by)
        print(f"hold {hold_id} is released")
        return 0

    _on_ledger(context, work)


def pause(
    context: typer.Context,
    by: By,
    reason: Annotated[str, typer.Option(metavar="T", help="Why; shown by every run that it stops.")],
    partner: Partner = None,
) -> None:
    """Stop all calls, or those to one partner, everywhere and within a second."""

    async def work(house: House, _signals: Signals) -> int:
        _known(house, partner)
        await house.controls.pause(partner, by, reason)
        print(f"paused: {partner or 'all partners'}; `retention resume` ends it")
        return 0

    _on_ledger(context, work)


def resume(context: typer.Context, by: By, partner: Partner = None) -> None:
    """End a pause, also the vendor's. A scheduled run that it halted goes on by `serve`, others by `run --resume`."""

    async def work(house: House, _signals: Signals) -> int:
        _known(house, partner)
        by_person, by_vendor = await house.controls.resume(partner, by)
        if by_person:
            print(f"resumed: {partner or 'all partners'}")
        if by_vendor:
            names = ", ".join(by_vendor)
            print(f"ended the pause that the vendor asked for: {names}")
            house.log.warning("partner.resumed", partner=names, requested_by=by)
        return 0

    _on_ledger(context, work)


def _on_ledger(context: typer.Context, work: Work) -> None:
    """Run a command that writes to or reads from our tables, which have to be there."""

    async def ready(house: House, signals: Signals) -> int:
        from retention.ledger import migrations

        await migrations.require_current(house.database)
        return await work(house, signals)

    in_house(context, ready)


def _known(house: House, partner: str | None) -> None:
    # A pause of a partner that nobody knows would stop nothing, and be believed in.
    if partner is not None and partner not in house.settings.partners:
        raise UsageError(
            f"--partner {partner}: not in the configuration, which has {', '.join(house.settings.partners)}"
        )
