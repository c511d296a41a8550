"""What a terminal shows while a run is on."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from retention.engine.stats import Stats

REFRESH = 0.2
"""Seconds."""


@asynccontextmanager
async def progress(stats: Stats, planned: int) -> AsyncIterator[None]:
    """Show rounds done, outcomes, rate and time left on stderr, where that is a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - not needed where nobody looks
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[outcomes]}", table_column=Column()),  # on a narrow terminal this alone is wrapped
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("cancelling", total=planned, speed="", outcomes="")

        async def refresh() -> None:
            while True:
                speed = display.tasks[0].speed
                display.update(
                    task,
                    completed=stats.done,
                    speed=f"{speed:.0f}/s" if speed else "",
                    outcomes=", ".join(f"{state.value} {count}" for state, count in stats.states.most_common()),
                )
                await asyncio.sleep(REFRESH)

        showing = asyncio.create_task(refresh())
        try:
            yield
        finally:
            showing.cancel()
