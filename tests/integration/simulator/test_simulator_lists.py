"""GetGameRounds of the simulated vendor, over real sockets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.vendor import ROUNDS, ask, open_round

from retention.simulator.faults import Faults
from retention.simulator.rounds import RoundStatus

if TYPE_CHECKING:
    import aiohttp

    from retention.simulator.server import Simulator

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERIOD = {"dateStart": "2026-03-01 00:00:00", "dateEnd": "2026-03-01 23:59:59", "timeZone": "UTC"}


async def ids(client: aiohttp.ClientSession, vendor: Simulator, **changes: Any) -> list[Any]:
    """Ask for a list, and return the ids of its rounds."""
    told = await ask(client, vendor.url + ROUNDS, **{**PERIOD, **changes})
    return [one["roundId"] for one in told["rounds"]]


async def test_a_list_has_the_rounds_of_its_period(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """A list has the rounds that began in the period, ids of digits as numbers, and its own word for cancelled."""
    vendor.rounds.clear()
    vendor.register(
        [
            open_round(round_id="702750", opened_at=NOON, status=RoundStatus.CANCELED),
            open_round(round_id="0815", opened_at=NOON - timedelta(hours=1)),
            open_round(round_id="late", opened_at=NOON + timedelta(days=1)),
            open_round(round_id="other", opened_at=NOON, secure_login="another"),
        ]
    )
    told = await ask(client, vendor.url + ROUNDS, **PERIOD)
    assert (0, 2) == (told["error"], told["totalRounds"])
    assert ["0815", 702750] == [one["roundId"] for one in told["rounds"]]
    assert ["InProgress", "Cancelled"] == [one["roundStatus"] for one in told["rounds"]]
    assert {"2026-03-01 11:00:00", "2026-03-01 12:00:00"} == {one["dateTime"] for one in told["rounds"]}


async def test_a_list_comes_in_pages(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """Pages count from 1, the last one is shorter, and one beyond it is empty."""
    vendor.rounds.clear()
    vendor.register(open_round(round_id=f"r{n}", opened_at=NOON + timedelta(seconds=n)) for n in range(5))
    pages = [await ids(client, vendor, page=page, limit=2) for page in (1, 2, 3, 4)]
    assert [["r0", "r1"], ["r2", "r3"], ["r4"], []] == pages


@pytest.mark.parametrize(
    "change",
    [
        {"dateStart": None},
        {"dateEnd": "2026-03-01"},
        {"timeZone": "UTC+8"},
        {"page": 0},
        {"limit": 1001},
        {"limit": "many"},
        {"token": None},
    ],
)
async def test_a_malformed_question_is_refused(
    vendor: Simulator, client: aiohttp.ClientSession, change: dict[str, object]
) -> None:
    """A list needs a period in UTC, and pages of at most 1,000 rounds."""
    told = await ask(client, vendor.url + ROUNDS, **{**PERIOD, **change})
    assert "20" == told["error"]


async def test_faults_hide_rounds_and_shift_pages(vendor: Simulator, client: aiohttp.ClientSession) -> None:
    """A list may lack rounds, and rounds may slip from one page past the next one's begin."""
    vendor.rounds.clear()
    vendor.register(open_round(round_id=f"r{n}", opened_at=NOON + timedelta(seconds=n)) for n in range(6))
    vendor.faults = Faults.of({"hide": ["r[0-3]"]})
    assert ["r4", "r5"] == await ids(client, vendor)
    vendor.faults = Faults.of({"shift": 1})
    assert [["r0", "r1"], ["r3", "r4"]] == [await ids(client, vendor, page=page, limit=2) for page in (1, 2)]
