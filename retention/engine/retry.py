"""What has to be written is tried until it is."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, TypeVar

from retention.ledger.database_errors import UNAVAILABLE, BusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


async def retry_until(
    operation: Callable[[], Awaitable[T]],
    *,
    until: asyncio.Event,
    on_away: Callable[[Exception], None] | None = None,
    busy_tries: float = math.inf,
) -> T | None:
    """Do it, as often as the database being away makes necessary; None where `until` came first.

    `busy_tries` is how often others may be in the way before BusyError is raised.
    """
    wait = 0.1
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
                wait = min(wait * 2, 2.0)
