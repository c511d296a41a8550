"""`db sample`: the view, function, indexes and roles that the DBA creates, for an imagined table or for a real one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.errors import UsageError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from retention.core.operator_tables.proposal import Proposal
    from retention.core.operator_tables.table_name import TableName
    from retention.settings.model import Settings

SHIPPED = ("open_rounds", "close_rounds", "indexes", "roles")
"""The files of sql/operator/, in the order in which they run."""

TableOption = Annotated[
    str | None, typer.Option("--table", metavar="S.T", help="Your table of rounds, such as casino.rounds; it is read.")
]
As = Annotated[str | None, typer.Option("--as", metavar="DSN", help="With --table: log in as this owner.")]
Folder = Annotated[
    Path | None,
    typer.Option("-o", metavar="DIR", help="With --table: write a file each, and all.sql, which runs them."),
]


def sample(context: typer.Context, table: TableOption = None, folder: Folder = None, as_: As = None) -> None:
    """Print the sample view, function, indexes and roles, for the DBA to adapt; with --table, for that table.

    It logs in by --as, else by owner_dsn, else by dsn of [database], and only reads: the catalogue about the table and
    its neighbours, and a sample of their rows. A comment with a question mark stands where a person decides.
    """
    if table is None:
        for option, given in (("-o", folder), ("--as", as_)):
            if given is not None:
                raise UsageError(f"{option} goes with --table: name your table of rounds")
        for name in SHIPPED:
            _print_file(f"{name}.sql", shipped(name))
        return
    _propose(context, table=table, folder=folder, as_=as_)


def shipped(name: str) -> str:
    """Return the text of a file of sql/operator/."""
    from retention.ledger.queries import sql_root

    return (sql_root() / "operator" / f"{name}.sql").read_text("utf-8")


def _check(table: str, folder: Path | None) -> TableName:
    """Read the name of the table, and refuse a folder that has files of a proposal already."""
    from retention.core.operator_tables.table_name import parse_table_name

    if folder is not None:
        for name in (*(f"{name}.sql" for name in SHIPPED), "all.sql"):
            if (folder / name).exists():
                raise UsageError(f"-o {folder}: {name} is there already and is left as it is; name another folder")
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"-o {folder}: no folder; name one, which is made where it is not there")
    try:
        return parse_table_name(table)
    except ValueError as error:
        raise UsageError(f"--table {error}") from None


@command(before=_check, prints=True)
async def _propose(
    settings: Settings,
    log: FilteringBoundLogger,
    checked: TableName,
    /,
    table: str,
    folder: Path | None = None,
    as_: str | None = None,
) -> None:
    """Propose the files for a table."""
    from retention.cli.database import owner_login
    from retention.core.operator_tables.ids import JournalError
    from retention.core.operator_tables.proposal import propose
    from retention.ledger.database import open_database
    from retention.ledger.operator_tables import OperatorTables
    from retention.process.this_process import report
    from retention.wiring.secrets import redactor_of

    _, dsn = owner_login(settings, as_)
    async with open_database(dsn, 1, log) as database:
        facts = await OperatorTables(database).read(checked, [*settings.partners], _job_role(settings))
    try:
        proposal = propose(facts, shipped("roles"))
    except JournalError as error:
        by = f" (told apart by {error.column.name})" if error.column is not None else ""
        raise UsageError(
            f"--table {facts.table.sql}: it has several rows of one round{by}, as a journal of transactions has."
            " Name a table with a row per round; if there is none, take a recipe of sql/operator/README.md"
        ) from None
    redactor = redactor_of(settings)
    files = {name: redactor.text(text) for name, text in proposal.files.items()}
    if folder is not None:
        _write(folder, files)
    else:
        for name, text in files.items():
            if name != "all.sql":
                _print_file(name, text)
    for line in (*(f"warning: {one}" for one in facts.unread), *_summary(proposal, folder)):
        report(redactor.text(line))


def _job_role(settings: Settings) -> str:
    """Return the role that the work logs in as, where the connection string names one."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    from retention.ledger.checks.grants import ROLE

    try:
        named = conninfo_to_dict(settings.database.dsn.reveal()) if settings.database.dsn else {}
    except ProgrammingError:  # opening the database says so
        named = {}
    return str(named.get("user") or ROLE)


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write the files, and replace none. Raises UsageError."""
    try:
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(f"-o {folder}: {error.strerror}; name a folder that can be written to") from None


def _summary(proposal: Proposal, folder: Path | None) -> list[str]:
    """Tell how many decisions are left, and where."""
    from retention.core.text import counted

    where = f"{folder}/" if folder is not None else ""
    run = f"psql -v ON_ERROR_STOP=1 -d DATABASE -f {where}all.sql" if folder is not None else "each part with psql"
    left = sum(map(len, proposal.decisions.values()))
    if not left:
        return [f"nothing is left to decide; run {run}, then `retention check`"]
    lines = [f"{counted(left, 'decision')} left, each at a comment that begins with a question mark:"]
    lines += [f"  {where}{name}: {', '.join(subjects)}" for name, subjects in proposal.decisions.items()]
    if proposal.stops:
        lines.append(f'psql stops at {proposal.stops} of them until the placeholder, such as "? market", is replaced')
        if folder is not None:
            lines.append(f"in every file that has it: grep -n '\"? ' {where}*.sql")
    return [*lines, f"then run {run}, and `retention check`"]


def _print_file(name: str, text: str) -> None:
    print(f"-- {name} {'-' * (77 - len(name))}")
    print(text)
