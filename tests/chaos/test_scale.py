"""A million rounds: memory does not grow with the plan, and the database is asked by the batch, never by the round."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import begin, cancel_all
from support.bulk_rounds import MB, disagreements, seed, start_run
from support.cheap_vendor import cheap_vendor
from support.postgres import new_database
from support.wiretap import Wiretap

from retention.ledger.database import open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.bulk_rounds import Ended
    from support.cheap_vendor import CheapVendor

    from retention.ledger.database import Database

MOST = 150 * MB
"""Memory that a run may ever have."""

GROWTH = 1.2
"""How many times as much of it the larger plan may take."""

PER_500 = 5
"""Statements that 500 rounds more may cost."""

BY_THE_CLOCK = {
    *("run_control/heartbeat", "claims/expire_claims", "run_control/finish_run", "claims/claim_probes"),
    *("claims/release_claims", "claims/find_first_unsettled", "clocks/correct_run_times"),
}
"""Statements that a run makes as time passes, however much there is to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """A database with so many stale rounds, and a vendor that counts."""

    dsn: str
    vendor: CheapVendor
    folder: Path

    def run(self, within: float, stop_after: int | None = None) -> Ended:
        """Run, and stop once the vendor has heard of so many rounds. All witnesses agree about each called round,
        once.
        """
        limit = time.monotonic() + within
        with start_run(self.dsn, self.vendor, self.folder) as process:
            while process.alive and time.monotonic() < limit:
                if stop_after is not None and self.vendor.counts().rounds >= stop_after:
                    process.signal(signal.SIGTERM)
                    break
                time.sleep(0.05)
            ended = process.ended(max(limit - time.monotonic(), 1.0))
        assert ended.code in {0, 143}, process.log.read_text("utf-8")[-2000:]
        assert [] == disagreements(self.dsn, self.vendor)
        return ended

    def states(self) -> dict[str, int]:
        """The ledger's rounds, by state."""
        with psycopg.connect(self.dsn) as connection:
            return dict(
                connection.execute("SELECT state, count(*)::int FROM retention.cancellations GROUP BY state").fetchall()
            )


@pytest.fixture
def place(postgres: str, front: str, template: str, tmp_path: Path) -> Iterator[Callable[[int], Place]]:
    """Yield a maker of places, each with so many stale rounds."""
    with contextlib.ExitStack() as stack:

        def make(stale: int) -> Place:
            own = tmp_path / str(stale)
            own.mkdir()
            dsn = make_conninfo(front, dbname=stack.enter_context(new_database(postgres, template)))
            seed(dsn, stale)
            return Place(dsn, stack.enter_context(cheap_vendor()), own)

        yield make


def test_memory_does_not_grow_with_the_plan(place: Callable[[int], Place]) -> None:
    """Ten times the plan takes no more memory for as many sent rounds; rounds that a signal left are still planned."""
    few, many = place(1_500), place(15_000)
    small, large = few.run(250, stop_after=1_500), many.run(250, stop_after=1_500)
    assert large.peak_rss < MOST
    assert large.peak_rss / small.peak_rss <= GROWTH
    states = many.states()
    assert {"cancelled", "planned"} == states.keys()
    assert 15_000 == sum(states.values())
    assert 143 == large.code


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_rounds(place: Callable[[int], Place]) -> None:
    """A million stale rounds are cancelled once each in less than 150 MB, and in hardly more than 50,000 take."""
    few, many = place(50_000), place(1_000_000)
    small, large = few.run(600), many.run(3000)
    for rounds, ended in ((50_000, small), (1_000_000, large)):
        told = f"{ended.seconds:.0f} s, {ended.cpu:.0f} s of CPU, {ended.peak_rss / MB:.1f} MB at the most"
        print(f"\n{rounds:,} rounds: {told}")  # noqa: T201 - shown by pytest -s
    assert (0, 0) == (small.code, large.code)
    assert large.peak_rss < MOST
    assert large.peak_rss / small.peak_rss <= GROWTH
    assert ({"cancelled": 50_000}, {"cancelled": 1_000_000}) == (few.states(), many.states())
    assert (1_000_000, 1_000_000) == (many.vendor.counts().requests, many.vendor.counts().rounds)


async def test_claims_and_settlements_go_by_indexes(database_dsn: str) -> None:
    """However large the plan, and known to be so, a batch reads its own rows alone, as the server itself has
    counted.
    """
    seed(database_dsn, 60_000)
    async with open_database(lambda: database_dsn, size=1) as database:
        planned = await begin(database)
        async with database.connection() as connection:
            await connection.execute("ANALYZE retention.cancellations")
        before = await read_from_end_to_end(database)
        cancelled = await cancel_all(planned)
        assert (60_000, 100) == (planned.rounds, len(cancelled))
        assert before == await read_from_end_to_end(database)


async def read_from_end_to_end(database: Database) -> int:
    """How often the ledger's largest table has been."""
    async with database.connection() as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        rows = await connection.execute("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'cancellations'")
        return int((await rows.fetchall())[0][0])


async def test_the_database_is_asked_by_the_batch(place: Callable[[int], Place]) -> None:
    """A plan of any size is one statement and as many around it; 500 rounds more cost a few claims and settlements."""
    few = await statements_of(place(500))
    least = 10_000
    for many in (2_000, 2_001, 2_002):  # a machine that is busy with something else gathers smaller batches
        asked = await statements_of(place(many))
        assert of_the_plan(few) == of_the_plan(asked)
        assert 1 == asked.count("plans/freeze_plan")
        growth = Counter(asked)
        growth.subtract(few)
        assert {
            "claims/claim_rounds",
            "settlements/settle_replies",
            "BEGIN",
            "COMMIT",
            "session/reset_session",
            "settlements/mark_left_open",
            *BY_THE_CONNECTION,
        } >= {name for name, more in growth.items() if more} - BY_THE_CLOCK
        least = min(least, growth["claims/claim_rounds"] + growth["settlements/settle_replies"])
        if least <= 3 * PER_500:
            return
    pytest.fail(f"1,500 rounds more cost {least} statements more")


def of_the_plan(statements: list[str]) -> list[str]:
    """The statements that plan a run and set it going."""
    aside = {"BEGIN", "COMMIT", *BY_THE_CLOCK, *BY_THE_CONNECTION}
    return [name for name in statements[: statements.index("claims/claim_rounds")] if name not in aside]


BY_THE_CONNECTION = ("session/begin_session", "SET LOCAL statement_timeout = 0")
"""Statements with which a connection begins; how many there are is a matter of how long the work takes."""


async def statements_of(place: Place) -> list[str]:
    """Run to the end, and tell which statements that took, from the plan's transaction on."""
    async with Wiretap(place.dsn) as tap:
        tapped = Place(tap.dsn, place.vendor, place.folder)
        assert 0 == (await asyncio.to_thread(tapped.run, 250)).code
    return tap.statements[tap.statements.index("BEGIN") :]
