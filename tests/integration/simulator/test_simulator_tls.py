"""The connections of the simulated vendor: with TLS, at once or late, on both event loops."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import uvloop
from support.tls import localhost_tls
from support.vendor import CANCEL, HEALTH, KEY, ask, open_round
from support.world import SECURE_LOGIN, TOKEN

from retention.errors import UsageError
from retention.simulator.faults import Faults
from retention.simulator.server import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from support.world import World

WAIT = 0.5
"""Seconds that a connection waits where it has to."""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Return a function that runs a scenario, on each of the event loops."""

    def run(scenario: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(scenario)

    return run


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the vendor's TLS context, and the context of a client that trusts it."""
    context, authority = localhost_tls(tmp_path)
    return context, ssl.create_default_context(cafile=authority)


def client_of(context: ssl.SSLContext | bool = True) -> aiohttp.ClientSession:
    """Make a client with a new connection for each call."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, force_close=True))


def test_the_simulator_speaks_https(run: Any, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Calls, cuts and hangs work over TLS, and a client that distrusts the certificate sends no request."""

    async def scenario() -> list[object]:
        faults = Faults.of({"cut": "before", "first": 1}, {"hang": "after", "first": 1})
        async with (
            Simulator([open_round()], tls=tls[0], faults=faults) as vendor,
            client_of(tls[1]) as client,
            client_of() as other,
        ):
            assert vendor.url.startswith("https://")
            assert 0 == (await ask(client, vendor.url + HEALTH))["error"]
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await ask(other, vendor.url + HEALTH)
            asking = [asyncio.create_task(ask(client, vendor.url + CANCEL)) for _ in range(2)]
            await vendor.until(lambda: [one.answer for one in vendor.requests] == ["replied", "cut", "hung"])
            await vendor.down()
            ended = await asyncio.gather(*asking, return_exceptions=True)
            await vendor.up()
            return [*map(type, ended), (await ask(client, vendor.url + CANCEL))["error"]]

    assert [aiohttp.ClientOSError, aiohttp.ClientOSError, "61"] == run(scenario())


def test_a_slow_handshake_delays_only_its_own_connection(run: Any, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """The connection is accepted at once, its handshake waits, and calls over other connections go on."""

    async def scenario() -> None:
        async with (
            Simulator(unknown="open", tls=tls[0]) as vendor,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls[1])) as there,
            client_of(tls[1]) as new,
        ):
            await ask(there, vendor.url + HEALTH)
            vendor.handshake_delay = 3600
            held = asyncio.create_task(ask(new, vendor.url + CANCEL, roundId="R"))
            _, out = await asyncio.open_connection(vendor.host, vendor.port)
            out.close()
            for _ in range(5):
                await ask(there, vendor.url + HEALTH)
            assert not held.done()
            held.cancel()
            vendor.handshake_delay = WAIT
            before = time.monotonic()
            await asyncio.gather(*(ask(new, vendor.url + CANCEL, roundId=f"R-{n}") for n in range(20)))
            arrived = [request.arrived_at - before for request in vendor.requests[-20:]]
            assert WAIT <= min(arrived) <= max(arrived) < 20 * WAIT, "they waited beside each other"

    run(scenario())


def test_a_slow_accept_delays_the_first_request(run: Any) -> None:
    """Without TLS the first request of a new connection is read late, and the next one at once."""

    async def scenario() -> None:
        async with (
            Simulator([open_round()], accept_delay=WAIT, handshake_delay=60) as vendor,
            aiohttp.ClientSession() as client,
        ):
            before = time.monotonic()
            await ask(client, vendor.url + HEALTH)
            vendor.accept_delay = 3600
            await ask(client, vendor.url + HEALTH)
            first, second = (request.arrived_at - before for request in vendor.requests)
            assert WAIT <= first <= second

    run(scenario())


@pytest.mark.parametrize("secure", [False, True], ids=["accept", "handshake"])
def test_an_outage_resets_delayed_connections(
    run: Any, tls: tuple[ssl.SSLContext, ssl.SSLContext], *, secure: bool
) -> None:
    """An outage resets connections that wait for their accept or handshake, and those within a handshake."""

    async def scenario() -> None:
        async with Simulator(tls=tls[0] if secure else None) as vendor:
            silent = await asyncio.open_connection(vendor.host, vendor.port)
            vendor.accept_delay = 3600
            async with client_of(tls[1]) as client:
                asking = asyncio.create_task(ask(client, vendor.url + HEALTH))
                waiting = await asyncio.open_connection(vendor.host, vendor.port)
                await asyncio.sleep(0.05)  # an accept of the vendor can be observed nowhere
                await vendor.down()
                with pytest.raises(aiohttp.ClientConnectionError):
                    await asking
            for reader, writer in (silent, waiting):
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                writer.close()
            assert [] == vendor.requests
            vendor.accept_delay = 0
            await vendor.up()
            async with client_of(tls[1]) as client:
                assert "54" != (await ask(client, vendor.url + HEALTH))["error"]

    run(scenario())


def test_clients_that_leave_early_do_no_harm(run: Any, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Connections that end before or within their handshake, or without TLS, leave the vendor unharmed."""

    async def scenario() -> None:
        async with Simulator(tls=tls[0], accept_delay=0.05) as vendor, client_of(tls[1]) as client:
            for words in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"):
                _, out = await asyncio.open_connection(vendor.host, vendor.port)
                out.write(words)
                out.close()
            assert 0 == (await ask(client, vendor.url + HEALTH))["error"]
            assert 1 == len(vendor.requests)

    run(scenario())


def test_every_address_of_a_host_is_listened_on(run: Any) -> None:
    """A host with several addresses is reached at each, on one port; a taken port is an error."""

    async def scenario() -> None:
        async with Simulator(host="localhost") as vendor, aiohttp.ClientSession() as client:
            for found in {one[4] for one in socket.getaddrinfo("localhost", vendor.port, type=socket.SOCK_STREAM)}:
                host = f"[{found[0]}]" if ":" in str(found[0]) else found[0]
                if ":" not in str(found[0]) or socket.has_dualstack_ipv6():
                    assert 0 == (await ask(client, f"http://{host}:{vendor.port}{HEALTH}"))["error"]
            with pytest.raises(OSError, match="in use"):
                await Simulator(host="127.0.0.1", port=vendor.port).up()

    run(scenario())


async def test_a_faults_file_delays_accepts() -> None:
    """The longer delay counts, the file's or the simulator's; without TLS a handshake delay is refused."""
    async with Simulator([open_round()], faults=Faults.of(accept_delay="500ms")) as vendor, client_of() as client:
        before = time.monotonic()
        await ask(client, vendor.url + CANCEL)

        assert WAIT <= vendor.requests[0].arrived_at - before
        assert 1 == vendor.rounds[KEY].cancelled_times
        with pytest.raises(UsageError, match="this vendor has no TLS: give accept_delay"):
            vendor.faults = Faults.of(handshake_delay=1)


async def test_a_command_trusts_the_authority_of_ssl_cert_file(world: World, tmp_path: Path) -> None:
    """`check` reaches a vendor over TLS only when SSL_CERT_FILE names its authority."""
    context, authority = localhost_tls(tmp_path)
    async with Simulator(secure_login=SECURE_LOGIN, token=TOKEN, tls=context) as vendor:
        world.vendor = vendor
        # A new process, and no fork, in which the tests read the variable.
        trusting = await world.command("check", under=("env", f"SSL_CERT_FILE={authority}"))
        other = await world.command("check")

    assert 0 == trusting.code, trusting
    assert 0 != other.code
    assert "TLS handshake failed" in other.out + other.err
    assert {"HealthCheck"} == {request.call for request in vendor.requests}
