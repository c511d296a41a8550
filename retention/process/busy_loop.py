"""The event loop of a process that may be busy."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GC_THRESHOLDS = (50_000, 20, 100)
"""Allocations, and collections of the younger generation, between two searches for cycles."""


def busy_runner() -> asyncio.Runner:
    """Return a runner on the fastest loop; the garbage collector looks seldom from now on.

    Imported modules stay, and requests leave next to no cycles. At Python's own thresholds the search for cycles takes
    a tenth of the time of a busy process.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return asyncio.Runner(loop_factory=_loop_factory())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:  # the standard loop is slower, and otherwise the same
        return asyncio.new_event_loop
    return uvloop.new_event_loop
