"""`db`: our schema, and the statements."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.help_text import WholeHelp
from retention.cli.options import AsJson
from retention.cli.output import print_json
from retention.cli.sample import sample
from retention.errors import DatabaseUnreachableError, SchemaError, UsageError
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.settings.model import Settings
    from retention.wiring.services import Services

    Login = tuple[str, Callable[[], str]]
    """The name of a login, and its DSN."""


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    db = typer.Typer(cls=WholeHelp, help="Our schema, and the operator's two objects in it.", no_args_is_help=True)
    db.command("migrate")(migrate)
    db.command("status")(status)
    db.command("sample")(sample)
    db.command("sql")(statement)
    app.add_typer(db, name="db")


def migrate(
    context: typer.Context,
    as_: Annotated[
        str | None, typer.Option("--as", metavar="DSN", help="Log in as this owner; without a password.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print a script for psql, and connect to nothing.")] = False,
) -> None:
    """Create or update our schema `retention`. Needs CREATE on the database.

    It logs in by --as, else by owner_dsn, else by dsn of [database]. The script of --sql applies the pending migrations
    in one transaction, and skips the others.
    """
    if sql and as_ is not None:
        raise UsageError("--sql connects to nothing; leave --as out, and give the login to psql")
    if sql:
        _print_script()
    else:
        _apply(context, as_=as_)


def _print_script() -> None:
    from retention.ledger.migration_script import migration_script

    print(migration_script(), end="")


def owner_login(settings: Settings, as_: str | None) -> Login:
    """Choose the login of the owner. Raises UsageError for a DSN that has a password or is none."""
    from retention.settings.questions import check_option, refuse_password
    from retention.settings.rules import check_dsn

    if as_ is not None:
        check_option("--as", as_, check_dsn)
        refuse_password("--as", as_)
        return "--as", lambda: as_
    secret = settings.database.owner
    name = "database.owner_dsn" if settings.database.owner_dsn else "database.dsn"
    return (name, secret.reveal) if secret else ("libpq's own environment", str)


@command(check=owner_login)
async def _apply(log: FilteringBoundLogger, settings: Settings, checked: Login, /, as_: str | None = None) -> None:
    """Apply the pending migrations."""
    from retention.ledger import migrations
    from retention.ledger.database import open_database

    name, dsn = checked
    try:
        async with open_database(dsn, 1, log) as database:
            applied = await migrations.migrate(database)
    except (DatabaseUnreachableError, SchemaError) as error:
        raise type(error)(f"{error}; {_mend(name)}") from None
    for migration in applied:
        print(f"applied {migration.name}")
    if not applied:
        print("the schema is current")


def _mend(login: str) -> str:
    other = (
        "" if login == "--as" else ", or give the owner's: `retention db migrate --as postgresql://OWNER@HOST/DATABASE`"
    )
    return f"the login is that of {login}; correct it{other}"


@command(prints=True)
async def status(services: Services, /, as_json: AsJson = False) -> ExitCode:
    """Tell whether our schema is current: exit code 0, or 2 where migrations are pending."""
    from retention.ledger import migrations
    from retention.render.terminal_table import moment

    statuses = await migrations.status(services.database)
    current = all(status.applied_at for status in statuses)
    if as_json:
        listed = [{"name": status.migration.name, "applied_at": status.applied_at} for status in statuses]
        print_json({"current": current, "migrations": listed})
    else:
        for status in statuses:
            when = f"applied {moment(status.applied_at)}" if status.applied_at else "pending"
            print(f"{status.migration.name}  {when}")
        print("the schema is current" if current else "run `retention db migrate`")
    return ExitCode.DONE if current else ExitCode.USAGE


def statement(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Such as claims/claim_rounds, or claim_rounds.")
    ] = None,
) -> None:
    """Print a statement with the fragments that it includes; without NAME, list the statements."""
    from retention.ledger.queries import expanded, purpose, statements
    from retention.render.terminal_table import print_lines

    known = statements()
    if name is None:
        width = max(map(len, known))
        print_lines((f"{one:{width}}  {purpose(one).partition('. ')[0].rstrip('.')}" for one in known), hang=width + 2)
        return
    found = [one for one in known if name in {one, one.partition("/")[2]}]
    if not found:
        raise UsageError(f"there is no such statement; {_nearest(name, known)}")  # NAME may be a secret by mistake
    print(expanded(found[0]), end="")


def _nearest(name: str, known: Sequence[str]) -> str:
    acts = {one.partition("/")[2]: one for one in known}
    near = get_close_matches(name.rpartition("/")[2], acts, n=3, cutoff=0.5)
    return f"near it: {', '.join(acts[one] for one in near)}" if near else "`retention db sql` lists them"
