"""`--metrics-file`: what a command did, for the textfile collector of Prometheus's node_exporter."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from retention.cli.command import globals_of
from retention.errors import RetentionError, UsageError
from retention.exit_codes import ExitCode
from retention.process.surroundings import tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from uuid import UUID

    from retention.core.model import ReviewWhy
    from retention.engine.counters import ProcessCounters
    from retention.ledger.policy_facts import LastRuns
    from retention.runs.model import RunResult
    from retention.settings import Settings
    from retention.wiring.services import Services

LEDGER_READ_S = 10.0
"""Seconds that the end of a command may wait for what the ledger knows besides."""


@dataclass(slots=True)
class Measured:
    """What there is to tell, as far as the command came. `resumed` is the run whose policy is still to be found out."""

    policy: str | None
    resumed: UUID | None = None
    path: Path | None = None
    tally: ProcessCounters | None = None
    finished: RunResult | None = None
    last_runs: Mapping[str, LastRuns] = field(default_factory=dict)
    waiting: Mapping[tuple[str, ReviewWhy], int] | None = None

    async def stalled(self, services: Services) -> None:
        """Write the file, and tell people, while the run still stands: nobody knows when it ends."""
        await self.read_ledger(services)
        if self.path is not None:
            _write(self.path, services.settings, self, None)
        await services.tell()

    async def read_ledger(self, services: Services) -> None:
        """Take in what the ledger knows of the policies; what it does not tell in time, the old file still says."""
        if self.path is None:
            return
        import psycopg

        from retention.ledger.database_errors import UNAVAILABLE
        from retention.ledger.policy_facts import PolicyFacts
        from retention.metrics import labels_of

        facts = PolicyFacts(services.database)
        try:
            async with asyncio.timeout(LEDGER_READ_S):
                if self.policy is None and self.resumed is not None:
                    row = await services.run_ledger.get_run(self.resumed)
                    self.policy = row.policy if row is not None else None
                names = {*services.settings.policies, *([self.policy] if self.policy else [])}
                dry_run = [policy.name for policy in labels_of(services.settings, names) if policy.dry_run]
                self.last_runs = await facts.list_last_runs(names, dry_run)
                self.waiting = await facts.count_review(services.settings.max_runs())
        except (*UNAVAILABLE, psycopg.Error, TimeoutError) as error:
            services.log.debug("metrics.ledger_not_read", problem=type(error).__name__)


@contextmanager
def measuring(context: typer.Context, path: Path | None, policy: str | None, *, resumed: bool) -> Iterator[Measured]:
    """Write the metrics of what is done meanwhile, however it ends: a database that is away is worth an alert too.

    Raises UsageError before anything is done where the file could not be written.
    """
    if path is None:
        yield Measured(policy)
        return
    from retention.metrics_file import problem_with

    if problem := problem_with(path):
        raise UsageError(f"--metrics-file {path}: {problem}")
    settings = globals_of(context).settings()
    measured = Measured(None if resumed else settings.policy(policy).name, path=path)
    try:
        yield measured
    except typer.Exit as leaving:
        _write(path, settings, measured, leaving.exit_code)
        raise
    except RetentionError as error:
        _write(path, settings, measured, error.exit_code)
        raise
    except BaseException:  # a bug, or a pipe that nobody reads any more
        _write(path, settings, measured, ExitCode.BUG)
        raise


def _write(path: Path, settings: Settings, measured: Measured, code: int | None) -> None:
    from retention import metrics_file

    if code == ExitCode.USAGE and measured.policy is None and measured.finished is None:
        return  # a slip about some run says nothing of any policy
    try:
        metrics_file.write(path, _text(path, settings, measured, code))
    except OSError as error:  # what the run came to counts for more
        problem = f"{error.strerror}; the file still says what it said before"
        tell(f"error: --metrics-file {path}: {problem}")


def _text(path: Path, settings: Settings, measured: Measured, code: int | None) -> bytes:
    """What the file is to say: what is known now, and for the rest what it said before, also of other policies.

    `code`: the exit code; None while the run is not over.
    """
    from retention.engine.counters import ProcessCounters
    from retention.metrics import Metrics, labels_of
    from retention.metrics_file import read_back

    before = read_back(path)
    told = {sample.labels["policy"] for sample in before if "policy" in sample.labels}.intersection(settings.policies)
    summary = measured.finished.summary if measured.finished else None
    policy = summary.policy if summary else measured.policy
    # A run that is resumed while the database is away may be of any policy.
    mine = {policy} if policy else told or {*settings.policies}
    metrics = Metrics(measured.tally or ProcessCounters())
    metrics.promise(labels_of(settings, sorted(mine | told)))
    metrics.restore(before, policy, settings.partners)
    metrics.last_runs({name: last for name, last in measured.last_runs.items() if name in mine | told})
    if measured.waiting is not None:
        waiting = {key: rounds for key, rounds in measured.waiting.items() if key[0] in mine | told}
        metrics.review_counts(waiting, time.time())
    if code is None:
        return metrics.text()
    for name in mine:
        metrics.set_exit_code(name, code)
    if measured.finished:
        metrics.run_ended(code, measured.finished)
    return metrics.text()
