"""Amounts for people: with the minor units of their currency, and never rounded."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from retention.core.text import decimal_text

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "unknown"
"""The word for an unknown amount or currency."""

USUAL_MINOR_DIGITS = 2

OTHER_MINOR_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Currencies of ISO 4217 whose minor units are not hundredths, by digits after the point."""

_DIGITS = {currency: digits for digits, currencies in OTHER_MINOR_DIGITS.items() for currency in currencies.split()}


_AMOUNT = re.compile(r"\b(amount|stake|betAmount|winAmount|winnings) (-?\d+(?:\.\d+)?) ([A-Z]{3})\b")
"""An amount within a discrepancy or a detail."""


def minor_digits(currency: str | None) -> int:
    """The digits after the point of a currency; 0 for an unknown one, or for no code of ISO 4217."""
    if currency is None or len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):  # noqa: PLR2004
        return 0
    return _DIGITS.get(currency, USUAL_MINOR_DIGITS)


def padded_decimal(amount: Decimal, currency: str | None) -> str:
    """Write an amount without its currency: exactly, with at least the digits that the currency has."""
    whole, _, fraction = decimal_text(amount).partition(".")
    if not whole.lstrip("-").isdigit():  # an infinite one has no digits
        return whole
    fraction = fraction.ljust(minor_digits(currency), "0")
    return f"{whole}.{fraction}" if fraction else whole


def display_money(amount: Decimal | None, currency: str | None) -> str:
    """Write an amount with its currency. An unknown part is called unknown, and an empty text stands for neither."""
    if amount is None:
        return f"{UNKNOWN} {currency}" if currency else ""
    return f"{padded_decimal(amount, currency)} {currency or UNKNOWN}"


def display_amounts_in(text: str | None) -> str | None:
    """Pad the amounts within one of our own sentences to the digits of their currency."""
    return text and _AMOUNT.sub(lambda found: f"{found[1]} {display_money(Decimal(found[2]), found[3])}", text)


def display_sums(amounts: Mapping[str, Decimal]) -> list[str]:
    """Write sums for people, ordered by currency."""
    return [display_money(amount, currency) for currency, amount in sorted(amounts.items())]
