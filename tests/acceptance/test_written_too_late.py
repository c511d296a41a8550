"""A process has the vendor's replies, and loses the database for longer than its leases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo
from support.invariants import violations
from support.postgres import address
from support.proxy import Cut, Proxy

if TYPE_CHECKING:
    from support.world import World


async def test_replies_that_could_not_be_written_in_time(world: World) -> None:
    """A settlement that another process has made meanwhile by asking stays, without the refund, and goes to a
    person.
    """
    await world.seed(40)
    world.partner |= {"timeout": "1s", "rate": 20, "ask_first": False, "max_attempts": 50}
    world.vendor.latency = 0.5
    direct, (server, _) = world.dsn, address(world.dsn)
    async with Proxy(server, postgres=True) as proxy:
        world.dsn = make_conninfo(direct, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")
        first = await world.start("run", "nightly", "--json")
        await first.until(world.vendor, lambda: len(world.cancels) > 5)
        (run,) = await world.sql("SELECT run_id FROM retention.runs")
        with proxy.trouble(Cut()):
            world.dsn = direct
            second = await world.command("run", "--resume", str(run.run_id), "--json")
        assert (4, {"cancelled": 40}) == (second.code, second.json["states"]), second.err
        done = await first.ended()
    late = [line["round_id"] for line in done.events if line["event"] == "round.late_reply"]
    assert late
    listed = (await world.command("review", "list", "--json")).json
    assert set(late) <= {row["round_id"] for row in listed if row["amount"] is None}
    assert [1] * 40 == [truth.cancelled_times for truth in world.vendor.rounds.values()]
    assert [] == await violations(world, at_rest=True)
