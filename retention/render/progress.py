"""The progress bar of a run or a report, on stderr."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable

    from rich.console import RenderableType
    from rich.progress import Progress

    from retention.engine.counters import RunCounters
    from retention.reports.report import Report

REFRESH_INTERVAL_S = 0.2

BAR_WIDTH_COLUMNS = 20


def is_watched() -> bool:
    """Whether stderr is a terminal, so that a person sees the bar."""
    return sys.stderr.isatty()


@asynccontextmanager
async def progress(counters: RunCounters, planned: int, before: int = 0) -> AsyncIterator[None]:
    """Show rounds done, rate, time left and outcomes on stderr while the context is open.

    `planned`: the rounds of the run. `before`: the rounds that were done when this process began.
    """
    with _display() as display:
        task = display.add_task("cancelling", total=planned, completed=before, speed="", outcomes="")

        def show() -> None:
            display.update(
                task,
                completed=before + counters.done,
                outcomes=", ".join(f"{state.value} {count}" for state, count in counters.states.most_common()),
            )

        async with _refreshed(display, show):
            yield


@asynccontextmanager
async def report_progress(report: Report) -> AsyncIterator[Report]:
    """Show rows written, rate and time left on stderr while the context is open; return the report to write."""
    written = 0

    async def counted() -> AsyncGenerator[Any, None]:
        nonlocal written
        async for row in report.rows:
            written += 1
            yield row

    with _display() as display:
        task = display.add_task("writing", total=report.count, speed="", outcomes="")
        async with _refreshed(display, lambda: display.update(task, completed=written)), aclosing(counted()) as rows:
            yield replace(report, rows=rows)


@asynccontextmanager
async def _refreshed(display: Progress, show: Callable[[], None]) -> AsyncIterator[None]:
    """Call `show`, and show the rate, every REFRESH_INTERVAL_S while the context is open."""

    async def refresh() -> None:
        while True:
            show()
            (task,) = display.tasks
            display.update(task.id, speed=f"{task.speed:.0f}/s" if task.speed else "")
            await asyncio.sleep(REFRESH_INTERVAL_S)

    showing = asyncio.create_task(refresh())
    try:
        yield
    finally:
        showing.cancel()


def _display() -> Progress:
    """Make the display: bar, count, rate and time on one short line, the outcomes below it."""
    from rich import progress as bars  # noqa: PLC0415 - slow to import, and only a terminal needs it
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
        bars.BarColumn(bar_width=BAR_WIDTH_COLUMNS, table_column=Column(min_width=BAR_WIDTH_COLUMNS)),
        bars.MofNCompleteColumn(table_column=Column(no_wrap=True)),
        bars.TextColumn("{task.fields[speed]}", table_column=Column(no_wrap=True)),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
    )
