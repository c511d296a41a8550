"""The kill switch: every process obeys it within a second, and it loses no round."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from support.invariants import violations
from support.replica import helped, last_departure

if TYPE_CHECKING:
    from support.world import Done, World

OTHER = """
[partners.other]
secure_login = "login-81b7d0"
api_url = "{url}"
token = "token-9d41c7b2e6"
rate = 2000
[policies.others]
partners = ["other"]
open_longer_than = "72h"
mode = "enforce"
max_rounds = 100
"""

PAUSED = "paused by tess: odd refunds; `retention resume --by WHO` ends it"
PAUSED_OTHER = "paused by tess: odd refunds (other); `retention resume --partner other --by WHO` ends it"


async def pause(world: World, *words: str) -> Done:
    """Throw the kill switch."""
    return await world.command("pause", *words, "--by", "tess", "--reason", "odd refunds")


async def test_a_pause_stops_every_process_within_a_second(world: World) -> None:
    """A second after the switch is thrown no request arrives any more; one process halts the run, each says who and
    why.
    """
    await world.seed(900)
    world.partner |= {"rate": 100, "concurrency": 30, "timeout": "60s"}
    world.vendor.latency = 0.2
    first = await world.start("run", "nightly", "--json")
    await first.until(world.vendor, lambda: len(world.cancels) > 0)
    (second,) = await helped(world, first, 1)
    while 2 > len(
        await world.sql("SELECT DISTINCT replica FROM retention.attempts WHERE sent_at IS NOT NULL AND kind = 'cancel'")
    ):
        await asyncio.sleep(0.05)
    paused = await pause(world)
    assert (0, "") == (paused.code, paused.said)
    ends = []
    for done in await asyncio.gather(first.ended(), second.ended()):
        assert (3, "halted", PAUSED) == (
            done.code,
            done.json["status"],
            done.json["halt_reason"],
        ), done.err
        ends += [
            (event["event"], event["halt_reason"])
            for event in done.events
            if event["event"] in {"run.halted", "run.left"}
        ]
    assert [(event, PAUSED) for event in ("run.halted", "run.left")] == sorted(ends)
    (thrown,) = await world.sql("SELECT paused_at FROM retention.pauses")
    assert await last_departure(world) <= thrown.paused_at + timedelta(seconds=1)
    states = [*(await world.states()).values()]
    assert {"cancelled": len(world.cancels), "planned": 900 - len(world.cancels)} == {
        state: states.count(state) for state in set(states)
    }
    assert [] == await violations(world)


async def test_no_run_and_no_override_passes_a_pause(world: World) -> None:
    """While paused no run calls the vendor, even with --override; after `resume` the halted run is finished."""
    await world.seed(5)
    assert 0 == (await pause(world)).code
    twice, halted = await asyncio.gather(pause(world), world.command("run", "--json"))
    assert (2, "error: all partners are paused already, by tess: odd refunds\n") == (twice.code, twice.err)
    assert (3, PAUSED, {"planned": 5}) == (
        halted.code,
        halted.json["halt_reason"],
        halted.json["states"],
    )
    resumption = ("run", "--resume", halted.json["run_id"])
    resumed, overridden = await asyncio.gather(
        world.command(*resumption),
        world.command(*resumption, "--override", "it is urgent", "--by", "ann"),
    )
    assert (3, 2) == (resumed.code, overridden.code)
    assert PAUSED in resumed.out
    assert (
        f"next: retention resume --by WHO  (ends the pause)\n      retention {' '.join(resumption)}  (" in resumed.out
    )
    assert "not halted by a rail" in overridden.err
    assert [] == world.vendor.requests
    ended = await world.command("resume", "--by", "tess")
    assert (0, "") == (ended.code, ended.said)
    again, done = await asyncio.gather(
        world.command("resume", "--by", "tess"), world.command(*resumption, "--by", "tess", "--json")
    )
    assert (2, "error: all partners are not paused; paused: nobody\n") == (again.code, again.err)
    assert (0, {"cancelled": 5}) == (done.code, done.json["states"]), done.err
    assert [] == await violations(world)


async def test_one_partners_pause_leaves_the_others_run_alone(world: World) -> None:
    """A pause of one partner halts its run, another's is finished meanwhile; an unknown partner cannot be paused."""
    world.extra = OTHER.format(url=world.vendor.url)
    world.vendor.secure_login = None
    world.policy["partners"] = ["acme"]
    await world.seed(3)
    await world.seed(3, prefix="other", partner="other")
    paused, unknown = await asyncio.gather(pause(world, "--partner", "other"), pause(world, "--partner", "acm"))
    assert (0, 2) == (paused.code, unknown.code)
    assert "error: --partner acm: not in the configuration, which has acme, other; did you mean acme?\n" == unknown.err
    mine, theirs, elsewhere = await asyncio.gather(
        world.command("run", "nightly", "--json"),
        world.command("run", "others", "--json"),
        world.command("resume", "--partner", "acme", "--by", "tess"),
    )
    assert (0, {"cancelled": 3}) == (mine.code, mine.json["states"]), mine.err
    assert (3, PAUSED_OTHER) == (theirs.code, theirs.json["halt_reason"])
    assert (2, "error: acme is not paused; paused: other\n") == (elsewhere.code, elsewhere.err)
    assert {"r0", "r1", "r2"} == {request.round_id for request in world.vendor.requests}
    assert [] == await violations(world)
