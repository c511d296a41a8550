"""Whether the daemon's loop still turns: asked by `/healthz` and by systemd's watchdog."""

from __future__ import annotations

import asyncio
import time

from retention.daemon.systemd import notify, watchdog_interval

LIVENESS_TIMEOUT_S = 60.0
"""Seconds without a pass of the loop after which the daemon counts as dead."""


class Liveness:
    """Remembers when the loop last showed that it works."""

    def __init__(self) -> None:
        self._beat_at_s = time.monotonic()

    def beat(self) -> None:
        """Record that the loop works now."""
        self._beat_at_s = time.monotonic()

    def problem(self) -> str | None:
        """Say for how long the loop has stood still; None while it works."""
        silent_s = time.monotonic() - self._beat_at_s
        return f"nothing has turned for {silent_s:.0f} s" if silent_s > LIVENESS_TIMEOUT_S else None

    async def feed_watchdog(self) -> None:
        """Tell systemd's watchdog that the daemon lives, until cancelled; returns at once if there is no watchdog."""
        interval_s = watchdog_interval()
        while interval_s is not None:
            if self.problem() is None:
                notify("WATCHDOG=1")
            await asyncio.sleep(interval_s)
