"""Trust in the database's clock."""

from __future__ import annotations

import pytest

from retention.core.clock_check import ClockCheck, ClockReading, offset_text

STEADY = 15.0


def reading(at: float, *, ahead: float = 0.0, took: float = 0.01, wall: float = 0.0) -> ClockReading:
    """A reading made at monotonic second `at`, by a database `ahead` of a process whose calendar is off by `wall`."""
    return ClockReading(1e9 + at + took / 2 + ahead, at, at + took, 1e9 + at + wall, 1e9 + at + took + wall)


@pytest.mark.parametrize(("ahead", "wall", "said"), [
    (0.0, 0.0, None),
    (59.0, 0.0, None),
    (61.0, 0.0, "the database's clock is 61 s ahead of this process's (limit 60 s)"),
    (-61.0, 0.0, "the database's clock is 61 s behind this process's (limit 60 s)"),
    (0.0, 3600.0, "the database's clock is 3600 s behind this process's (limit 60 s)"),
    (432_000.0, 0.0, "the database's clock is 432000 s ahead of this process's (limit 60 s)"),
])  # fmt: skip
def test_a_difference_is_named(ahead: float, wall: float, said: str | None) -> None:
    """A difference above the limit is a problem, whichever clock is wrong, from the first reading on."""
    check = ClockCheck(STEADY)
    assert not check.observe(reading(10, ahead=ahead, wall=wall))
    problem = check.problem(60, 10.1)
    assert (said is None) == (problem is None) == check.agrees(60, 10.1)
    assert said is None or (problem or "").startswith(said)


def test_a_slow_answer_is_no_difference() -> None:
    """A difference that the round trip may explain is neither a difference nor a jump."""
    check = ClockCheck(STEADY)
    check.observe(reading(10))
    assert not check.observe(reading(11, took=200))
    assert not check.observe(reading(300, took=0.01))
    assert check.problem(60, 301) is None


@pytest.mark.parametrize("step", [30.0, -30.0, 2.5, -2.5])
def test_a_jump_is_named_until_a_lease_has_passed(step: float) -> None:
    """A step of the database's clock is a problem for as long as a lease lasts; its old time is counted on
    meanwhile.
    """
    check = ClockCheck(STEADY)
    check.observe(reading(10))
    assert check.observe(reading(10.4, ahead=step))
    way = "forward" if step > 0 else "back"
    assert f"the database's clock jumped {way} by {abs(step):.1f} s" in (check.problem(60, 10.5) or "")
    assert pytest.approx(1e9 + 10.5, abs=0.02) == check.database_time(10.5)
    for at in range(11, 27):
        assert not check.observe(reading(at, ahead=step))
    assert check.problem(60, 26.0) is None
    assert pytest.approx(1e9 + 26 + step, abs=0.02) == check.database_time(26)


def test_a_clock_that_is_slewed_or_stands_still_does_not_jump() -> None:
    """Neither drift at NTP's fastest, nor hours between two readings, nor a small step is a jump."""
    check = ClockCheck(STEADY)
    for at in range(0, 20_000, 10):
        assert not check.observe(reading(at, ahead=at * 0.0005))
    assert not check.observe(reading(56_000, ahead=28.0))
    assert not check.observe(reading(56_001, ahead=29.5))


def test_a_small_difference_is_written_to_the_hundredth() -> None:
    """A small difference is written to the hundredth of a second."""
    assert "0.02 s ahead of" == offset_text(0.02)
    assert "12 s behind" == offset_text(-12)
