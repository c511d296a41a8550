"""Builds the parts of a process that commands and the daemon share."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from retention.engine.counters import ProcessCounters
from retention.ledger.approvals import Approvals
from retention.ledger.clocks import Clocks
from retention.ledger.database import open_database
from retention.ledger.database_errors import UNAVAILABLE
from retention.ledger.evidence import Evidence
from retention.ledger.holds import Holds
from retention.ledger.known_server import KnownServer
from retention.ledger.months import begin_month
from retention.ledger.named_rounds import NamedRounds
from retention.ledger.notifications import NotificationOutbox
from retention.ledger.pauses import Pauses
from retention.ledger.plans import Plans
from retention.ledger.read_replica import PlanViews
from retention.ledger.reconciliation import Reconciliations
from retention.ledger.review import Review
from retention.ledger.runs import RunLedger
from retention.ledger.schedules import ScheduleStore
from retention.ledger.stalled_runs import StalledRuns
from retention.process.long_waits import log_long_wait
from retention.reports.report import Configured
from retention.runs.checkpoints import Checkpoints
from retention.runs.model import RunParts
from retention.runs.partner_questions import PartnerQuestions
from retention.runs.reconcile import Reconciler
from retention.runs.round_lists import RoundLists
from retention.runs.scope import scope_of
from retention.runs.service import RunService
from retention.settings.partner import Call
from retention.wiring.engines import run_engine
from retention.wiring.partners import longest_lease, open_questions, terms_of
from retention.wiring.signing import signer_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.evidence.checkpoint import Signer
    from retention.core.planning.plan import Scope
    from retention.fleet.fleet import Fleet
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.database import Database
    from retention.notify.notifier import Notifier
    from retention.process.shutdown import DrainScope
    from retention.redaction import Redactor
    from retention.settings.model import Settings, Target
    from retention.settings.policy import Policy

NOTIFY_S = 15.0
"""Time that a command may take at its end to send notifications."""

CONNECTIONS = 6
"""Database connections at most: for a few partners' claims, one settlement, and the heartbeat."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a process. `replica` is its name in the ledger, `fleet` its helper processes, if it has any."""

    settings: Settings
    database: Database
    log: FilteringBoundLogger
    redactor: Redactor
    replica: str
    counters: ProcessCounters
    clocks: Clocks
    server: KnownServer
    signer: Signer | None = None
    fleet: Fleet | None = None

    @property
    def run_ledger(self) -> RunLedger:
        """The ledger of runs."""
        return RunLedger(self.database, self.clocks, self.settings.max_runs)

    @property
    def stalls(self) -> StalledRuns:
        """The ledger of stalled runs."""
        return StalledRuns(self.database, self.replica)

    @property
    def plans(self) -> Plans:
        """The ledger of plans."""
        return Plans(self.database, self.clocks, self.replica, plan_views_of(self.settings, self.redactor, self.log))

    @property
    def holds(self) -> Holds:
        """The ledger of holds."""
        return Holds(self.database)

    @property
    def pauses(self) -> Pauses:
        """The ledger of pauses: the kill switch, and the vendors' pauses."""
        return Pauses(self.database)

    @property
    def evidence(self) -> Evidence:
        """The ledger of evidence."""
        return Evidence(self.database, self.signer)

    @property
    def checkpoints(self) -> Checkpoints:
        """The maker of checkpoints."""
        return Checkpoints(self.evidence, self.log)

    @property
    def approvals(self) -> Approvals:
        """The ledger of approvals."""
        return Approvals(self.database, self.replica)

    @property
    def schedules(self) -> ScheduleStore:
        """The ledger of schedules."""
        return ScheduleStore(self.database, self.replica, self.clocks)

    @asynccontextmanager
    async def notifier(self, targets: Callable[[], Mapping[str, Target]] | None = None) -> AsyncIterator[Notifier]:
        """Open the notifier. `targets` gives the targets where they may change, else this configuration has them."""
        from retention.notify.apprise_channel import AppriseChannel  # noqa: PLC0415 - slow to import, and few commands notify
        from retention.notify.notifier import Notifier  # noqa: PLC0415
        from retention.notify.webhook import Webhook  # noqa: PLC0415

        async with Webhook() as webhook:
            outbox = NotificationOutbox(self.database, self.redactor.own_text, self.settings.max_runs)
            yield Notifier(outbox, targets or (lambda: self.settings.notify), webhook, AppriseChannel(), self.log)

    async def send_notifications(self) -> None:
        """Send the notifications of the outbox for at most NOTIFY_S; a daemon or the next run sends the rest."""
        if self.clocks.problem(self.settings.clock_limit()):
            return  # an old notification is given up, and a wrong clock must not decide its age
        try:
            async with asyncio.timeout(NOTIFY_S), self.notifier() as notifier:
                with log_long_wait(
                    self.log, "notification.waiting", detail=f"sends notifications, for at most {NOTIFY_S:.0f} s"
                ):
                    await notifier.run_once()
        except (*UNAVAILABLE, TimeoutError) as error:
            self.log.warning("notification.deferred", problem=type(error).__name__)

    @property
    def review(self) -> Review:
        """The ledger of rounds that need review."""
        return Review(self.database)

    @asynccontextmanager
    async def reconciler(self) -> AsyncIterator[Reconciler]:
        """Open what a reconciliation needs: a way to ask each configured partner."""
        ledger = Reconciliations(self.database, self.replica, time.monotonic)
        async with AsyncExitStack() as stack:
            inquiries = {}
            for name, partner in self.settings.partners.items():
                questions = PartnerQuestions(
                    await open_questions(stack, self.settings, name, self.redactor), ledger, self.log, random.random
                )
                inquiries[name] = RoundLists(
                    questions, self.log, lists=bool(partner.address(Call.ROUNDS)), may_ask=partner.status_probe
                )
            yield Reconciler(ledger, inquiries, self.configured.refund_within, self.log)

    @property
    def configured(self) -> Configured:
        """The part of the configuration that reports need."""
        return configured_of(self.settings)

    def terms(self, names: Sequence[str]) -> list[PartnerTerms]:
        """Return the terms on which these partners are called."""
        return [terms_of(self.settings, name) for name in names]

    def runs(
        self, scope: DrainScope, *, show: bool = False, stalled: Callable[[], Awaitable[None]] | None = None
    ) -> RunService:
        """Return the service that plans and executes runs; their engines drain with `scope`.

        `show` shows their progress where stderr is a terminal. `stalled` is called once a run makes no progress.
        """
        work = partial(run_engine, self, scope, show, stalled)
        return RunService(
            RunParts(
                ledger=self.run_ledger,
                plans=self.plans,
                named=NamedRounds(self.database, self.replica, self.clocks),
                stalls=self.stalls,
                pauses=self.pauses,
                checkpoints=self.checkpoints,
                approvals=self.approvals,
                replica=self.replica,
                work=work,
                check_configured=self._check_configured,
                counters=self.counters,
                log=self.log,
                signal_code=lambda: scope.code,
                policy_now=self._policy_now,
                scope=self._scope,
                clock_limit=self.settings.clock_limit,
                begin_month=partial(begin_month, self.database, self.log),
                longest_lease=longest_lease(self.settings),
            )
        )

    def _policy_now(self, name: str) -> Policy | None:
        """Return the policy as it is configured now, its partners named; None where it is not configured."""
        policy = self.settings.policies.get(name)
        return policy and policy.model_copy(update={"partners": self.settings.partners_of(policy)})

    def _scope(self, policy: Policy, limit: int | None) -> tuple[Scope, Sequence[PartnerTerms]]:
        scope = scope_of(self.settings, policy, limit)
        return scope, self.terms(scope.partners)

    def _check_configured(self, policy: Policy) -> None:
        """Raise UsageError unless every partner of the policy is configured here."""
        self.terms(self.settings.partners_of(policy))


@asynccontextmanager
async def open_services(
    settings: Settings, log: FilteringBoundLogger, redactor: Redactor, connections: int = CONNECTIONS
) -> AsyncIterator[Services]:
    """Connect to the database and build the parts. Raises ConfigurationError, DatabaseUnreachableError."""
    signer = signer_of(settings)
    secret = settings.database.dsn
    async with open_database(secret.reveal if secret else str, connections, log) as database:
        clocks = Clocks(timeouts_of(settings))
        counters, server = ProcessCounters(), KnownServer()
        yield Services(settings, database, log, redactor, replica_name(), counters, clocks, server, signer)


def plan_views_of(settings: Settings, redactor: Redactor, log: FilteringBoundLogger | None) -> PlanViews:
    """Return what reads the operator's view for plans: the replica of `read_dsn`, or the primary."""
    secret = settings.database.read_dsn
    return PlanViews(secret.reveal if secret else None, log, redactor.text)


def configured_of(settings: Settings) -> Configured:
    """Return the part of a configuration that reports need."""
    return Configured(
        scopes={name: scope_of(settings, policy) for name, policy in settings.policies.items()},
        refund_within={name: partner.refund_within for name, partner in settings.partners.items()},
    )


def timeouts_of(settings: Settings) -> list[float]:
    """Return how many seconds a request may take, for each partner."""
    return [partner.timeout.total_seconds() for partner in settings.partners.values()]


def replica_name() -> str:
    """Return a name that no other process has: hosts may share a name, and process ids are reused."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
