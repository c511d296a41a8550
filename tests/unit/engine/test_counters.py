"""The counts of several processes add up to those of one."""

from __future__ import annotations

import pickle
from decimal import Decimal

from retention.core.model import State
from retention.engine.counters import ProcessCounters, RunCounters


def count(counters: RunCounters, rounds: int) -> None:
    """Count as a run does."""
    for _ in range(rounds):
        counters.ended("acme", "MT", State.CANCELLED)
        counters.refund("acme", "EUR", Decimal("1.50"))
        counters.tally.requests["acme"].note(0.03125)
        counters.tally.waited["acme"] += 7


def test_what_is_taken_and_added_is_counted_once() -> None:
    """Counts that are taken from one process and added to another, again and again, are those of one process."""
    alone, first, helper = (RunCounters("nightly", ProcessCounters()) for _ in range(3))
    count(alone, 10)
    count(first, 3)
    for rounds in (5, 0, 2):
        count(helper, rounds)
        first.add(pickle.loads(pickle.dumps(helper.tally.take())))
        assert helper.tally.is_empty
    assert alone.tally == first.tally
    assert (alone.states, alone.done) == (first.states, first.done)
