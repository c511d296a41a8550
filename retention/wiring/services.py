"""The only place where concrete things are put together."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from retention.engine.counters import ProcessCounters
from retention.errors import ConfigurationError
from retention.ledger.clocks import Clocks
from retention.ledger.database import open_database
from retention.ledger.database_errors import UNAVAILABLE
from retention.ledger.holds import Holds
from retention.ledger.known_server import KnownServer
from retention.ledger.notifications import NotificationOutbox
from retention.ledger.pauses import Pauses
from retention.ledger.plans import Plans
from retention.ledger.review import Review
from retention.ledger.runs import RunLedger
from retention.ledger.schedules import ScheduleStore
from retention.ledger.stalled_runs import StalledRuns
from retention.process.waiting import telling
from retention.redaction import Redactor
from retention.runs.model import RunParts
from retention.runs.scope import scope_of
from retention.runs.service import RunService
from retention.wiring.engines import work_on
from retention.wiring.partners import terms_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.planning.plan import Scope
    from retention.ledger.claims import PartnerTerms
    from retention.ledger.database import Database
    from retention.notify.notifier import Notifier
    from retention.process.shutdown import DrainScope, ShutdownSignals
    from retention.settings import Settings
    from retention.settings.model import Policy, Target

TELLING = 15.0
"""Seconds that a command may take at its end to tell people."""

CONNECTIONS = 6
"""To the database, at the most: claims of a few lanes, one settlement, one look around."""


@dataclass(frozen=True, slots=True)
class Services:
    """A process's parts, put together."""

    settings: Settings
    database: Database
    log: FilteringBoundLogger
    redactor: Redactor
    replica: str
    tally: ProcessCounters
    clocks: Clocks
    server: KnownServer

    @property
    def run_ledger(self) -> RunLedger:
        """The ledger's runs."""
        return RunLedger(self.database, self.clocks)

    @property
    def stalls(self) -> StalledRuns:
        """Runs that stand still."""
        return StalledRuns(self.database, self.replica)

    @property
    def plans(self) -> Plans:
        """The plans of runs."""
        return Plans(self.database, self.clocks)

    @property
    def holds(self) -> Holds:
        """The ledger's holds."""
        return Holds(self.database)

    @property
    def pauses(self) -> Pauses:
        """The kill switch and the vendors' pauses."""
        return Pauses(self.database)

    @property
    def schedules(self) -> ScheduleStore:
        """The ledger's schedules."""
        return ScheduleStore(self.database, self.replica, self.clocks)

    @asynccontextmanager
    async def notifier(self, targets: Callable[[], Mapping[str, Target]] | None = None) -> AsyncIterator[Notifier]:
        """Who tells people; `targets`, where they may change, else those of this configuration."""
        from retention.notify.apprise_channel import AppriseChannel  # noqa: PLC0415 - slow to import, and few commands have something to tell
        from retention.notify.notifier import Notifier  # noqa: PLC0415
        from retention.notify.webhook import Webhook  # noqa: PLC0415

        async with Webhook() as webhook:
            notices = NotificationOutbox(self.database, self.redactor.own_words)
            yield Notifier(notices, targets or (lambda: self.settings.notify), webhook, AppriseChannel(), self.log)

    async def tell(self) -> None:
        """Tell people what has come up, as far as TELLING allows; a daemon, or the next run, goes on with the rest."""
        if self.clocks.problem(self.settings.clock_limit()):
            return  # what has been tried for long is given up, which a wrong clock must not decide
        try:
            async with asyncio.timeout(TELLING), self.notifier() as notifier:
                with telling(self.log, "notification.waiting", detail=f"tells people, for {TELLING:.0f} s at the most"):
                    await notifier.once()
        except (*UNAVAILABLE, TimeoutError) as error:
            self.log.warning("notification.put_off", problem=type(error).__name__)

    @property
    def review(self) -> Review:
        """What needs a person."""
        return Review(self.database)

    def terms(self, names: Sequence[str]) -> list[PartnerTerms]:
        """The terms on which those partners are called."""
        return [terms_of(self.settings.partner(name)) for name in names]

    def runs(
        self, place: DrainScope, *, show: bool = False, stalled: Callable[[], Awaitable[None]] | None = None
    ) -> RunService:
        """Makes runs, whose engines work at that place; `show` their progress where stderr is a terminal.

        `stalled` has people told of a run that makes no progress, while it still stands.
        """
        work = partial(work_on, self, place, show, stalled)
        return RunService(
            RunParts(
                ledger=self.run_ledger,
                plans=self.plans,
                stalls=self.stalls,
                pauses=self.pauses,
                replica=self.replica,
                work=work,
                check_configured=self._check_configured,
                counters=self.tally,
                log=self.log,
                signal_code=lambda: place.code,
                policy_now=self._policy_now,
                scope=self._scope,
                clock_limit=self.settings.clock_limit,
            )
        )

    def _policy_now(self, name: str) -> Policy | None:
        """A policy as it is configured now, with the partners that it speaks of."""
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
    """Connect to the database and put the parts together. Raises DatabaseUnreachableError."""
    secret = settings.database.dsn
    async with open_database(secret.reveal if secret else str, connections, log) as database:
        clocks = Clocks(timeouts_of(settings))
        yield Services(settings, database, log, redactor, replica_name(), ProcessCounters(), clocks, KnownServer())


def timeouts_of(settings: Settings) -> list[float]:
    """How many seconds a request to each partner may take."""
    return [partner.timeout.total_seconds() for partner in settings.partners.values()]


def redactor_of(settings: Settings) -> Redactor:
    """What keeps this configuration's secrets out of everything that is written."""
    return Redactor(*_secrets_of(settings))


def _secrets_of(settings: Settings) -> tuple[Callable[[], list[str]], Callable[[], set[str]], Callable[[], set[str]]]:
    every = settings.every_secret()
    urls = [url for partner in settings.partners.values() for url in partner.addresses()]
    urls += [url for target in settings.notify.values() for url in (target.webhook, target.apprise) if url]
    listed: list[str] = []
    seen: list[int] | None = None

    def words() -> list[str]:
        # It is asked for each line. What has not been read by whoever uses it can stand in nothing that is written, so
        # no file is looked at here.
        nonlocal listed, seen
        revisions = [secret.revision for secret in every]
        if revisions != seen:
            listed = [*settings.secrets(), *(part for url in urls for part in _parts(url.reveal()))]
            seen = revisions
        return listed

    return (
        words,
        lambda: {*settings.partners, *settings.policies},
        lambda: {partner.secure_login.reveal() for partner in settings.partners.values()},
    )


@lru_cache(maxsize=64)
def _parts(address: str) -> tuple[str, ...]:
    """What tells an address though it is not the whole of it: a vendor may well repeat the path it was asked for."""
    url = urlsplit(address)
    local = url.hostname in {"127.0.0.1", "::1", "localhost"}
    parts = (url.netloc, "" if local else url.hostname, url.path.rstrip("/"), url.query, url.password)
    return tuple(part for part in parts if part)


async def serve(
    services: Services,
    signals: ShutdownSignals,
    load: Callable[[], Settings],
    *,
    address: tuple[str, int],
    drain_timeout: float,
    announce: Callable[[str], None],
) -> int:
    """Be a daemon until a signal comes; returns that signal's exit code.

    `load` reads the configuration anew, `announce` is told where health and metrics are, `drain_timeout` is in seconds.
    Raises UsageError where the address cannot be had.
    """
    from retention.daemon.daemon import Daemon  # noqa: PLC0415 - slow to import, and only this command wants them
    from retention.daemon.health import listening, make_app  # noqa: PLC0415
    from retention.metrics import Metrics  # noqa: PLC0415

    current = services

    def reload() -> Services:
        nonlocal current
        settings = load()
        if settings.database.dsn != services.settings.database.dsn:
            raise ConfigurationError("database.dsn: cannot change while `serve` runs; restart it instead")
        services.redactor.follow(*_secrets_of(settings))
        services.clocks.set_timeouts(timeouts_of(settings))
        current = dataclasses.replace(services, settings=settings)
        return current

    metrics = Metrics(services.tally)
    metrics.watch_process()
    async with AsyncExitStack() as stack:
        notifier = await stack.enter_async_context(services.notifier(lambda: current.settings.notify))
        daemon = Daemon(services, metrics, notifier, reload, lambda: signals.code, drain_timeout)
        await daemon.begin()
        app = make_app(daemon.problem, daemon.unready, metrics)
        url = await stack.enter_async_context(listening(app, *address))
        announce(url)
        services.log.info("serve.started", url=url, replica=services.replica)
        with signals.drain_on_signal(daemon):
            signals.listen_for_hangup(daemon.reload)
            await daemon.run()
    return signals.code or 0


def replica_name() -> str:
    """A name for this process that no other has: hosts may share a name, and process numbers come again."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
