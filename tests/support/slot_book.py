"""The statements that reserve send slots, at times that a test sets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString, Self

import psycopg

from retention.core.model import Kind
from retention.core.sending.pacing import HORIZON_S, THROTTLED_TOGETHER_S
from retention.ledger.queries import query
from retention.ledger.slots import slot_parameters
from retention.ledger.terms import GroupTerms, PartnerTerms
from support.model.clock import INSTALL_CLOCK, SEARCH_PATH, START

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

HEAD_START_S = 0.02


def terms(partner: str, rate: float, group: GroupTerms | None = None) -> PartnerTerms:
    """The terms of a partner; questions have the same rate."""
    return PartnerTerms(partner, rate, 1.0, 3, status_probe=True, group=group)


class SlotBook:
    """One connection to a ledger, whose time is `now` seconds after START."""

    def __init__(self, dsn: str, partners: Sequence[str]) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._connection.execute(INSTALL_CLOCK)
        self._connection.execute(psycopg.sql.SQL("SET search_path = {}").format(psycopg.sql.SQL(SEARCH_PATH)))
        self._partners = list(partners)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin(self) -> None:
        """Forget all slots; the group `lm` is there."""
        self._connection.execute("TRUNCATE retention.partner_state, retention.rate_groups")
        self._connection.execute(query("plans/ensure_partners"), {"partners": self._partners})
        self._connection.execute("INSERT INTO retention.rate_groups (name) VALUES ('lm')")

    def reserve(
        self,
        now: float,
        partner: PartnerTerms,
        rounds: int,
        kind: Kind = Kind.CANCEL,
        *,
        head_start: float = HEAD_START_S,
    ) -> list[float]:
        """Reserve slots for so many rounds; returns them in seconds."""
        self._connection.execute("UPDATE model.clock SET at = %s", [START + timedelta(seconds=now)])
        rows = self._connection.execute(
            query("reconciliation/reserve_questions"),
            {
                **slot_parameters(partner, kind, horizon=HORIZON_S, head_start=head_start),
                "replica": "one",
                "wanted": rounds,
                "uuids": [],
                "ids": [],
                "run_ids": [],
            },
        ).fetchall()
        return [row[2] - START.timestamp() for row in rows if row[2] is not None]

    def throttle(self, now: float, partner: PartnerTerms) -> None:
        """The vendor answers 429, and asks for no pause."""
        assert partner.group is not None
        self._connection.execute("UPDATE model.clock SET at = %s", [START + timedelta(seconds=now)])
        self._connection.execute(
            query("run_control/throttle_partner"),
            {
                "partner": partner.partner,
                "pause": 0.0,
                "rate": partner.rate,
                "question_rate": partner.rate,
                "rate_group": partner.group.name,
                "group_rate": partner.group.rate,
                "together": THROTTLED_TOGETHER_S,
            },
        )

    def value(self, statement: LiteralString) -> object:
        """The only value of a statement of the test's own."""
        row = self._connection.execute(statement).fetchone()
        assert row is not None
        return row[0]
