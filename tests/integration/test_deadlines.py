"""One timer serves many requests: it ends exactly the late ones, and other cancellations are kept."""

from __future__ import annotations

import asyncio
import time

import pytest

from retention.vendor_api.deadlines import Deadlines

SHORT = 0.2


async def timed(deadlines: Deadlines, seconds: float) -> tuple[bool, bool, float]:
    """Sleep that long under a deadline; whether it was cancelled, whether by its deadline, and how long it took."""
    began, cancelled, over = time.monotonic(), False, False
    try:
        with deadlines.running():
            await asyncio.sleep(seconds)
    except TimeoutError:
        cancelled = over = True
    except asyncio.CancelledError:
        cancelled = True
    return cancelled, over, time.monotonic() - began


async def test_each_ends_at_its_own_time() -> None:
    """Of tasks that began one after the other each has its whole time, and a task that ends in time is left alone."""
    deadlines = Deadlines(SHORT)
    tasks = []
    for seconds in (9.0, 0.01, 9.0, 9.0):
        tasks.append(asyncio.create_task(timed(deadlines, seconds)))
        await asyncio.sleep(SHORT / 4)
    found = await asyncio.gather(*tasks)
    assert [(True, True), (False, False), (True, True), (True, True)] == [
        (cancelled, over) for cancelled, over, _ in found
    ]
    assert all(SHORT * 0.99 <= took for cancelled, _, took in found if cancelled)


async def test_an_idle_timer_is_set_again() -> None:
    """An idle timer is set again by the next task that begins."""
    deadlines = Deadlines(SHORT)
    for _ in range(2):
        assert (True, True) == (await timed(deadlines, 9.0))[:2]
        await asyncio.sleep(2 * SHORT)
    deadlines.close()


async def test_another_s_wish_to_end_it_is_not_taken_for_a_timeout() -> None:
    """A task that is cancelled from elsewhere, before its time or at the same moment, is not told of a timeout."""
    deadlines = Deadlines(SHORT)
    early = asyncio.create_task(timed(deadlines, 9.0))
    both = asyncio.create_task(timed(deadlines, 9.0))
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(SHORT / 2, early.cancel)
    deadline = time.monotonic() + SHORT
    while time.monotonic() < deadline + 0.02:  # nothing else gets a turn: timer and wish come together
        pass
    both.cancel()
    assert [(True, False)] * 2 == [(await task)[:2] for task in (early, both)]


async def test_a_timeout_leaves_the_task_as_it_was() -> None:
    """A task whose request took too long goes on, and is not still about to be cancelled."""
    deadlines = Deadlines(SHORT)
    assert (True, True) == (await timed(deadlines, 9.0))[:2]
    task = asyncio.current_task()
    assert task is not None
    assert 0 == task.cancelling()
    async with asyncio.timeout(5):
        await asyncio.sleep(0.01)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(5)
