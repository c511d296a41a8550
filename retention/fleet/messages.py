"""The messages between the first process and a helper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from retention.engine.counters import ProcessCounters
    from retention.log import LogForm
    from retention.settings.model import Settings
    from retention.settings.policy import Policy


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message to a helper: its number, and the configuration as the first process has read it.

    The version stands in a message of its own before it, because only the same version can read this one.
    `connections`: to the database, at most.
    """

    number: int
    settings: Settings
    log_form: LogForm
    connections: int


@dataclass(frozen=True, slots=True)
class Work:
    """Work on a run, under the settings of its start. `overridden`: the rails that no longer halt it."""

    run_id: UUID
    policy: Policy
    overridden: Sequence[str]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Stop:
    """Drain the work on a run; `now`: end it without waiting for requests in flight."""

    run_id: UUID
    now: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """A helper's word that it has its connections; `replica` is its name in the ledger."""

    replica: str


@dataclass(frozen=True, slots=True)
class Beat:
    """A helper's word that its loop turns."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a helper has counted in a run since its last message."""

    run_id: UUID
    counts: ProcessCounters


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a helper's work on a run. `unreachable` names the partners that no process could reach."""

    run_id: UUID
    unreachable: tuple[str, ...]
