"""Amounts and times as text."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.text import decimal_text, money_text, second_text, time_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("100", "100"),
        ("100.000000000000000000", "100"),
        ("12.500", "12.5"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("0E-18", "0"),
        ("1E+3", "1000"),
        ("99999999999999999999.999999999999999999", "99999999999999999999.999999999999999999"),
    ],
)
def test_an_amount_is_written_plainly(amount: str, text: str) -> None:
    """An amount has no exponent, no zeros at the end of its fraction, and loses no digit."""
    assert text == decimal_text(Decimal(amount))


@given(st.decimals(min_value=0, max_value=Decimal(10) ** 20, places=18))
def test_an_amount_reads_back_unchanged(amount: Decimal) -> None:
    """Any amount reads back as the same amount."""
    assert amount == Decimal(decimal_text(amount))


def test_a_time_is_written_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time in any zone is written in UTC with a Z, and with its microseconds."""
    monkeypatch.setenv("TZ", "EST+5")
    time.tzset()
    zone = timezone(timedelta(hours=2))

    assert time_text(datetime(2025, 3, 1, 1, 30, tzinfo=zone)) == "2025-02-28T23:30:00Z"
    assert time_text(datetime(2025, 3, 1, 0, 0, 0, 5, tzinfo=UTC)) == "2025-03-01T00:00:00.000005Z"
    monkeypatch.undo()
    time.tzset()


def test_money_is_written_as_far_as_it_is_known() -> None:
    """An amount without a currency, or a currency alone, is written too."""
    amount = Decimal("12.50")

    assert ["12.5 EUR", "12.5", "EUR", ""] == [
        money_text(amount, "EUR"),
        money_text(amount, None),
        money_text(None, "EUR"),
        money_text(None, None),
    ]


def test_a_moment_for_people_has_no_fraction_of_a_second() -> None:
    """A moment is written in UTC to the second, whatever its zone and fraction."""
    zone = timezone(timedelta(hours=2))
    assert "2025-02-28 23:30:00Z" == second_text(datetime(2025, 3, 1, 1, 30, 0, 46267, tzinfo=zone))
