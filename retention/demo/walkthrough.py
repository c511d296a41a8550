"""The demo, step by step: each step is a command that an operator would type."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg

from retention.core.text import counted
from retention.demo.approved_run import approve_a_run, prove_the_evidence
from retention.demo.embedded_postgres import Embedded, embedded_postgres
from retention.ledger import migrations
from retention.render import terminal_runs as show
from retention.render.csv_file import write_csv
from retention.render.output import whole_file
from retention.render.terminal_history import print_history
from retention.render.terminal_lists import print_reviews
from retention.render.terminal_plan import print_plan
from retention.render.terminal_report import print_report
from retention.reports.explain import explain
from retention.reports.read import read_report
from retention.reports.report import Selection
from retention.reports.run_view import plan_document, result_document
from retention.runs.model import RequestedBy
from retention.runs.scope import scope_of
from retention.settings.load import load_settings
from retention.simulator.faults import load as load_faults
from retention.simulator.server import Round, RoundStatus, Simulator
from retention.wiring.secrets import redactor_of
from retention.wiring.services import open_services

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from structlog.typing import FilteringBoundLogger

    from retention.process.shutdown import ShutdownSignals
    from retention.redaction import Redactor
    from retention.wiring.services import Services

    OpenLog = Callable[[Redactor], FilteringBoundLogger]

SHOWN_ROUNDS = 12
"""Rounds that the terminal shows of each list; the report's file has all."""


async def demonstrate(open_log: OpenLog, signals: ShutdownSignals, *, rounds: int, keep: bool) -> int:
    """Run the demo on an operator's table of so many rounds, and clean up unless `keep`; returns the exit code."""
    with _folder(keep=keep) as folder, embedded_postgres(keep=keep) as postgres:
        code = await _walk(open_log, signals, folder, postgres.dsn, rounds)
    show.heading("What to try next")
    print(_kept(folder, postgres) if keep else _NEXT)
    return code


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    """Make a folder for the configuration and the report; remove it unless `keep`."""
    folder = Path(tempfile.mkdtemp(prefix="retention-demo-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


async def _walk(open_log: OpenLog, signals: ShutdownSignals, folder: Path, dsn: str, rounds: int) -> int:
    faults = load_faults(_file("faults.toml"))
    async with Simulator(secure_login="demo-casino", token="demo-token-0f3c5b", faults=faults, latency=0.01) as vendor:
        config = folder / "retention.toml"
        config.write_text(
            Template(_file("config.toml").read_text("utf-8")).substitute(
                dsn=dsn, api_url=vendor.url, max_rounds=max(rounds, 5000)
            ),
            "utf-8",
        )
        settings = load_settings(
            config, {key: os.environ[key] for key in os.environ if not key.startswith("RETENTION_")}, folder
        )
        redactor = redactor_of(settings)
        async with open_services(settings, open_log(redactor), redactor) as services:
            await _prepare(services, vendor, rounds)
            return await _steps(services, vendor, signals, folder)


async def _steps(services: Services, vendor: Simulator, signals: ShutdownSignals, folder: Path) -> int:
    policy = services.settings.policy("nightly")
    scope = scope_of(services.settings, policy, None)
    terms = services.terms(scope.partners)

    show.heading("retention hold add --user ... --reason 'complaint 4711' --by compliance")
    user = (await _fetch(services, "SELECT user_id FROM retention.open_rounds ORDER BY opened_at LIMIT 1"))[0].user_id
    hold = await services.holds.add_hold(None, None, None, user, None, "complaint 4711", "compliance", None)
    print(f"hold {hold} stands: no round of player {user} is cancelled")

    show.heading("retention plan nightly")
    plan = await services.plans.preview_plan(scope)
    print_plan(plan_document(policy, plan, {term.partner: term.pace for term in terms}))

    show.heading("retention run nightly --enforce --by demo --reason 'the first look'")
    enforced = policy.model_copy(update={"mode": "enforce"})
    async with _players_coming_back(services, vendor, signals):
        runs = services.runs(signals, show=True)
        planned = await runs.plan(enforced, scope, terms, RequestedBy("demo", "the first look"))
        assert planned is not None  # only a scheduled time can have a run already
        finished = await runs.execute(planned)
    show.print_result(result_document(finished))

    await approve_a_run(services, signals)

    show.heading("retention report")
    file = folder / "report.csv"
    async with read_report(services.database, Selection()) as report:
        await print_report(report, limit=SHOWN_ROUNDS)
    with whole_file(file) as out:
        async with read_report(services.database, Selection()) as report:
            count = await write_csv(report, out)
    print(f"(retention report --format csv -o report.csv: {counted(count, 'round')}, {file.stat().st_size} bytes)")

    show.heading("retention review list")
    max_runs = services.settings.max_runs()
    items = await services.review.list_review(max_runs)
    print_reviews(items[:SHOWN_ROUNDS])
    if len(items) > SHOWN_ROUNDS:
        print(f"and {len(items) - SHOWN_ROUNDS} more")

    doubt = items[0] if items else None
    if doubt is not None:
        show.heading(f"retention explain --partner {doubt.partner} --round {doubt.round_id}")
        print_history(await explain(services.database, doubt.partner, doubt.round_id, [("nightly", scope)]))
    await prove_the_evidence(services)
    return int(finished.exit) if signals.code else 0


async def _prepare(services: Services, vendor: Simulator, rounds: int) -> None:
    """Fill the operator's table, and register its open rounds at the simulated vendor."""
    show.heading("retention db migrate")
    for migration in await migrations.migrate(services.database):
        print(f"applied {migration.name}")
    async with services.database.connection() as connection:
        await psycopg.AsyncClientCursor(connection).execute(
            _file("operator.sql").read_text("utf-8"), {"rounds": rounds}
        )
    open_rounds = await _fetch(services, "SELECT * FROM retention.open_rounds")
    vendor.register(
        Round(
            "demo-casino",
            row.round_id,
            row.user_id,
            row.game_id,
            currency=row.currency,
            amount=Decimal(row.stake),
            transaction_id=row.bet_transaction_id,
        )
        for row in open_rounds
    )
    print(f"the operator's table has {counted(rounds, 'round')}, {len(open_rounds)} of them open")


@asynccontextmanager
async def _players_coming_back(services: Services, vendor: Simulator, signals: ShutdownSignals) -> AsyncIterator[None]:
    """While the run is under way, let a player return now and then and finish a planned round."""

    async def play() -> None:
        while signals.code is None:
            for row in await _fetch(
                services,
                "UPDATE casino.game_rounds SET status = 1, closed_at = now() WHERE id IN ("
                "SELECT r.id FROM casino.game_rounds r JOIN retention.cancellations c ON c.round_id = r.id::text "
                "WHERE c.state = 'planned' AND r.status = 0 ORDER BY c.id DESC LIMIT 1) RETURNING id::text AS round_id",
            ):
                vendor.rounds["demo-casino", row.round_id].status = RoundStatus.COMPLETED
            await asyncio.sleep(0.4)

    playing = asyncio.create_task(play())
    try:
        yield
    finally:
        playing.cancel()


async def _fetch(services: Services, statement: LiteralString) -> list[Any]:
    async with services.database.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


def _file(name: str) -> Path:
    return Path(str(resources.files("retention.demo") / name))


_NEXT = """\
  retention init                 writes a commented retention.toml
  retention db sample            the view and the function for your tables
  retention check                tells what is missing, one line each
  retention plan                 what a run would do; calls nobody
  retention demo --keep          this again; its database stays, for a look"""


def _kept(folder: Path, postgres: Embedded) -> str:
    return f"""\
  {postgres.restart}
  retention --config {folder}/retention.toml review list
  rm -r {postgres.data} {folder}"""
