"""Adjoining periods of the kind `pending` fit, whatever the history: each end is the next one's begin."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from retention.core.model import LIVE_STATES, RESOLUTIONS, State
from retention.core.planning.plan import Scope
from retention.reports.read import read_report
from retention.reports.report import Configured, Kind, Selection

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.database import Database

HOUR = timedelta(hours=1)
BEGIN = datetime(2025, 3, 1, tzinfo=UTC)
HOURS = 40
"""Everything happens at a full hour of a short time, so that moments coincide."""

SCOPES = {
    "nightly": Scope(("acme", "other"), (3, 3), 9 * HOUR, 4 * HOUR, None, (), None, ()),
    "sweden": Scope(("acme",), (3,), 5 * HOUR, None, ("SE",), (), None, ("g2",)),
}


def moment(rng: random.Random, start: datetime = BEGIN) -> datetime:
    """Return a full hour after `start`."""
    return start + rng.randint(0, HOURS // 2) * HOUR


async def write_history(book: Book, rng: random.Random) -> None:
    """Write rounds that runs plan up to three times and that may still be in the view."""
    for number in range(60):
        common: dict[str, Any] = {
            "partner": rng.choice(["acme", "acme", "other", "unknown"]),
            "market": rng.choice(["MT", "SE"]),
            "opened_at": moment(rng),
        }
        stake: dict[str, Any] = {"stake": rng.choice([1, 2, None])}
        active = rng.choice([None, moment(rng, common["opened_at"])])
        name, game, currency = f"R-{number}", rng.choice(["g1", "g2", None]), rng.choice(["EUR", "SEK"])
        as_of = moment(rng, common["opened_at"])
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            run = await book.run(
                as_of=as_of,
                policy=rng.choice(["nightly", "sweden", "hasty"]),
                mode=rng.choice(["enforce", "enforce", "dry_run"]),
            )
            state = rng.choice([*RESOLUTIONS, State.RESOLVED, State.PLANNED, State.IN_DOUBT])
            settled: dict[str, Any] = {}
            if state not in LIVE_STATES:
                settled = {"settled_at": as_of + rng.randint(0, 5) * HOUR}
            if state is State.RESOLVED:
                before, after = rng.choice(RESOLUTIONS), rng.choice(RESOLUTIONS)
                settled |= {"resolved_as": after, "resolved_from": before}
                settled |= {"resolved_at": settled["settled_at"] + rng.randint(0, 5) * HOUR}
            row = {"game_id": game, "stake_currency": currency, "last_activity_at": active}
            await book.row(run, name, state, **common, **stake, **row, **settled)
            outcome = settled.get("resolved_as", state)
            if outcome in {State.CANCELLED, State.ALREADY_CANCELLED} or state in LIVE_STATES:
                break
            as_of = moment(rng, settled.get("resolved_at", settled["settled_at"]))
        if rng.random() < 0.5:
            await book.open_round(name, game=game, currency=currency, last_activity_at=active, **common, **stake)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policies", [None, ("sweden",)])
async def test_the_end_of_a_period_is_the_begin_of_the_next(
    database: Database, book: Book, seed: int, policies: tuple[str, ...] | None
) -> None:
    """The same rounds and stakes are pending at an end and at the next begin, and each round ends at most once."""
    rng = random.Random(seed)
    await write_history(book, rng)
    cuts = sorted({BEGIN + rng.randint(0, 2 * HOURS) * HOUR for _ in range(8)})
    at_end: set[Any] = set()
    counts: dict[Any, Any] = {}
    ended: Counter[Any] = Counter()
    began: Counter[Any] = Counter()
    fates: Counter[str] = Counter()
    for start, end in pairwise([None, *cuts, None]):
        selection = Selection(start, end, policies=policies, kind=Kind.PENDING)
        async with read_report(database, selection, configured=Configured(SCOPES)) as report:
            rows = [item async for item in report.rows]
        for total in report.totals:
            assert total.at_begin + total.became_stale == total.completed + total.cancelled + total.gone + total.at_end
        begins = {(t.market, t.currency): (t.at_begin, t.at_begin_stake) for t in report.totals if t.at_begin}
        assert counts == begins
        counts = {(t.market, t.currency): (t.at_end, t.at_end_stake) for t in report.totals if t.at_end}
        assert at_end == {_key(row) for row in rows if row.at_begin}
        at_end = {_key(row) for row in rows if row.at_end}
        ended.update(_key(row) for row in rows if not row.at_end)
        began.update(_key(row) for row in rows if not row.at_begin)
        fates.update(row.outcome for row in rows if not row.at_end)
        for row in rows:
            assert row.at_end == (row.outcome == "open")
            assert (row.ended_at is not None) == (row.outcome in {"cancelled", "completed"})
    assert {1} == {*began.values(), *ended.values()}
    assert {_key(row) for row in rows if row.at_end} == set(began) - set(ended)
    assert {"cancelled", "completed", "gone"} == set(fates)


def _key(row: Any) -> tuple[Any, ...]:
    return row.partner, row.round_id, row.opened_at, row.market, row.stake_currency, row.stake, row.stale_at
