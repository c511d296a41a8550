"""Logs long waits for vendors and notification targets."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import FilteringBoundLogger

LONG_WAIT_S = 3.0
"""Seconds after which a wait is logged."""


@contextmanager
def log_long_wait(log: FilteringBoundLogger | None, event: str, **values: object) -> Iterator[None]:
    """Log the event once if the body takes longer than LONG_WAIT_S; without a log, log nothing."""
    if log is None:
        yield
        return
    handle = asyncio.get_running_loop().call_later(LONG_WAIT_S, lambda: log.warning(event, **values))
    try:
        yield
    finally:
        handle.cancel()
