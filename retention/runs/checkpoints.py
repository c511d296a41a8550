"""Makes checkpoints of the evidence, and tells the log of each: at the end of a run, and every minute of a long one.

A checkpoint that fails is made up for by the next one, so it fails no run and no decision.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg

from retention.ledger.database_errors import UNAVAILABLE, first_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from structlog.typing import FilteringBoundLogger

    from retention.core.evidence.checkpoint import Checkpoint
    from retention.ledger.evidence import Evidence

CHECKPOINT_INTERVAL_S = 60.0
"""Seconds between the checkpoints of a long run."""

CHECKPOINT_TIMEOUT_S = 30.0
"""Seconds that a checkpoint may take."""


class Checkpoints:
    """Makes and logs the checkpoints of one process."""

    def __init__(
        self, evidence: Evidence, log: FilteringBoundLogger, interval_s: float = CHECKPOINT_INTERVAL_S
    ) -> None:
        self._evidence = evidence
        self._log = log
        self._interval_s = interval_s

    async def make(self) -> Checkpoint | None:
        """Make a checkpoint if there is new evidence; returns the newest one, None if the database fails."""
        try:
            async with asyncio.timeout(CHECKPOINT_TIMEOUT_S):
                return self._logged(await self._evidence.make_checkpoint()) or await self._evidence.newest_checkpoint()
        except (*UNAVAILABLE, psycopg.Error, TimeoutError) as error:
            self._log_failure(error)
            return None

    @asynccontextmanager
    async def every_minute(self) -> AsyncIterator[None]:
        """Make checkpoints in the background of this context, beside those of other processes."""
        task = asyncio.create_task(self._repeat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                async with asyncio.timeout(CHECKPOINT_TIMEOUT_S):
                    self._logged(await self._evidence.make_checkpoint(wait=False))
            except (*UNAVAILABLE, psycopg.Error, TimeoutError) as error:
                self._log_failure(error)
            except Exception:  # noqa: BLE001 - a failure here must not end the run
                self._log.exception("audit.checkpoint_crashed")

    def _logged(self, made: Checkpoint | None) -> Checkpoint | None:
        if made is not None:
            self._log.info("audit.checkpoint", **made.values())
        return made

    def _log_failure(self, error: Exception) -> None:
        self._log.warning("audit.checkpoint_failed", problem=first_line(error) or type(error).__name__)
