"""Results of the ledger's statements, for the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from retention.core.model import Claim, State
    from retention.core.runs.pauses import ActivePause


@dataclass(frozen=True, slots=True)
class SkippedRound:
    """A planned round that a claim skipped: it may no longer be cancelled."""

    run_id: str
    state: State
    partner: str
    market: str
    round_id: str
    detail: str


@dataclass(slots=True)
class ClaimBatch:
    """The result of one claim statement. `open` is false if the gate forbids claims now.

    `unslotted`: ids of rounds without a slot inside the horizon. `clock_offset_s`: the database's time minus this
    process's monotonic time, in seconds; None without claims. `slot_interval_s`: seconds from slot to slot.
    `last_id`: the highest id that the statement considered.
    """

    open: bool = True
    claims: list[Claim] = field(default_factory=list)
    skipped: list[SkippedRound] = field(default_factory=list)
    unslotted: list[int] = field(default_factory=list)
    clock_offset_s: float | None = None
    slot_interval_s: float | None = None
    last_id: int = 0


class SettledRow(NamedTuple):
    """One written settlement: whether its round is in conflict, and whether refund and stake differ."""

    conflict: bool
    discrepant: bool


class SettledBatch(NamedTuple):
    """The result of writing a batch of settlements.

    `written`: rows by attempt. `recent`: the run's newest replies, for the failure-ratio rail; None if unchanged.
    `recent_tried_before`: the same for rounds that an earlier run has tried. `refused_closings`: the closings that the
    operator's database refused in this run; None if unchanged. `missing`: attempts that the ledger has lost, and whose
    settlements changed nothing.
    """

    written: dict[str, SettledRow]
    recent: str | None = None
    recent_tried_before: str | None = None
    refused_closings: int | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClosedGroup:
    """Rounds that were closed without another request, by partner, market and state."""

    partner: str
    market: str
    state: State
    rounds: int


@dataclass(frozen=True, slots=True)
class ClosedBatch:
    """What one transaction closed; the next one goes on beyond `last_block`."""

    groups: Sequence[ClosedGroup]
    last_block: int


class ClaimWait(NamedTuple):
    """A partner whose calls wait until `until`: its vendor asked for a pause, or no slot is free.

    `rate_group`: the group that has no slot before, where the partner itself would have one.
    """

    partner: str
    kind: str
    by_vendor: bool
    until: str
    rate_group: str | None = None


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """The state of a run at one heartbeat. `server_started` tells one database server from another.

    `new_server_for`: the partners for which no process has waited yet since the server's start, so that claims wait.

    `stalled`: the run made no progress for its policy's `stalled_after`, and no process has marked it yet.
    """

    status: str
    halt_reason: str | None
    halted_partners: frozenset[str]
    overdue: bool
    pauses: tuple[ActivePause, ...]
    throttled: frozenset[str]
    server_started: datetime
    new_server_for: frozenset[str] = frozenset()
    waits: tuple[ClaimWait, ...] = ()
    stalled: bool = False
