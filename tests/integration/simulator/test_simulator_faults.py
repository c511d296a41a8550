"""Each fault of the simulated vendor, over real sockets."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import uvloop
from support.vendor import CANCEL, FIELDS, HEALTH, KEY, ask, open_round

from retention.simulator.faults import Faults
from retention.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("fault", "status", "body", "effect"),
    [
        ({"status": 503}, 503, b"", False),
        ({"status": 500, "body": "oops", "effect": True}, 500, b"oops", True),
        ({"code": "998"}, 200, b'{"error": "998", "description": ""}', False),
        ({"code": 998, "description": "again"}, 200, b'{"error": 998, "description": "again"}', False),
        ({"code": "998", "effect": True}, 200, b'{"error": "998", "description": ""}', True),
        ({"reply": {"error": None, "amount": Decimal("1.0")}}, 200, b'{"error": null, "amount": 1.0}', False),
        ({"body": "<html>", "effect": True}, 200, b"<html>", True),
        ({"redirect": "http://127.0.0.1:1/x"}, 307, b"", False),
        ({"oversize": True}, 200, b'{"error": 0, "description": "' + b"x" * 70_000 + b'"}', True),
        ({"oversize": True, "effect": False}, 200, b'{"error": 0, "description": "' + b"x" * 70_000 + b'"}', False),
        ({"amount": "1e400"}, 200, b'{TRUE "amount": 1e400, "transactionId": "bet-7"}', True),
        ({"amount": "null"}, 200, b'{TRUE "amount": null, "transactionId": "bet-7"}', True),
        ({"amount": -5}, 200, b'{TRUE "amount": -5, "transactionId": "bet-7"}', True),
        (
            {"omit": ["amount", "transactionId"]},
            200,
            b'{"error": 0, "description": "Success", "currency": "SEK"}',
            True,
        ),
        ({"omit": ["error"], "call": "HealthCheck"}, 200, b'{"description": "Success"}', False),
        ({"replace": {"transactionId": "X", "other": 1}}, 200, b'{TRUE "amount": 12.50, "transactionId": "X"}', True),
        ({"complete": True}, 200, b'{"error": "1", "description": "round is completed"}', False),
    ],
)
async def test_a_fault_replaces_or_edits_the_reply(
    vendor: Simulator, client: aiohttp.ClientSession, fault: dict[str, Any], status: int, body: bytes, *, effect: bool
) -> None:
    """Each fault sends exactly its reply, and cancels the round only where it may."""
    vendor.faults = Faults.of(fault)
    path = HEALTH if "call" in fault else CANCEL
    async with client.post(vendor.url + path, json=FIELDS, allow_redirects=False) as reply:
        found = (reply.status, await reply.read())

    true = b'"error": 0, "description": "Success", "currency": "SEK",'
    assert (status, body.replace(b"TRUE", true)) == found
    assert effect == vendor.rounds[KEY].cancelled_times
    assert (1, status, effect) == (vendor.requests[0].fault, vendor.requests[0].http_status, vendor.requests[0].effect)


async def test_a_429_fault_sends_its_retry_after(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """A status sends its own headers, and a redirect its location."""
    vendor.faults = Faults.of(
        {"status": 429, "headers": {"retry-after": "2"}, "first": 1}, {"redirect": f"{vendor.url}/elsewhere"}
    )
    throttled = await client.post(vendor.url + CANCEL, json=FIELDS)
    redirected = await client.post(vendor.url + CANCEL, json=FIELDS, allow_redirects=False)

    assert "2" == throttled.headers["Retry-After"]
    assert f"{vendor.url}/elsewhere" == redirected.headers["Location"]


async def test_wrong_credentials_get_http_401(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """A fault for wrong credentials does not strike right ones."""
    vendor.faults = Faults.of({"call": "any", "credentials": "wrong", "status": 401})

    assert 401 == (await client.post(vendor.url + CANCEL, json={**FIELDS, "token": ["s3cret"]})).status
    assert 401 == (await client.post(vendor.url + HEALTH, json={**FIELDS, "token": "x"})).status
    assert 0 == (await ask(client, vendor.url + HEALTH))["error"]


@pytest.mark.parametrize(
    ("cut", "error", "effect"),
    [
        ("before", aiohttp.ClientOSError, False),
        ("after", aiohttp.ClientOSError, True),
        ("middle", aiohttp.ClientPayloadError, True),
    ],
)
async def test_a_cut_ends_the_connection(
    vendor: Simulator, client: aiohttp.ClientSession, cut: str, error: type[Exception], *, effect: bool
) -> None:
    """A cut resets the connection before or after the cancel, or ends it within the reply."""
    vendor.faults = Faults.of({"cut": cut})
    with pytest.raises(error):
        await ask(client, vendor.url + CANCEL)

    assert effect == vendor.rounds[KEY].cancelled_times
    assert ("cut", None, None, effect) == (
        vendor.requests[0].answer,
        vendor.requests[0].http_status,
        vendor.requests[0].code,
        vendor.requests[0].effect,
    )


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_resets_are_the_same_on_both_event_loops(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A cut and an outage reset the connection on uvloop too, which has transports of its own."""

    async def scenario() -> list[object]:
        faults = Faults.of({"cut": "before", "first": 1}, {"hang": "after"})
        async with Simulator([open_round()], faults=faults) as vendor, aiohttp.ClientSession() as client:
            asking = [asyncio.create_task(ask(client, vendor.url + CANCEL)) for _ in range(2)]
            await vendor.until(lambda: [request.answer for request in vendor.requests] == ["cut", "hung"])
            await vendor.down()
            return list(await asyncio.gather(*asking, return_exceptions=True))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert [aiohttp.ClientOSError] * 2 == [type(error) for error in runner.run(scenario())]


@pytest.mark.parametrize(("hang", "effect"), [("before", False), ("after", True)])
async def test_a_hang_lasts_until_the_client_leaves(
    vendor: Simulator, client: aiohttp.ClientSession, hang: str, *, effect: bool
) -> None:
    """A hang sends no reply and ends with its client, and its effect is recorded before that."""
    vendor.faults = Faults.of({"hang": hang})
    asking = asyncio.create_task(ask(client, vendor.url + CANCEL))
    await vendor.until(lambda: bool(vendor.requests) and vendor.requests[0].answer == "hung")
    hanging = vendor.requests[0]
    asking.cancel()
    await vendor.until(lambda: vendor.requests[0].finished_at is not None)

    assert (None, effect) == (hanging.finished_at, hanging.effect)
    assert effect == vendor.rounds[KEY].cancelled_times


async def test_a_hang_ends_with_the_server(client: aiohttp.ClientSession) -> None:
    """A stop resets the connections of waiting clients, and cancels delayed requests."""
    async with Simulator([open_round()], faults=Faults.of({"hang": "before", "first": 1}, {"delay": "1h"})) as vendor:
        asking = [asyncio.create_task(ask(client, vendor.url + CANCEL)) for _ in range(2)]
        await vendor.until(lambda: len(vendor.requests) == 2)
    errors = await asyncio.gather(*asking, return_exceptions=True)

    assert [True, True] == [isinstance(error, aiohttp.ClientConnectionError) for error in errors]
    assert 0 == vendor.rounds[KEY].cancelled_times


async def test_a_delayed_call_has_its_effect_without_its_client(
    vendor: Simulator, client: aiohttp.ClientSession
) -> None:
    """A delayed cancel takes effect after its delay, even when its client has left."""
    vendor.faults = Faults.of({"delay": "100ms", "jitter": "10ms"})
    asking = asyncio.create_task(ask(client, vendor.url + CANCEL))
    await vendor.until(lambda: bool(vendor.requests))
    asking.cancel()
    before = vendor.rounds[KEY].cancelled_times
    await vendor.until(lambda: vendor.requests[0].effect)
    request = vendor.requests[0]

    assert (0, 1) == (before, vendor.rounds[KEY].cancelled_times)
    assert request.finished_at is not None
    assert 0.1 <= request.finished_at - request.arrived_at


async def test_an_outage_refuses_connections_and_keeps_the_rounds(
    vendor: Simulator, client: aiohttp.ClientSession
) -> None:
    """During an outage no client connects; afterwards the vendor has the same port and the same rounds."""
    url = vendor.url
    await ask(client, url + CANCEL)
    await vendor.down()
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(client, url + CANCEL)
    await vendor.up()

    assert "61" == (await ask(client, url + CANCEL))["error"]
    assert 2 == len(vendor.requests)
