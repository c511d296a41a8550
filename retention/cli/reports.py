"""`report` and `explain`: the cancelled rounds, and the history of one round."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.lookups import known_run, require_known, warn, warn_of_archived
from retention.cli.options import AsJson, Markets, OnlyRun
from retention.cli.output import is_stdout, open_report, print_json, require_place
from retention.cli.parsing import period as from_and_to
from retention.cli.parsing import requester
from retention.core.name_matching import NameKind
from retention.errors import UsageError
from retention.render.formats import FORMATS, Format
from retention.reports.kinds.filters import require_filters
from retention.reports.report import DRY_RUN, NO_ACTIVITY, UTC_NAME, Kind, Selection

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention.cli.parsing import Period
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("report")(report)
    app.command("explain")(explain)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The report that the options ask for, as far as they alone tell."""

    times: Period
    period: str | None
    timezone: str
    form: Format


def _wanted(
    from_: str | None,
    to: str | None,
    period: str | None,
    timezone: str | None,
    kind: Kind,
    all_: bool,
    run: str | None,
    format_: Format | None,
    as_json: bool,
    output: Path | None,
) -> _Wanted:
    """Check the options together. Raises UsageError."""
    from retention.core.schedule.cron import zone_of
    from retention.core.schedule.period import require_period

    require_filters(kind, run=run is not None, all_outcomes=all_)
    times = from_and_to(from_, to)
    if period is not None:
        if times != (None, None):
            raise UsageError(f"--period and {'--to' if from_ is None else '--from'} exclude each other; keep one")
        _reading("--period", period, require_period)
    if timezone is not None:
        if period is None:
            raise UsageError("--timezone goes with --period; add a period, or write --from and --to with an offset")
        _reading("--timezone", timezone, zone_of)
    return _Wanted(times, period, timezone or UTC_NAME, _writable_format(format_, as_json, output))


def _reading(option: str, text: str, read: Callable[[str], object]) -> None:
    try:
        read(text)
    except ValueError as error:
        repeated = "" if str(error).startswith(repr(text)) else f" {text!r}:"
        raise UsageError(f"{option}{repeated or ':'} {error}") from None


def _writable_format(format_: Format | None, as_json: bool, output: Path | None) -> Format:
    """Return the format. Raises UsageError where it cannot be written, or not to that place."""
    if as_json and format_ not in {None, Format.JSON}:
        raise UsageError(f"--json and --format {format_} exclude each other")
    form = Format.JSON if as_json else format_ or Format.TABLE
    spec = FORMATS[form]
    if spec.binary and is_stdout(output) and sys.stdout.isatty():
        raise UsageError(f"--format {form}: no terminal shows it; add -o FILE{spec.suffix}, or send stdout to a file")
    if output is not None:
        require_place(output)
    try:
        spec.load()
    except UsageError as error:
        raise UsageError(f"--format {form}: {error}") from None
    return form


@command(ready_for="report", check=_wanted, prints=True)
async def report(
    services: Services,
    checked: _Wanted,
    /,
    kind: Annotated[Kind, typer.Option(metavar="|".join(Kind), help="What it lists.")] = Kind.CANCELLED,
    all_: Annotated[
        bool, typer.Option("--all", help=f"Every outcome, not only cancelled rounds; with --kind {Kind.CANCELLED}.")
    ] = False,
    period: Annotated[
        str | None,
        typer.Option(
            metavar="P", help="today, yesterday, this- or last-week or -month, 2026, 2026-10, 2026-W40, 2026-10-05."
        ),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="Z", help="The period's time zone, such as Europe/Malta; default: UTC.")
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="T", help="Begin, without --period; ISO 8601, UTC if it does not say."),
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="T", help="End: the first moment that is outside.")] = None,
    market: Markets = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="P", help="Only runs of this policy; may be given more than once."),
    ] = None,
    run: OnlyRun = None,
    pseudonymise: Annotated[
        bool, typer.Option("--pseudonymise", help="Show each user's id as a keyed hash, the same within one ledger.")
    ] = False,
    format_: Annotated[
        Format | None, typer.Option("--format", metavar="|".join(FORMATS), help="How it is written; default: table.")
    ] = None,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Into a file instead of stdout.")] = None,
) -> None:
    """Report the stale rounds that were cancelled, or another kind: when, why, by whom, for how much.

    --kind chooses: the cancelled rounds (default), the pending rounds at begin and end of the period, the refunds
    promised beside those seen in the wallet, or the decisions of people. A period is one of the calendar of --timezone.
    """
    from retention.core.schedule.period import period_at
    from retention.core.text import printable_lines
    from retention.process.this_process import report as tell
    from retention.render.progress import is_watched
    from retention.render.write_report import write_report

    for option, named, names in (("--market", NameKind.MARKET, market), ("--policy", NameKind.POLICY, policy)):
        await require_known(services, option, named, names or ())
    run_id = await known_run(services, run) if run is not None else None
    dry_run = False
    if run_id is not None and kind is Kind.CANCELLED:
        dry_run = (await services.run_ledger.require_run(run_id)).mode == "dry_run"
    start, end = checked.times
    name = None
    if checked.period is not None:
        now = (await services.database.row("clocks/get_time")).now
        resolved = period_at(checked.period, now, checked.timezone)
        name, start, end = resolved.name, resolved.start, resolved.end
    selection = Selection(
        start=start,
        end=end,
        markets=tuple(market) if market else None,
        policies=tuple(policy) if policy else None,
        run_id=run_id,
        all_outcomes=all_,
        kind=kind,
        period=name,
        timezone=checked.timezone,
        pseudonymise=pseudonymise,
        dry_run=dry_run,
    )
    with open_report(output) as place:
        written = await write_report(
            services.database,
            selection,
            checked.form,
            place,
            generated_by=requester(None),
            configured=services.configured,
            watched=is_watched() and not (is_stdout(output) and sys.stdout.isatty()),
        )
    warn_of_archived(services, written.head.archived)
    rows = f"{written.count} row{'' if written.count == 1 else 's'}" if written.count else NO_ACTIVITY
    if not is_stdout(output):
        tell(printable_lines(services.redactor.text(f"{output}: {rows}, report {written.head.report_id}")))
    elif not written.count and checked.form not in {Format.TABLE, Format.JSON}:  # a file of rows alone cannot say so
        tell(rows)
    if dry_run and not (is_stdout(output) and checked.form in {Format.TABLE, Format.JSON}):
        tell(f"run {run_id}: {DRY_RUN}")


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

    await require_known(services, "--partner", NameKind.PARTNER, [partner])
    policies = list(services.configured.scopes.items())
    history = await explaining.explain(services.database, partner, round_, policies, services.settings.max_runs())
    if not history.seen:
        history = replace(
            history, alike=tuple(await KnownNames(services.database).find_rounds_by_spelling(round_) or ())
        )
    if history.cancelled_in is not None:
        warn_of_archived(services, [history.cancelled_in])
    elif history.archived:
        warn(services, f"not searched: {len(history.archived)} archived months; `retention ledger status` lists them")
    print_json(history) if as_json else print_history(history)
