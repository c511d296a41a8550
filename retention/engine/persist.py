"""What has to be written is tried until it is."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, TypeVar

from retention.ledger.database import AWAY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_GIVEN_UP = ("40", "55P03", "57014")  # deadlocks and serialization, locks not to be had, timeouts


async def persist(
    operation: Callable[[], Awaitable[T]],
    *,
    until: asyncio.Event,
    on_away: Callable[[Exception], None] | None = None,
    tries: float = math.inf,
) -> T | None:
    """Do it, as often as the database being away makes necessary; None where `until` came first.

    `tries` is how often the server, while it is there, may give the statement up before its error is raised.
    """
    wait = 0.1
    while True:
        try:
            return await operation()
        except AWAY as error:
            if (getattr(error, "sqlstate", None) or "").startswith(_GIVEN_UP):
                tries -= 1
                if tries <= 0:
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
