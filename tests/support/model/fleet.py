"""Two or three replicas, the vendor, the operator and the network between them, and the next steps of each."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from retention.core.model import Kind, Outcome
from support.model.fated import Fate
from support.model.invariants import Invariants
from support.model.replica import Replica
from support.model.vendor import Truth

if TYPE_CHECKING:
    from uuid import UUID

    from retention.ledger.claims import PartnerTerms
    from support.model.chance import Chance, Option
    from support.model.database import ModelDatabase
    from support.model.vendor import Sent

IN_HAND = 3
"""Claims that a replica has before it claims no more."""

BEHIND = 4.0
"""Seconds by which a standby is behind, at the most: less than a lease."""

RUNS = 4
"""Runs of one example, at the most, beside the last one."""


class Fleet:
    """All parties of one example. `losses`: how often the database loses commits, at the most."""

    def __init__(self, db: ModelDatabase, terms: PartnerTerms, rounds: int, replicas: int, losses: int = 0) -> None:
        self.names = [f"r{number}" for number in range(rounds)]
        self.db = db
        self.terms = terms
        self.invariants = Invariants(
            db, self.names, status_probe=terms.status_probe, ask_first=terms.ask_first, group=terms.group
        )
        self.replicas: list[Replica | None] = [None] * replicas
        self.runs: list[UUID] = []
        self._leases: list[float] = []
        self._unseen: set[int] = set()
        self._over: set[int] = set()
        self._losses_left = losses
        self._copied_at: float | None = None
        self._to_lose = False
        """Whether anything has been committed that the standby lacks."""
        self._unrepaired: set[int] = set()
        """Replicas that have not yet recorded again the attempts that a fail-over took."""
        self._looked: set[int] = set()
        """Those of them that know of it."""
        self.log = self.invariants.log

    async def begin(self) -> None:
        """Plan a run; the replicas come to work on it."""
        await self.db.begin_anew(self.names)
        self.log(
            f"{len(self.names)} rounds, {len(self.replicas)} replicas, questions allowed: {self.terms.status_probe}"
        )
        await self._plan()
        # Where commits may be lost, one process comes later: it did not live through the loss.
        for number in range(len(self.replicas) - (self._losses_left > 0)):
            await self._join(number, 0, None)

    # -- possible steps ----------------------------------------------------------------------------------------------

    def work(self) -> list[Option]:
        """The steps of replicas, and of time."""
        options: list[Option] = []
        for number, one in enumerate(self.replicas):
            if one is not None:
                options += self._work_of(one)
            else:
                # Most often while the ledger lacks attempts: the newcomer cannot know of them.
                weight = 8 if self._unrepaired else 1
                options += [
                    (weight, partial(self._come, number, run)) for run in range(len(self.runs)) if self._attracts(run)
                ]
        if not any(self.replicas) and len(self.runs) < RUNS:
            options += [(2, self._plan)]
        if self._copied_at is not None:
            options += [(4, self._fails_over)] if self._to_lose else []
        elif self._losses_left and not self._unrepaired and any(self.replicas):
            options += [(4, self._falls_behind)]
        return [*options, (1, self._pass_time)]

    def _attracts(self, run: int) -> bool:
        """Whether a process may come to that run of its own."""
        return run not in self._over

    def _work_of(self, one: Replica) -> list[Option]:
        options: list[Option] = []
        if one.unwritten:
            options += [(6, partial(self._write, one)), (1, partial(self._keep, one))]
        if one.claims:
            options += [(8, partial(self._send, one))]
        options += [(4, partial(self._hand_back, one))] if one.returned else []
        if len(one.claims) < IN_HAND:
            kinds = [*Kind] if self.terms.status_probe else [Kind.CANCEL]
            options += [(self._lure(kind), partial(self._claim, one, kind)) for kind in kinds if one.may_claim(kind)]
        options += [(1, partial(self._time_out, one, sent)) for sent in one.waiting.values()]
        if self._leases and min(self._leases) < self.db.now and not one.closed:
            options += [(4, partial(self._recover, one))]
        if one.number in self._unseen:
            options += [(6 if one.number in self._unrepaired else 1, partial(self._look, one))]
        ends = one.done and one.number not in self._unrepaired
        return [*options, (1, partial(self._conclude, one))] if ends else options

    def _lure(self, kind: Kind) -> int:
        """The weight of a claim: small where the ledger has no round for it."""
        resent = set() if self.terms.status_probe else {"in_doubt"}
        first = {"planned", "retrying"} if self.terms.ask_first else set()
        wanted = {"planned", "retrying"} | resent if kind is Kind.CANCEL else {"in_doubt"} | first
        return 1 if wanted.isdisjoint(self.invariants.states) else 8

    def carry(self) -> list[Option]:
        """The steps of the network with requests and replies under way."""
        vendor = self.invariants.vendor
        receipts = [(6, partial(self._receive, number)) for number in range(len(vendor.replies))]
        arrivals = [(6, partial(self._arrive, sent)) for sent in vendor.requests]
        return [*arrivals, *receipts, (1, self._vanish)] if arrivals or receipts else []

    def trouble(self) -> list[Option]:
        """The steps from outside: players, people, crashes."""
        options: list[Option] = []
        for name in self.names:
            options += [
                (2, partial(self._player_completes, name)),
                (1, partial(self._player_returns, name)),
                (1, partial(self._hold, name)),
                (1, partial(self._reopens, name)),
                (1, partial(self._raises, name)),
            ]
        for one in filter(None, self.replicas):
            # A crashed process cannot record again the attempts that a fail-over took.
            options += [(3, partial(self._crash, one))] if one.number not in self._unrepaired else []
            options += [(1, partial(self._stop, one))]
        if len(self.runs) < RUNS:
            options += [(2, self._plan)]
        return [*options, (1, self._kill_switch)]

    # -- replicas ----------------------------------------------------------------------------------------------------

    async def _claim(self, replica: Replica, kind: Kind, chance: Chance) -> None:
        heard = chance.fate is not Fate.UNHEARD
        self.log(f"{replica.name} claims for {kind.value} requests{'' if heard else ', and the answer is lost'}")
        claims = await replica.claim(kind, chance.batch, heard=heard)
        for claim in claims:
            self.log(f"    {claim.round_id} {self.invariants.number(claim)}")
        self.invariants.claimed(claims)
        self._leases += [claim.lease_until for claim in claims]
        self._to_lose = self._to_lose or bool(claims)

    async def _send(self, replica: Replica, chance: Chance) -> None:
        claim, leaves = await replica.next_to_send()
        self.log(f"{replica.name}: {self.invariants.request(claim)}: {'sent' if leaves else 'returned'}")
        if not leaves:
            return
        past = self.invariants.past[claim.round_id]
        told_s = past.told_s
        sent = await self.invariants.sending(replica.number, claim)
        if chance.end == "refused":
            self.log("    nobody listens")
            del past.sent[claim.uuid]  # it never left, and the vendor's word still stands
            past.told_s = told_s
            await replica.hear(claim, None)
            return
        self.invariants.vendor.requests.append(sent)
        if chance.end == "cut":
            self.log("    the connection is cut")
            await replica.hear(claim, None, "cut")
        else:
            replica.waiting[claim.uuid] = sent

    async def _time_out(self, replica: Replica, sent: Sent, _: Chance) -> None:
        self.log(
            f"{replica.name}: {sent.claim.kind.value} {sent.claim.round_id} {self.invariants.number(sent.claim)} times out"
        )
        await replica.hear(sent.claim, None, "timeout")

    async def _write(self, replica: Replica, chance: Chance) -> None:
        self.log(f"{replica.name} writes ({chance.fate.value})")
        results = await replica.write(chance.fate)
        for item, done in results:
            went = "ignored" if done is None else "in conflict" if done.conflict else "written"
            self.log(f"    {item.claim.round_id}: {item.outcome.value}, so {item.state.value}: {went}")
        self.invariants.written(results)
        self._news()
        self._note_repaired(replica)

    async def _hand_back(self, replica: Replica, _: Chance) -> None:
        self.log(f"{replica.name} hands back")
        self._to_lose = True
        for claim in await replica.hand_back():
            self.invariants.past[claim.round_id].known[claim.uuid] = Outcome.RELEASED

    async def _keep(self, replica: Replica, _: Chance) -> None:
        self.log(f"{replica.name} keeps what it has not written yet")
        await replica.keep()

    async def _recover(self, replica: Replica, _: Chance) -> None:
        self._leases = [lease for lease in self._leases if lease >= self.db.now]
        self.log(f"{replica.name} finds {await replica.recover()} claims whose leases have run out")

    async def _look(self, replica: Replica, _: Chance | None) -> None:
        self._unseen.discard(replica.number)
        left = replica.left
        await replica.look()
        self.log(f"{replica.name} looks at the run{': it is to stop' if replica.stopping else ''}")
        if replica.number in self._unrepaired:
            await self.invariants.repaired(replica.name, left, replica.released)
            self._looked.add(replica.number)
            self._note_repaired(replica)

    def _note_repaired(self, replica: Replica) -> None:
        if replica.number in self._looked and not replica.repairing:
            self._unrepaired.discard(replica.number)
            self._looked.discard(replica.number)

    async def repair(self) -> None:
        """Let each living replica record again the attempts that a fail-over took."""
        for replica in [one for one in self.replicas if one is not None and one.number in self._unrepaired]:
            if replica.number not in self._looked:
                await self._look(replica, None)
            while replica.repairing:
                self.invariants.written(await replica.write())
            self._note_repaired(replica)

    async def _conclude(self, replica: Replica, _: Chance) -> None:
        self._catches_up()
        ended = await replica.conclude()
        self.log(f"{replica.name} {'ends the run' if ended else 'finds that the run is not over'}")
        self._news()
        if ended or replica.stopping:
            self.replicas[replica.number] = None

    async def _arrive(self, sent: Sent, chance: Chance) -> None:
        self.log(
            f"the vendor gets {sent.claim.kind.value} {sent.claim.round_id} {self.invariants.number(sent.claim)}: {chance.mood.name}"
        )
        self.invariants.arrived(sent)
        self.invariants.vendor.arrive(sent, chance.mood, self.invariants.moment)
        if not chance.twice:
            self.invariants.vendor.requests.remove(sent)

    async def _receive(self, number: int, _: Chance) -> None:
        reply = self.invariants.vendor.replies.pop(number)
        replica, claim = self.replicas[reply.sent.replica], reply.sent.claim
        if replica is not None and claim.uuid in replica.waiting:
            item = await replica.hear(claim, reply)
            outcome = item.outcome.value if item else "not sent"
            self.log(f"{replica.name}: reply to {self.invariants.request(claim)}: {outcome}")

    async def _vanish(self, _: Chance) -> None:
        vendor = self.invariants.vendor
        lost = vendor.requests.pop() if vendor.requests else vendor.replies.pop().sent
        self.log(f"lost on the way: {lost.claim.kind.value} {lost.claim.round_id} {self.invariants.number(lost.claim)}")

    async def _pass_time(self, chance: Chance) -> None:
        seconds = min(chance.seconds, 1.0) if self._unrepaired else chance.seconds  # each looks several times a second
        self.log(f"{seconds:g} s pass")
        await self.db.pass_time(seconds)
        if self._copied_at is not None and self.db.now > self._copied_at + BEHIND:
            self._catches_up()
        self._news()

    def _news(self) -> None:
        """A look at the run may show something new now."""
        self._unseen = {replica.number for replica in self.replicas if replica is not None}
        for replica in self.replicas:
            if replica is not None:
                replica.wake()

    async def _crash(self, replica: Replica, _: Chance) -> None:
        self._catches_up()
        self.log(f"{replica.name} crashes")
        self.replicas[replica.number] = None

    async def _falls_behind(self, _: Chance) -> None:
        """The standby gets nothing more, until it takes over or is up to date again."""
        await self.db.copy()
        self._to_lose = False
        self.invariants.copied()
        self._copied_at = self.db.now
        self.log("the standby falls behind")

    def _catches_up(self) -> None:
        """The standby catches up before a process crashes or ends, and before runs are planned: their commits stay."""
        if self._copied_at is not None:
            self._copied_at = None
            self.log("the standby is up to date again")

    async def _fails_over(self, _: Chance) -> None:
        """The standby takes over as it is: each living replica records again the attempts that it lacks."""
        await self.db.fail_over()
        self._copied_at = None
        self._losses_left -= 1
        self._unrepaired = {one.number for one in self.replicas if one is not None}
        self._looked.clear()
        self.log(f"the standby takes over: {await self.invariants.failed_over()} attempts are lost")
        self._news()

    async def _stop(self, replica: Replica, _: Chance) -> None:
        self.log(f"{replica.name} is told to stop")
        replica.stop()

    async def _come(self, number: int, run: int, chance: Chance) -> None:
        resumed, deadline = chance.twice, 20.0 if chance.end == "cut" else None
        self.log(f"replica {number} comes to run {run}{', which a person resumes' if resumed else ''}")
        await self._join(number, run, deadline, resumed=resumed)

    async def _join(self, number: int, run: int, deadline: float | None, *, resumed: bool = False) -> None:
        self._catches_up()
        if await self.db.start_run(self.runs[run], deadline, resumed=resumed):
            self._started(self.runs[run])
            self.replicas[number] = one = Replica(number, self.db, self.terms, self.runs[run])
            await one.look()
        elif resumed and str(self.runs[run]) not in self.invariants.gate.runs:
            self._over.add(run)

    def _started(self, run_id: UUID) -> None:
        """A run that requires approval has started by a good one."""
        if problem := self.invariants.gate.start_problem(run_id, self.db.now):
            raise self.invariants.broken(problem)

    async def _plan(self, _: Chance | None = None) -> None:
        self._catches_up()
        self.log(f"run {len(self.runs)} is planned")
        run_id = await self.db.plan(self.terms)
        self.invariants.as_of[str(run_id)] = self.db.now
        self.runs.append(run_id)

    async def _player_completes(self, name: str, chance: Chance) -> None:
        """The operator may not have heard of it yet; then it hears the next time."""
        truth, seen = self.invariants.vendor.rounds[name], not chance.twice
        if truth.truth is Truth.IN_PROGRESS:
            truth.truth = Truth.COMPLETED
            self.log(f"{name} is completed{'' if seen else ', and the operator does not know yet'}")
        if seen and truth.truth is Truth.COMPLETED:
            self.log(f"the operator knows that {name} is completed")
            self.invariants.operator[name].left(self.db.now)
            self.invariants.operator[name].open = False
            await self.db.close(name)

    async def _reopens(self, name: str, _: Chance) -> None:
        """Another round is opened under the same id: the planned round is not open any more."""
        known = self.invariants.operator[name]
        if known.open:
            self.log(f"{name} is another round now")
            known.left(self.db.now)
            known.open = False
            await self.db.reopen(name)

    async def _player_returns(self, name: str, _: Chance) -> None:
        await self.db.pass_time(0.001)  # not at the moment of the plan, but after it
        self.log(f"the player of {name} comes back")
        self.invariants.operator[name].came_back_at = self.db.now
        await self.db.player_returns(name)

    async def _hold(self, name: str, _: Chance) -> None:
        known = self.invariants.operator[name]
        self.log(f"{name} is {'released' if known.hold is not None else 'put on hold'}")
        known.hold = await self.db.toggle_hold(name, known.hold)
        known.held_at = self.db.now

    async def _raises(self, name: str, _: Chance) -> None:
        known = self.invariants.operator[name]
        known.raises = not known.raises
        self.log(f"close_rounds {'raises' if known.raises else 'does not raise'} for {name}")
        await self.db.refuse(name, refuse=known.raises)

    async def _kill_switch(self, _: Chance) -> None:
        paused = await self.db.toggle_pause()
        self.invariants.paused_at = self.db.now if paused else None
        self.log(f"everything is {'paused' if paused else 'resumed'}")
        self._news()
