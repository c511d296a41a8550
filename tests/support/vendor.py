"""A simulated vendor with one open round, and a client that asks it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from retention.simulator.server import Round

if TYPE_CHECKING:
    import aiohttp

FIELDS = {
    "secureLogin": "acme",
    "userId": "tester",
    "gameId": "lm_1",
    "roundId": "R-1",
    "token": "s3cret",
    "uuid": "u-1",
}
KEY = ("acme", "R-1")
CANCEL = "/v4/CancelRound"
STATUS = "/history/GetRoundStatus"
HEALTH = "/v4/HealthCheck"
ROUNDS = "/history/GetGameRounds"


def open_round(**changes: Any) -> Round:
    """Make the round that every test cancels."""
    known = {"user_id": "tester", "game_id": "lm_1", "currency": "SEK", "amount": Decimal("12.50")}
    ids = {"secure_login": "acme", "round_id": "R-1", "transaction_id": "bet-7"}
    return Round(**{**known, **ids, **changes})


async def ask(client: aiohttp.ClientSession, url: str, **changes: Any) -> dict[str, Any]:
    """Post a call with its fields, except for those of None. Amounts stay exact."""
    fields = {name: value for name, value in {**FIELDS, **changes}.items() if value is not None}
    async with client.post(url, json=fields, allow_redirects=False) as reply:
        found: dict[str, Any] = json.loads(await reply.read(), parse_float=Decimal)
        return found
