"""Replicas at once: each goes its own way, and a schedule says whose turn it is.

Each of a replica's statements is a transaction with two turns: it begins in the first and is committed in the second.
Others' statements come before, after or between the two, where they wait for its locks or pass them by.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import hypothesis
import hypothesis.strategies as st
import psycopg
from hypothesis import HealthCheck, Phase, given, settings

from retention.core.model import Kind, Outcome
from retention.ledger.database import Database
from support.model.engine_parts import terms
from support.model.invariants import BrokenError, Invariants
from support.model.quiesce import quiesce
from support.model.replica import Replica
from support.model.vendor import MOODS
from support.results_table import Evidence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from retention.ledger.claims import PartnerTerms
    from retention.ledger.session import Session
    from support.model.database import ModelDatabase
    from support.model.vendor import Mood

LEASE = 16.0
"""Seconds: longer than any lease, so that one step of time ends them all."""


class Held(Database):
    """A replica's connections: a statement begins when the replica's turn comes, and is committed in another turn."""

    def __init__(self, database: Database, turns: Interleaving, number: int) -> None:
        super().__init__(database._pool, asyncio.Semaphore(8))  # noqa: SLF001 - the same connections, one at a time
        self._turns = turns
        self._number = number

    def bulk(self) -> Database:
        """The same: how long an answer takes is up to the schedule."""
        return self

    def control(self) -> Database:
        """The same."""
        return self

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Session]:
        """A transaction between two turns."""
        await self._turns.turn(self._number)
        async with super()._session() as connection, connection.transaction():
            self._turns.backends[self._number] = connection.info.backend_pid
            yield connection
            await self._turns.turn(self._number)


class Interleaving:
    """One example: a few rounds, two or three replicas, and whose turn it is."""

    def __init__(self, db: ModelDatabase, how: PartnerTerms, rounds: int, replicas: int) -> None:
        names = [f"r{number}" for number in range(rounds)]
        self.db = db
        self.terms = how
        self.names = names
        self.invariants = Invariants(db, names, status_probe=how.status_probe, ask_first=how.ask_first, group=how.group)
        self.backends: dict[int, int] = {}
        self._waiting: dict[int, asyncio.Event] = {}
        self._replicas = replicas
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def turn(self, number: int) -> None:
        """Wait for this replica's turn."""
        self._waiting[number] = asyncio.Event()
        await self._waiting[number].wait()

    async def play(self, schedule: Sequence[int], moods: Sequence[Mood]) -> None:
        """Take turns as the schedule says; then let all become quiet."""
        await self.db.begin_anew(self.names)
        self.invariants.log(f"{len(self.names)} rounds, {self._replicas} replicas")
        run_id = await self.db.plan(self.terms)
        self.invariants.as_of[str(run_id)] = self.db.now
        await self.db.runs.start_run(run_id, None)
        for number in range(self._replicas):
            self._tasks[number] = asyncio.create_task(self._work(number, run_id))
        try:
            for nth, pick in enumerate(schedule):
                await self._until_still()
                await self._step(pick, moods[nth % len(moods)])
                await self._until_still()
                if any(task.done() for task in self._tasks.values()):
                    break  # it has failed
                await self.invariants.look()
        finally:
            for task in self._tasks.values():
                task.cancel()
            ends = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await self.db.end_background()
        for end in ends:
            if isinstance(end, psycopg.IntegrityError):
                raise self.invariants.broken(f"the ledger's own constraints had to prevent it: {end}") from end
            if isinstance(end, Exception):
                raise end
        await quiesce(self.invariants, self.terms, [run_id])

    async def _step(self, pick: int, mood: Mood) -> None:
        vendor = self.invariants.vendor
        waiting = sorted(self._waiting)
        steps = [*waiting * 4, *vendor.requests * 2, None]
        step = steps[pick % len(steps)]
        if step is None:
            self.invariants.log(f"{LEASE:g} s pass")
            await self.db.pass_time(LEASE)
        elif isinstance(step, int):
            self._waiting.pop(step).set()
        else:
            self.invariants.log(
                f"the vendor gets {step.claim.kind.value} {step.claim.round_id} {self.invariants.number(step.claim)}: {mood.name}"
            )
            self.invariants.arrived(step)
            vendor.arrive(step, mood, self.invariants.moment)
            vendor.requests.remove(step)

    async def _until_still(self) -> None:
        """Wait until each replica waits for its turn, or for the locks of one that does."""
        while going := [
            number for number, task in self._tasks.items() if not task.done() and number not in self._waiting
        ]:
            rows = await self.db.sql(
                "SELECT pid FROM unnest(%(pids)s::int[]) AS pid WHERE cardinality(pg_blocking_pids(pid)) > 0",
                pids=[self.backends.get(number, 0) for number in going],
            )
            if len(rows) == len(going):
                return
            await asyncio.sleep(0)

    async def _work(self, number: int, run_id: UUID) -> None:
        """Let a replica work in its turns, again and again: recover, claim, send, hear, write."""
        replica = Replica(number, self.db, self.terms, run_id, Held(self.db.database, self, number))
        invariants = self.invariants
        while True:
            found = await replica.recover()
            invariants.log(f"{replica.name} has found {found} claims whose leases have run out")
            for kind in [*Kind] if self.terms.status_probe else [Kind.CANCEL]:
                claims = await replica.claim(kind, 2)
                invariants.log(
                    f"{replica.name} has claimed {[f'{c.kind} {c.round_id} {invariants.number(c)}' for c in claims]}"
                )
                invariants.claimed(claims)
            while replica.claims:
                await self.turn(number)
                await self._send(replica)
            while replica.unwritten:
                results = await replica.write()
                told = [
                    f"{invariants.number(i.claim)} {i.state.value}{'' if done else ' (ignored)'}" for i, done in results
                ]
                invariants.log(f"{replica.name} has written {told}")
                invariants.written(results)
            for claim in await replica.hand_back():
                invariants.past[claim.round_id].known[claim.uuid] = Outcome.RELEASED

    async def _send(self, replica: Replica) -> None:
        """Send one request, and wait for the reply; a turn that comes before it is the timeout."""
        vendor = self.invariants.vendor
        claim, leaves = await replica.next_to_send()
        self.invariants.log(f"{replica.name}: {self.invariants.request(claim)}: {'sent' if leaves else 'returned'}")
        if not leaves:
            return
        vendor.requests.append(await self.invariants.sending(replica.number, claim))
        await self.turn(replica.number)
        reply = next((reply for reply in vendor.replies if reply.sent.claim.uuid == claim.uuid), None)
        item = await replica.hear(claim, reply, "timeout")
        self.invariants.log(
            f"{replica.name}: {self.invariants.number(claim)} {item.outcome.value if item else 'not sent'}"
        )


def interleave(db: ModelDatabase, examples: int, *, seed: int, shorten: bool = True) -> Evidence:
    """Play so many schedules, the same ones for one seed; a broken invariant is the evidence's violation."""
    evidence = Evidence("replicas at once, any order of statements and commits")

    @settings(
        max_examples=examples,
        phases=[Phase.generate, Phase.shrink] if shorten else [Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
        print_blob=False,
    )
    @given(
        rounds=st.integers(1, 2),
        replicas=st.integers(2, 3),
        status_probe=st.sampled_from([True, True, False]),
        ask_first=st.booleans(),
        schedule=st.lists(st.integers(0, 999), min_size=40, max_size=60),
        moods=st.lists(st.sampled_from(MOODS), min_size=1, max_size=8),
    )
    def any_schedule(
        rounds: int, replicas: int, *, status_probe: bool, ask_first: bool, schedule: list[int], moods: list[Mood]
    ) -> None:
        how = terms(status_probe=status_probe, ask_first=ask_first, in_group=replicas == 3)
        turns = Interleaving(db, how, rounds, replicas)
        db.run(turns.play(schedule, moods))
        evidence.tried += 1
        evidence.rounds += rounds
        evidence.requests += turns.invariants.vendor.served
        evidence.reviewed += turns.invariants.reviewed.total()

    try:
        hypothesis.seed(seed)(any_schedule)()
    except BrokenError as broken:
        evidence.violations.append(str(broken))
    return evidence
