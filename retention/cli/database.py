"""`init`, `db` and `check`: what comes before the first run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import emit_json, globals_of, run, run_with_services
from retention.cli.help_text import WholeHelp
from retention.errors import UsageError
from retention.exit_codes import ExitCode
from retention.process.streams import FULL
from retention.process.surroundings import work_comes_first

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals
    from retention.wiring.services import Services

CHECK_MARK = 6
"""Columns that a check's mark takes; what goes on below stands behind it."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("init")(init)
    app.command("check")(check)
    db = typer.Typer(cls=WholeHelp, help="Our schema, and the operator's two objects in it.", no_args_is_help=True)
    db.command("migrate")(migrate)
    db.command("status")(status)
    db.command("sample")(sample)
    app.add_typer(db, name="db")


def init(context: typer.Context) -> None:
    """Write a commented retention.toml: valid, and a dry run as it stands."""
    from retention.settings import render_template

    path = globals_of(context).config or Path("retention.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(render_template())
    except FileExistsError:
        raise UsageError(f"{path} is there already; it is left as it is") from None
    except OSError as error:
        if error.errno in FULL:
            path.unlink(missing_ok=True)  # half of a file would be found, and refused, by the next command
        raise UsageError(f"{path}: {error.strerror}; name another file with --config") from None
    path.chmod(0o600)  # secrets are going to stand in it
    work_comes_first(machine=False)
    print(f"{path} is written; edit it, then `retention db migrate`, `retention check`, `retention plan`")


def migrate(context: typer.Context) -> None:
    """Create or update our schema `retention`. Needs CREATE on the database."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger import migrations

        applied = await migrations.migrate(services.database)
        for migration in applied:
            print(f"applied {migration.name}")
        if not applied:
            print("the schema is current")
        return 0

    run_with_services(context, work)


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Tell whether our schema is current: exit code 0, or 2 where migrations are pending."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger import migrations
        from retention.render.terminal_table import moment

        standings = await migrations.status(services.database)
        current = all(standing.applied_at for standing in standings)
        if as_json:
            emit_json(
                {
                    "current": current,
                    "migrations": [
                        {"name": standing.migration.name, "applied_at": standing.applied_at} for standing in standings
                    ],
                }
            )
        else:
            for standing in standings:
                when = f"applied {moment(standing.applied_at)}" if standing.applied_at else "pending"
                print(f"{standing.migration.name}  {when}")
            print("the schema is current" if current else "run `retention db migrate`")
        return ExitCode.DONE if current else ExitCode.USAGE

    run_with_services(context, work, prints=True)


def sample() -> None:
    """Print the sample view, function, indexes and roles, for the DBA to adapt."""
    from retention.ledger.queries import sql_root

    for name in ("open_rounds", "close_rounds", "indexes", "roles"):
        print(f"-- {name}.sql {'-' * (73 - len(name))}")
        print((sql_root() / "operator" / f"{name}.sql").read_text("utf-8"))


def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at configuration, schedules, database, privileges, contract objects, index use, vendor. Exit code 0 or 2."""
    from retention.checks import checks
    from retention.wiring.services import redactor_of

    options = globals_of(context)
    settings = options.settings()
    redactor = redactor_of(settings)
    log = options.log(redactor)

    async def work(_signals: ShutdownSignals) -> int:
        from retention.render.terminal_table import print_lines

        schedules = checks.next_times(settings, datetime.now(UTC))
        findings = await checks.run_checks(settings, schedules, log)
        if as_json:
            emit_json(checks.document(findings, schedules))
        else:
            print_lines(checks.text(findings).split("\n"), hang=CHECK_MARK)
        return checks.exit_code(findings)

    run(context, work, redactor, log, prints=True)
