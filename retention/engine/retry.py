"""Repeats a database operation while the database is away."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, TypeVar

from retention.ledger.database_errors import UNAVAILABLE, BusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

FIRST_WAIT_S = 0.1
"""Seconds before the second try; each later wait is twice as long."""

LONGEST_WAIT_S = 2.0
"""Seconds between two tries, at the most."""


async def retry_until(
    operation: Callable[[], Awaitable[T]],
    *,
    until: asyncio.Event,
    on_away: Callable[[Exception], None] | None = None,
    busy_tries: float = math.inf,
) -> T | None:
    """Repeat the operation until the database answers; None where `until` is set and the database still is away.

    Each error of a database that is away goes to `on_away`. Foreign locks may hold the operation up `busy_tries` times;
    then BusyError is raised.
    """
    wait = FIRST_WAIT_S
    while True:
        try:
            return await operation()
        except UNAVAILABLE as error:
            if isinstance(error, BusyError):
                busy_tries -= 1
                if busy_tries <= 0:
                    raise
            elif on_away is not None:
                on_away(error)
            if until.is_set():
                return None
            try:
                async with asyncio.timeout(wait):
                    await until.wait()
            except TimeoutError:
                wait = min(wait * 2, LONGEST_WAIT_S)
