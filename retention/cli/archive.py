"""`ledger archive`: whole months leave the ledger for files, with their proof."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.database import owner_login
from retention.cli.lookups import warn
from retention.cli.options import AsJson
from retention.cli.output import print_json, require_folder, require_parquet
from retention.cli.parsing import duration, requester, typed_folder
from retention.errors import ConfigurationError, DatabaseUnreachableError, UsageError
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime, timedelta

    from retention.audit.archive_plan import MonthPlan
    from retention.cli.database import Login
    from retention.core.evidence.archives import Archive
    from retention.ledger.archives import PresentMonth
    from retention.ledger.database import Database
    from retention.settings.model import Settings
    from retention.wiring.services import Services

    Checked = tuple[timedelta, Login]

OWNERS_CONNECTIONS = 5
"""Database connections of the owner's login at most: one waits with the lock, the others work."""


def _checked(settings: Settings, older_than: str, to: Path, dry_run: bool, as_: str | None) -> Checked:
    """Read the age, the folder and the owner's login. Raises UsageError."""
    age, login = duration("--older-than", older_than), owner_login(settings, as_)
    require_folder("--to", to)
    if not dry_run:
        _require_writable(to)
        require_parquet("ledger archive")
    return age, login


def _require_writable(folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"--to {folder}: {error.strerror}; give a folder that can be written to") from None


@command(ready_for="ledger archive", check=_checked)
async def ledger_archive(
    services: Services,
    checked: Checked,
    /,
    older_than: Annotated[str, typer.Option(metavar="D", help="Months of UTC that ended so long ago, such as 400d.")],
    to: Annotated[
        Path, typer.Option(metavar="DIR", parser=typed_folder, help="The folder for the files; it must be there.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be archived.")] = False,
    by: Annotated[str | None, typer.Option(metavar="WHO", help="Who answers for it; else the user's name.")] = None,
    as_: Annotated[
        str | None, typer.Option("--as", metavar="DSN", help="Log in as the owner of the schema; without a password.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Write whole months to Parquet files with their proof, and drop them from the ledger.

    The files are read back and compared before anything is dropped. Rounds that need a person stay in the ledger, and
    so do months in which a run is not over: exit code 4. It logs in as the owner: by --as, else by owner_dsn, else by
    dsn of [database]. Give the command again after an interruption: it goes on. Needs the extra `parquet`.
    """
    from retention.ledger.archives import Archives
    from retention.render.terminal_archive import print_plans

    age, login = checked
    before: datetime = (await services.database.row("clocks/get_time")).now - age
    if dry_run:
        plans = await _plans(services, before)
    else:
        plans = await _archived(services, login, to, before, requester(by))
    if as_json:
        print_json({"older_than": older_than, "dry_run": dry_run, "months": plans})
    else:
        print_plans(plans, dry_run=dry_run)
    if not plans and not await Archives(services.database).all():
        warn(services, f"no month has ended before {before:%Y-%m-%d %H:%M:%S}Z")
    return ExitCode.REVIEW if any(one.why_not for one in plans) else ExitCode.DONE


def _due(months: list[PresentMonth], before: datetime) -> list[PresentMonth]:
    return [one for one in months if one.month.end <= before]


def _of(archives: tuple[Archive, ...], month: str) -> list[Archive]:
    return [one for one in archives if one.month == month]


async def _plans(services: Services, before: datetime) -> list[MonthPlan]:
    from retention.audit.archive_plan import plan_month
    from retention.ledger.archives import Archives

    ledger, limits = Archives(services.database), services.settings.max_runs()
    archives = await ledger.all()
    plans = [
        await plan_month(services.database, one, _of(archives, one.month.month), before, limits)
        for one in _due(await ledger.months(), before)
    ]
    return [plan for plan in plans if plan is not None]


async def _archived(services: Services, login: Login, to: Path, before: datetime, by: str) -> list[MonthPlan]:
    from retention.audit.archive import Archiving, archive_month
    from retention.core.evidence.checkpoint import verifier_key
    from retention.ledger.archives import Archives
    from retention.ledger.month_archive import only_archive
    from retention.ledger.months import begin_present_month
    from retention.process.this_process import report

    async with _owner(services, login) as owner, only_archive(owner) as alone:
        if not alone:
            raise UsageError("another `retention ledger archive` is at work; give the command again when it is over")
        ledger = Archives(owner)
        done: list[MonthPlan] = []
        months = await ledger.months()
        if any(not table.owned for one in months for table in one.partitions.values()):
            raise UsageError(f"the login of {login[0]} does not own the ledger's tables; {_OWNER}")
        await begin_present_month(owner)
        await services.checkpoints.make()
        await _require_unaltered(services)
        origin = (await owner.row("audit/get_ledger_key")).origin
        key = verifier_key(origin, services.signer.public_key) if services.signer is not None else None
        archiving = Archiving(owner, origin, to, by, services.settings.max_runs(), key)
        for month in _due(months, before):
            of_month = _of(await ledger.all(), month.month.month)
            plan = await archive_month(archiving, month, of_month, before)
            if plan is not None:
                done.append(plan)
                if plan.why_not is None:
                    report(f"{plan.month}: {'dropped what was left of it' if plan.resumed else 'archived'}")
        await services.checkpoints.make()
    return done


_OWNER = "give the owner's with --as postgresql://OWNER@HOST/DATABASE, or owner_dsn of [database]"


@asynccontextmanager
async def _owner(services: Services, login: Login) -> AsyncIterator[Database]:
    """Open the database as the owner."""
    from retention.ledger.database import open_database

    name, dsn = login
    try:
        async with open_database(dsn, OWNERS_CONNECTIONS, services.log) as database:
            yield database
    except (ConfigurationError, DatabaseUnreachableError) as error:
        raise type(error)(f"{error}; the login is that of {name}; {_OWNER}") from None


async def _require_unaltered(services: Services) -> None:
    """Raise UsageError where the evidence does not fit: the archive could take the proof of a change away."""
    from retention.audit.verify import RowSelection, verify_evidence

    result = await verify_evidence(services.database, RowSelection(), {})
    if not result.ok:
        raise UsageError("the evidence does not fit the ledger, so nothing is archived; see `retention audit verify`")
