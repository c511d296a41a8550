"""Keeps the ledger's rows of schedules as the configuration has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retention.daemon.scheduler import Scheduler
    from retention.ledger.schedules import ScheduleStore


async def register_schedules(store: ScheduleStore, scheduler: Scheduler[Any]) -> None:
    """Read how far each new schedule is processed, and close the rows of removed ones.

    A removed schedule misses nothing: if it comes back to the configuration, it begins anew.
    Raises the database's errors.
    """
    for key in scheduler.removed:
        await store.advance(*key, None)
        scheduler.forget_removed(key)
    for state in scheduler.unregistered:
        state.register(*await store.register(*state.key))
