"""The WAL that a program's own sessions write, as the server counts it for each of them.

The server's whole WAL has more: autovacuum, which goes over a plan that was just written, and the checkpointer. Of a
long plan a benchmark sends a small part, and would add all of that to it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import psycopg

FLUSHED = 1.5
"""Seconds after which a session has told its counts: it tells them once a second at the most."""

_OWN = """
SELECT coalesce(sum(w.wal_bytes), 0), coalesce(sum(w.wal_fpi), 0)
FROM pg_stat_activity a CROSS JOIN LATERAL pg_stat_get_backend_wal(a.pid) w
WHERE a.datname = current_database() AND a.application_name LIKE 'retention%'
"""

_THERE = "SELECT to_regprocedure('pg_stat_get_backend_wal(integer)') IS NOT NULL"


class Look(NamedTuple):
    """What the sessions that are there have written so far, and how many rounds they had sent."""

    rounds: int
    written: int
    pages: int


@dataclass(slots=True)
class OwnWal:
    """Looks at the WAL of the sessions of `retention` in a database; servers before 18 do not count it."""

    connection: psycopg.Connection
    began: float = field(default_factory=time.monotonic)
    looks: list[Look] = field(default_factory=list)
    counted: bool | None = None

    def look(self, rounds: int) -> None:
        """Look once, when so many rounds are sent."""
        if self.counted is None:
            ((self.counted,),) = self.connection.execute(_THERE).fetchall()
        if self.counted and time.monotonic() - self.began >= FLUSHED:
            ((written, pages),) = self.connection.execute(_OWN).fetchall()
            # A session that has gone takes its counts along.
            if not self.looks or written >= self.looks[-1].written:
                self.looks.append(Look(rounds, int(written), int(pages)))

    def of_each_round(self) -> tuple[float, float] | None:
        """Bytes and whole pages for each round sent between the first look and the last; None without any."""
        if len(self.looks) < 2 or (rounds := self.looks[-1].rounds - self.looks[0].rounds) <= 0:
            return None
        first, last = self.looks[0], self.looks[-1]
        return (last.written - first.written) / rounds, (last.pages - first.pages) / rounds
