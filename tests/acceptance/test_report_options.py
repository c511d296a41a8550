"""The options of `report`: periods by name, and the combinations that are refused before anything is connected."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from retention.core.schedule.period import period_at

if TYPE_CHECKING:
    from support.world import World

REFUSED = {
    "a month that is none": (("--period", "2026-13"), "--period '2026-13': names no period; write today, yesterday"),
    "a week that is none": (("--period", "2026-W54"), "--period '2026-W54': names no period; write today"),
    "a zone that is none": (
        ("--period", "today", "--timezone", "Europe/Valletta"),
        "--timezone: 'Europe/Valletta' is no time zone; write one by its IANA name",
    ),
    "a period besides --from": (
        ("--period", "today", "--from", "2026-01-01"),
        "--period and --from exclude each other; keep one",
    ),
    "a period besides --to": (
        ("--period", "today", "--to", "2026-01-01"),
        "--period and --to exclude each other; keep one",
    ),
    "a zone alone": (("--timezone", "Europe/Malta"), "--timezone goes with --period; add a period"),
    "two formats": (("--format", "csv", "--json"), "--json and --format csv exclude each other"),
    "all outcomes of another kind": (
        ("--all", "--kind", "pending"),
        "--all goes with --kind cancelled, not with --kind pending; leave one of them out",
    ),
    "a kind that is none": (("--kind", "closed"), "'closed' is not one of"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_options_that_do_not_fit_are_refused(world: World, case: str) -> None:
    """Options that do not fit end the command with 2 before it connects, and the error names the mend."""
    words, problem = REFUSED[case]
    nowhere = {"RETENTION_DATABASE__DSN": "postgresql://127.0.0.1:1/nothing"}
    done = await world.command("report", *words, environ=nowhere)
    assert (2, "", True) == (done.code, done.out, problem in " ".join(done.err.split())), done.err


async def test_a_period_is_read_in_its_zone(world: World) -> None:
    """A period selects its own rounds, by name or relative to the database's clock, in the calendar of the zone."""
    await world.seed(3)
    assert 0 == (await world.command("run", "--json")).code
    start = datetime(2025, 9, 30, 22, tzinfo=UTC)  # the first moment of October in Malta
    for name, at in (("r0", start - timedelta(microseconds=1)), ("r1", start), ("r2", datetime.now(UTC))):
        await world.sql(
            "UPDATE retention.cancellations SET settled_at = %(at)s WHERE round_id = %(name)s", at=at, name=name
        )
    before = datetime.now(UTC)
    malta = ("--timezone", "Europe/Malta")
    asked = {
        ("2025-10", *malta): ["r1"],
        ("2025-10",): [],
        ("2025-09-30",): ["r0", "r1"],
        ("2025-W40", *malta): ["r0", "r1"],
        ("today", *malta): ["r2"],
        ("last-month", *malta): [],
    }
    told = await asyncio.gather(*(world.command("report", "--json", "--period", *words) for words in asked))
    after = datetime.now(UTC)
    assert list(asked.values()) == [sorted(row["round_id"] for row in done.json["rounds"]) for done in told], told
    heads = [tuple(done.json[name] for name in ("period", "timezone", "from", "to")) for done in told]
    assert ("2025-10", "Europe/Malta", "2025-09-30T22:00:00Z", "2025-10-31T23:00:00Z") == heads[0]
    assert ("2025-10", "UTC", "2025-10-01T00:00:00Z", "2025-11-01T00:00:00Z") == heads[1]
    for asking, head in zip(("today", "last-month"), heads[4:], strict=True):
        assert head[0] in {period_at(asking, now, "Europe/Malta").name for now in (before, after)}


async def test_markets_and_policies_may_be_repeated(world: World) -> None:
    """Several markets are reported together, and an unknown one among them is refused."""
    for market in ("MT", "SE", "GB"):
        await world.seed(1, prefix=market, market=market)
    assert 0 == (await world.command("run", "--json")).code
    done, unknown = await asyncio.gather(
        world.command("report", "--json", "--market", "MT", "--market", "SE", "--policy", "nightly"),
        world.command("report", "--json", "--market", "MT", "--market", "XX"),
    )
    assert ["MT", "SE"] == sorted(row["market"] for row in done.json["rounds"])
    assert (["MT", "SE"], ["nightly"]) == (done.json["markets"], done.json["policies"])
    assert (2, True) == (unknown.code, "--market XX: unknown to" in unknown.err)
