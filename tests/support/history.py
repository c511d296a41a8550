"""The history, from three witnesses: the vendor's own list, the ledger, and the operator's table."""

from __future__ import annotations

from asyncio import to_thread
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import class_row

from retention.audit.verify import RowSelection, verify_evidence
from retention.ledger.database import open_database
from retention.ledger.queries import query
from support.evidence import tree_problems, unproven_rows
from support.losses import Lost
from support.totals import wrong_totals
from support.true_times import TrueTimes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal
    from uuid import UUID

    from retention.ledger.database import Database
    from retention.simulator.rounds import Request, Round
    from support.world import World


@dataclass(frozen=True, slots=True)
class Run:
    """A row of `retention.runs`."""

    run_id: UUID
    status: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    requested_by: str = "ann"
    approved_by: str | None = None
    approved_at: datetime | None = None
    approval_expires_at: datetime | None = None
    rejected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A row of `retention.cancellations`."""

    id: int
    run_id: UUID
    adopted_by_run: UUID | None
    round_id: str
    state: str
    attempts: int
    attempt_uuid: UUID | None
    settled_at: datetime | None
    conflict: bool
    amount: Decimal | None
    currency: str | None
    transaction_id: str | None
    stake: Decimal | None
    stake_currency: str | None
    bet_transaction_id: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `retention.attempts`."""

    uuid: UUID
    cancellation_id: int
    kind: str
    claimed_at: datetime
    sent_at: datetime | None
    replied_at: datetime | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A round in the operator's table; status 0 is open, 1 completed, 2 cancelled."""

    round_id: str
    status: int
    cancelled_at: datetime | None
    refund: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All of it.

    `listed`: the cancellations that the review list shows. `left`: rounds that were not to be called any more, each
    with a moment when that had been committed; `stopped`: when all was stopped. `timeout`: seconds per request. `rate`:
    cancel requests per second that the vendor may see; None where the rate is not checked. `group_rate`: the same of all
    requests about rounds. `probes`: the vendor may be asked;
    `asks_first`: it is, before each cancel; `cancels_winnings`: a round with winnings is cancelled all the same.
    `at_rest`: nothing is left to be done. `lost`: the commits that the database has lost. `unproven`: problems of
    the evidence, by a naive reading; `audited`: those that `audit verify` finds. `miscounted`: totals that are not the
    count of their rows.
    """

    requests: Sequence[Request]
    truths: Sequence[Round]
    runs: Sequence[Run]
    cancellations: Sequence[Cancellation]
    attempts: Sequence[Attempt]
    operator: Sequence[Kept]
    listed: frozenset[int] = frozenset()
    left: Mapping[str, datetime] = field(default_factory=dict)
    timeout: float = 2.0
    rate: float | None = None
    group_rate: float | None = None
    probes: bool = True
    asks_first: bool = False
    cancels_winnings: bool = False
    stopped: datetime | None = None
    at_rest: bool = False
    lost: Lost = field(default_factory=Lost)
    unproven: Sequence[str] = ()
    audited: Sequence[str] = ()
    miscounted: Sequence[str] = ()

    def rounds_of_attempts(self) -> dict[str, str]:
        """The round of each attempt, by uuid; of one whose row was lost, as the vendor was asked about it."""
        rounds = {row.id: row.round_id for row in self.cancellations}
        asked = {request.uuid: request.round_id for request in self.about_rounds()}
        found = {str(one.uuid): rounds.get(one.cancellation_id, asked.get(str(one.uuid))) for one in self.attempts}
        return {uuid: name for uuid, name in found.items() if name is not None}

    def attempts_by_round(self) -> dict[str, list[Attempt]]:
        """Each round's attempts, over all runs, in the order of their claims."""
        rounds = self.rounds_of_attempts()
        found: dict[str, list[Attempt]] = {row.round_id: [] for row in self.cancellations}
        for attempt in sorted(self.attempts, key=lambda one: one.claimed_at):
            if (name := rounds.get(str(attempt.uuid))) is not None:
                found.setdefault(name, []).append(attempt)
        return found

    def departures(self) -> Iterator[tuple[str, str, datetime]]:
        """Each cancel request that left: its round, its uuid, and when.

        The moment is the sender's own, where it lived to write it down, else when the vendor got the request. The
        vendor's is taken where it is the earlier one: nothing arrives before it leaves.
        """
        rounds = self.rounds_of_attempts()
        arrived = {uuid: request.at for uuid, request in self.requests_by_uuid().items()}
        for attempt in self.attempts:
            moments = [at for at in (attempt.sent_at, arrived.get(str(attempt.uuid))) if at is not None]
            name = rounds.get(str(attempt.uuid))
            if attempt.kind == "cancel" and moments and name is not None:
                yield name, str(attempt.uuid), min(moments)

    def requests_by_uuid(self) -> dict[str, Request]:
        """Requests that are about a round, by their uuid."""
        return {request.uuid: request for request in self.about_rounds()}

    def about_rounds(self) -> list[Request]:
        """Requests that ask to cancel a round, or about one."""
        return [request for request in self.requests if request.call in {"CancelRound", "GetRoundStatus"}]


async def read(world: World, *, shifts: Sequence[timedelta] = (), **more: Any) -> History:
    """Read it from the three witnesses. `more`: fields of History that only the test knows.

    `shifts`: the offsets of the database's clock over time, where triggers have noted the true times.
    """
    max_runs = world.partner.get("max_runs", 3)
    # In threads: the way to the database may lead through a proxy of this very loop.
    unproven = [*await to_thread(unproven_rows, world.direct), *await to_thread(tree_problems, world.direct)]
    audited, miscounted = await audit(world.direct), await to_thread(wrong_totals, world.direct)
    async with await psycopg.AsyncConnection.connect(world.direct) as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

        async def rows(kind: type[Any], table: str) -> list[Any]:
            columns = ", ".join(kind.__dataclass_fields__)
            cursor = connection.cursor(row_factory=class_row(kind))
            return await (await cursor.execute(f"SELECT {columns} FROM {table}".encode())).fetchall()

        unfiltered = dict.fromkeys(("markets", "policy", "whys", "run_id"))
        limits = {"partners": ["acme"], "max_runs": [max_runs]}
        listed = await connection.execute(query("review/list_review"), limits | unfiltered)
        cancellations = await rows(Cancellation, "retention.cancellations")
        attempts = await rows(Attempt, "retention.attempts")
        operator = await rows(Kept, "public.rounds")
        if shifts:
            written = await connection.execute("SELECT uuid::text, at FROM fake.written")
            settled = await connection.execute("SELECT id, at FROM fake.settled")
            arrived = {one.uuid: one.at for one in reversed(world.vendor.requests)}  # its first arrival counts
            times = TrueTimes(dict(await written.fetchall()), arrived, dict(await settled.fetchall()), shifts)
            operator = times.operator(operator, cancellations)
            attempts, cancellations = times.attempts(attempts), times.cancellations(cancellations)
        return History(
            requests=tuple(world.vendor.requests),
            truths=tuple(replace(one) for one in world.vendor.rounds.values()),
            runs=await rows(Run, "retention.runs"),
            cancellations=cancellations,
            attempts=attempts,
            operator=operator,
            listed=frozenset(row[0] for row in await listed.fetchall()),
            timeout=float(str(world.partner.get("timeout", "10s")).removesuffix("s")),
            probes=(probes := bool(world.partner.get("status_probe", True))),
            asks_first=bool(world.partner.get("ask_first", probes)),
            cancels_winnings=world.policy.get("winnings") == "cancel",
            unproven=unproven,
            audited=audited,
            miscounted=miscounted,
            **more,
        )


async def audit(dsn: str) -> list[str]:
    """Do as `audit verify` does, without anchors; returns each finding in a line."""
    async with open_database(lambda: dsn, size=1) as database:
        return await audit_of(database)


async def audit_of(database: Database) -> list[str]:
    """Do as `audit verify` does, by an open database."""
    result = await verify_evidence(database, RowSelection(), {})
    return [
        f"{one.kind.value} in {one.table}: {one.id} ({one.detail or one.kind.meaning})" for one in result.findings.kept
    ]
