"""GetGameRounds: the vendor's list of many rounds, and the windows of time for which it is asked.

The vendor's page contradicts itself: `roundId` is a number or a text, and a cancelled round has one l or two. A round
whose line makes no sense counts as not listed, and is asked about by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from retention.core.ascii_json import ascii_json
from retention.core.sending import wire
from retention.core.sending.outcomes import is_known_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from retention.core.model import Credentials

PAGE_ROUNDS = 1000
"""Rounds of one reply: the vendor's own limit."""

PAGE_LIMIT_BYTES = 4 * 1024 * 1024
"""Bytes of one reply; a longer one is not read to its end and not believed."""

CLOCKS_DIFFER = timedelta(minutes=10)
"""By so much the vendor's time of a round may differ from the operator's."""

_FORM = "%Y-%m-%d %H:%M:%S"


class Window(NamedTuple):
    """A time in which rounds began, both ends included, and the ids of those rounds."""

    start: datetime
    end: datetime
    round_ids: tuple[str, ...]


class RoundsPage(NamedTuple):
    """One page. `total` is how many rounds the window has, None where the vendor does not tell.

    `listed` is how many lines the page has. `statuses` has the roundStatus of each round whose line makes sense.
    """

    total: int | None
    listed: int
    statuses: Mapping[str, str]


def windows(rounds: Iterable[tuple[datetime, str]]) -> Iterator[Window]:
    """Find the windows that contain the rounds (when each was opened, and its id): at most one for each day in UTC."""
    ordered = sorted((opened_at.astimezone(UTC), round_id) for opened_at, round_id in rounds)
    for _, day in groupby(ordered, key=lambda one: one[0].date()):
        opened = list(day)
        start, end = (at.replace(microsecond=0) for at in (opened[0][0], opened[-1][0]))
        yield Window(start - CLOCKS_DIFFER, end + CLOCKS_DIFFER, tuple(round_id for _, round_id in opened))


def worth_another_page(told: RoundsPage, page: int, missing: int, rounds: int) -> bool:
    """Whether to ask for the page after `page`: of `rounds` in the window, `missing` are not found yet.

    Questions about single rounds cost as much as pages. So there are never more pages than rounds to find, even if
    the vendor tells of more.
    """
    if not missing or not told.listed or page >= rounds:
        return False
    if told.total is None:
        return told.listed >= PAGE_ROUNDS
    left = -(-told.total // PAGE_ROUNDS) - page
    return 0 < left <= missing


def encode_rounds(window: Window, page: int, credentials: Credentials, uuid: str) -> bytes:
    """Body of a GetGameRounds request; pages count from 1."""
    return ascii_json(
        {
            "secureLogin": credentials.secure_login,
            "token": credentials.token,
            "uuid": uuid,
            "dateStart": window.start.strftime(_FORM),
            "dateEnd": window.end.strftime(_FORM),
            "timeZone": "UTC",
            "page": page,
            "limit": PAGE_ROUNDS,
        }
    )


def read_page(body: bytes) -> RoundsPage | None:
    """Read one page; None where it has no list of rounds. Never raises.

    A round that is listed twice with different words is left out: it changed between two looks.
    """
    document, problem = wire.parse_object(body)
    lines = document.get("rounds")
    if problem or not isinstance(lines, list):
        return None
    statuses: dict[str, str] = {}
    unclear: set[str] = set()
    for line in lines:
        found = _status(line)
        if found is None:
            continue
        round_id, status = found
        if statuses.setdefault(round_id, status).lower() != status.lower():
            unclear.add(round_id)
    return RoundsPage(
        _total(document.get("totalRounds")),
        len(lines),
        {round_id: status for round_id, status in statuses.items() if round_id not in unclear},
    )


def _status(line: Any) -> tuple[str, str] | None:
    if not isinstance(line, dict):
        return None
    round_id, status = wire.read_identifier(line.get("roundId")), line.get("roundStatus")
    return (round_id, status) if round_id and isinstance(status, str) and is_known_status(status) else None


def _total(value: Any) -> int | None:
    text = wire.read_identifier(value)
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004
