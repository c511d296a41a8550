"""Checkpoints in the background of a long run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import structlog
from structlog.testing import LogCapture
from support.evidence import tree_problems, unplaced_entries

from retention.ledger.evidence import Evidence
from retention.runs.checkpoints import Checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention.ledger.database import Database


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    while not condition():
        await asyncio.sleep(0.01)


async def test_a_long_run_makes_checkpoints_until_it_ends(database: Database, direct_dsn: str) -> None:
    """New entries get their places while the run goes on; a failure is logged, and the next interval makes up for it."""
    log = LogCapture()
    made = Checkpoints(Evidence(database), structlog.wrap_logger(None, [log]), interval_s=0.02)
    with psycopg.connect(direct_dsn, autocommit=True) as other:
        async with made.every_minute():
            other.execute("INSERT INTO retention.evidence (kind, body) VALUES ('trial', '{}')")
            await until(lambda: any(entry["event"] == "audit.checkpoint" for entry in log.entries))
            other.execute("ALTER TABLE retention.evidence_leaves RENAME TO gone")
            await until(lambda: log.entries[-1]["event"] == "audit.checkpoint_failed")
            other.execute("ALTER TABLE retention.gone RENAME TO evidence_leaves")
            other.execute("INSERT INTO retention.evidence (kind, body) VALUES ('trial', '{}')")
            await until(lambda: log.entries[-1]["event"] == "audit.checkpoint")
        told = len(log.entries)
        other.execute("INSERT INTO retention.evidence (kind, body) VALUES ('trial', '{}')")
        newest = await made.make()
    assert newest is not None
    assert (3, told + 1) == (newest.size, len(log.entries))
    assert 0 == unplaced_entries(direct_dsn)
    assert [] == tree_problems(direct_dsn)
