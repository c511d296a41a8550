"""The engine on a real ledger, where its own code fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

import pytest
from support.bare_database import SCOPE, TERMS

from retention.core.model import Claim, Credentials
from retention.core.sending.partner_state import PartnerState
from retention.core.sending.reply_rules import DEFAULT_CODES, ReplyRules
from retention.engine.counters import ProcessCounters, RunCounters
from retention.engine.engine import Engine
from retention.engine.run_partner import RunPartner
from retention.ledger.engine_ledger import EngineLedger
from retention.ledger.plans import Plans
from retention.ledger.run_request import RunRequest
from retention.ledger.runs import RunLedger
from retention.log import configure
from retention.redaction import Redactor
from retention.vendor_api.client import VendorClient
from retention.vendor_api.credentials import Access
from retention.vendor_api.gateway import VendorGateway

if TYPE_CHECKING:
    from support.world import World

    from retention.ledger.database import Database
    from retention.vendor_api.connection import Connection


class BrokenGateway(VendorGateway):
    """A gateway whose calls fail in an unexpected way."""

    async def call(self, claim: Claim, connection: Connection) -> NoReturn:  # noqa: ARG002 - it fails first
        """Fail."""
        raise RuntimeError(f"a bug that {claim.round_id} met")


async def test_a_bug_in_a_sender_ends_the_run_and_is_told(world: World, database: Database) -> None:
    """An error of our own while sending surfaces instead of leaving a run that waits for ever; the doubt is kept."""
    await world.seed(3)
    runs, run_id = RunLedger(database), uuid4()
    await Plans(database).create_run(RunRequest(run_id, "nightly", "enforce", "tess", None, {}), SCOPE, [TERMS])
    assert await runs.start_run(run_id, None)
    async with VendorClient(timeout=TERMS.timeout) as client:
        state = PartnerState(TERMS.max_attempts, status_probe=True, ask_first=False)
        gateway = BrokenGateway(
            client,
            ReplyRules(DEFAULT_CODES, TERMS.max_attempts, status_probe=True),
            state,
            concurrency=1,
            send_game_id=True,
            access=lambda: Access(world.vendor.url, world.vendor.url, world.vendor.url, Credentials("login", "token")),
            redact=str,
            is_echo=lambda _: False,
        )
        engine = Engine(
            EngineLedger.of_run(database, run_id, "one", None, time.monotonic),
            [RunPartner(TERMS, state, gateway)],
            RunCounters("nightly", ProcessCounters()),
            configure("json", "error", Redactor(list, set)),
            run_id=run_id,
            max_failure_ratio=0.2,
            max_conflicts=5,
            overrides=(),
            log_user_ids=False,
        )
        with pytest.raises(RuntimeError, match="a bug that r0 met"):
            await engine.run()
    states = await world.states()
    assert ["claimed", "planned", "planned"] == sorted(states.values())
