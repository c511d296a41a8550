"""Whether one partner may be called, in one process's part of one run.

Five things forbid a call, and this module alone writes each of them: a halt, a pause by a person, a pause that the
vendor asked for, an open circuit breaker, and a doubt about our credentials. Every other module calls a method here, so
one file says when a partner may be called. The module is pure: callers pass the monotonic clock's time, in seconds.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from retention.core.model import Kind, State
from retention.core.sending.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from retention.core.model import NotConnected

CALLABLE_STATES = frozenset({State.PLANNED, State.RETRYING})
"""The states in which a round may be cancelled once the vendor has said that it is in progress."""


class PartnerHalt(enum.Enum):
    """Why a partner is not called any more in this run."""

    UNAUTHORIZED = "the vendor refused our credentials"
    STATUS_ADDRESS = "the status address does not answer status probes"
    UNREACHABLE = "no connection succeeded for as many trips as a round has attempts"


class PartnerState:
    """The only writer of a partner's halts, pauses, circuit breakers and doubts about credentials.

    A pause that the vendor asked for counts at once here. The ledger learns of it a moment later: until then
    (`throttle` to `throttle_recorded`), a ledger without that pause does not end it.
    """

    __slots__ = (
        "_breakers",
        "_halts",
        "_health_checks",
        "_needs_probe",
        "_paused",
        "_probes_doubts",
        "_refusals",
        "_stopped",
        "_throttle_recorded_s",
        "_throttled_until_s",
        "_unrecorded_throttles",
    )

    def __init__(self, max_attempts: int, *, status_probe: bool, ask_first: bool) -> None:
        self._breakers = {kind: CircuitBreaker(max_attempts) for kind in Kind}
        self._needs_probe = ask_first
        self._probes_doubts = status_probe and not ask_first
        self._halts: set[PartnerHalt] = set()
        self._paused = False
        self._stopped = False
        self._throttled_until_s = 0.0
        self._unrecorded_throttles = 0
        self._throttle_recorded_s = 0.0
        self._refusals = 0
        self._health_checks = 0

    def may_call(self, kind: Kind, now_s: float) -> bool:
        """Whether a request of this kind may leave now. Asked for each request."""
        return not (
            self._stopped
            or self._health_checks
            or self._refusals
            or now_s < self._throttled_until_s
            or now_s < self._breakers[kind].open_until_s
        )

    @property
    def is_stopped(self) -> bool:
        """Whether the partner is halted or paused: then only a decision elsewhere lets calls go on."""
        return self._stopped

    # Halt: for the rest of the run.

    def halt(self, cause: PartnerHalt) -> None:
        """Call the partner no more in this run."""
        self._halts.add(cause)
        self._stopped = True

    @property
    def halted(self) -> bool:
        """Whether the partner is not called any more in this run."""
        return bool(self._halts)

    def is_halted_for(self, cause: PartnerHalt) -> bool:
        """Whether this was a cause, perhaps beside others."""
        return cause in self._halts

    # Pause: by a person, until a person resumes.

    def set_paused(self, *, paused: bool) -> bool:
        """Obey the kill switch; whether that changes anything."""
        changed = paused != self._paused
        self._paused = paused
        self._stopped = paused or bool(self._halts)
        return changed

    @property
    def paused(self) -> bool:
        """Whether a person has paused the partner."""
        return self._paused

    # Throttle: by the vendor, until a moment.

    def throttle(self, until_s: float) -> None:
        """Obey a 429, or a 503 with Retry-After: send nothing before a moment. The caller then records the pause."""
        self._throttled_until_s = max(self._throttled_until_s, until_s)
        self._unrecorded_throttles += 1

    def throttle_recorded(self, now_s: float) -> None:
        """The ledger has one more pause of the vendor's, and decides from now on when it ends."""
        self._unrecorded_throttles -= 1
        self._throttle_recorded_s = now_s

    def obey_ledger_throttle(self, *, throttled: bool, queried_s: float, until_s: float) -> None:
        """Obey the pause that the ledger, queried at `queried_s`, has or has not. It counts until the next look,
        `until_s`.

        A ledger without a pause ends ours: time has passed, or a person has resumed the partner.
        """
        if throttled:
            self._throttled_until_s = max(self._throttled_until_s, until_s)
        elif not self._unrecorded_throttles and self._throttle_recorded_s < queried_s:
            self._throttled_until_s = 0.0

    # Doubt about our credentials: while a refusal is judged, or a HealthCheck is on its way.

    def begin_refusal(self) -> None:
        """Send nothing while a refusal of our credentials is judged."""
        self._refusals += 1

    def end_refusal(self) -> None:
        """One refusal is judged."""
        self._refusals -= 1

    @property
    def judges_refusal(self) -> bool:
        """Whether a refusal of our credentials is being judged."""
        return self._refusals > 0

    def begin_health_check(self) -> None:
        """Send nothing while a HealthCheck is on its way."""
        self._health_checks += 1

    def end_health_check(self) -> None:
        """A HealthCheck has its answer."""
        self._health_checks -= 1

    # Reach: the circuit breaker of each kind's address.

    def record(self, kind: Kind, failure: NotConnected | None, now_s: float, jitter: float) -> None:
        """Record how an attempt to connect ended; `jitter` is a random number from 0 to 1 that spreads the pauses."""
        if failure is None:
            self._breakers[kind].succeed()
        else:
            self._breakers[kind].fail(now_s, jitter, failure.why)

    def is_half_open(self, kind: Kind) -> bool:
        """Whether only one connection at a time may be tried."""
        return self._breakers[kind].half_open

    @property
    def lost_kinds(self) -> list[Kind]:
        """The requests that a cancellation needs, and whose addresses are given up."""
        needed = [*Kind] if self._needs_probe else [Kind.CANCEL]
        return [kind for kind in needed if self._breakers[kind].gave_up]

    @property
    def lost_probes(self) -> bool:
        """Whether the status address is given up, while cancels need no probe first."""
        return self._probes_doubts and self._breakers[Kind.STATUS].gave_up

    @property
    def never_reached(self) -> bool:
        """Whether connections were tried, and none has ever succeeded."""
        breakers = self._breakers.values()
        return any(one.failed for one in breakers) and not any(one.reached for one in breakers)

    @property
    def why_not_reached(self) -> str:
        """Why the last connections failed; empty where none did."""
        return "; ".join(dict.fromkeys(one.why for one in self._breakers.values() if one.why))
