"""A fleet in which runs require approval: people decide, time passes, and processes try to start at any moment."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, LiteralString

import psycopg

from retention.core.model import Kind
from support.model.fleet import RUNS, Fleet
from support.model.gate import EXPIRES_S, SETTINGS, Gated
from support.model.replica import Replica

if TYPE_CHECKING:
    from retention.ledger.terms import PartnerTerms
    from support.model.chance import Chance, Option
    from support.model.database import ModelDatabase

OTHER_DIGEST = "0" * 64


class GatedFleet(Fleet):
    """All parties of one example, and the persons who approve and reject. The database loses no commits here."""

    MEDDLING: ClassVar[dict[str, tuple[str, LiteralString]]] = {
        "the job adds a row": (
            "retention_job",
            (
                "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at, state)"
                " VALUES (%(run_id)s, 'acme', 'MT', 'user-x', 'x', clock_timestamp() - interval '9 days', 'planned')"
            ),
        ),
        "the job adopts the rows": (
            "retention_job",
            (
                "UPDATE retention.cancellations SET adopted_by_run = ("
                "SELECT run_id FROM retention.runs WHERE run_id <> %(run_id)s LIMIT 1)"
                " WHERE run_id = %(run_id)s AND EXISTS (SELECT FROM retention.runs WHERE run_id <> %(run_id)s)"
            ),
        ),
        "the job lets it run": (
            "retention_job",
            (
                "UPDATE retention.runs SET status = 'running' WHERE run_id = %(run_id)s"
                " AND status IN ('planned', 'awaiting_approval')"
            ),
        ),
        "the job changes its settings": (
            "retention_job",
            "UPDATE retention.runs SET settings = '{}' WHERE run_id = %(run_id)s",
        ),
        "an owner changes a stake": (
            "CURRENT_USER",
            (
                "UPDATE retention.cancellations SET stake = stake + 1 WHERE id = ("
                "SELECT min(id) FROM retention.cancellations WHERE run_id = %(run_id)s AND state = 'planned')"
            ),
        ),
        "an owner takes a row away": (
            "CURRENT_USER",
            (
                "DELETE FROM retention.cancellations WHERE id = ("
                "SELECT max(id) FROM retention.cancellations WHERE run_id = %(run_id)s AND state = 'planned')"
            ),
        ),
    }
    """Who acts, and how: each act is refused, or makes the plan another one."""

    def __init__(self, db: ModelDatabase, terms: PartnerTerms, rounds: int, replicas: int, _: int = 0) -> None:
        super().__init__(db, terms, rounds, replicas)

    async def begin(self) -> None:
        """Plan a run that requires approval; nobody works on it yet."""
        await self.db.begin_anew(self.names)
        self.log(f"{len(self.names)} rounds, {len(self.replicas)} replicas, and a run that requires approval")
        await self._plan()

    def work(self) -> list[Option]:
        """The steps of replicas and of time, and the decisions of persons."""
        options = super().work()
        for run in self._gated():
            late = self.db.now >= run.expires
            if run.digest is None:
                options += [(8, partial(self._ask, run))]
            elif not run.approved or late:
                options += [(4, partial(self._approve, run)), (1, partial(self._reject, run))]
            if None in self.replicas:
                come = partial(self._come, self.replicas.index(None), run.number)
                options += [(6 if run.approved else 1, come)]
            options += [(1, self._sweep) if late else (2, partial(self._takes_too_long, run))]
            options += [(1, partial(self._claims_unstarted, run))]
            options += [(3, self._plan_others)] if run.waiting and not late and len(self.runs) < RUNS else []
            options += [(1, partial(self._meddle, run, what)) for what in self.MEDDLING if not late]
        return options

    def _attracts(self, run: int) -> bool:
        """Runs without a start yet attract nobody but by the steps of this class."""
        gated = self.invariants.gate.runs.get(str(self.runs[run]))
        return super()._attracts(run) and (gated is None or gated.used)

    def _gated(self) -> list[Gated]:
        """The runs that have not started yet, and are not over."""
        return [run for run in self.invariants.gate.runs.values() if not (run.used or run.over)]

    async def _plan(self, chance: Chance | None = None) -> None:
        if chance is not None and chance.batch > 1:
            await super()._plan(chance)
            return
        self.log(f"run {len(self.runs)} is planned, and requires approval")
        run_id = await self.db.plan(self.terms, SETTINGS)
        self.invariants.as_of[str(run_id)] = self.db.now
        self.invariants.gate.runs[str(run_id)] = Gated(len(self.runs), run_id, self.db.now + EXPIRES_S)
        self.runs.append(run_id)

    async def _plan_others(self, chance: Chance) -> None:
        """A run without approval is planned beside one that waits, some time after it."""
        await self._pass_time(chance)
        await super()._plan(chance)

    async def _ask(self, run: Gated, _: Chance) -> None:
        request = await self.db.approvals.request_approval(run.run_id)
        self.log(f"run {run.number} asks for approval: {request.status if request else 'it may not'}")
        if request is None or request.status == "finished":
            run.over = True
            return
        rows = await self.db.sql(
            "SELECT id FROM retention.cancellations WHERE run_id = %(run_id)s AND state = 'planned'", run_id=run.run_id
        )
        run.digest, run.held = request.plan_digest, frozenset(row.id for row in rows)

    async def _approve(self, run: Gated, chance: Chance) -> None:
        """By another person mostly; by the one who asked, or for another digest."""
        assert run.digest is not None
        by = " ANN" if chance.end == "cut" else "bob"
        digest = OTHER_DIGEST if chance.end == "refused" else run.digest[:12] if chance.twice else run.digest
        wrong = run.unfit(self.db.now) or {"cut": "ann had asked for it", "refused": "another set was meant"}.get(
            chance.end
        )
        refused = await self.db.approvals.approve_run(run.run_id, by, digest, None)
        self.log(f"{by} approves run {run.number}: {refused or 'that counts'}")
        if refused is None and wrong:
            raise self.invariants.broken(f"run {run.number} was approved, and {wrong}")
        if refused is not None and not wrong and not run.approved:
            raise self.invariants.broken(f"run {run.number} was not approved ({refused}), and nothing stood against it")
        run.approved = run.approved or refused is None

    async def _reject(self, run: Gated, _: Chance) -> None:
        rejection = await self.db.approvals.reject_run(run.run_id, "bob", None, "too many")
        self.log(f"bob rejects run {run.number}: {rejection.refused or 'that counts'}")
        if rejection.refused is None:
            run.rejected = run.over = True

    async def _sweep(self, _: Chance) -> None:
        expired = {str(one.run_id) for one in await self.db.approvals.expire_approvals()}
        self.log(f"{len(expired)} approvals expire")
        for run in self.invariants.gate.runs.values():
            if str(run.run_id) in expired:
                if self.db.now < run.expires:
                    raise self.invariants.broken(f"run {run.number} was ended, and its approval had not expired")
                run.over = True

    async def _takes_too_long(self, run: Gated, chance: Chance) -> None:
        """Time passes until the approval expires, or until shortly before."""
        until = run.expires - (0.001 if chance.twice else 0.0)
        await self._pass_time(replace(chance, seconds=max(0.0, until - self.db.now)))

    async def _claims_unstarted(self, run: Gated, _: Chance) -> None:
        """A process that did not wait for the start."""
        self.log(f"a process claims in run {run.number}, which has not started")
        if await Replica(len(self.replicas), self.db, self.terms, run.run_id).claim(Kind.CANCEL, 3):
            raise self.invariants.broken(f"a claim was to be had in run {run.number}, which has no approval")

    async def _meddle(self, run: Gated, what: str, _: Chance) -> None:
        role, statement = self.MEDDLING[what]
        try:
            done = await self.db.act_as(role, statement, run_id=run.run_id)
        except psycopg.Error as error:
            self.log(f"{what} of run {run.number}: refused ({error.sqlstate})")
            return
        self.log(f"{what} of run {run.number}: {done} rows")
        if not done:
            return
        if what == "the job lets it run":
            self._started(run.run_id)
        elif role == "retention_job":
            raise self.invariants.broken(f"run {run.number} has no approval, and {what}")
        else:
            run.changed = True
