"""Reconciliation: ledger, vendor, operator's view and wallet side by side, batch by batch.

The vendor is asked first, and the other sides are read right after its answers. Nothing is cancelled. Each batch keeps
its findings before the next one begins, so a reconciliation that ends early loses no finding.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from retention.core.evidence.reconciliation import Comparison, VendorSide, describe, judge
from retention.exit_codes import ExitCode
from retention.ledger.reconciliation import NewFinding
from retention.runs.round_lists import NOT_ASKED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.reconciliation import KeptFinding, ReconcileScope, Reconciliations, SettledRound
    from retention.runs.partner_questions import PartnerQuestions

BATCH = 1000
"""Cancellations that are compared at once."""

REASONS = 100
"""Reasons that are told apart."""

OTHER_REASONS = "other reasons"

UNCONFIGURED = VendorSide(None, f"{NOT_ASKED}the partner is not in the configuration")


class Inquiry(Protocol):
    """Asks one partner about rounds. `not_listed` says why it gives no lists of rounds."""

    questions: PartnerQuestions
    not_listed: str | None

    async def ask(self, rounds: Sequence[SettledRound]) -> dict[int, VendorSide]:
        """Return the vendor's side of each round, by cancellation."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding that this reconciliation confirms, and that no person has resolved. The four sides are short texts."""

    cancellation_id: int
    run_id: UUID
    partner: str
    market: str
    round_id: str
    kind: str
    ledger: str
    vendor: str
    operator: str
    wallet: str
    new: bool


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Rounds of one partner for which the vendor's side is unknown, and why."""

    partner: str
    why: str
    rounds: int


@dataclass(slots=True)
class Tally:
    """The counts of a reconciliation. `unknown` counts rounds without the vendor's word, by partner and reason."""

    rounds: int = 0
    findings: int = 0
    new: int = 0
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count_unknown(self, partner: str, why: str) -> None:
        """Count a round without the vendor's word. Vendors may word each answer differently: the rest is one reason."""
        known = (partner, why) in self.unknown or len(self.unknown) < REASONS
        self.unknown[partner, why if known else OTHER_REASONS] += 1

    def not_asked(self) -> list[NotAsked]:
        """List the rounds without the vendor's word, by partner and reason."""
        return [NotAsked(*key, rounds) for key, rounds in sorted(self.unknown.items())]


class Reconciler:
    """Compares the cancellations of a scope. `inquiries` and `refund_within` are by partner.

    `tally` counts the compared rounds, and is whole after the last batch.
    """

    def __init__(
        self,
        ledger: Reconciliations,
        inquiries: Mapping[str, Inquiry],
        refund_within: Mapping[str, timedelta],
        log: FilteringBoundLogger,
    ) -> None:
        self.tally = Tally()
        self.has_wallet = False
        self._ledger = ledger
        self._inquiries = inquiries
        self._refund_within = refund_within
        self._log = log

    async def reconcile(self, scope: ReconcileScope) -> AsyncGenerator[list[Finding], None]:
        """Compare all cancellations of the scope; yields the findings of each batch, which are kept by then."""
        self.has_wallet = await self._ledger.has_wallet()
        await self._ledger.ensure_partners(list(self._inquiries))
        after = 0
        while rounds := await self._ledger.list_rounds(scope, after, BATCH):
            after = rounds[-1].id
            yield await self._compare(rounds)
        facts = {
            "run": scope.run_id,
            "from": scope.start,
            "to": scope.end,
            "market": scope.market,
            "rounds": self.tally.rounds,
            "findings": self.tally.findings,
            "new": self.tally.new,
            "unknown_at_vendor": self.tally.unknown.total(),
        }
        await self._ledger.record_reconciliation(scope.run_id, facts)
        self._log.info("reconcile.finished", **{name: value for name, value in facts.items() if value is not None})

    def exit_code(self) -> ExitCode:
        """The exit code: the vendor's silence comes before a pause, and a pause before findings."""
        asked = [one.questions for one in self._inquiries.values()]
        codes = {one.lost.code for one in asked if one.lost is not None}
        if ExitCode.UNREACHABLE in codes or any(one.unreached for one in asked):
            return ExitCode.UNREACHABLE
        if codes:
            return ExitCode.HALTED
        return ExitCode.REVIEW if self.tally.findings or self.tally.unknown else ExitCode.DONE

    def not_listed(self) -> dict[str, str]:
        """The partners whose lists of rounds could not be used, each with the reason."""
        return {name: one.not_listed for name, one in self._inquiries.items() if one.not_listed is not None}

    async def _compare(self, rounds: Sequence[SettledRound]) -> list[Finding]:
        """Compare one batch, and keep its findings."""
        vendor = await self._ask(rounds)
        local = await self._ledger.read_sides([one.id for one in rounds], wallet=self.has_wallet)
        found: list[NewFinding] = []
        for one in rounds:
            side = local.get(one.id)
            if side is None or side.ledger.outcome != one.outcome:
                continue  # a person has resolved it since the question: the next reconciliation compares that
            self.tally.rounds += 1
            if vendor[one.id].status is None:
                self.tally.count_unknown(one.partner, vendor[one.id].text)
            sides = Comparison(side.ledger, vendor[one.id], side.operator, side.refunds)
            within = self._refund_within.get(one.partner, timedelta())
            found += (NewFinding(one.id, kind, one.outcome, describe(sides)) for kind in judge(sides, side.now, within))
        kept = await self._ledger.insert_findings(found)
        return self._findings({one.id: one for one in rounds}, found, kept)

    async def _ask(self, rounds: Sequence[SettledRound]) -> dict[int, VendorSide]:
        """Ask the vendors, each about its own rounds, at the same time."""
        by_partner: defaultdict[str, list[SettledRound]] = defaultdict(list)
        for one in rounds:
            by_partner[one.partner].append(one)
        told = {one.id: UNCONFIGURED for one in rounds}
        known = {name: own for name, own in by_partner.items() if name in self._inquiries}
        asking = [asyncio.create_task(self._inquiries[name].ask(own)) for name, own in known.items()]
        try:
            for answers in await asyncio.gather(*asking):
                told |= answers
        finally:
            for task in asking:  # where one of them failed, the others ask no more
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return told

    def _findings(
        self, rounds: Mapping[int, SettledRound], found: Sequence[NewFinding], kept: Sequence[KeptFinding]
    ) -> list[Finding]:
        sides = {(one.cancellation_id, str(one.kind)): one.sides for one in found}
        findings = [
            Finding(
                one.id,
                rounds[one.id].run_id,
                rounds[one.id].partner,
                rounds[one.id].market,
                rounds[one.id].round_id,
                one.kind,
                *sides[one.id, one.kind],
                one.new,
            )
            for one in kept
            if not one.resolved
        ]
        self.tally.findings += len(findings)
        self.tally.new += sum(one.new for one in findings)
        for one in findings:
            if one.new:
                self._log.warning(
                    "finding.found",
                    run_id=str(one.run_id),
                    partner=one.partner,
                    market=one.market,
                    round_id=one.round_id,
                    kind=one.kind,
                )
        return findings
