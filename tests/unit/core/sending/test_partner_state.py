"""Whether a partner may be called: halt, pause, throttle, circuit breaker and credentials, each alone and together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retention.core.model import Kind, NotConnected
from retention.core.sending.circuit_breaker import FAILURES_TO_OPEN
from retention.core.sending.partner_state import PartnerHalt, PartnerState

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED = NotConnected("no connection: connection refused")


def partner(*, status_probe: bool = True, ask_first: bool = False) -> PartnerState:
    """A partner with three attempts for each round."""
    return PartnerState(3, status_probe=status_probe, ask_first=ask_first)


def fail(state: PartnerState, kind: Kind, now_s: float, times: int = FAILURES_TO_OPEN) -> None:
    """Let connections fail in a row."""
    for _ in range(times):
        state.record(kind, REFUSED, now_s, jitter=1.0)


@pytest.mark.parametrize(
    ("forbid", "allow"),
    [
        (lambda state: state.halt(PartnerHalt.UNAUTHORIZED), None),
        (lambda state: state.set_paused(paused=True), lambda state: state.set_paused(paused=False)),
        (PartnerState.begin_refusal, PartnerState.end_refusal),
        (PartnerState.begin_health_check, PartnerState.end_health_check),
        (
            lambda state: state.obey_ledger_throttle(throttled=True, queried_s=1.0, until_s=99.0),
            lambda state: state.obey_ledger_throttle(throttled=False, queried_s=2.0, until_s=99.0),
        ),
    ],
    ids=["halt", "pause", "refusal", "health check", "throttle"],
)
def test_each_state_alone_forbids_calls(
    forbid: Callable[[PartnerState], object], allow: Callable[[PartnerState], object] | None
) -> None:
    """Each state forbids both kinds of call, until its own end; a halt has none."""
    state = partner()
    forbid(state)
    assert [False, False] == [state.may_call(kind, 3.0) for kind in Kind]
    if allow is not None:
        allow(state)
        assert [True, True] == [state.may_call(kind, 3.0) for kind in Kind]


def test_a_pause_that_ends_does_not_lift_a_halt() -> None:
    """After resume, a partner that refused our credentials stays halted."""
    state = partner()
    state.set_paused(paused=True)
    state.halt(PartnerHalt.UNAUTHORIZED)
    assert state.set_paused(paused=False)
    assert not state.set_paused(paused=False)
    assert (True, True, False) == (state.halted, state.is_stopped, state.may_call(Kind.CANCEL, 1.0))


def test_a_throttle_outlasts_a_ledger_that_does_not_know_it_yet() -> None:
    """A ledger that was asked before a 429 was recorded does not end its pause; one that was asked later does."""
    state = partner()
    state.throttle(60.0)
    state.obey_ledger_throttle(throttled=False, queried_s=10.0, until_s=10.8)
    assert not state.may_call(Kind.CANCEL, 11.0)
    state.throttle_recorded(12.0)
    state.obey_ledger_throttle(throttled=False, queried_s=11.9, until_s=12.7)
    assert not state.may_call(Kind.CANCEL, 13.0)
    state.obey_ledger_throttle(throttled=False, queried_s=13.0, until_s=13.8)
    assert state.may_call(Kind.CANCEL, 13.1)


def test_the_circuit_breaker_opens_for_one_kind_and_half_opens_after_its_pause() -> None:
    """Three failed connections in a row forbid that kind of call for a pause; then one connection is tried at a
    time.
    """
    state = partner()
    fail(state, Kind.STATUS, 0.0, times=2)
    assert state.may_call(Kind.STATUS, 0.0)
    fail(state, Kind.STATUS, 0.0, times=5)
    assert (False, True) == (state.may_call(Kind.STATUS, 0.9), state.may_call(Kind.CANCEL, 0.9))
    assert (True, True) == (state.may_call(Kind.STATUS, 1.0), state.is_half_open(Kind.STATUS))
    state.record(Kind.STATUS, None, 1.1, jitter=1.0)
    assert (False, False) == (state.is_half_open(Kind.STATUS), state.never_reached)


@pytest.mark.parametrize(
    ("ask_first", "kind", "lost_kinds", "lost_probes"),
    [
        (False, Kind.CANCEL, [Kind.CANCEL], False),
        (False, Kind.STATUS, [], True),
        (True, Kind.STATUS, [Kind.STATUS], False),
    ],
)
def test_an_address_is_given_up_after_as_many_trips_as_attempts(
    *, ask_first: bool, kind: Kind, lost_kinds: list[Kind], lost_probes: bool
) -> None:
    """The status address is needed where the vendor is asked first; elsewhere its loss only leaves doubts."""
    state = partner(ask_first=ask_first)
    for trip in range(3):
        assert [] == state.lost_kinds
        fail(state, kind, trip * 100.0)
    assert (lost_kinds, lost_probes) == (state.lost_kinds, state.lost_probes)
    assert (True, REFUSED.why) == (state.never_reached, state.why_not_reached)
