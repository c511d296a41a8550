"""The simulated vendor as a server of its own, for staging."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from retention.errors import UsageError
from retention.simulator.faults import Faults, load
from retention.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from retention.process.shutdown import ShutdownSignals
    from retention.simulator.source import RoundSource


class _Serving:
    """The server as signals see it: it has nothing in flight, so both signals end it."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    def stop(self) -> None:
        """End the server."""
        self.stopped.set()

    abort = stop


async def serve(
    signals: ShutdownSignals,
    host: str,
    port: int,
    faults: Path | None,
    journal: Path | None,
    announce: Callable[[str], None],
    source: RoundSource | None = None,
) -> int:
    """Answer until a signal comes; returns that signal's exit code. `announce` is told the address. `source` finds the
    bets of rounds.

    Raises UsageError for a faults file that cannot be used, and for an address that cannot be listened on.
    """
    given = load(faults) if faults else Faults()
    serving = _Serving()
    try:
        with signals.drain_on_signal(serving):
            async with Simulator(
                host=host, port=port, unknown="open", faults=given, journal=journal, source=source
            ) as vendor:
                announce(vendor.url)
                await serving.stopped.wait()
    except OSError as error:
        raise UsageError(f"{host}:{port}: {error.strerror}; choose another --port") from None
    return signals.code or 0
