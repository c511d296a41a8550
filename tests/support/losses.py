"""Commits that a database has lost, and the processes that could have known them: excuses for those, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from support.proxy import Trouble, Way

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from support.proxy import Link

Span = tuple[datetime, datetime]
"""From and until, in UTC."""

ON_ITS_WAY = timedelta(seconds=5)
"""How long after the loss a request may arrive that was claimed before it."""

REPAIRED = timedelta(seconds=30)
"""Time after the loss until a live process has recorded all of it again, despite other faults."""

_UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Loss:
    """Commits after `since` were lost `at` that moment, in UTC."""

    since: datetime
    at: datetime

    def has(self, moment: datetime, later: timedelta = timedelta(0)) -> bool:
        """Whether a commit at this moment, or at most so much earlier, is lost."""
        return self.since <= moment <= self.at + later


@dataclass(frozen=True, slots=True)
class Lost:
    """All losses of a history.

    `orphans`: requests, by uuid, whose commits were lost, and whose processes were gone before they could record them
    again. `lapses`: when the database had forgotten that a round was not to be called any more, by round id.
    """

    losses: Sequence[Loss] = ()
    orphans: frozenset[str] = frozenset()
    lapses: Mapping[str, Sequence[Span]] = field(default_factory=dict)

    def lapsed(self, round_id: str, moment: datetime) -> bool:
        """Whether the database did not know at this moment that the round was not to be called."""
        return any(start <= moment <= end for start, end in self.lapses.get(round_id, ()))

    def claimed(self, moment: datetime) -> bool:
        """Whether a claim made at this moment is lost."""
        return any(loss.has(moment) for loss in self.losses)


class Tap(Trouble):
    """No trouble: notes down which requests passed, and when."""

    def __init__(self) -> None:
        self.seen: dict[str, datetime] = {}

    async def carry(self, link: Link, way: Way, data: bytes) -> bytes:
        """Pass it on as it is."""
        del link
        if way is Way.UP:
            for uuid in _UUID.findall(data):
                self.seen.setdefault(uuid.decode(), datetime.now(UTC))
        return data


def orphans(seen: Mapping[str, datetime], lives: Sequence[Span], losses: Sequence[Loss]) -> set[str]:
    """The requests that passed one process's tap, and that a loss has taken, where that process did not outlive it.

    `lives`: from when until when each process at this place lived.
    """
    found = set()
    for uuid, passed in seen.items():
        for loss in losses:
            ended = next((end for start, end in lives if start <= passed <= end), None)
            if loss.has(passed, ON_ITS_WAY) and ended is not None and ended <= loss.at + REPAIRED:
                found.add(uuid)
    return found
