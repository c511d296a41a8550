"""Keeps the metrics up to date with the ledger.

`/metrics` waits for no database. A background task reads the ledger and then rests twenty times as long as the read
took, because counting the rounds that need review scans all cancellations.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from retention.core.runs.summary import exit_code
from retention.ledger.database_errors import UNAVAILABLE
from retention.metrics import labels_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from structlog.typing import FilteringBoundLogger

    from retention.daemon.live_configuration import LiveConfiguration
    from retention.ledger.evidence import Evidence
    from retention.ledger.pauses import Pauses
    from retention.ledger.policy_facts import LastRuns, PolicyFacts
    from retention.ledger.runs import RunLedger
    from retention.metrics import Metrics
    from retention.runs.model import RunResult

READ_INTERVAL_S = 20.0
"""Seconds between two reads if no run ends and no configuration changes."""

REST_PER_READ = 20
"""A rest lasts at least this many times as long as the read before it."""

MIN_REST_S = 1.0
"""Seconds that a rest lasts at least."""

READ_TIMEOUT_S = 10.0
"""Seconds that a read may take."""

FIRST_READ_TIMEOUT_S = 2.0
"""Seconds that the start of the daemon waits for the first read."""

_UNREAD = (*UNAVAILABLE, psycopg.Error, TimeoutError)


class LedgerMetrics:
    """Reads the ledger in the background and passes its figures to the metrics."""

    def __init__(
        self,
        configuration: LiveConfiguration,
        facts: PolicyFacts,
        runs: RunLedger,
        evidence: Evidence,
        pauses: Pauses,
        metrics: Metrics,
        log: FilteringBoundLogger,
    ) -> None:
        self._configuration = configuration
        self._facts = facts
        self._runs = runs
        self._evidence = evidence
        self._pauses = pauses
        self._metrics = metrics
        self._log = log
        self._shown_runs: dict[str, object] = {}
        self._due = asyncio.Event()

    def apply_settings(self) -> None:
        """Offer the series of the configured policies, and read their values soon."""
        settings = self._configuration.settings
        self._metrics.promise(labels_of(settings, settings.policies))
        self._due.set()

    def record_result(self, result: RunResult) -> None:
        """Show how a run ended in this process, which knows more of it than the ledger."""
        summary = result.summary
        self._shown_runs[summary.policy] = (summary.run_id, summary.status)
        self._metrics.run_ended(result.exit, result)
        self._due.set()

    async def read_last_runs(self) -> None:
        """Read the times of the last runs, so that the first scrape does not claim that there were none."""
        with suppress(*_UNREAD):  # the background task reads them a moment later
            async with asyncio.timeout(FIRST_READ_TIMEOUT_S):
                self._metrics.last_runs(await self._last_runs())

    async def run(self) -> None:
        """Read again and again, until cancelled. A value that cannot be read stays as it is."""
        while True:
            self._due.clear()
            began_s, rest_s = time.monotonic(), MIN_REST_S
            try:
                async with asyncio.timeout(READ_TIMEOUT_S):
                    await self._read()
                rest_s = REST_PER_READ * (time.monotonic() - began_s)
            except TimeoutError:
                rest_s = REST_PER_READ * READ_TIMEOUT_S
            except _UNREAD:  # the daemon's own pass logs that the database is away
                pass
            except Exception:  # noqa: BLE001 - a crash here must not end runs or metrics
                self._log.exception("metrics.crashed")
            await asyncio.sleep(max(rest_s, MIN_REST_S))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(READ_INTERVAL_S - rest_s, 0)):
                    await self._due.wait()

    async def _read(self) -> None:
        last_runs = await self._last_runs()
        self._metrics.last_runs(last_runs)
        for policy, last in last_runs.items():
            if last.run_id is not None and self._shown_runs.get(policy) != (last.run_id, last.status):
                code = exit_code(await self._runs.summarize_run(last.run_id))
                self._metrics.set_exit_code(policy, code)
                self._shown_runs[policy] = (last.run_id, last.status)
        self._metrics.set_checkpoint(await self._evidence.newest_checkpoint())
        settings = self._configuration.settings
        await self._read_pauses(settings.partners)
        if settings.reports:  # without them, the job needs no privilege on their table
            self._metrics.set_report_failures(await self._facts.list_failed_reports(settings.reports))
        max_runs = settings.max_runs()
        self._metrics.review_counts(await self._facts.count_review(max_runs), time.time())

    async def _read_pauses(self, partners: Collection[str]) -> None:
        pauses = await self._pauses.list_pauses()
        by_person = set(partners) if any(one.partner is None for one in pauses) else {one.partner for one in pauses}
        by_vendor = await self._pauses.list_vendor_pauses(None)
        self._metrics.set_pauses(partners, {one for one in by_person if one is not None}, by_vendor)

    async def _last_runs(self) -> Mapping[str, LastRuns]:
        settings = self._configuration.settings
        dry_run = [policy.name for policy in labels_of(settings, settings.policies) if policy.dry_run]
        return await self._facts.list_last_runs(settings.policies, dry_run)
