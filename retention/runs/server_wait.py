"""Waits before a person's decision settles rounds as not sent, where the ledger may lack claims of the run.

A database server that has restarted or taken over may lack claims whose requests are under way. Their processes record
them again within a lease. A later run would cancel a second time what is settled as not sent meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from retention.core.runs.new_server import new_server_text

if TYPE_CHECKING:
    from uuid import UUID

    from retention.runs.model import RunParts


async def wait_for_server(parts: RunParts, run_id: UUID) -> None:
    """Wait for a lease on a server that may lack claims of the run, and say so; else return at once."""
    awaited = None
    while (started := await parts.ledger.find_new_server(run_id)) not in {None, awaited}:
        parts.log.warning("run.waiting", run_id=str(run_id), detail=new_server_text(parts.longest_lease))
        await asyncio.sleep(parts.longest_lease)
        awaited = started
