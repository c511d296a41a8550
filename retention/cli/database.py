"""`init` and `db`: the steps before the first run."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command, global_options
from retention.cli.help_text import WholeHelp
from retention.cli.options import AsJson
from retention.cli.output import print_json
from retention.cli.sample import sample
from retention.errors import UsageError
from retention.exit_codes import ExitCode
from retention.process.streams import NO_SPACE
from retention.process.this_process import work_comes_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("init")(init)
    db = typer.Typer(cls=WholeHelp, help="Our schema, and the operator's two objects in it.", no_args_is_help=True)
    db.command("migrate")(migrate)
    db.command("status")(status)
    db.command("sample")(sample)
    db.command("sql")(statement)
    app.add_typer(db, name="db")


def init(context: typer.Context) -> None:
    """Write a commented retention.toml: valid, and a dry run as it stands."""
    from retention.settings.files import render_template

    path = global_options(context).config or Path("retention.toml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(render_template())
    except FileExistsError:
        raise UsageError(f"{path} is there already; it is left as it is") from None
    except OSError as error:
        if error.errno in NO_SPACE:
            path.unlink(missing_ok=True)  # the next command would find half a file, and refuse it
        raise UsageError(f"{path}: {error.strerror}; name another file with --config") from None
    path.chmod(0o600)  # secrets are going to stand in it
    work_comes_first(machine=False)
    print(f"{path} is written; edit it, then `retention db migrate`, `retention check`, `retention plan`")


@command()
async def migrate(services: Services, /) -> None:
    """Create or update our schema `retention`. Needs CREATE on the database."""
    from retention.ledger import migrations

    applied = await migrations.migrate(services.database)
    for migration in applied:
        print(f"applied {migration.name}")
    if not applied:
        print("the schema is current")


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
