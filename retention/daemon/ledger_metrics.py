"""Keeps the metrics up to date with what the ledger knows, so that whoever asks for them waits for no database."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import psycopg

from retention.core.runs.summary import exit_code
from retention.ledger.database_errors import UNAVAILABLE
from retention.ledger.policy_facts import PolicyFacts
from retention.metrics import labels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from retention.daemon.services import DaemonServices
    from retention.ledger.policy_facts import LastRuns
    from retention.metrics import Metrics
    from retention.runs.model import RunResult

INTERVAL_S = 20.0
"""Seconds between two reads, where nothing happens."""

SHARE = 20
"""A read is followed by a rest of so many times its length at least: counting the reviews reads the whole ledger."""

REST_S = 1.0
"""Seconds of that rest at least."""

TIMEOUT_S = 10.0
"""Seconds that a read may take."""

FIRST_TIMEOUT_S = 2.0
"""Seconds that a start waits for the first one."""

_UNREAD = (*UNAVAILABLE, psycopg.Error, TimeoutError)


class LedgerMetrics:
    """Reads the ledger in the background. `house` gives the parts for the configuration of the moment."""

    def __init__(self, services: Callable[[], DaemonServices], metrics: Metrics) -> None:
        self._services = services
        self._metrics = metrics
        self._facts = PolicyFacts(services().database)
        self._told: dict[str, object] = {}
        self._due = asyncio.Event()

    def adopt(self) -> None:
        """Have the series of the policies that are configured now, and read what the ledger knows of them soon."""
        settings = self._services().settings
        self._metrics.promise(labels_of(settings, settings.policies))
        self._due.set()

    def ended(self, finished: RunResult) -> None:
        """Take in how a run ended in this process, which knows it better than the ledger does."""
        summary = finished.summary
        self._told[summary.policy] = (summary.run_id, summary.status)
        self._metrics.run_ended(finished.exit, finished)
        self._due.set()

    async def begin(self) -> None:
        """Read the times of the last runs, so that nobody who asks early sees that there were none."""
        try:
            async with asyncio.timeout(FIRST_TIMEOUT_S):
                self._metrics.last_runs(await self._last_runs())
        except _UNREAD:  # it is read again in a moment
            pass

    async def run(self) -> None:
        """Read again and again, until cancelled. What cannot be read now keeps the value that it has."""
        while True:
            self._due.clear()
            began, rest = time.monotonic(), REST_S
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._read()
                rest = SHARE * (time.monotonic() - began)
            except TimeoutError:
                rest = SHARE * TIMEOUT_S
            except _UNREAD:  # the daemon's own look says that the database is away
                pass
            except Exception:  # noqa: BLE001 - runs go on, and so do the metrics
                self._services().log.exception("metrics.broken_off")
            await asyncio.sleep(max(rest, REST_S))
            try:
                async with asyncio.timeout(max(INTERVAL_S - rest, 0)):
                    await self._due.wait()
            except TimeoutError:
                pass

    async def _read(self) -> None:
        services = self._services()
        last_runs = await self._last_runs()
        self._metrics.last_runs(last_runs)
        for policy, last in last_runs.items():
            if last.run_id is not None and self._told.get(policy) != (last.run_id, last.status):
                code = exit_code(await services.run_ledger.summarize_run(last.run_id))
                self._metrics.set_exit_code(policy, code)
                self._told[policy] = (last.run_id, last.status)
        self._metrics.review_counts(await self._facts.count_review(services.settings.max_runs()), time.time())

    async def _last_runs(self) -> Mapping[str, LastRuns]:
        settings = self._services().settings
        dry_run = [policy.name for policy in labels_of(settings, settings.policies) if policy.dry_run]
        return await self._facts.list_last_runs(settings.policies, dry_run)
