"""The errors about a vendor without usable TLS: the failure, and its mend."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import uvloop
from support.tls import flawed_tls, localhost_tls
from support.unkind_http import UnkindVendor

from retention.core.model import NotConnected, Unclear
from retention.vendor_api.client import VendorClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.world import World

    from retention.core.model import Answer

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


def ask(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    url: str,
    authority: Path | None,
    monkeypatch: pytest.MonkeyPatch,
    timeout: float = 10,
) -> Answer:
    """Send one request as a process does that trusts this authority."""
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", ssl.create_default_context(cafile=authority))

    async def asked() -> Answer:
        async with VendorClient(timeout=timeout) as client:
            return (await client.post(f"{url}/secret-path/v4/HealthCheck", b"{}")).answer

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(asked())


@LOOPS
@pytest.mark.parametrize(
    ("flaw", "host", "words"),
    [
        ("expired", "localhost", "the certificate has expired"),
        ("future", "localhost", "the certificate is not valid yet; look at this machine's clock"),
        ("elsewhere", "localhost", "the certificate is made for another name"),
        ("elsewhere", "127.0.0.1", "the certificate is made for another IP address"),
        ("issued", "localhost", "is signed by no authority that this machine trusts (its issuer is unknown"),
    ],
)
def test_a_flaw_of_a_certificate_is_named(
    flaw: str,
    host: str,
    words: str,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Expired, not valid yet, of another name, of an unknown authority: each is said, and no address."""
    context, authority = flawed_tls(tmp_path, flaw)
    with UnkindVendor(tls=context).serve() as vendor:
        answer = ask(new_loop, vendor.url.replace("localhost", host), authority, monkeypatch)
    assert isinstance(answer, NotConnected)
    assert answer.why.startswith("no connection: the TLS handshake failed: ")
    assert words in answer.why
    assert not any(
        part in answer.why for part in ("localhost", "127.0.0.1", "secret-path", "elsewhere.example", str(tmp_path))
    )
    assert [] == vendor.heard


@contextmanager
def answering(words: bytes | None) -> Iterator[str]:
    """Serve connections that are answered these words at once, reset for none of them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            try:
                while True:
                    with listening.accept()[0] as one:
                        one.recv(65536)
                        if words:
                            one.sendall(words)
            except OSError:
                return

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield f"https://localhost:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()


ALERT = b"\x15\x03\x03\x00\x02\x02"


@LOOPS
@pytest.mark.parametrize(
    ("answered", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers there does not speak TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "what answers there does not speak TLS"),
        (b"", "the other side hung up"),
        (ALERT + bytes([40]), "there is no cipher or version of TLS that both sides accept"),
        (ALERT + bytes([70]), "there is no version of TLS that both sides accept"),
        (ALERT + bytes([71]), "there is no cipher that both sides accept"),
        (ALERT + bytes([112]), "the other side does not know the host's name"),
    ],
    ids=["http", "ssh", "hung up", "handshake_failure", "protocol_version", "insufficient_security", "unrecognized"],
)
def test_each_tls_handshake_failure_is_named(
    answered: bytes,
    words: str,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server without TLS, one that hangs up, and one that refuses our offer are told apart."""
    with answering(answered) as url:
        answer = ask(new_loop, url, None, monkeypatch)
    assert isinstance(answer, NotConnected)
    assert words in answer.why


@LOOPS
def test_a_certificate_of_ours_that_is_wanted_is_said(
    new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS 1.3 a server refuses a client without a certificate after the request has left: unclear, and
    reported.
    """
    context, authority = localhost_tls(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority)
    with UnkindVendor(tls=context).serve() as vendor:
        answer = ask(new_loop, vendor.url, authority, monkeypatch)
    assert isinstance(answer, NotConnected | Unclear)
    assert [] == vendor.heard


async def test_check_and_run_name_the_tls_flaw(world: World, tmp_path: Path) -> None:
    """`check` names the flaw, and a run without a reachable vendor names it in its reason and its log."""
    context, authority = flawed_tls(tmp_path, "expired")
    await world.seed(1, at_vendor=False)
    with UnkindVendor(tls=context).serve() as vendor:
        world.partner = {"api_url": f"{vendor.url}/x", "max_attempts": 1}
        check = await world.command("check", environ={"SSL_CERT_FILE": str(authority)})
        run = await world.command("run", "--json", environ={"SSL_CERT_FILE": str(authority)})
    assert (2, 5) == (check.code, run.code), run
    assert "vendor of acme: no connection: the TLS handshake failed: the certificate has expired" in check.out
    assert "the certificate has expired" in run.json["halt_reason"]
    told = [event for event in run.events if event["event"] == "partner.unreachable"]
    assert ["acme"] == [event["partner"] for event in told]
    assert "the certificate has expired" in told[0]["problem"]
