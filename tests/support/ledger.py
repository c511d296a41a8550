"""Rows written directly into a ledger, for tests that read from it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from retention.core.model import LIVE_STATES

if TYPE_CHECKING:
    from uuid import UUID

    from retention.ledger.database import Database

OPENED = datetime(2025, 3, 1, 12, tzinfo=UTC)
"""The default time at which a round was opened."""

SETTLED = OPENED + timedelta(days=4)
"""The default time at which a cancellation was settled."""

_ASKED = {"cancelled", "already_cancelled", "already_completed", "rejected"}
_CANCELLED = {"cancelled", "already_cancelled"}


class Book:
    """Writes rows that satisfy the ledger's constraints; a test names the columns that it is about."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, **columns: Any) -> UUID:
        """Add a run, by default an enforcing one that is finished."""
        run = {
            "run_id": uuid.uuid4(),
            "policy": "nightly",
            "trigger": "on_demand",
            "mode": "enforce",
            "as_of": SETTLED - timedelta(hours=1),
            "requested_by": "ann",
            "settings": Jsonb({}),
            "status": "finished",
            **columns,
        }
        if run["status"] in {"finished", "failed", "cancelled"}:
            run.setdefault("finished_at", SETTLED + timedelta(hours=1))
        if run["status"] == "running":
            run.setdefault("started_at", run["as_of"])
        await self._insert("retention.runs", run)
        return uuid.UUID(str(run["run_id"]))

    async def row(self, run_id: UUID, round_id: str = "R-1", state: str = "cancelled", **columns: Any) -> int:
        """Add a cancellation, by default one whose refund is the stake; return its id."""
        as_state = columns.get("resolved_as") or state
        row = {
            "run_id": run_id,
            "partner": "acme",
            "market": "MT",
            "game_id": "g1",
            "user_id": "U-1",
            "round_id": round_id,
            "opened_at": OPENED,
            "stake": 100,
            "stake_currency": "EUR",
            "bet_transaction_id": "T1",
            "state": state,
            "attempts": int(as_state in _ASKED or state == "in_doubt"),
            "needs_follow_up": state in {"retrying", "in_doubt"},
            "settled_at": None if state in LIVE_STATES else SETTLED,
        }
        if as_state in _CANCELLED:
            row |= {"amount": 100, "currency": "EUR", "transaction_id": "T1"}
        if state == "claimed":
            row |= {"attempt_uuid": uuid.uuid4(), "lease_until": SETTLED}
        if state == "retrying":
            row |= {"due_at": SETTLED}
        if state == "resolved":
            row |= {"resolved_by": "bob", "resolved_note": "asked the vendor", "resolved_at": SETTLED}
            row |= {"resolved_from": columns.get("resolved_as")}
        row |= columns
        told = {row.get(name) for name in ("amount", "currency", "transaction_id")}
        row.setdefault("incomplete", state == "cancelled" and None in told)
        return int(await self._insert("retention.cancellations", row, "id"))

    async def attempt(self, cancellation_id: int, run_id: UUID, **columns: Any) -> UUID:
        """Add a claimed attempt; `columns` may add its reply."""
        attempt = {
            "uuid": uuid.uuid4(),
            "cancellation_id": cancellation_id,
            "run_id": run_id,
            "kind": "cancel",
            "replica": "host-1",
            "claimed_at": SETTLED - timedelta(seconds=2),
            **columns,
        }
        await self._insert("retention.attempts", attempt)
        return uuid.UUID(str(attempt["uuid"]))

    async def finding(self, cancellation_id: int, kind: str, **columns: Any) -> None:
        """Add a finding, by default one that waits for a person."""
        await self._insert("retention.findings", {"cancellation_id": cancellation_id, "kind": kind, **columns})

    async def open_round(self, round_id: str = "R-1", **columns: Any) -> None:
        """Add an open round to the operator's table."""
        known = {"partner": "acme", "market": "MT", "game": "g1", "user_id": "U-1", "opened_at": OPENED}
        money = {"currency": "EUR", "stake": 100, "bet_tx": "T1"}
        await self._insert("public.rounds", {"round_id": round_id, **known, **money, **columns})

    async def all(self, text: str, *values: Any) -> list[Any]:
        """Run a statement of the test's own and return its rows."""
        async with self._database.connection() as connection:
            cursor = await connection.execute(text.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def one(self, text: str, *values: Any) -> Any:
        """Run a statement of the test's own and return its first row, or None."""
        return next(iter(await self.all(text, *values)), None)

    async def _insert(self, table: str, columns: dict[str, Any], returning: str | None = None) -> Any:
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(*table.split(".")),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(sql.Placeholder() * len(columns)),
        )
        if returning:
            statement += sql.SQL(" RETURNING {}").format(sql.Identifier(returning))
        async with self._database.connection() as connection:
            cursor = await connection.execute(statement, list(columns.values()))
            return (await cursor.fetchall())[0][0] if returning else None
