"""Says what is waited for, where somebody else than the database does not answer at once."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import FilteringBoundLogger

AFTER = 3.0
"""Seconds after which a wait is told."""


@contextmanager
def telling(log: FilteringBoundLogger | None, event: str, **values: object) -> Iterator[None]:
    """Log the event once, where what is done within it takes long; without a log, nothing."""
    if log is None:
        yield
        return
    handle = asyncio.get_running_loop().call_later(AFTER, lambda: log.warning(event, **values))
    try:
        yield
    finally:
        handle.cancel()
