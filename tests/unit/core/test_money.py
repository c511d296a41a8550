"""Amounts for people: at least the digits of their currency, and never another value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.money import display_amounts_in, display_money, display_sums, minor_digits, padded_decimal


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        ("8.6", "EUR", "8.60 EUR"),
        ("8.60", "EUR", "8.60 EUR"),
        ("8", "EUR", "8.00 EUR"),
        ("0", "EUR", "0.00 EUR"),
        ("-8.6", "EUR", "-8.60 EUR"),
        ("8.605", "EUR", "8.605 EUR"),
        ("0.000000000000000001", "EUR", "0.000000000000000001 EUR"),
        ("1E+3", "EUR", "1000.00 EUR"),
        ("860", "JPY", "860 JPY"),
        ("860.00", "JPY", "860 JPY"),
        ("860.5", "JPY", "860.5 JPY"),
        ("8.6", "KWD", "8.600 KWD"),
        ("8.6", "CLF", "8.6000 CLF"),
        ("8.6", None, "8.6 unknown"),
        ("8.6", "", "8.6 unknown"),
        ("8.6", "eur", "8.6 eur"),
        ("8.6", "EURO", "8.6 EURO"),
        ("12345678901234567890.1", "GBP", "12345678901234567890.10 GBP"),
        ("NaN", "EUR", "NaN EUR"),
        (None, "EUR", "unknown EUR"),
        (None, None, ""),
    ],
)
def test_an_amount_has_its_currencys_digits(amount: str | None, currency: str | None, shown: str) -> None:
    """At least the minor units are shown, and an unknown part says so in one word."""
    assert shown == display_money(None if amount is None else Decimal(amount), currency)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=18), st.sampled_from(["EUR", "JPY", "KWD", "CLF", None])
)
def test_no_amount_is_ever_rounded(amount: Decimal, currency: str | None) -> None:
    """The shown amount equals the given one, with at least the digits of its currency."""
    text = padded_decimal(amount, currency)
    assert amount == Decimal(text)
    assert minor_digits(currency) <= len(text.partition(".")[2])


def test_sums_come_by_currency() -> None:
    """Sums are ordered by currency."""
    assert ["1.00 EUR", "2 JPY"] == display_sums({"JPY": Decimal(2), "EUR": Decimal(1)})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("amount 4.99 SEK, stake 5 SEK", "amount 4.99 SEK, stake 5.00 SEK"),
        ("winnings 12.5 EUR", "winnings 12.50 EUR"),
        ("the vendor says InProgress, betAmount 860 JPY", "the vendor says InProgress, betAmount 860 JPY"),
        ("transaction 4711 ABC", "transaction 4711 ABC"),
        ("", ""),
    ],
)
def test_amounts_within_a_sentence_are_padded(text: str, shown: str) -> None:
    """Amounts of a sentence get the digits of their currency; ids beside letters stay."""
    assert shown == display_amounts_in(text)
