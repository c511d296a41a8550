"""Back-off: waits grow, are spread, and have an end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.core.sending.backoff import CAP_S, full_jitter, outage_pause

fractions = st.floats(0, 1)
counts = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("longest", "tries"),
    [(0.25, 0), (0.5, 1), (1.0, 2), (2.0, 3), (32.0, 7), (60.0, 8), (60.0, 1_000_000)],
)
def test_the_longest_wait_doubles_up_to_a_cap(longest: float, tries: int) -> None:
    """Half a second at first, twice as much each time, a minute at the most."""
    assert longest == full_jitter(tries, 1.0)


@given(counts, fractions)
@settings(deadline=None)
def test_waits_are_spread_over_all_that_is_allowed(tries: int, fraction: float) -> None:
    """Full jitter: the random number decides on the whole of the wait, from nothing to the longest."""
    assert fraction * full_jitter(tries, 1.0) == full_jitter(tries, fraction)
    assert 0 <= full_jitter(tries, fraction) <= CAP_S


@pytest.mark.parametrize(
    ("pauses", "failures"),
    [((0.5, 1.0), 1), ((1.0, 2.0), 2), ((16.0, 32.0), 6), ((30.0, 60.0), 7), ((30.0, 60.0), 1_000_000)],
)
def test_an_outage_is_given_time(pauses: tuple[float, float], failures: int) -> None:
    """At least half of a step that doubles is always waited, so that a few tries outlast a restart of a gateway."""
    assert pauses == (outage_pause(failures, 0.0), outage_pause(failures, 1.0))


@given(counts, fractions, fractions)
@settings(deadline=None)
def test_a_longer_outage_is_never_given_much_less(failures: int, one: float, other: float) -> None:
    """For all random numbers, the next pause is at least as long as the shortest of this step."""
    assert outage_pause(failures, 0.0) <= outage_pause(failures + 1, one)
    assert 0 < outage_pause(failures, other) <= CAP_S
