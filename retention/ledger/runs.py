"""Runs: planned, started, looked at."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from retention.core.backoff import BASE
from retention.core.model import State
from retention.core.plan import DOUBLED, Doubled, Group, Plan, sum_stakes
from retention.core.rails import Figures
from retention.core.summary import Summary
from retention.ledger.clocks import BEAT, correct_leases, correct_times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from retention.core.plan import Scope
    from retention.ledger.clocks import Clocks, Correction
    from retention.ledger.database import Database, Transaction
    from retention.ledger.terms import LaneTerms


SHOWN_DOUBLED = 20
"""Rounds that the view has more than once, of which a plan names so many at the most."""


LENIENT = 60.0
"""Seconds by which a time may lie ahead, where nothing else is said."""


class Start(enum.Enum):
    """Whether a run was set going, or was going already."""

    STARTED = "run.started"
    JOINED = "run.joined"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that somebody asks for. `settings` is the policy as it is now, without secrets.

    `scheduled_for` is the time of the policy's schedule that it is for; None where a person asks.
    """

    run_id: UUID
    policy: str
    mode: str
    requested_by: str
    reason: str | None
    settings: Mapping[str, Any]
    scheduled_for: datetime | None = None


class RunLedger:
    """The ledger's runs. Without `clocks` the database's clock is believed."""

    def __init__(self, database: Database, clocks: Clocks | None = None) -> None:
        self._database = database
        self._prompt = database.prompt()
        self._clocks = clocks

    async def now(self) -> datetime:
        """The database's time, which decides what is stale."""
        return (await self._database.row("now")).now  # type: ignore[no-any-return]

    async def checked_now(self, limit: float) -> datetime:
        """The database's time. Raises ClockError where it cannot be relied on; `limit` in seconds."""
        return await self._checked(self._prompt, limit)

    async def _checked(self, database: Database | Transaction, limit: float | None) -> datetime:
        if self._clocks is not None and limit is not None:
            return await self._clocks.require(database, limit)
        return (await database.row("now")).now  # type: ignore[no-any-return]

    async def correct_times(self, limit: float) -> list[Correction]:
        """Take back times of schedules, runs and deliveries that lie impossibly far ahead."""
        return await correct_times(self._prompt, limit)

    async def vendor_pauses(self, partners: Sequence[str] | None) -> dict[str, datetime]:
        """Until when vendors want which of these partners (None: of all) to be left alone."""
        names = None if partners is None else list(partners)
        return {row.partner: row.until for row in await self._prompt.rows("vendor_pauses", partners=names)}

    async def plan(self, scope: Scope, limit: float | None = None) -> Plan:
        """What a run would plan now; writes nothing. `limit` as `create` has it."""
        as_of = await self._checked(self._database, limit)
        rows = await self._database.rows("plan", limit=scope.limit, **bounds(scope, as_of))
        plan = Plan(as_of, tuple(Group(*row) for row in rows))
        if DOUBLED not in plan.left_out():
            return plan
        doubled = await self._database.rows("doubled_rounds", limit=SHOWN_DOUBLED, **bounds(scope, as_of))
        return replace(plan, doubled=tuple(Doubled(*row) for row in doubled))

    async def create(
        self,
        request: RunRequest,
        scope: Scope,
        terms: Sequence[LaneTerms],
        limit: float | None = None,
        corrected: Callable[[Correction], None] = lambda _: None,
    ) -> Plan | None:
        """Freeze a run's plan, all of it or nothing; None where its scheduled time has a run already.

        Earlier runs' doubts within its scope become this run's to settle. A dry run is finished with that: its rounds
        stand in the ledger as not sent. Raises ClockError where the database's clock is off by more than `limit`
        seconds, or jumps meanwhile: then nothing is written.
        """
        dry_run = request.mode == "dry_run"
        async with self._database.transaction() as transaction:
            as_of = await self._checked(transaction, limit)
            limits = bounds(scope, as_of)
            made = await transaction.row(
                "insert_run",
                run_id=request.run_id,
                policy=request.policy,
                trigger="on_demand" if request.scheduled_for is None else "schedule",
                mode=request.mode,
                scheduled_for=request.scheduled_for,
                as_of=as_of,
                requested_by=request.requested_by,
                reason=request.reason,
                settings=Jsonb(dict(request.settings)),
                status="finished" if dry_run else "planned",
            )
            if made is None:
                return None
            if not dry_run:
                await transaction.rows(
                    "ensure_partners",
                    partners=[partner.partner for partner in terms],
                )
                abandoned = [row.run_id for row in await transaction.rows("abandoned", run_id=request.run_id)]
                for partner in terms:
                    for found in await correct_leases(transaction, limit or LENIENT, abandoned, partner):
                        corrected(found)
                    await transaction.rows(
                        "recover",
                        now=self._clocks and self._clocks.trusted_now(),
                        partner=partner.partner,
                        run_ids=abandoned,
                        above=0,
                        up_to=None,
                        status_probe=partner.status_probe,
                        max_attempts=partner.max_attempts,
                        back_off=BASE,
                    )
                    await transaction.rows(
                        "take_up",
                        run_id=request.run_id,
                        partner=partner.partner,
                        markets=limits["markets"],
                        games=limits["games"],
                        exclude_markets=limits["exclude_markets"],
                        exclude_games=limits["exclude_games"],
                    )
                if abandoned:
                    await transaction.rows("supersede", run_id=str(request.run_id), limit=scope.limit, **limits)
            rows = await transaction.rows(
                "freeze",
                run_id=request.run_id,
                dry_run=dry_run,
                limit=scope.limit,
                **limits,
            )
            await transaction.rows("planned", run_id=request.run_id, beat=BEAT)
            await self._checked(transaction, limit)
        return Plan(as_of, tuple(Group(*row) for row in rows))

    async def figures(self, run_id: UUID) -> Figures:
        """What a frozen plan holds, for the rails."""
        rows = await self._database.rows("figures", run_id=run_id)
        return Figures(sum(row.rounds for row in rows), sum_stakes((row.currency, row.stake) for row in rows))

    async def start(self, run_id: UUID, deadline: float | None, *, again: bool = False) -> Start | None:
        """Set a run going, or join it; None where it is over. `deadline` in seconds from now.

        `again`: even one that was halted for another reason than a pause, or failed.
        """
        row = await self._prompt.row("start_run", run_id=run_id, deadline=deadline, again=again, beat=BEAT)
        return None if row is None else Start.JOINED if row.going else Start.STARTED

    async def halt(self, run_id: UUID, replica: str, reason: str, *, paused: bool = False) -> None:
        """Stop a run before its first call; `paused`: by the kill switch."""
        await self._prompt.count("halt_run", run_id=run_id, replica=replica, reason=reason, paused=paused)

    async def halt_stricter(self, run_id: UUID, replica: str, reason: str) -> bool:
        """Stop a run whose policy has become stricter; whether this call did it."""
        return await self._prompt.count("halt_stricter", run_id=run_id, replica=replica, reason=reason) > 0

    async def close(self, run_id: UUID, replica: str, by: str, note: str) -> Any:
        """Call a run off for good: its status before, whether this call did it, and what became of its rounds.

        None where there is no such run.
        """
        return await self._database.row("close_run", run_id=run_id, replica=replica, by=by, note=note)

    async def override(self, run_id: UUID, rail: str, text: str, by: str) -> None:
        """Record who passed which rail, when, and with what words."""
        await self._database.count("add_override", run_id=run_id, rail=rail, text=text, by=by)

    async def get(self, run_id: UUID) -> Any:
        """A run's row, or None."""
        return await self._prompt.row("run", run_id=run_id)

    async def list(self, limit: int) -> list[Any]:
        """The newest runs, newest first, with their counts."""
        return await self._database.rows("runs", limit=limit)

    async def summary(self, run_id: UUID) -> Summary:
        """What a run came to, or has come to so far."""
        run = await self.get(run_id)
        counts = await self._database.rows("run_counts", run_id=run_id)
        refunds = await self._database.rows("run_refunds", run_id=run_id)
        return Summary(
            run.run_id,
            run.policy,
            run.mode,
            run.status,
            run.halt_reason,
            states={State(row.state): row.rounds for row in counts if not row.taken_up},
            taken_up={State(row.state): row.rounds for row in counts if row.taken_up},
            conflicts=sum(row.conflicts for row in counts),
            incomplete=sum(row.incomplete for row in counts),
            discrepancies=sum(row.discrepancies for row in counts),
            to_review=sum(row.to_review for row in counts),
            refunds={row.currency: row.amount for row in refunds},
            finished_at=run.finished_at,
            ended_by=run.ended_by,
        )


def bounds(scope: Scope, as_of: datetime) -> dict[str, Any]:
    """The values that sql/queries/stale_rounds.sql wants."""
    return {
        "as_of": as_of,
        "partners": list(scope.partners),
        "max_runs": list(scope.max_runs),
        "open_longer_than": scope.open_longer_than.total_seconds(),
        "idle_longer_than": scope.idle_longer_than.total_seconds() if scope.idle_longer_than else None,
        "markets": list(scope.markets) if scope.markets is not None else None,
        "games": list(scope.games) if scope.games is not None else None,
        "exclude_markets": list(scope.exclude_markets),
        "exclude_games": list(scope.exclude_games),
    }
