"""`report`, `runs` and `explain`: what was done, by whom, and why."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import default_requester, emit_json, run_with_services
from retention.cli.help_text import WholeHelp
from retention.cli.lookups import MOST, require_known
from retention.cli.parsing import moment
from retention.cli.run_ids import OnlyRun, RunId, known_run
from retention.core.names import NameKind
from retention.errors import UsageError
from retention.process.streams import FULL
from retention.render.formats import FORMATS, Format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import TextIO

    from retention.process.shutdown import ShutdownSignals
    from retention.settings import Settings
    from retention.wiring.services import Services

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("report")(report)
    app.command("explain")(explain)
    runs = typer.Typer(cls=WholeHelp, help="Runs and what they came to.", no_args_is_help=True)
    runs.command("list")(runs_list)
    runs.command("show")(runs_show)
    runs.command("close")(runs_close)
    app.add_typer(runs, name="runs")


def report(
    context: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Every outcome, not only what was cancelled.")] = False,
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
    """Report the stale rounds that were cancelled: which, when, why, by whom, for how much."""

    def asked(_settings: Settings) -> tuple[datetime | None, datetime | None]:
        start = moment("--from", from_) if from_ is not None else None
        end = moment("--to", to) if to is not None else None
        if start and end and start >= end:
            raise UsageError("--from must be before --to")
        if output is not None:
            _require_place(output)
        return start, end

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.reports.read import read_report
        from retention.reports.report import Selection

        start, end = asked(services.settings)
        await require_ready(services.database, "report")
        for option, kind, name in (("--market", NameKind.MARKET, market), ("--policy", NameKind.POLICY, policy)):
            await require_known(services, option, kind, [name] if name is not None else ())
        run_id = await known_run(services, run) if run is not None else None
        write = FORMATS[Format.JSON if as_json else format_]()
        selection = Selection(start, end, market, policy, run_id, all_)
        with _written(output) as file:
            async with read_report(services.database, selection) as found:
                await write(found, file)
        return 0

    run_with_services(context, work, asked=asked, prints=True)


def explain(
    context: typer.Context,
    partner: Annotated[str, typer.Option(metavar="P", help="The round's partner.")],
    round_: Annotated[str, typer.Option("--round", metavar="R", help="The round's id.")],
    as_json: AsJson = False,
) -> None:
    """Tell why a round is or is not selected, and everything that was ever done to it."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.ledger.names import KnownNames
        from retention.render.terminal_history import print_history
        from retention.reports import explain as explaining
        from retention.runs.scope import scope_of

        await require_ready(services.database, "explain")
        await require_known(services, "--partner", NameKind.PARTNER, [partner])
        policies = [(name, scope_of(services.settings, policy)) for name, policy in services.settings.policies.items()]
        life = await explaining.explain(services.database, partner, round_, policies)
        if not life.seen:
            life = replace(life, alike=tuple(await KnownNames(services.database).find_rounds_by_spelling(round_) or ()))
        emit_json(life) if as_json else print_history(life)
        return 0

    run_with_services(context, work, prints=True)


def runs_list(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=MOST, metavar="N", help="The newest N.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest runs with their counts."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.render.json_file import row_objects
        from retention.render.terminal_lists import print_runs

        await require_ready(services.database, "runs list")
        found = await services.run_ledger.list_runs(limit)
        if as_json:
            emit_json(row_objects(found))
            return 0
        print_runs(found, await services.run_ledger.count_telling_digits([row.run_id for row in found]))
        return 0

    run_with_services(context, work, prints=True)


def runs_show(
    context: typer.Context,
    run: RunId,
    as_json: AsJson = False,
) -> None:
    """Show one run: who asked for it, under which settings, and what it came to."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.render.terminal_runs import print_record
        from retention.reports.run_view import record_document

        await require_ready(services.database, "runs show")
        run_id = await known_run(services, run)
        row = await services.run_ledger.require_run(run_id)
        summary = await services.run_ledger.summarize_run(run_id)
        unfinished = row.status in {"planned", "running", "halted"}
        partners = row.settings.get("partners") or None
        pauses = await services.pauses.list_vendor_pauses(partners) if unfinished else {}
        document = record_document(row, summary, pauses)
        emit_json(document) if as_json else print_record(document)
        return 0

    run_with_services(context, work, prints=True)


def runs_close(
    context: typer.Context,
    run: RunId,
    by: Annotated[str, typer.Option(metavar="WHO", help="Who answers for it.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with the run.")],
) -> None:
    """Call a run off for good: what was not sent is not sent any more, doubts stay."""

    async def work(services: Services, signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready

        await require_ready(services.database, "runs close")
        run_id = await known_run(services, run)
        found = await services.runs(signals).close(run_id, default_requester(by), note)
        print(f"run {run_id} is closed: {found.not_sent} not sent, {found.in_doubt} left in doubt")
        if found.claimed:
            print(f"  {found.claimed} in the hands of a process just now: what becomes of them,")
            print(f"  `retention runs show {run_id}` tells")
        return 0

    run_with_services(context, work)


def _require_place(path: Path) -> None:
    """Raise UsageError where a file could not be made: better now than once everything is read."""
    place = Path(os.path.realpath(path))
    try:
        fits = place.parent.is_dir() and not place.is_dir()
    except OSError:  # a name that is too long, for instance
        fits = False
    if not fits:
        raise UsageError(f"-o {path}: no place for a file; name a file in a folder that can be written to")


@contextmanager
def _written(path: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that appears whole or not at all: its owner's alone, unless the one before it was not."""
    import tempfile

    if path is None:
        yield sys.stdout
        return
    place, beside = Path(os.path.realpath(path)), None
    try:
        if place.exists() and not place.is_file():  # a device or a pipe: nothing can take its place
            with path.open("w", encoding="utf-8", newline="") as file:
                yield file
            return
        # A name that nobody can foresee, so that nobody has laid a link there.
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        beside = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            if place.exists():
                os.fchmod(handle, stat.S_IMODE(place.stat().st_mode))
            yield file
        beside.replace(place)
    except OSError as error:
        full = "free some space there, or name another file"
        mend = full if error.errno in FULL else "name a file in a folder that can be written to"
        raise UsageError(f"{path}: {error.strerror}; {mend}") from None
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)
