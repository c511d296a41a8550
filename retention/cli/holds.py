"""`hold`: rounds that are exempt from cancellation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.help_text import WholeHelp
from retention.cli.lookups import require_known, require_partner, warn, warn_of_no_match
from retention.cli.options import HIGHEST_ID, AsJson, By, Partner
from retention.cli.output import print_json
from retention.cli.parsing import moment, requester
from retention.core.name_matching import NameKind
from retention.core.planning.holds import WITHOUT_FIELDS, already_ended
from retention.core.text import counted
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retention.settings.model import Settings
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    holds = typer.Typer(cls=WholeHelp, help="Exempt rounds from cancellation.", no_args_is_help=True)
    holds.command("add")(hold_add)
    holds.command("list")(hold_list)
    holds.command("release")(hold_release)
    app.add_typer(holds, name="hold")


def _end_of_hold(
    settings: Settings,
    partner: str | None,
    market: str | None,
    game: str | None,
    user: str | None,
    round_: str | None,
    until: str | None,
) -> datetime | None:
    """Read when the hold ends. Raises UsageError for a hold of nothing, of an unknown partner, or in the past."""
    if (partner, market, game, user, round_) == (None,) * 5:
        raise UsageError(WITHOUT_FIELDS)
    require_partner(settings, partner)
    end = moment("--until", until) if until is not None else None
    if end is not None and end <= datetime.now(UTC) - settings.max_clock_difference:  # past on the database's clock too
        raise UsageError(already_ended(end))
    return end


@command(ready_for="hold add", check=_end_of_hold)
async def hold_add(
    services: Services,
    checked: datetime | None,
    /,
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
    for option, kind, name in (("--market", NameKind.MARKET, market), ("--game", NameKind.GAME, game)):
        await require_known(services, option, kind, [name] if name is not None else ())
    number = await services.holds.add_hold(partner, market, game, user, round_, reason, requester(by), checked)
    print(f"hold {number} stands", end="", flush=True)  # before the count, which may fail
    await _print_matches(
        services, {"partner": partner, "market": market, "game_id": game, "user_id": user, "round_id": round_}
    )


async def _print_matches(services: Services, fields: Mapping[str, str | None]) -> None:
    """Print how many open rounds a new hold matches; warn where it matches none, or where the view does not answer."""
    from retention.ledger.names import KnownNames

    names = KnownNames(services.database)
    matched = await names.count_matching_rounds(fields)
    if matched is None:
        print(flush=True)
        warn(services, f"how many open rounds the hold matches was not found out{names.why_not}")
        return
    print(f"; it matches {counted(matched, 'open round')} now", flush=True)
    if matched == 0:
        await warn_of_no_match(services, fields)


@command(ready_for="hold list", prints=True)
async def hold_list(
    services: Services,
    /,
    all_: Annotated[bool, typer.Option("--all", help="Released and ended ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the holds that stand."""
    from retention.render.json_file import row_objects
    from retention.render.terminal_lists import print_holds

    holds = await services.holds.list_holds(all_)
    print_json(row_objects(holds)) if as_json else print_holds(holds)


@command(ready_for="hold release")
async def hold_release(
    services: Services, /, hold_id: Annotated[int, typer.Argument(min=1, max=HIGHEST_ID, metavar="HOLD_ID")], by: By
) -> None:
    """Release a hold."""
    await services.holds.release_hold(hold_id, requester(by))
    print(f"hold {hold_id} is released")
