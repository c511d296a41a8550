"""The true times of rows that a wrong clock wrote: as the server's own clock shows them.

Triggers note down when an attempt was inserted, and when a cancellation was settled. The times that a process writes,
such as when its request left, come from the database's clock of some moments before. They are off by one of the offsets
that this clock had, and only one of these puts them near the moment of the claim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from support.history import Attempt, Cancellation, Kept

WITNESS: LiteralString = """
CREATE TABLE fake.written (uuid uuid PRIMARY KEY, at timestamptz NOT NULL);
CREATE TABLE fake.settled (id bigint PRIMARY KEY, at timestamptz NOT NULL);
CREATE FUNCTION fake.note_written() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO fake.written VALUES (NEW.uuid, pg_catalog.clock_timestamp()) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE FUNCTION fake.note_settled() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO fake.settled VALUES (NEW.id, pg_catalog.statement_timestamp())
    ON CONFLICT (id) DO UPDATE SET at = EXCLUDED.at;
    RETURN NULL;
END $$;
CREATE TRIGGER written AFTER INSERT ON retention.attempts FOR EACH ROW EXECUTE FUNCTION fake.note_written();
CREATE TRIGGER settled AFTER UPDATE OF settled_at ON retention.cancellations FOR EACH ROW
    WHEN (NEW.settled_at IS NOT NULL AND NEW.settled_at IS DISTINCT FROM OLD.settled_at)
    EXECUTE FUNCTION fake.note_settled();
"""
"""Follows the clock's own script."""

LATEST = timedelta(seconds=20)
"""How long after its claim a request leaves, and is replied to, at the latest."""

AGAIN = timedelta(seconds=60)
"""How long after it was claimed a lost attempt is recorded again, at the latest."""

_NEAR = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class TrueTimes:
    """`written`: when attempts were inserted, by uuid; `settled`: when cancellations were settled, by id.

    `arrived`: when requests reached the vendor, by uuid: a lost attempt may be recorded again so late that two offsets
    would fit. `shifts`: all that the database's clock was ever off by.
    """

    written: Mapping[str, datetime]
    arrived: Mapping[str, datetime]
    settled: Mapping[int, datetime]
    shifts: Sequence[timedelta]

    def attempts(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """The attempts with their true times."""
        return [self._attempt(one) for one in attempts]

    def _attempt(self, one: Attempt) -> Attempt:
        written = self.written.get(str(one.uuid), one.claimed_at)
        known = min(written, self.arrived.get(str(one.uuid), written))
        claimed = self._between(one.claimed_at, written - AGAIN, known) or one.claimed_at
        sent, replied = (self._between(moment, claimed, claimed + LATEST) for moment in (one.sent_at, one.replied_at))
        return replace(one, claimed_at=claimed, sent_at=sent, replied_at=replied)

    def _between(self, moment: datetime | None, start: datetime, end: datetime) -> datetime | None:
        """The last moment of this span at which the clock may have shown this time; the time itself without one."""
        if moment is None:
            return None
        may = [true for shift in self.shifts if start - _NEAR <= (true := moment - shift) <= end + _NEAR]
        return max(may, default=moment)

    def cancellations(self, rows: Iterable[Cancellation]) -> list[Cancellation]:
        """The cancellations with the true times of their settlement."""
        return [replace(row, settled_at=self.settled.get(row.id, row.settled_at)) for row in rows]

    def operator(self, kept: Iterable[Kept], rows: Iterable[Cancellation]) -> list[Kept]:
        """The operator's rounds, closed at the true time of the settlement that closed them."""
        closed = {(row.round_id, row.settled_at): self.settled.get(row.id, row.settled_at) for row in rows}
        return [
            replace(one, cancelled_at=closed.get((one.round_id, one.cancelled_at), one.cancelled_at)) for one in kept
        ]
