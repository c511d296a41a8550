"""What the ledger answers to the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from retention.core.model import Claim, State
    from retention.core.runs.pauses import Paused


@dataclass(frozen=True, slots=True)
class SkippedRound:
    """A planned round that was not to be called any more when its turn came."""

    run_id: str
    state: State
    partner: str
    market: str
    round_id: str
    detail: str


@dataclass(slots=True)
class ClaimBatch:
    """What one claim statement brought. `open` is false where nothing may be claimed just now.

    `unslotted` are the ids of rounds for which no slot was left. `clock` is the database's time minus this process's
    monotonic time, in seconds; None where nothing was claimed.
    `step` is the time from slot to slot just now, in seconds. `last_id` is the highest id that was looked at.
    """

    open: bool = True
    claims: list[Claim] = field(default_factory=list)
    skipped: list[SkippedRound] = field(default_factory=list)
    unslotted: list[int] = field(default_factory=list)
    clock_offset_s: float | None = None
    slot_interval_s: float | None = None
    last_id: int = 0


class SettledRow(NamedTuple):
    """What became of one settlement in the ledger."""

    conflict: bool
    discrepant: bool


class SettledBatch(NamedTuple):
    """What became of a batch of settlements.

    `written` by attempt. `recent`: the run's newest replies, for the failure-ratio rail; None where it was not touched.
    `recent_again`: the same of the rounds that an earlier run has tried.
    `refused_closings`: how many closings the operator's database has refused in the run, None where the batch held
    neither. `missing`: attempts that are not on record any more, and whose settlements changed nothing.
    """

    written: dict[str, SettledRow]
    recent: str | None = None
    recent_again: str | None = None
    refused_closings: int | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClosedGroup:
    """Rounds that nothing more is sent for."""

    partner: str
    market: str
    state: State
    rounds: int


class ClaimWait(NamedTuple):
    """A partner that is not called for more than a moment: as its vendor asked, or for want of a slot."""

    partner: str
    kind: str
    by_vendor: bool
    until: str


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """What a look at the run showed. `server_started`: a later server, or another one, began at another time.

    `stalled`: it has made no progress for as long as its policy says, and nobody has noticed so far.
    """

    status: str
    halt_reason: str | None
    halted_partners: frozenset[str]
    overdue: bool
    pauses: tuple[Paused, ...]
    throttled: frozenset[str]
    server_started: datetime
    waits: tuple[ClaimWait, ...] = ()
    stalled: bool = False
