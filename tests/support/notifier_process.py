"""One pass of a notifier, as a process of its own: DSN and webhook are its arguments."""

from __future__ import annotations

import asyncio
import sys

from retention.ledger.database import open_database
from retention.settings.model import Target
from support.receiver import KEY, notifier


async def main(dsn: str, address: str) -> None:
    """Make one pass."""
    target = Target.model_validate({"name": "ops", "webhook": address, "signing_key": KEY})
    async with open_database(lambda: dsn) as database, notifier(database, target) as one:
        await one.run_once()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
