"""The only place where concrete things are put together."""

from __future__ import annotations

import os
import socket
import time
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from retention.core.model import Credentials
from retention.core.outcome import Treating
from retention.engine.engine import Ending, Engine
from retention.engine.partner import Addresses, Partner
from retention.engine.stats import Stats
from retention.ledger.controls import Controls
from retention.ledger.database import open_database
from retention.ledger.review import Review
from retention.ledger.runs import RunLedger
from retention.ledger.work import LaneTerms, WorkLedger
from retention.log import Redactor
from retention.progress import progress
from retention.runs import Runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from structlog.typing import FilteringBoundLogger

    from retention.ledger.database import Database
    from retention.settings import Settings
    from retention.settings.model import Partner as PartnerSettings
    from retention.settings.model import Policy
    from retention.signals import Signals

CONNECTIONS = 6
"""To the database, at the most: claims of a few lanes, one settlement, one look around."""


@dataclass(frozen=True, slots=True)
class House:
    """A process's parts, put together."""

    settings: Settings
    database: Database
    log: FilteringBoundLogger
    redactor: Redactor

    @property
    def run_ledger(self) -> RunLedger:
        """The ledger's runs."""
        return RunLedger(self.database)

    @property
    def controls(self) -> Controls:
        """Holds and the kill switch."""
        return Controls(self.database)

    @property
    def review(self) -> Review:
        """What needs a person."""
        return Review(self.database)

    def terms(self, names: Sequence[str]) -> list[LaneTerms]:
        """The terms on which those partners are called."""
        return [_terms(self.settings.partner(name)) for name in names]

    def runs(self, signals: Signals) -> Runs:
        """Makes runs, which the signals can stop."""
        return Runs(self.run_ledger, self.controls, partial(self._work, signals), self.log, lambda: signals.code)

    async def _work(
        self,
        signals: Signals,
        run_id: UUID,
        policy: Policy,
        passed: Sequence[str],
    ) -> Ending:

        ledger = WorkLedger(
            self.database,
            run_id,
            replica_name(),
            policy.idle_longer_than.total_seconds() if policy.idle_longer_than else None,
            time.monotonic,
        )
        stats = Stats()
        async with AsyncExitStack() as stack:
            partners = [
                await _partner(stack, self.settings.partner(name), self.redactor)
                for name in self.settings.partners_of(policy)
            ]
            engine = Engine(
                ledger,
                partners,
                stats,
                self.log.bind(run_id=str(run_id), policy=policy.name),
                run_id=run_id,
                max_failure_ratio=policy.max_failure_ratio,
                passed=passed,
                log_user_ids=self.settings.log_user_ids,
            )
            signals.working = engine
            try:
                planned = (await self.run_ledger.figures(run_id)).rounds
                async with progress(stats, planned):
                    return await engine.run()
            finally:
                signals.working = None


@asynccontextmanager
async def open_house(settings: Settings, log: FilteringBoundLogger, redactor: Redactor) -> AsyncIterator[House]:
    """Connect to the database and put the parts together. Raises DatabaseUnreachableError."""
    secret = settings.database.dsn
    async with open_database(secret.reveal if secret else str, CONNECTIONS) as database:
        yield House(settings, database, log, redactor)


def redactor_of(settings: Settings) -> Redactor:
    """What keeps this configuration's secrets out of everything that is written."""
    urls = [url for partner in settings.partners.values() for url in (partner.api_url, partner.status_url) if url]
    return Redactor(
        lambda: [*settings.secrets(), *(part for url in urls for part in _parts(url.reveal()))],
        lambda: {*settings.partners, *settings.policies},
    )


@lru_cache(maxsize=64)
def _parts(address: str) -> tuple[str, ...]:
    """What tells an address though it is not the whole of it: a vendor may well repeat the path it was asked for."""
    url = urlsplit(address)
    local = url.hostname in {"127.0.0.1", "::1", "localhost"}
    parts = (url.netloc, "" if local else url.hostname, url.path.rstrip("/"))
    return tuple(part for part in parts if part)


def replica_name() -> str:
    """A name for this process that no other has: hosts may share a name, and process numbers come again."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def _terms(partner: PartnerSettings) -> LaneTerms:
    return LaneTerms(
        partner.name,
        float(partner.rate),
        partner.timeout.total_seconds(),
        partner.max_attempts,
        partner.status_probe,
    )


async def _partner(stack: AsyncExitStack, settings: PartnerSettings, redactor: Redactor) -> Partner:
    from retention.vendor.client import VendorClient  # noqa: PLC0415 - slow to import, and most commands call nobody

    client = VendorClient(timeout=settings.timeout.total_seconds(), concurrency=settings.concurrency)
    return Partner(
        _terms(settings),
        Treating(settings.treatments, settings.max_attempts, settings.status_probe),
        await stack.enter_async_context(client),
        concurrency=settings.concurrency,
        send_game_id=settings.send_game_id,
        # Asked anew for each call: a secret in a file may change while a run is on.
        addresses=lambda: _addresses(settings),
        credentials=lambda: Credentials(settings.secure_login.reveal(), settings.token.reveal()),
        redact=redactor.text,
    )


def _addresses(settings: PartnerSettings) -> Addresses:
    base = settings.api_url.reveal().rstrip("/")
    status = settings.status_url.reveal() if settings.status_url else f"{base}/history/GetRoundStatus"
    return Addresses(f"{base}/v4/CancelRound", status)
