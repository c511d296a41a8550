"""A partner's own addresses are the called ones, and two names for one account are refused by every process."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from support.replica import free_port, serve
from support.world import SECURE_LOGIN, TOKEN

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

TWIN = """
[partners.twin]
secure_login = "{login}"
cancel_url = "{url}/secret-path/v4/CancelRound/"
status_url = "{url}/status"
health_url = "{url}/health"
token = "another-token"
rate = 20
"""
REFUSED = (
    "retention.toml: partners.twin: is the same account at the vendor as [partners.acme], by secure_login and the address"
    " of CancelRound, so each of its rounds could be cancelled twice; keep one of the two"
)


async def test_each_vendor_call_goes_to_its_own_address(world: World) -> None:
    """Without a server at api_url, rounds are asked about, cancelled and settled at the calls' own addresses."""
    url = world.vendor.url
    world.partner |= {
        "api_url": f"http://127.0.0.1:{free_port()}",
        "cancel_url": f"{url}/one/v4/CancelRound",
        "status_url": f"{url}/two/history/GetRoundStatus",
        "health_url": f"{url}/three/v4/HealthCheck",
    }
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "54"})
    await world.seed(3)
    done = await world.command("run", "--json")
    assert (4, {"cancelled": 2, "rejected": 1}) == (done.code, done.json["states"]), done.err
    calls = ("CancelRound", "GetRoundStatus", "HealthCheck")
    # A rejected round is asked about once more.
    assert (3, 4, 1) == tuple(len({request.uuid for request in world.vendor.asked(call)}) for call in calls)


async def test_two_names_for_one_account_are_refused(world: World) -> None:
    """`run`, `plan` and `check` say which two tables are one account, and call no vendor."""
    world.extra = TWIN.format(login=SECURE_LOGIN.upper(), url=world.vendor.url)
    await world.seed(1)
    for words in (("run", "--yes"), ("plan",), ("check",)):
        done = await world.command(*words)
        assert (2, "", [REFUSED]) == (done.code, done.out, [done.err.strip().removeprefix("error: ").split("/")[-1]])
        assert not any(secret in done.err for secret in (SECURE_LOGIN, SECURE_LOGIN.upper(), TOKEN, world.vendor.url))
    assert [] == world.vendor.requests


async def test_a_reload_refuses_two_names_for_one_account(world: World) -> None:
    """SIGHUP with a second name for an account is an error in the log, and the old configuration goes on."""
    replica = await serve(world)
    world.extra = TWIN.format(login=SECURE_LOGIN, url=world.vendor.url)
    world.configure()
    replica.running.signal(signal.SIGHUP)
    await asyncio.sleep(0.3)  # a refused request shows nowhere else before the log at the end
    assert (200, "ok\n") == await replica.get("/healthz")
    done = await replica.stopped(signal.SIGTERM)
    (refused,) = [event["problem"] for event in done.events if event["event"] == "configuration.refused"]
    assert refused.endswith(REFUSED)
    assert "configuration.reloaded" not in {event["event"] for event in done.events}
