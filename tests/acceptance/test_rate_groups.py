"""Rate groups, seen at the vendor's door: three partners, two processes, one limit."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING

from support.invariants import BUNCHED
from support.world import SECURE_LOGIN

from retention.simulator.server import Round, Simulator, worst_second

if TYPE_CHECKING:
    from support.world import World

RATE = 60


def partner(name: str, url: str, rate: float) -> str:
    """The table of one more partner in the group."""
    return (
        f'[partners.{name}]\nsecure_login = "{name}"\ntoken = "token-{name}"\napi_url = "{url}"\nrate = {rate:g}\n'
        'rate_group = "lm"\n'
    )


async def test_no_second_holds_more_requests_than_the_groups_rate(world: World) -> None:
    """Cancels and probes of three partners in two processes keep the shared limit; a small partner is well ahead."""
    rounds = {"acme": 240, "beta": 12, "gamma": 40}
    world.partner |= {"rate": 1000, "rate_group": "lm", "timeout": "60s"}
    world.extra = f"[rate_groups.lm]\nrate = {RATE}\n"
    async with AsyncExitStack() as stack:
        vendors = {"acme": world.vendor}
        for name, rate in (("beta", 1000), ("gamma", 5)):
            vendors[name] = await stack.enter_async_context(Simulator(secure_login=name, token=f"token-{name}"))
            world.extra += partner(name, vendors[name].url, rate)
        for name, vendor in vendors.items():
            vendor.latency = 0.02
            ids = await world.seed(rounds[name], prefix=name[0], partner=name, at_vendor=False)
            login = SECURE_LOGIN if name == "acme" else name
            vendor.register(
                Round(login, one, f"user-{one}", "game", amount=Decimal("1.50"), transaction_id=f"bet-{one}")
                for one in ids
            )
        planned = await world.command("plan", "--json")
        first = await world.start("run", "nightly", "--json")
        await first.until(world.vendor, lambda: len(world.cancels) > 0)
        (run,) = await world.sql("SELECT run_id FROM retention.runs")
        second = await world.start("run", "--resume", str(run.run_id), "--json")
        ends = await asyncio.gather(first.ended(), second.ended())
        assert [0, 0] == [done.code for done in ends], ends[-1].err[-2000:]
        asked = {name: [one.arrived_at for one in vendor.requests] for name, vendor in vendors.items()}
        cancels = {
            name: sorted(one.arrived_at for one in vendor.asked("CancelRound")) for name, vendor in vendors.items()
        }
    assert rounds == {name: len(times) for name, times in cancels.items()}
    sent = await world.sql(
        "SELECT extract(epoch FROM sent_at)::float8 AS at FROM retention.attempts WHERE sent_at IS NOT NULL"
    )
    every = sorted(chain.from_iterable(asked.values()))
    # The second process believes no answer from before it came, so it asks about a few rounds once more.
    assert 2 * sum(rounds.values()) <= len(sent) == len(every)
    assert len(sent) < 2.2 * sum(rounds.values())
    # Seen from both ends of the wire: a stall of one end's process bunches its own times, both ends see a burst.
    assert min(worst_second(every), worst_second(row.at for row in sent)) <= RATE * BUNCHED
    assert worst_second(row.at for row in sent) > RATE * 0.3, "the limit was never near"
    # On a busy machine the last few rounds miss slot after slot; by turns alone, half of beta's would be cancelled now.
    half_way = cancels["acme"][rounds["acme"] // 2]
    assert sum(at < half_way for at in cancels["beta"]) >= 0.75 * rounds["beta"]
    assert planned.json["eta_seconds"] <= every[-1] - every[0] + 1
