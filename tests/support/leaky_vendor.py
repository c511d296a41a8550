"""A configuration full of secrets, a vendor that repeats all of them, and the texts that must not be found
afterwards.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from retention.simulator.faults import Faults
from support.world import SECURE_LOGIN, TOKEN

if TYPE_CHECKING:
    from support.world import World

PASSWORD = "opensesame-4d1f"
HUNTED = {
    "the token": TOKEN[:12],  # the beginning of it is too much already
    "the secureLogin": SECURE_LOGIN,
    "the API URL's path": "secret-path",
    "the status URL's path": "hidden-place",
    "the cancel URL's path": "hidden-desk",
    "the health URL's path": "hidden-pulse",
    "the rounds URL's path": "hidden-shelf",
    "the DSN's password": PASSWORD,
    "the webhook's path": "hook-5d2e",
    "the webhook's query": "hookkey-77aa",
    "the signing key": "sign-3f9c1b",
    "apprise's password": "apprise-9e11",
}

ADDRESSES = {
    "cancel_url": "/hidden-desk/v4/CancelRound",
    "status_url": "/hidden-place/history/GetRoundStatus",
    "health_url": "/hidden-pulse/v4/HealthCheck",
    "rounds_url": "/hidden-shelf/history/GetGameRounds",
}
"""Of each call, below the vendor's address."""


def hunted(world: World) -> dict[str, str]:
    """The secrets, each with its name."""
    return {**HUNTED, "the vendor's address": world.vendor.url.removeprefix("http://")}


async def ledger_of(world: World) -> dict[str, str]:
    """Every column of every row of our tables, as text, by table."""
    tables = await world.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'retention'")
    assert len(tables) >= 6
    written = {}
    for table in tables:
        statement = sql.SQL("SELECT t::text AS text FROM {} t").format(sql.Identifier("retention", table.tablename))
        written[str(table.tablename)] = "\n".join(row.text for row in await world.sql(statement.as_string()))
    return written


def arm(world: World) -> None:
    """Put a password into the DSN, which is a URL from now on, and give each call an address of its own."""
    parts = conninfo_to_dict(world.dsn)
    user, name, host = (quote(str(parts.pop(key)), safe="") for key in ("user", "dbname", "host"))
    rest = "".join(f"&{key}={value}" for key, value in parts.items() if key != "password")
    world.dsn = f"postgresql://{user}:{PASSWORD}@/{name}?host={host}{rest}"
    world.partner |= {key: world.vendor.url + path for key, path in ADDRESSES.items()}
    world.partner["max_attempts"] = 2


def gossip(world: World) -> Faults:
    """A vendor that repeats each secret that it gets, in every field."""
    url = f"{world.vendor.url}/secret-path/v4/CancelRound"
    said = f"{TOKEN} of {SECURE_LOGIN} at {url}, POST /secret-path/v4/CancelRound"
    based = b64encode(f"{SECURE_LOGIN}:{TOKEN}".encode()).decode()
    cancelled, asked_at, well, listed = (world.vendor.url + path for path in ADDRESSES.values())
    asked = f"{asked_at}, {TOKEN}, {quote(url, safe='')}"
    elsewhere = f"{cancelled}, {quote(listed, safe='')}, POST {ADDRESSES['health_url']}"
    return Faults.of(
        {"round_ids": ["*0"], "reply": {"error": 0, "transactionId": TOKEN, "currency": "EUR", "description": said}},
        {"round_ids": ["*1"], "code": TOKEN, "description": said},
        {"round_ids": ["*2"], "code": SECURE_LOGIN, "description": "x" * 240 + TOKEN},
        {"round_ids": ["*3"], "code": "x" * 50 + TOKEN, "description": "x" * 235 + cancelled},
        {"round_ids": ["*4"], "status": 500, "body": said, "headers": {"X-Why": TOKEN}},
        {"round_ids": ["*5"], "redirect": f"{url}?token={TOKEN}"},
        {"round_ids": ["*6"], "body": f"{said} {elsewhere}"},
        {"round_ids": ["*7"], "cut": "middle"},
        {"round_ids": ["*8"], "code": "99", "description": f"{elsewhere}, Basic {based}, {TOKEN.encode().hex()}"},
        {"round_ids": ["*9"], "reply": {"error": 0, "transactionId": based, "currency": "EUR", "description": "ok"}},
        {"call": "GetRoundStatus", "round_ids": ["*2"], "code": TOKEN, "description": said},
        {"call": "GetRoundStatus", "round_ids": ["*3"], "status": 500, "body": said},
        {"call": "GetRoundStatus", "reply": {"error": 0, "description": asked, "roundStatus": asked}},
        {"call": "HealthCheck", "reply": {"error": "54", "description": f"{well}, {said}"}},
    )


def told(address: str) -> str:
    """One notification target behind a webhook, and one that apprise cannot reach."""
    return (
        f'[notify.ops]\nwebhook = "http://{address}/hook-5d2e?key=hookkey-77aa"\nsigning_key = "sign-3f9c1b-{"x" * 24}"\n'
        '[notify.chat]\napprise = "json://user:apprise-9e11@127.0.0.1:1/"\n'
    )
