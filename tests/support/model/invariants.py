"""The guarantees, checked after every step against the vendor's truth and the whole past."""

from __future__ import annotations

import math
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from retention.core.model import Kind, Outcome
from support.model.database import PARTNER
from support.model.gate import Gate
from support.model.vendor import Round, Sent, Truth, Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retention.core.model import Claim, Settlement
    from retention.ledger.results import SettledRow
    from retention.ledger.terms import GroupTerms
    from support.model.database import ModelDatabase

DONE = {"cancelled", "already_cancelled"}
LIVE = {"planned", "claimed", "retrying", "in_doubt"}
NEVER_ASKED = {"not_sent", "no_longer_open", "held", "rejected"}
"""States that say: no request of ours has cancelled this round."""

DENIALS = {Outcome.THROTTLED, Outcome.UNAUTHORIZED, Outcome.REJECTED, Outcome.RETRY, Outcome.ALREADY_COMPLETED}
"""Outcomes after which another request is in order: the vendor itself said that this one did nothing."""


class BrokenError(AssertionError):
    """An invariant was broken. Its text is the story until then, and the invariant."""


@dataclass(slots=True)
class Operator:
    """The operator's knowledge of one round, beside its table."""

    open: bool = True
    left_at: float = math.inf
    came_back_at: float = -1.0
    hold: int | None = None
    held_at: float = math.inf
    raises: bool = False
    was_closed: bool = False
    """Whether a settlement may have found it closed, or the function raising."""

    def left(self, now: float) -> None:
        """From this moment on it is not the open round that was planned."""
        self.left_at = min(self.left_at, now)


@dataclass(slots=True)
class Past:
    """The requests for one round, and the outcomes that the ledger has."""

    sent: dict[str, Sent] = field(default_factory=dict)
    known: dict[str, Outcome] = field(default_factory=dict)
    """Outcomes of requests that are written."""
    claimed: set[str] = field(default_factory=set)
    """Cancel requests that a claim brought, whether they left or not."""
    told_s: float = -math.inf
    """When that question was sent, in seconds; a cancel request uses it up."""
    denied: int = -1
    """When the newest question was sent to which the answer `InProgress` is written."""

    def unclear(self) -> list[Sent]:
        """Cancel requests that may have cancelled the round, or may yet, for all that the ledger knows."""
        return [
            sent
            for uuid, sent in self.sent.items()
            if sent.claim.kind is Kind.CANCEL and self.known.get(uuid) not in DENIALS and sent.at > self.denied
        ]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The database's knowledge at a moment: outcomes of each round's requests, and decisions of people."""

    operator: dict[str, Operator]
    past: dict[str, Past]
    paused_at: float | None
    final: dict[int, str]


class Invariants:
    """The past of one example, and its checks."""

    def __init__(
        self,
        db: ModelDatabase,
        names: Iterable[str],
        *,
        status_probe: bool,
        ask_first: bool = False,
        group: GroupTerms | None = None,
    ) -> None:
        self.db = db
        self._group = group
        self._slots: list[float] = []
        """The slots of all claims in the group."""
        self.ask_first = ask_first
        self.paused_at: float | None = None
        self.status_probe = status_probe
        self.vendor = Vendor({name: Round() for name in names})
        self.operator = {name: Operator() for name in names}
        self.past = {name: Past() for name in names}
        self.as_of: dict[str, float] = {}
        self.story: list[str] = []
        self.moment = 0
        self.overtaken: set[str] = set()
        self._late: set[str] = set()
        """Rounds that the network cancelled by a request (or a copy of it) after the vendor had said: not cancelled."""
        self.reviewed: Counter[str] = Counter()
        self.states: set[str] = set()
        self.gate = Gate()
        self._numbers: dict[str, int] = {}
        self._final: dict[int, str] = {}
        self._copy: Knowledge | None = None
        self._made: set[str] = set()
        self.lost: set[str] = set()
        """Attempts that a fail-over has taken, and that no replica has recorded again yet."""

    def log(self, what: str) -> None:
        """Add the next event to the story."""
        self.moment += 1
        self.story.append(f"{self.moment:4} {self.db.now:8.3f} s  {what}")

    def number(self, claim: Claim) -> str:
        """A request's number in the story, the same each time that it is played."""
        return f"#{self._numbers.setdefault(claim.uuid, len(self._numbers) + 1)}"

    def request(self, claim: Claim) -> str:
        """A request in the story."""
        return f"{claim.kind.value} {claim.round_id} {self.number(claim)}"

    def broken(self, invariant: str) -> BrokenError:
        """The invariant, and how it came to be broken."""
        return BrokenError("\n".join([*self.story, f"BROKEN: {invariant}"]))

    def claimed(self, claims: Iterable[Claim]) -> None:
        """A claim is only to be had for a round that may be cancelled at this moment, and has a slot of its own."""
        for claim in claims:
            self._has_own_slot(claim)
            self._made.add(claim.uuid)
            known = self.operator[claim.round_id]
            if claim.kind is Kind.STATUS:
                continue
            if problem := self.gate.call_problem([claim.run_id]):
                raise self.broken(f"{claim.round_id} was claimed, and {problem}")
            self.past[claim.round_id].claimed.add(claim.uuid)
            if not known.open:
                raise self.broken(f"{claim.round_id} was claimed, and was not open")
            if known.hold is not None:
                raise self.broken(f"{claim.round_id} was claimed, and was on hold")
            if known.came_back_at > self.as_of[claim.run_id]:
                raise self.broken(f"{claim.round_id} was claimed, and its player had come back")

    def _has_own_slot(self, claim: Claim) -> None:
        """Two requests of a group never come closer to each other than its rate allows, whatever their kinds."""
        if self._group is None:
            return
        if any(abs(slot - claim.slot) < 1 / self._group.rate for slot in self._slots):
            raise self.broken(f"{claim.round_id} was claimed, and its slot in the group was taken")
        self._slots.append(claim.slot)

    def copied(self) -> None:
        """Keep the database's knowledge: a standby will know no more."""
        past = {name: replace(one, sent={}, known={**one.known}, claimed=set()) for name, one in self.past.items()}
        self._copy = Knowledge(deepcopy(self.operator), past, self.paused_at, {**self._final})

    async def failed_over(self) -> int:
        """The database is as it was when it was copied. Returns how many requests it has lost.

        Releases stay, and so do the vendor's answers: the replicas that have them record them again.
        """
        assert self._copy is not None
        self._slots.clear()  # the standby may not know of them
        for name, known in self._copy.operator.items():
            now = self.operator[name]
            self.operator[name] = replace(known, raises=now.raises, was_closed=now.was_closed or known.was_closed)
        for name, past in self._copy.past.items():
            now_past = self.past[name]
            released = {uuid: what for uuid, what in now_past.known.items() if what is Outcome.RELEASED}
            now_past.known = {**past.known, **released}
        self.paused_at, self._final = self._copy.paused_at, {**self._copy.final}
        self.lost = self._made - (await self.db.open_attempts(self._made)).keys()
        return len(self.lost)

    async def repaired(self, name: str, left: Iterable[str], released: Iterable[str]) -> None:
        """A living replica has looked at the server that took over: its requests and releases are on record again."""
        found = await self.db.open_attempts(left)
        if any(uuid not in found for uuid in left):
            raise self.broken(f"{name} lives, and its request is not on record after a fail-over")
        self.lost -= found.keys()
        if any((await self.db.open_attempts(released)).values()):
            raise self.broken(f"{name} lives, and what it had released stands as a request after a fail-over")

    async def sending(self, replica: int, claim: Claim) -> Sent:
        """A request is on record before it leaves, and no known earlier request may have cancelled its round."""
        past = self.past[claim.round_id]
        rows = await self.db.sql(
            "SELECT a.kind, c.round_id, c.run_id, EXISTS (SELECT FROM retention.cancellations d WHERE d.partner = c.partner"
            " AND d.round_id = c.round_id AND d.state IN ('cancelled', 'already_cancelled')) AS done"
            " FROM retention.attempts a JOIN retention.cancellations c ON c.id = a.cancellation_id WHERE a.uuid = %(uuid)s",
            uuid=claim.uuid,
        )
        on_record = [(row.kind, row.round_id) for row in rows]
        if on_record != [(claim.kind, claim.round_id)] and not (claim.uuid in self.lost and not rows):
            raise self.broken(f"a {claim.kind} request for {claim.round_id} left without a trace")
        if claim.uuid in past.sent:
            raise self.broken(f"two requests for {claim.round_id} have one uuid")
        if claim.kind is Kind.CANCEL:
            self._still_to_be_called(claim)
            if problem := self.gate.call_problem([claim.run_id, *(row.run_id for row in rows)]):
                raise self.broken(f"{claim.round_id} was called, and {problem}")
            if past.unclear() and self.status_probe:
                raise self.broken(f"{claim.round_id} was called again, and an earlier request may have cancelled it")
            if rows and rows[0].done:
                # Settled since it was claimed, by a late reply to an earlier request, which the vendor had denied.
                if not any(sent.claim.kind is Kind.CANCEL for sent in past.sent.values()):
                    raise self.broken(f"{claim.round_id} was called, and the ledger has it as cancelled")
                self.overtaken.add(claim.round_id)
            past.told_s = -math.inf
        sent = Sent(replica, claim, self.moment, self.db.now)
        past.sent[claim.uuid] = sent
        return sent

    def _still_to_be_called(self, claim: Claim) -> None:
        """A decision committed more than a second before a request leaves is known to its sender."""
        known, past, since = self.operator[claim.round_id], self.past[claim.round_id], self.db.now - 1.0
        if known.left_at < since:
            raise self.broken(f"{claim.round_id} was called, and was not open")
        if known.hold is not None and known.held_at < since:
            raise self.broken(f"{claim.round_id} was called, and was on hold")
        if self.as_of[claim.run_id] < known.came_back_at < since:
            raise self.broken(f"{claim.round_id} was called, and its player had come back")
        if self.paused_at is not None and self.paused_at < since:
            raise self.broken(f"{claim.round_id} was called, and everything was paused")
        if self.ask_first and self.db.now - past.told_s > 60:
            raise self.broken(f"{claim.round_id} was called, and the vendor had not said that it is in progress")

    def arrived(self, sent: Sent) -> None:
        """A second request reaches a cancelled round only where the vendor had said between them: not cancelled."""
        round_ = self.vendor.rounds[sent.claim.round_id]
        if round_.truth is Truth.IN_PROGRESS and any(sent.at < at for at in round_.denied):
            self._late.add(sent.claim.round_id)
        if sent.claim.kind is Kind.STATUS or round_.cancelled_by in {None, sent.claim.uuid}:
            return
        first = round_.arrived[round_.cancelled_by]
        one, other = sorted((first, sent.at))
        if self.status_probe and not any(one < at <= other for at in round_.denied):
            raise self.broken(f"{sent.claim.round_id} was cancelled twice")
        self.overtaken.add(sent.claim.round_id)

    def written(self, results: Iterable[tuple[Settlement, SettledRow | None]]) -> None:
        """Learn the ledger's new outcomes. A conflict has its reason at the operator."""
        for item, done in results:
            claim = item.claim
            known = self.operator[claim.round_id]
            if done is None:
                continue
            past = self.past[claim.round_id]
            self.lost.discard(claim.uuid)
            past.known[claim.uuid] = item.outcome
            if item.outcome is Outcome.IN_PROGRESS:
                past.denied = max(past.denied, past.sent[claim.uuid].at)
                past.told_s = max(past.told_s, past.sent[claim.uuid].when)
            if item.state in DONE:
                known.was_closed = known.was_closed or not known.open or known.raises
                if done.conflict and not known.was_closed:
                    raise self.broken(f"{claim.round_id} is in conflict, and the operator could have closed it")

    async def look(self) -> None:
        """Vendor, ledger and operator, as they stand just now."""
        rows = await self.db.sql(
            "SELECT c.id, c.round_id, c.state, c.conflict, c.amount, r.status"
            " FROM public.rounds r LEFT JOIN retention.cancellations c ON c.partner = r.partner AND c.round_id = r.round_id"
            " ORDER BY c.id"
        )
        live: Counter[str] = Counter()
        self.states = {row.state for row in rows}
        closed = {row.round_id for row in rows if row.status == 2 and row.state in DONE and not row.conflict}
        for row in rows:
            if row.id is None:
                continue
            self._look_at(row)
            live[row.round_id] += row.state in LIVE | DONE
            if row.status == 2 and row.round_id not in closed:
                raise self.broken(f"{row.round_id} is closed at the operator's, and {row.state} in the ledger")
        if twice := [name for name, count in live.items() if count > 1]:
            raise self.broken(f"{twice} live or cancelled in two rows")

    def _look_at(self, row: Any) -> None:
        name, truth = row.round_id, self.vendor.rounds[row.round_id]
        if problem := self.gate.row_problem(row.id, row.state, self.db.now):
            raise self.broken(f"{name} is {row.state}: {problem}")
        if self._final.setdefault(row.id, row.state) != row.state:
            raise self.broken(f"{name} was {self._final[row.id]}, and is {row.state} now")
        if row.state in LIVE:
            del self._final[row.id]
        if row.state in DONE:
            if truth.truth is not Truth.CANCELLED:
                raise self.broken(f"{name} is {row.state} in the ledger, and {truth.truth} at the vendor's")
            if not row.conflict and row.status != 2:
                raise self.broken(f"{name} is {row.state} in the ledger, and not closed at the operator's")
            if row.amount is not None and f"{row.amount:.2f}" not in truth.amounts:
                raise self.broken(f"{name} has a refund of {row.amount}, which nobody promised")
        if row.state == "already_completed" and truth.truth is not Truth.COMPLETED:
            raise self.broken(f"{name} is completed in the ledger, and {truth.truth} at the vendor's")
        if row.state in NEVER_ASKED and any(sent.claim.cancellation_id == row.id for sent in self.past[name].unclear()):
            raise self.broken(f"{name} is {row.state} in the ledger, and a request of ours may have cancelled it")

    async def agree(self) -> list[str]:
        """Once all is quiet: each cancellation is in the ledger or listed for review, and no round is left undone.

        Returns the state of each row of the ledger.
        """
        await self.look()
        if unproven := await self.db.unproven():
            raise self.broken(f"the evidence does not prove {', '.join(unproven)}")
        unfiltered = dict.fromkeys(("markets", "policy", "whys", "run_id"))
        reviewed = await self.db.database.rows("review/list_review", partners=[PARTNER], max_runs=[3], **unfiltered)
        listed = {row.id: row for row in reviewed}
        sent = {uuid for past in self.past.values() for uuid in past.sent}
        if missing := sent - (await self.db.open_attempts(sent)).keys():
            raise self.broken(f"{len(missing)} requests that left are not on record in the end")
        rows = await self.db.sql("SELECT * FROM retention.cancellations ORDER BY id")
        newest = {row.round_id: row for row in rows}
        for name, row in newest.items():
            truth = self.vendor.rounds[name]
            if row.state in LIVE and row.id not in listed:
                raise self.broken(f"{name} was left {row.state}, and no person is told")
            if truth.truth is Truth.CANCELLED and row.state not in DONE and row.id not in listed:
                if name not in self._late:
                    raise self.broken(
                        f"{name} is cancelled at the vendor's, {row.state} in the ledger, and no person is told"
                    )
                self.overtaken.add(name)
        for row in listed.values():
            self.reviewed[row.state] += 1
            self._justify(row)
        return [row.state for row in rows]

    def _justify(self, row: Any) -> None:
        """Each row listed for review has a reason in the past."""
        past, truth = self.past[row.round_id], self.vendor.rounds[row.round_id]
        match row.state:
            case "in_doubt":
                outcomes = {past.known.get(uuid) for uuid in past.claimed}
                reason = bool(
                    outcomes - {Outcome.THROTTLED, Outcome.UNAUTHORIZED, Outcome.NOT_CONNECTED, Outcome.RELEASED}
                )
            case "not_sent":
                reason = bool(self._outcomes(past, Kind.STATUS) - {Outcome.IN_PROGRESS, Outcome.RELEASED})
            case "rejected":
                reason = Outcome.REJECTED in past.known.values()
            case "already_completed":
                reason = truth.truth is Truth.COMPLETED
            case _ if row.conflict:
                reason = self.operator[row.round_id].was_closed
            case _ if row.amount is None:
                reason = None in truth.amounts or Outcome.CANCELLED in self._outcomes(past, Kind.STATUS)
            case _:
                reason = "1.25" in truth.amounts
        if not reason:
            raise self.broken(
                f"{row.round_id} ({row.state}) is listed for review, and nothing happened that would explain it"
            )

    @staticmethod
    def _outcomes(past: Past, kind: Kind) -> set[Outcome | None]:
        return {past.known.get(uuid) for uuid, sent in past.sent.items() if sent.claim.kind is kind}
