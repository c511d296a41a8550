"""The inbox: when replies are worth a batch."""

from __future__ import annotations

import asyncio

from retention.engine.inbox import BATCH_MAX, BATCH_MIN, LINGER_S, ROOM, STREAM_LINGER_S, STREAM_MIN, Inbox


def inbox_of(replies: int) -> Inbox[int]:
    """An inbox that so many replies have reached."""
    inbox: Inbox[int] = Inbox()
    assert all(inbox.offer(number) for number in range(replies))
    return inbox


async def gathered(inbox: Inbox[int]) -> float:
    """Gather, and take the batch; returns the seconds that it took."""
    began = asyncio.get_running_loop().time()
    await inbox.gather()
    inbox.take()
    return asyncio.get_running_loop().time() - began


async def test_a_stream_gathers_longer_than_single_replies() -> None:
    """After a batch of a stream the next replies wait for more of them; after a small batch they wait as short as ever."""
    inbox = inbox_of(STREAM_MIN)
    assert LINGER_S <= await gathered(inbox)
    assert inbox.offer(0)
    assert STREAM_LINGER_S <= await gathered(inbox)
    assert LINGER_S == inbox.linger_s


async def test_enough_replies_wait_for_nothing() -> None:
    """Replies that are a batch are taken at once, and so are those that become one meanwhile."""
    inbox = inbox_of(BATCH_MIN - 1)
    waits = asyncio.create_task(inbox.gather())
    await asyncio.sleep(0)
    assert not waits.done()
    assert inbox.offer(0)
    await waits
    assert BATCH_MIN == len(inbox.take())
    await inbox_of(BATCH_MIN).gather()


async def test_the_last_replies_are_not_kept_waiting() -> None:
    """When no more replies come, what has gathered is a batch."""
    inbox = inbox_of(1)
    waits = asyncio.create_task(inbox.gather())
    await asyncio.sleep(0)
    inbox.hurry()
    await waits
    assert [0] == inbox.take()


async def test_a_full_inbox_refuses_until_a_batch_is_taken() -> None:
    """Senders wait for room, and go on once a batch is taken."""
    inbox = inbox_of(ROOM)
    assert not inbox.offer(ROOM)
    waits = asyncio.create_task(inbox.room())
    await asyncio.sleep(0)
    assert not waits.done()
    assert [*range(min(ROOM, BATCH_MAX))] == inbox.take()
    await waits
    assert inbox.offer(ROOM)
