"""A database with our schema and nothing of an operator's, and the samples as they are shipped."""

from __future__ import annotations

import asyncio
import re
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo

from retention.core.model import Kind, Outcome, Settlement, State
from retention.core.planning.plan import Scope
from retention.ledger.claims import PartnerTerms
from retention.ledger.database import open_database
from retention.ledger.engine_ledger import EngineLedger
from retention.ledger.migrations import migrate
from retention.ledger.plans import Plans
from retention.ledger.queries import sql_root
from retention.ledger.run_request import RunRequest
from retention.ledger.runs import RunLedger
from support import pgbouncer
from support.postgres import new_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from retention.core.model import Claim
    from retention.ledger.database import Database

SCOPE = Scope(("acme",), (3,), timedelta(hours=72), None, None, (), None, ())
TERMS = PartnerTerms("acme", rate=1000.0, timeout=1.0, max_attempts=3, status_probe=True)

TAKES = "text[], text[], timestamp with time zone[], text[], numeric[], text[]"
"""The arguments of close_rounds."""


@contextmanager
def bare_database(server: str, front: str, encoding: str | None = None) -> Iterator[str]:
    """DSN of a new database that holds our schema alone; `front` is how the server is reached.

    With an `encoding`, its locale is C.
    """
    with new_database(server, "template0", encoding=encoding) as name:
        asyncio.run(_migrate(make_conninfo(server, dbname=name)))
        yield make_conninfo(front, dbname=name)


async def _migrate(dsn: str) -> None:
    async with open_database(lambda: dsn, size=1) as database:
        await migrate(database)


def as_role(dsn: str, role: str) -> str:
    """The same database, with that role's rights from the first statement on."""
    if pgbouncer.wanted():  # it takes no options from its clients, so that the role itself has to log in
        return make_conninfo(dsn, user=role)
    return make_conninfo(dsn, options=f"-c role={role}")


def sample(name: str) -> str:
    """A file of sql/operator/."""
    return (sql_root() / "operator" / f"{name}.sql").read_text("utf-8")


def sample_table() -> str:
    """The table that the samples are written for, from the comment that shows it."""
    shown = re.search(r"^--     CREATE TABLE .*?^--     \);$", sample("open_rounds"), re.MULTILINE | re.DOTALL)
    assert shown is not None
    return textwrap.dedent(re.sub(r"^--", "", shown[0], flags=re.MULTILINE))


def install_samples(dsn: str) -> None:
    """Do the DBA's part: view, function, indexes, roles, on an empty table of the operator's."""
    run(dsn, "CREATE SCHEMA casino", sample_table(), sample("open_rounds"), sample("close_rounds"))
    # Outside of a transaction, so one by one.
    run(dsn, *re.findall(r"^CREATE INDEX.*?;$", sample("indexes"), re.MULTILINE | re.DOTALL), sample("roles"))


def run(dsn: str, *statements: str) -> list[Any]:
    """Run scripts, each by itself; returns the rows of the last one, if it has any."""
    rows: list[Any] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
    return rows


def view(kind: str = "VIEW", *, without: tuple[str, ...] = (), **columns: str) -> str:
    """A script that makes the view anew; columns that are not named are right."""
    right = {
        **dict.fromkeys(("partner", "market", "game_id", "user_id", "round_id"), "''::text"),
        **dict.fromkeys(("opened_at", "last_activity_at"), "now()"),
        "currency": "''::text",
        "stake": "1::numeric",
        "bet_transaction_id": "''::varchar",
    }
    listed = ", ".join(f"{value} AS {name}" for name, value in (right | columns).items() if name not in without)
    return f"DROP VIEW retention.open_rounds; CREATE {kind} retention.open_rounds AS SELECT {listed}"


def function(arguments: str = TAKES, returns: str = "TABLE (partner text, round_id text)", more: str = "") -> str:
    """A script that makes the function anew, with nothing in it."""
    return (
        f"DROP FUNCTION retention.close_rounds; CREATE FUNCTION retention.close_rounds({arguments}) RETURNS {returns}"
        f" LANGUAGE plpgsql {more} AS 'BEGIN END'"
    )


@dataclass(frozen=True, slots=True)
class Planned:
    """A run that has begun: its ledger, and how many rounds it planned."""

    run_id: UUID
    work: EngineLedger
    rounds: int


async def begin(database: Database, scope: Scope = SCOPE) -> Planned:
    """Plan a run and set it going."""
    ledger, run_id = RunLedger(database), uuid4()
    plan = await Plans(database).create_run(RunRequest(run_id, "nightly", "enforce", "ann", None, {}), scope, [TERMS])
    assert plan is not None
    assert await ledger.start_run(run_id, None)
    work = EngineLedger.of_run(database, run_id, "replica", None, asyncio.get_running_loop().time)
    return Planned(run_id, work, plan.rounds)


def unhurried(claims: Sequence[Claim], seconds: float = 60) -> list[Claim]:
    """These claims with so much more time to leave: a slow machine makes none of them too old for a new slot."""
    return [claim._replace(send_by=claim.send_by + seconds) for claim in claims]


async def cancel_all(planned: Planned, transaction_id: str | None = None) -> dict[str, bool]:
    """Claim a begun run's rounds and settle them as cancelled; returns each one's conflict."""
    claims = (await planned.work.claims.claim(Kind.CANCEL, TERMS, after=0, batch=100)).claims
    written, *_ = await planned.work.settlements.settle_replies(cancelled(claims, transaction_id))
    return {claim.round_id: written[claim.uuid].conflict for claim in claims}


def cancelled(claims: Sequence[Claim], transaction_id: str | None = None) -> list[Settlement]:
    """The vendor's yes to each of these."""
    now = datetime.now(UTC)
    told = (200, "0", "ok", "EUR", None, transaction_id)
    return [Settlement(claim, Outcome.CANCELLED, State.CANCELLED, now, now, *told, failed=False) for claim in claims]
