"""What a terminal shows while a run is on."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from rich.console import RenderableType
    from rich.progress import Progress

    from retention.engine.counters import RunCounters

REFRESH = 0.2
"""Seconds."""

BAR = 20
"""Columns."""


def is_watched() -> bool:
    """Whether anybody sees a display."""
    return sys.stderr.isatty()


@asynccontextmanager
async def progress(stats: RunCounters, planned: int, before: int = 0) -> AsyncIterator[None]:
    """Show rounds done, rate, time left and outcomes on stderr, which is a terminal.

    `planned` counts the rounds of the run, `before` those of them that were done when this process began.
    """
    with _display() as display:
        task = display.add_task("cancelling", total=planned, completed=before, speed="", outcomes="")

        async def refresh() -> None:
            while True:
                speed = display.tasks[0].speed
                display.update(
                    task,
                    completed=before + stats.done,
                    speed=f"{speed:.0f}/s" if speed else "",
                    outcomes=", ".join(f"{state.value} {count}" for state, count in stats.states.most_common()),
                )
                await asyncio.sleep(REFRESH)

        showing = asyncio.create_task(refresh())
        try:
            yield
        finally:
            showing.cancel()


def _display() -> Progress:
    """Make the display: bar, count, rate and time on a line that fits any terminal, the outcomes below it."""
    from rich import progress as bars  # noqa: PLC0415 - not needed where nobody looks
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class Display(bars.Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            yield from super().get_renderables()
            for task in self.tasks:
                if outcomes := task.fields["outcomes"]:
                    yield Text(outcomes)

    return Display(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=BAR, table_column=Column(min_width=BAR)),
        bars.MofNCompleteColumn(table_column=Column(no_wrap=True)),
        bars.TextColumn("{task.fields[speed]}", table_column=Column(no_wrap=True)),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
    )
