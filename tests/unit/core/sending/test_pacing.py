"""Pacing: how many slots are taken at once, and how many may be used late without a burst at the vendor's door."""

from __future__ import annotations

import itertools
from collections import deque

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retention.core.sending.pacing import (
    LATE_SHARE,
    LONGEST_ANSWER_S,
    SPACING,
    TOLERANCE,
    DatabaseClock,
    LateBudget,
    batch_size,
    late_rate,
)

STARTS = st.sampled_from([0.0, 12_345.678, 5e6])  # a monotonic clock may have begun long ago


def most_in_a_second(times: list[float]) -> int:
    """Count the most moments that any sliding second holds; it does not hold its own end."""
    window: deque[float] = deque()
    most = 0
    for time in sorted(times):
        window.append(time)
        while window[0] + 1 <= time:
            window.popleft()
        most = max(most, len(window))
    return most


@given(
    st.lists(st.tuples(*[st.floats(0, 0.2)] * 3), min_size=1, max_size=30),
    st.floats(-1e9, 1e9),
)
def test_the_quickest_answer_tells_the_clocks_apart(trips: list[tuple[float, float, float]], ahead: float) -> None:
    """The database's clock is taken to be ahead by no more than it is, and by less only by the quickest answer's
    time.
    """
    clock, now = DatabaseClock(), 1000.0
    for there, back, rest in trips:
        found = clock.observe(now, now + there + ahead, now + there + back)
        assert clock.delay_s <= LONGEST_ANSWER_S
        now += there + back + rest
    quickest = min(back for _, back, _ in trips)
    assert ahead - quickest - 1e-6 <= found <= ahead + 1e-6


def test_a_clock_that_was_set_is_followed() -> None:
    """A database whose clock jumps, forwards or backwards, is believed at the next answer, up to the time that it
    took.
    """
    clock = DatabaseClock()
    for ahead in (50.0, 80.0, 20.0):
        assert pytest.approx(ahead, abs=0.031) == clock.observe(10.0, 10.02 + ahead, 10.05)


def test_the_expected_delay_follows_the_answers_and_is_bounded() -> None:
    """A late answer is expected again for a while, and none is expected later than LONGEST_ANSWER_S."""
    clock = DatabaseClock()
    delays = []
    for late in (0.01, 0.01, 0.11, 0.01, 0.01, 9.0):
        clock.observe(0.0, 0.0, late)
        delays.append(clock.delay_s)
    assert pytest.approx([0.01, 0.005, 0.1, 0.05, 0.025, LONGEST_ANSWER_S]) == delays


@pytest.mark.parametrize(
    ("rounds", "rate", "most"),
    [
        (1, 0.1, 500),
        (1, 1, 500),
        (1, 2, 500),
        (2, 3.9, 500),
        (12, 20, 500),
        (500, 1000, 500),
        (500, 5000, 500),
        (1, 5000, 1),
    ],
)
def test_a_batch_is_the_slots_that_a_look_allows(rounds: int, rate: float, most: int) -> None:
    """No more is claimed at once than is sent while the look is young, but at least one, and never more than
    allowed.
    """
    assert rounds == batch_size(rate, most)


@given(st.integers(1, 5000), STARTS, st.lists(st.floats(0, TOLERANCE * 0.99), max_size=50))
@settings(deadline=None)
def test_a_slot_in_time_is_always_used(rate: int, start: float, delays: list[float]) -> None:
    """Slots used within the tolerance cost nothing, however many they are."""
    budget = LateBudget(rate)
    assert all(budget.allows(start + n / rate, start + n / rate + delay) for n, delay in enumerate(delays))


def test_a_slot_within_the_tolerance_is_in_time() -> None:
    """A slot that is late by the tolerance itself is in time; beyond it, at a slow pace, it is lost."""
    assert [True, False] == [LateBudget(20).allows(0.0, late) for late in (TOLERANCE, TOLERANCE * 1.001)]


@given(st.floats(0.001, 1e4), st.lists(st.floats(0.001, 1e9), min_size=1, max_size=9))
def test_a_group_has_no_more_room_for_late_requests_than_its_rate(group: float, rates: list[float]) -> None:
    """All partners and kinds of a group together may be late by no more than the margin of the group's own rate."""
    late = [late_rate(rate, group, len(rates)) for rate in rates]
    assert sum(late) <= group * (1 + 1e-9)
    assert all(one <= rate for one, rate in zip(late, rates, strict=True))


@pytest.mark.parametrize("rate", [0.5, 1, 20, 50, 99])
def test_a_slow_rate_has_no_room_for_late_requests(rate: float) -> None:
    """Below a hundred requests a second not one late request fits in, however long none was late."""
    assert not any(LateBudget(rate).allows(now - 1.0, now) for now in (0.0, 10.0, 1e6))


def test_the_room_for_late_requests_returns_after_a_second() -> None:
    """As many late requests as a second has room for leave at once, the next one a second later."""
    budget = LateBudget(5000)
    assert [True] * 10 + [False] * 5 == [budget.allows(99.0, 100.0) for _ in range(15)]
    assert not budget.allows(99.0, 100.999)
    assert budget.allows(99.0, 101.0)


@given(st.integers(1, 3000), STARTS, st.lists(st.floats(0, 0.4), min_size=1, max_size=120))
@settings(deadline=None)
@example(1000, 0.0, [0.0] * 12 + [0.1] * 12)
@example(100, 5e6, [0.5, 0.5, 0.5])
def test_no_second_holds_more_late_requests_than_it_has_room_for(rate: int, start: float, gaps: list[float]) -> None:
    """In any sliding second, late requests are no more than the share that the spacing leaves free."""
    budget = LateBudget(rate)
    moments = [start + passed for passed in itertools.accumulate(gaps)]
    late = [moment for moment in moments if budget.allows(moment - 1.0, moment)]
    assert rate * LATE_SHARE >= most_in_a_second(late)


@given(
    rate=st.sampled_from([1, 20, 99, 100, 101, 150, 250, 400]),
    stalls=st.lists(st.tuples(st.floats(0, 3), st.floats(0.01, 1.5)), max_size=3),
    prompt_from=st.integers(0, 800),
)
@settings(deadline=None)
@example(rate=250, stalls=[(0.5, 1.0)], prompt_from=0)
@example(rate=400, stalls=[(0.5, 0.2), (1.2, 0.2)], prompt_from=300)
def test_no_second_holds_more_than_the_rate(rate: int, stalls: list[tuple[float, float]], prompt_from: int) -> None:
    """Wherever a process stalls, and however late within the tolerance it is, no sliding second holds a burst."""
    budget = LateBudget(rate)
    sent = []
    for n in range(3 * rate):
        slot = n / (SPACING * rate)
        moment = slot if n >= prompt_from else slot + TOLERANCE * 0.999
        for begin, length in sorted(stalls):
            if begin <= moment < begin + length:
                moment = begin + length
        sent.append((moment, slot))
    left = [moment for moment, slot in sorted(sent) if budget.allows(slot, moment)]
    assert rate >= most_in_a_second(left)
