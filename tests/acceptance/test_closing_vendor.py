"""A vendor that keeps no connection open, at full rate: the run goes through, over TLS too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.tls import localhost_tls
from support.unkind_http import REQUEST_TIMEOUT, Heard, Line, UnkindVendor

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import World

ROUNDS = 160


def closes(_line: Line, _nth: int) -> bool:
    """Close after each reply."""
    return False


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_a_vendor_that_closes_after_each_reply(world: World, tmp_path: Path, *, secure: bool) -> None:
    """At 1,000/s hardly a request is in doubt, and every round is cancelled, once."""
    context, authority = localhost_tls(tmp_path)
    await world.seed(ROUNDS, at_vendor=False)
    with UnkindVendor(closes, tls=context if secure else None).serve() as vendor:
        world.partner = {"api_url": f"{vendor.url}/x", "rate": 1000}
        done = await world.command("run", "--json", environ={"SSL_CERT_FILE": str(authority)})
    assert {"cancelled": ROUNDS} == done.json["states"], done
    doubts = await world.sql("SELECT count(*) AS number FROM retention.attempts WHERE outcome = 'in_doubt'")
    assert doubts[0].number <= ROUNDS // 20
    assert ROUNDS <= len([heard for heard in vendor.heard if heard.call == "CancelRound"]) <= ROUNDS + doubts[0].number


@pytest.mark.parametrize(("later", "state"), [(False, "rejected"), (True, "cancelled")], ids=["first", "later"])
async def test_a_408_on_a_connection_that_was_used_refuses_no_round(world: World, state: str, *, later: bool) -> None:
    """It is in doubt, asked about, and sent again; in reply to a new connection's first request it stays a refusal."""
    rounds = 10 if later else 1  # on a busy machine, any one of them may get a connection of its own
    refused: list[Heard] = []

    def answer(heard: Heard) -> bytes | None:
        if heard.call != "CancelRound" or later != (heard.nth > 1) or refused:
            return None
        refused.append(heard)
        return REQUEST_TIMEOUT

    def after_reply(line: Line, done: int) -> bool:
        return (line.number, done) not in {(heard.connection, heard.nth) for heard in refused}

    world.partner = {"concurrency": 1, "ask_first": later}
    await world.seed(rounds, at_vendor=False)
    with UnkindVendor(after_reply, answer).serve() as vendor:
        world.partner |= {"api_url": f"{vendor.url}/x"}
        await world.command("run")
    assert 1 == len(refused)
    assert [state] * rounds == list((await world.states()).values())


async def test_a_vendor_that_ends_connections_unused_is_unreachable(world: World) -> None:
    """A vendor that takes connections and ends them at once was never reached: the run ends, and says so."""
    world.partner = {"max_attempts": 1}
    await world.seed(3, at_vendor=False)
    with UnkindVendor(on_accept=Line.reset).serve() as vendor:
        world.partner |= {"api_url": f"{vendor.url}/x"}
        for _ in range(10):
            done = await world.command("run")
            if done.code != 4:
                break  # else, on a busy machine, a connection stayed open for so long that it passed for a way
    assert 5 == done.code, done
    assert "unreachable: acme (no connection: " in done.out
    assert [] == vendor.heard
