"""The vendor's list of many rounds: the windows that it is asked for, and its pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.model import Credentials
from retention.core.sending.game_rounds import (
    CLOCKS_DIFFER,
    RoundsPage,
    encode_rounds,
    read_page,
    windows,
    worth_another_page,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def page(*rounds: Any, total: Any = 7) -> bytes:
    """Write a page as the vendor does."""
    return json.dumps({"error": "0", "description": "OK", "totalRounds": total, "rounds": list(rounds)}).encode()


def test_a_window_holds_the_rounds_of_one_day() -> None:
    """Days without rounds are not asked for, and a window ends with its last round; the clocks may differ a little."""
    late = NOON + timedelta(days=3, seconds=1.5)
    found = list(windows([(late, "c"), (NOON, "a"), (NOON + timedelta(hours=2), "b")]))
    assert [("a", "b"), ("c",)] == [one.round_ids for one in found]
    assert (NOON - CLOCKS_DIFFER, NOON + timedelta(hours=2) + CLOCKS_DIFFER) == found[0][:2]
    assert late.replace(microsecond=0) - CLOCKS_DIFFER == found[1].start
    assert [] == list(windows([]))


@given(st.lists(st.tuples(st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1)), st.text(max_size=3))))  # noqa: DTZ001
def test_each_round_is_in_one_window(rounds: list[tuple[datetime, str]]) -> None:
    """Each round is in exactly one window, whose ends enclose the time at which it was opened."""
    zoned = [(at.replace(tzinfo=timezone(timedelta(hours=5))), one) for at, one in rounds]
    found = list(windows(zoned))
    assert sorted(one for _, one in rounds) == sorted(one for window in found for one in window.round_ids)
    for at, one in zoned:
        assert any(one in window.round_ids and window.start <= at <= window.end for window in found)


@pytest.mark.parametrize(
    ("expected", "total", "listed", "page", "missing", "rounds"),
    [
        (True, 2000, 1000, 1, 5, 10),
        (False, 2000, 1000, 2, 5, 10),
        (False, 2000, 1000, 1, 0, 10),
        (False, 2000, 0, 1, 5, 10),
        (False, 1000, 1000, 1, 5, 10),
        (True, 6000, 1000, 1, 5, 10),
        (False, 6001, 1000, 1, 5, 10),
        (False, 10**15, 1000, 1, 5, 10),
        (True, None, 1000, 1, 5, 10),
        (False, None, 999, 1, 5, 10),
        (False, None, 1000, 10, 5, 10),
        (False, 11_000, 1000, 10, 5, 10),
    ],
)
def test_a_page_has_to_be_worth_it(
    total: int | None, listed: int, page: int, missing: int, rounds: int, *, expected: bool
) -> None:
    """A further page is asked for while rounds are missing, pages are left, and questions would cost no less."""
    assert expected is worth_another_page(RoundsPage(total, listed, {}), page, missing, rounds)


def test_the_request_is_the_vendors() -> None:
    """The body has the vendor's fields, times on the clocks of UTC, and at most 1,000 rounds a page."""
    (window,) = windows([(NOON.astimezone(timezone(timedelta(hours=2))), "a")])
    body = json.loads(encode_rounds(window, 3, Credentials("login", "token"), "u-1"))
    assert {
        "secureLogin": "login",
        "token": "token",
        "uuid": "u-1",
        "dateStart": "2026-03-01 11:50:00",
        "dateEnd": "2026-03-01 12:10:00",
        "timeZone": "UTC",
        "page": 3,
        "limit": 1000,
    } == body


def test_a_page_is_read_in_each_of_the_vendors_spellings() -> None:
    """The round's id is a number or a text, and its status has one l or two, in any case of letters."""
    found = read_page(
        page(
            {"roundId": 702750, "roundStatus": "Cancelled", "uerId": "u"},
            {"roundId": "r-2", "roundStatus": "canceled"},
            {"roundId": 12345678901234567890123, "roundStatus": "COMPLETED"},
        )
    )
    assert found is not None
    assert {"702750": "Cancelled", "r-2": "canceled", "12345678901234567890123": "COMPLETED"} == found.statuses
    assert (7, 3) == (found.total, found.listed)


@pytest.mark.parametrize(
    "line",
    [
        None,
        "r-1",
        {},
        {"roundId": "r-1"},
        {"roundId": "r-1", "roundStatus": "Unheard"},
        {"roundId": "r-1", "roundStatus": 1},
        {"roundId": True, "roundStatus": "Completed"},
        {"roundId": "", "roundStatus": "Completed"},
        {"roundId": ["r-1"], "roundStatus": "Completed"},
    ],
)
def test_a_line_that_makes_no_sense_is_left_out(line: object) -> None:
    """Such a line tells nothing about any round, and the others of its page are read all the same."""
    found = read_page(page(line, {"roundId": "r-9", "roundStatus": "InProgress"}))
    assert found is not None
    assert ({"r-9": "InProgress"}, 2) == (found.statuses, found.listed)


def test_a_round_that_is_listed_twice_differently_is_left_out() -> None:
    """A round that changed between two looks is asked about by itself; the same word twice is one word."""
    lines = [("a", "InProgress"), ("a", "Completed"), ("b", "Completed"), ("b", "completed")]
    found = read_page(page(*({"roundId": one, "roundStatus": status} for one, status in lines)))
    assert found is not None
    assert {"b": "Completed"} == found.statuses


@pytest.mark.parametrize("total", [None, "x", -1, 1.5, True, [], "9" * 30])
def test_a_total_that_makes_no_sense_is_unknown(total: object) -> None:
    """Whatever stands for the total, the page is read."""
    found = read_page(page(total=total))
    assert (None, 0) == (found and found.total, found and found.listed)


def test_a_total_may_be_a_text() -> None:
    """The vendor writes numbers as texts elsewhere."""
    found = read_page(page(total="12"))
    assert 12 == (found and found.total)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"error": 0, "rounds": {}}', b'{"rounds": 1}', b"\xff"]
)
def test_another_body_is_no_page(body: bytes) -> None:
    """A body without a list of rounds is no page, and breaks nothing."""
    assert read_page(body) is None
