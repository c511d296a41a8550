"""`simulate` refunds the stakes of a file or of the operator's view, so that a clean staging run is clean."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, LiteralString

import aiohttp
import pytest
from support.replica import free_port
from support.world import SECURE_LOGIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from support.world import Running, World

STAKES = {
    "r0": ("JPY", "100"),
    "r1": ("KWD", "0.125"),
    "r2": ("EUR", "12345.678901234567890123"),
    "r3": ("EUR", "0"),
}


RENAME: dict[str, LiteralString] = {
    change: f"ALTER VIEW retention.open_rounds RENAME COLUMN {change}"
    for change in ("stake TO stakes", "stakes TO stake")
}


async def seed(world: World) -> None:
    """Open rounds with stakes that no default fits."""
    await world.seed(len(STAKES), at_vendor=False)
    for name, (currency, stake) in STAKES.items():
        await world.sql(
            "UPDATE public.rounds SET currency = %(currency)s, stake = %(stake)s, bet_tx = %(bet)s"
            " WHERE round_id = %(name)s",
            name=name,
            bet=f"tx/{name}",
            currency=currency,
            stake=Decimal(stake),
        )


@asynccontextmanager
async def simulated(world: World, *words: str) -> AsyncIterator[Running]:
    """Run the simulated vendor of the command line, and have the partner call it."""
    port = free_port()
    running = await world.start("simulate", "--port", str(port), *words)
    while True:
        assert not running.over, await running.ended()
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        await asyncio.sleep(0.02)
    world.partner |= {"api_url": f"http://127.0.0.1:{port}"}
    yield running
    running.signal(signal.SIGTERM)
    done = await running.ended()
    assert 143 == done.code, done.err


async def refunds(world: World) -> dict[str, tuple[str, str]]:
    """Currency and amount of each refund in the ledger."""
    rows = await world.sql("SELECT round_id, currency, amount FROM retention.cancellations WHERE state = 'cancelled'")
    return {row.round_id: (row.currency, f"{row.amount:f}") for row in rows}


async def test_stakes_from_the_view_leave_nothing_for_review(world: World) -> None:
    """With --from-view each refund is the round's stake, under its transaction id; a round opened later too."""
    async with simulated(world, "--from-view"):
        await seed(world)
        done = await world.command("run", "--json")
    assert (0, {"cancelled": len(STAKES)}) == (done.code, done.json["states"]), done.err
    found = await refunds(world)
    assert {name: (currency, Decimal(stake)) for name, (currency, stake) in STAKES.items()} == {
        name: (currency, Decimal(amount)) for name, (currency, amount) in found.items()
    }
    told = await world.sql("SELECT round_id, transaction_id FROM retention.cancellations")
    assert {(name, f"tx/{name}") for name in STAKES} == {*told}


async def test_stakes_from_a_file_leave_nothing_for_review(world: World) -> None:
    """With --stakes each refund is the stake in the file, and its transaction id; other rounds keep 1.00 EUR."""
    await seed(world)
    await world.seed(1, prefix="other", stake="2.00", at_vendor=False)
    lines = [f"{name},{currency},{stake},tx/{name},x" for name, (currency, stake) in STAKES.items()]
    (world.folder / "stakes.csv").write_text(
        "\r\n".join(["round_id,stake_currency,stake,bet_transaction_id,market", *lines]), "utf-8"
    )
    async with simulated(world, "--stakes", "stakes.csv"):
        done = await world.command("run", "--json")
        listed = await world.command("review", "list", "--json")
    assert (4, {"cancelled": 5}) == (done.code, done.json["states"]), done.err
    assert ["other0"] == [row["round_id"] for row in listed.json]


async def test_an_unreadable_view_is_a_503_and_no_end(world: World) -> None:
    """While the view cannot be read, the vendor answers 503 and logs why; then it knows the round."""
    await seed(world)
    fields = {"secureLogin": SECURE_LOGIN, "roundId": "r2", "token": "any", "uuid": "any"}
    answers = []
    async with simulated(world, "--from-view") as running, aiohttp.ClientSession() as client:
        for change in ("stake TO stakes", "stakes TO stake"):
            await world.sql(RENAME[change])
            async with client.post(f"{world.partner['api_url']}/history/GetRoundStatus", json=fields) as reply:
                answers.append((reply.status, (await reply.json()).get("betAmount")))
    assert [(503, None), (200, "12345.678901234567890123")] == answers
    done = await running.ended()
    assert ["r2"] == [one["round_id"] for one in done.events if one["event"] == "simulator.view_unreadable"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"round_id,stake\n", "stakes.csv: line 1: there is no column currency; write round_id,currency,stake"),
        (b"", "stakes.csv: line 1: there is no column round_id; write round_id,currency,stake"),
        (b"round_id,currency,stake\nr1,EUR,1\n,EUR,1\n", "stakes.csv: line 3: round_id is empty"),
        (b"round_id,currency,stake\nr1,EUR,1\nr1,EUR,2\n", "stakes.csv: line 3: round_id r1 stands on line 2 already"),
        (b"round_id,currency,stake\nr1,eur,1\n", "stakes.csv: line 2: currency 'eur' is no code of ISO 4217"),
        (b'round_id,currency,stake\nr1,EUR,"1,5"\n', "stakes.csv: line 2: stake '1,5' is no amount; write digits"),
        (b"round_id,currency,stake\nr1,EUR,NaN\n", "stakes.csv: line 2: stake 'NaN' is no amount; write digits"),
        (b"round_id,currency,stake\nr1,EUR,-1\n", "stakes.csv: line 2: stake '-1' is no amount; write digits"),
        (b"round_id,currency,stake\nr1,EUR,1e999999\n", "stakes.csv: line 2: stake '1e999999' is no amount"),
        (b"round_id,currency,stake\nr1,EUR,0.1234567890123456789\n", "stakes.csv: line 2: stake "),
        (b"round_id,currency,stake\n" + b"x" * 200_000, "stakes.csv: a line has 100,000 characters or more"),
        (b'round_id,currency,stake\n"r1,EUR,1\n', "stakes.csv is not CSV: "),
        (b"round_id,currency,stake\nr\xff,EUR,1\n", "stakes.csv is not UTF-8 text (byte 25)"),
    ],
)
async def test_a_wrong_file_names_line_and_column(world: World, text: bytes, told: str) -> None:
    """A file that cannot be used is refused with its line, its column and the mend."""
    (world.folder / "stakes.csv").write_bytes(text)
    done = await world.command("simulate", "--stakes", "stakes.csv", "--port", "0")
    assert (2, "", True) == (done.code, done.out, done.err.startswith(f"error: {told}")), done.err


async def test_two_sources_exclude_each_other(world: World, tmp_path: Path) -> None:
    """--stakes with --from-view, and a file that is not there, are refused."""
    both = await world.command("simulate", "--stakes", "x.csv", "--from-view")
    assert (2, True) == (both.code, "--stakes and --from-view exclude each other" in both.err)
    missing = await world.command("simulate", "--stakes", str(tmp_path / "x.csv"), "--port", "0")
    assert (2, True) == (missing.code, "x.csv: No such file or directory; name a file" in missing.err)
