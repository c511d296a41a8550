"""`hold`, `pause` and `resume`: what stops a cancellation, or all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import default_requester, emit_json, run_with_services
from retention.cli.help_text import WholeHelp
from retention.cli.lookups import HIGHEST, require_known, require_partner, warn, warn_of_no_match
from retention.cli.parsing import moment
from retention.core.names import NameKind
from retention.core.planning.holds import NOTHING_HELD, ended_before
from retention.core.runs.next_steps import resume_command
from retention.core.text import counted
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention.cli.command import Work
    from retention.process.shutdown import ShutdownSignals
    from retention.settings import Settings
    from retention.wiring.services import Services

By = Annotated[str, typer.Option(metavar="WHO", help="Who answers for it.")]
Partner = Annotated[str | None, typer.Option(metavar="P", help="Only this partner.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    holds = typer.Typer(cls=WholeHelp, help="Exempt rounds from cancellation.", no_args_is_help=True)
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
    fields = {"partner": partner, "market": market, "game_id": game, "user_id": user, "round_id": round_}

    def asked(settings: Settings) -> datetime | None:
        if set(fields.values()) == {None}:
            raise UsageError(NOTHING_HELD)
        require_partner(settings, partner)
        end = moment("--until", until) if until is not None else None
        if end is not None and end <= datetime.now(UTC) - settings.max_clock_difference:  # on the database's clock too
            raise UsageError(ended_before(end))
        return end

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.names import KnownNames

        end = asked(services.settings)
        for option, kind, name in (("--market", NameKind.MARKET, market), ("--game", NameKind.GAME, game)):
            await require_known(services, option, kind, [name] if name is not None else ())
        number = await services.holds.add_hold(partner, market, game, user, round_, reason, default_requester(by), end)
        print(f"hold {number} stands", end="", flush=True)  # whatever comes of the count
        names = KnownNames(services.database)
        matched = await names.count_matching_rounds(fields)
        rounds = counted(matched or 0, "open round")
        print(f"; it matches {rounds} now" if matched is not None else "", flush=True)
        if matched is None:
            warn(services, f"how many open rounds the hold matches was not found out{names.why_not}")
        elif matched == 0:
            await warn_of_no_match(services, fields)
        return 0

    _on_ledger(context, "hold add", work, asked=asked)


def hold_list(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Released and ended ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the holds that stand."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.render import terminal_lists as table
        from retention.render.json_file import row_objects

        rows = await services.holds.list_holds(all_)
        emit_json(row_objects(rows)) if as_json else table.print_holds(rows)
        return 0

    _on_ledger(context, "hold list", work, prints=True)


def hold_release(
    context: typer.Context,
    hold_id: Annotated[int, typer.Argument(min=1, max=HIGHEST, metavar="HOLD_ID")],
    by: By,
) -> None:
    """Release a hold."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        await services.holds.release_hold(hold_id, default_requester(by))
        print(f"hold {hold_id} is released")
        return 0

    _on_ledger(context, "hold release", work)


def pause(
    context: typer.Context,
    by: By,
    reason: Annotated[str, typer.Option(metavar="T", help="Why; shown by every run that it stops.")],
    partner: Partner = None,
) -> None:
    """Stop all calls, or those to one partner, everywhere and within a second."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        await services.pauses.begin_pause(partner, default_requester(by), reason)
        print(f"paused: {partner or 'all partners'}; `{resume_command(partner)}` ends it")
        return 0

    _on_ledger(context, "pause", work, asked=lambda settings: require_partner(settings, partner))


def resume(context: typer.Context, by: By, partner: Partner = None) -> None:
    """End a pause, also the vendor's. A scheduled run that it halted goes on by `serve`, others by `run --resume`."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        # A partner may have left the configuration while it was paused.
        if partner is not None and partner not in {pause.partner for pause in await services.pauses.list_pauses()}:
            require_partner(services.settings, partner)
        by_person, by_vendor = await services.pauses.end_pause(partner, default_requester(by))
        if by_person:
            print(f"resumed: {partner or 'all partners'}")
        if by_vendor:
            names = ", ".join(by_vendor)
            print(f"ended the pause that the vendor asked for: {names}")
            services.log.warning("partner.resumed", partner=names, requested_by=default_requester(by))
        return 0

    _on_ledger(context, "resume", work)


def _on_ledger(
    context: typer.Context,
    command: str,
    work: Work,
    *,
    asked: Callable[[Settings], object] | None = None,
    prints: bool = False,
) -> None:
    """Run a command that writes to or reads from our tables, which have to be there, and open to it."""

    async def ready(services: Services, signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready

        await require_ready(services.database, command)
        return await work(services, signals)

    run_with_services(context, ready, asked=asked, prints=prints)
