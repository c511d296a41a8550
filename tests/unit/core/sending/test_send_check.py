"""The check before a request leaves, its waits, and the limit of each kind's claims."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.model import Claim, Kind
from retention.core.sending.in_flight import InFlightLimit
from retention.core.sending.pacing import LateBudget
from retention.core.sending.send_check import SendCheck, check_send
from retention.engine.asked_rounds import AskedRounds

CLAIM = Claim(1, "run", "uuid", Kind.CANCEL, "acme", "MT", None, "u", "r", 1, 0, False, False, 9.5, 10.0, 10.5, 25.0)


@pytest.mark.parametrize(
    ("now", "allowed", "connected", "expected"),
    [
        (10.0, True, True, SendCheck.SEND),
        (10.01, True, True, SendCheck.SEND),
        (10.1, True, True, SendCheck.NEW_SLOT),
        (10.5, True, True, SendCheck.RETURN),
        (11.0, True, True, SendCheck.RETURN),
        (10.0, False, True, SendCheck.RETURN),
        (10.0, True, False, SendCheck.RETURN),
    ],
)
def test_a_request_leaves_only_while_everything_is_right(
    now: float, allowed: bool, connected: bool, expected: SendCheck
) -> None:
    """Stopped, without a connection, or with an old look it is handed back; late, it waits for another slot."""
    assert expected is check_send(CLAIM, now, allowed=allowed, connected=connected, budget=LateBudget(20.0))


def test_a_slow_vendor_gets_one_claim_for_each_free_place() -> None:
    """With slow replies no claim is made ahead; with quick ones a place serves several requests."""
    slow, quick = InFlightLimit(5, latency=8.0), InFlightLimit(5, latency=0.01)
    assert 5 == slow.room(Kind.CANCEL, 100, Counter(), connections=50)
    assert 100 == quick.room(Kind.CANCEL, 100, Counter(), connections=50)
    slow.began(Kind.CANCEL)
    assert 3 == slow.room(Kind.CANCEL, 100, Counter({Kind.CANCEL: 1}), connections=50)
    assert 0 == slow.room(Kind.CANCEL, 100, Counter(), connections=1)
    quick.waited_too_long()
    assert 5 == quick.room(Kind.CANCEL, 100, Counter(), connections=50)


def test_one_place_goes_to_claims_of_both_kinds_by_turns() -> None:
    """With one place, and both kinds wanting it, neither is left out."""
    places, served = InFlightLimit(1, latency=8.0), []
    for _ in range(6):
        first = next(kind for kind in Kind if places.room(kind, 10, Counter(), connections=1))
        places.began(first)
        assert [0, 0] == [places.room(kind, 10, Counter(), connections=1) for kind in Kind]
        places.ended(first)
        served.append(first)
    assert [Kind.CANCEL, Kind.STATUS] * 3 == served


@given(
    capacity=st.integers(1, 100),
    latency=st.floats(0.001, 30),
    steps=st.lists(st.tuples(st.sampled_from([*Kind]), st.integers(0, 500), st.booleans()), max_size=50),
)
def test_no_more_is_claimed_than_can_leave(capacity: int, latency: float, steps: list[tuple[Kind, int, bool]]) -> None:
    """For any demand of both kinds, claims and requests in flight stay within the places' capacity in the window."""
    places, waiting = InFlightLimit(capacity, latency=latency), Counter[Kind]()
    usable = int(capacity * max(1.0, 0.4 / latency))
    for kind, wanted, leave in steps:
        granted = places.room(kind, wanted, waiting, connections=capacity)
        assert 0 <= granted <= wanted
        waiting[kind] += granted
        assert waiting.total() + places.in_flight.total() <= usable
        if leave and waiting[kind] and places.in_flight.total() < capacity:
            waiting[kind] -= 1
            places.began(kind)


def test_told_rounds_are_called_in_time_or_asked_about_again() -> None:
    """The first cancels wait until some rounds are in hand; an answer that is not good any more has to be asked for
    anew.
    """
    told = AskedRounds(rate=2.0)
    told.add(1, 100.0)
    assert 0 == told.ready(100.1, all_asked=False)
    assert 1 == told.ready(100.1, all_asked=True)
    told.add(2, 101.0)
    assert [1] == told.take(1)
    assert (True, False) == (told.is_out(1), told.is_out(2))
    told.put_back([1, 7])
    assert 2 == told.ready(101.0, all_asked=False)
    assert 1 == told.ready(155.5, all_asked=False)
    assert 0 == told.ready(200.0, all_asked=False)
    assert [1, 2] == told.lapsed


def test_questions_do_not_run_away_from_the_cancels() -> None:
    """Probes run ahead by a few seconds at most, and stop while answered rounds wait for long."""
    told = AskedRounds(rate=10.0)
    assert 32 == told.room(100.0, asking=0)
    told.add(1, 100.0)
    assert 26 == told.room(100.0, asking=5)
    assert 0 == told.room(116.0, asking=0)
