"""`--metrics-file`: the metrics of one command, for the textfile collector of Prometheus's node_exporter."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from retention.errors import RetentionError, UsageError
from retention.exit_codes import ExitCode
from retention.process.this_process import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from uuid import UUID

    from retention.cli.command import GlobalOptions
    from retention.core.evidence.checkpoint import Checkpoint
    from retention.core.model import ReviewWhy
    from retention.core.runs.run_ids import GivenRunId
    from retention.engine.counters import ProcessCounters
    from retention.ledger.policy_facts import LastRuns
    from retention.runs.model import RunResult
    from retention.settings.model import Settings
    from retention.wiring.services import Services

LEDGER_READ_S = 10.0
"""Time that the end of a command may take to read further metrics from the ledger."""


@dataclass(slots=True)
class RunMetrics:
    """The values for the metrics file of a command, as far as the command came.

    `policy` is None until the policy of a `resumed` run is known. Without a `path` no file is written.
    """

    policy: str | None
    path: Path | None = None
    resumed: UUID | None = None
    counters: ProcessCounters | None = None
    result: RunResult | None = None
    last_runs: Mapping[str, LastRuns] = field(default_factory=dict)
    review_counts: Mapping[tuple[str, ReviewWhy], int] | None = None
    checkpoint: Checkpoint | None = None

    async def stalled(self, services: Services) -> None:
        """Write the file and send notifications while the run is stalled: its end may be far away."""
        await self.read_ledger(services)
        if self.path is not None:
            _write(self.path, services.settings, self, None)
        await services.send_notifications()

    async def read_ledger(self, services: Services) -> None:
        """Read the ledger's facts about the policies; the old file keeps its values for facts that come too late."""
        if self.path is None:
            return
        import asyncio

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
                self.checkpoint = await services.evidence.newest_checkpoint()
                self.review_counts = await facts.count_review(services.settings.max_runs())
        except (*UNAVAILABLE, psycopg.Error, TimeoutError) as error:
            services.log.debug("metrics.ledger_not_read", problem=type(error).__name__)


@contextmanager
def measuring(
    global_options: GlobalOptions, metrics_file: Path | None, policy: str | None, resume: GivenRunId | None
) -> Iterator[RunMetrics]:
    """Write the metrics of the command, however it ends: an unreachable database is worth an alert, too.

    Raises UsageError before the command does anything, where the file cannot be written.
    """
    if metrics_file is None:
        yield RunMetrics(policy)
        return
    from retention.metrics_file import problem_with

    if problem := problem_with(metrics_file):
        raise UsageError(f"--metrics-file {metrics_file}: {problem}")
    settings = global_options.settings()
    measured = RunMetrics(settings.policy(policy).name if resume is None else None, metrics_file)
    try:
        yield measured
    except typer.Exit as leaving:
        _write(metrics_file, settings, measured, leaving.exit_code)
        raise
    except RetentionError as error:
        _write(metrics_file, settings, measured, error.exit_code)
        raise
    except BaseException:  # a bug, or a closed pipe
        _write(metrics_file, settings, measured, ExitCode.BUG)
        raise


def _write(path: Path, settings: Settings, measured: RunMetrics, code: int | None) -> None:
    from retention import metrics_file

    if code == ExitCode.USAGE and measured.policy is None and measured.result is None:
        return  # a mistyped run id is no news about any policy
    try:
        metrics_file.write(path, _text(path, settings, measured, code))
    except OSError as error:  # the exit code of the run counts for more
        problem = f"{error.strerror}; the file keeps its old values"
        report(f"error: --metrics-file {path}: {problem}")


def _text(path: Path, settings: Settings, measured: RunMetrics, code: int | None) -> bytes:
    """Return the new content: the values known now, and the old file's values for the rest and for other policies.

    `code`: the exit code; None while the run is under way.
    """
    from retention.core.planning.named_rounds import TARGETED
    from retention.engine.counters import ProcessCounters
    from retention.metrics import Metrics, labels_of
    from retention.metrics_file import read_back

    before = read_back(path)
    old = {sample.labels["policy"] for sample in before if "policy" in sample.labels}.intersection(settings.policies)
    summary = measured.result.summary if measured.result else None
    policy = summary.policy if summary else measured.policy
    # While the database is away, a resumed run may be of any policy.
    mine = {policy} if policy else old or {*settings.policies}
    if summary is not None and summary.trigger == TARGETED:
        mine = set()  # the run of no policy
    metrics = Metrics(measured.counters or ProcessCounters())
    metrics.promise(labels_of(settings, sorted(mine | old)))
    metrics.restore(before, policy, settings.partners)
    metrics.last_runs({name: last for name, last in measured.last_runs.items() if name in mine | old})
    metrics.set_checkpoint(measured.checkpoint)
    if measured.review_counts is not None:
        counts = {key: rounds for key, rounds in measured.review_counts.items() if key[0] in mine | old}
        metrics.review_counts(counts, time.time())
    if code is None:
        return metrics.text()
    for name in mine:
        metrics.set_exit_code(name, code)
    if measured.result:
        metrics.run_ended(code, measured.result)
    return metrics.text()
