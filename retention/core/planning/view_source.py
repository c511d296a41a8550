"""The server on which a plan read the operator's view, where `read_dsn` names a replica."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

LARGE_LAG_S = 10.0
"""Seconds of lag from which on people are told: a replica is seldom a second behind."""

VIEW_AT = "view_at"
"""The key in a run's settings with the moment up to which a replica knew the view. Missing: up to the run's `as_of`."""


@dataclass(frozen=True, slots=True)
class ViewSource:
    """The server on which a plan read the view. `lag_s`: seconds by which the replica was behind, at most.

    `why_primary`: why the plan read the primary, although `read_dsn` names a replica; None for a plan on the replica.
    """

    lag_s: float = 0.0
    why_primary: str | None = None

    @property
    def on_replica(self) -> bool:
        """Whether the plan was read on the replica."""
        return self.why_primary is None

    @property
    def doubtful(self) -> bool:
        """Whether a person should know: the replica was of no use, or far behind."""
        return not self.on_replica or self.lag_s >= LARGE_LAG_S

    def document(self) -> dict[str, Any]:
        """Describe it for JSON."""
        server = "replica" if self.on_replica else "primary"
        return {"read_on": server, "lag_seconds": round(self.lag_s, 1), "why_primary": self.why_primary}

    def __str__(self) -> str:
        if self.why_primary is not None:
            return f"the view was read on the primary, and not on the replica of read_dsn: {self.why_primary}"
        return f"the view was read on the replica, {lag_text(self.lag_s)}"


@dataclass(frozen=True, slots=True)
class PrimaryState:
    """The primary, as read_replica/describe_primary.sql describes it."""

    cluster: int
    timeline: int | None
    position: str | None
    database_id: int
    database: str
    role: str
    may_copy: bool


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """The server of `read_dsn`, as read_replica/describe_replica.sql describes it."""

    cluster: int
    standby: bool
    timeline: int
    database_id: int
    database: str
    has_view: bool
    caught_up: bool
    replayed_at: datetime | None


def primary_problem(primary: PrimaryState) -> str | None:
    """Say why plans cannot be read on any replica of this primary; None if they can."""
    if primary.timeline is None:
        return "dsn itself names a standby; name the primary in database.dsn"
    if not primary.may_copy:
        return (
            "this role may make no temporary table on the primary; as the database's owner: GRANT TEMPORARY ON DATABASE"
            f" {primary.database} TO {primary.role}"
        )
    return None


def replica_problem(primary: PrimaryState, replica: ReplicaState) -> str | None:
    """Say why a server is no replica of the primary that a plan could be read on; None if it is one."""
    if replica.cluster != primary.cluster:
        return (
            "read_dsn names a server of another cluster (its system_identifier differs), which is no streaming replica"
            " of the primary; correct database.read_dsn"
        )
    if not replica.standby:
        return _why_no_standby(primary, replica)
    if replica.timeline != primary.timeline:
        return (
            f"the server of read_dsn follows timeline {replica.timeline}, and the primary is on {primary.timeline}: a"
            " standby that follows the primary after a fail-over shows that at its next restartpoint; else rebuild it"
        )
    if replica.database_id != primary.database_id:
        return f"read_dsn names the database {replica.database}, and dsn {primary.database}; correct database.read_dsn"
    if not replica.has_view:
        return (
            "the replica has no view retention.open_rounds yet: it has not replayed that the view was made;"
            " SELECT pg_get_wal_replay_pause_state() there says whether its replay is paused"
        )
    return None


def _why_no_standby(primary: PrimaryState, replica: ReplicaState) -> str:
    if replica.timeline != primary.timeline:
        return (
            f"the server of read_dsn has been promoted: it accepts writes, on timeline {replica.timeline}, and the"
            f" primary is on {primary.timeline}; make it a standby again, or correct database.read_dsn"
        )
    return (
        "the server of read_dsn is no standby: it is the primary itself, or a copy of it that accepts writes of its"
        " own; name a standby in database.read_dsn, or leave it out"
    )


def view_moment(replica: ReplicaState, as_of: datetime) -> datetime | None:
    """Return the moment up to which the replica knows the view: `as_of`, or earlier; None where nobody can know."""
    if replica.caught_up:
        return as_of
    return None if replica.replayed_at is None else min(as_of, replica.replayed_at)


def lag_text(seconds: float) -> str:
    """Say how far a replica is behind."""
    return "which had all of the primary's commits" if seconds <= 0 else f"at most {seconds:.1f} s behind the primary"
