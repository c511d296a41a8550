"""`report` and `explain`: the cancelled rounds, and the history of one round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.lookups import known_run, require_known
from retention.cli.options import AsJson, OnlyRun
from retention.cli.output import open_report, print_json, require_place
from retention.cli.parsing import period, requester
from retention.core.name_matching import NameKind
from retention.render.formats import FORMATS, Format

if TYPE_CHECKING:
    from retention.cli.parsing import Period
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("report")(report)
    app.command("explain")(explain)


def _period(from_: str | None, to: str | None, output: Path | None) -> Period:
    """Read the period of a report. Raises UsageError, also for an output file that cannot be made."""
    times = period(from_, to)
    if output is not None:
        require_place(output)
    return times


@command(ready_for="report", check=_period, prints=True)
async def report(
    services: Services,
    checked: Period,
    /,
    all_: Annotated[bool, typer.Option("--all", help="Every outcome, not only cancelled rounds.")] = False,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="T", help="Settled at or after; ISO 8601, UTC if it does not say.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="T", help="Settled before.")] = None,
    market: Annotated[str | None, typer.Option(metavar="M", help="Only this market.")] = None,
    policy: Annotated[str | None, typer.Option(metavar="P", help="Only runs of this policy.")] = None,
    run: OnlyRun = None,
    format_: Annotated[
        Format, typer.Option("--format", metavar="|".join(FORMATS), help="How it is written.")
    ] = Format.TABLE,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Into a file instead of stdout.")] = None,
) -> None:
    """Report the stale rounds that were cancelled: when, why, by whom, for how much."""
    from retention.render.write_report import write_report
    from retention.reports.report import Selection
    from retention.runs.scope import scope_of

    for option, kind, name in (("--market", NameKind.MARKET, market), ("--policy", NameKind.POLICY, policy)):
        await require_known(services, option, kind, [name] if name is not None else ())
    run_id = await known_run(services, run) if run is not None else None
    start, end = checked
    selection = Selection(
        start=start,
        end=end,
        markets=None if market is None else (market,),
        policies=None if policy is None else (policy,),
        run_id=run_id,
        all_outcomes=all_,
    )
    with open_report(output) as place:
        await write_report(
            services.database,
            selection,
            Format.JSON if as_json else format_,
            place,
            generated_by=requester(None),
            scopes={name: scope_of(services.settings, one) for name, one in services.settings.policies.items()},
        )


@command(ready_for="explain", prints=True)
async def explain(
    services: Services,
    /,
    partner: Annotated[str, typer.Option(metavar="P", help="The round's partner.")],
    round_: Annotated[str, typer.Option("--round", metavar="R", help="The round's id.")],
    as_json: AsJson = False,
) -> None:
    """Tell why a round is or is not selected, and everything that was ever done to it."""
    from retention.ledger.names import KnownNames
    from retention.render.terminal_history import print_history
    from retention.reports import explain as explaining
    from retention.runs.scope import scope_of

    await require_known(services, "--partner", NameKind.PARTNER, [partner])
    policies = [(name, scope_of(services.settings, policy)) for name, policy in services.settings.policies.items()]
    history = await explaining.explain(services.database, partner, round_, policies, services.settings.max_runs())
    if not history.seen:
        history = replace(
            history, alike=tuple(await KnownNames(services.database).find_rounds_by_spelling(round_) or ())
        )
    print_json(history) if as_json else print_history(history)
