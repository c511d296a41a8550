"""A reply's content, read from its bytes a second time, and in another way than the product does.

Numbers stay the digits that were sent: nothing here knows of Decimal or of floats, so that no mistake is made twice.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

LIMIT = 65536
"""Bytes of a reply that may be believed."""

_NUMBER = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?)0*([0-9]{1,40}))?")
_PLAIN = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,18})?")
_ROUND_CANCELLED = {"canceled", "cancelled", "cancelinprocess"}


@dataclass(frozen=True, slots=True)
class Said:
    """A reply as it comes: its status, its Retry-After, and the bytes of its body."""

    status: int
    retry_after: str | None
    body: bytes


class Digits(str):
    """A number as it was written."""

    __slots__ = ()


class Pairs(list[tuple[str, object]]):
    """An object, with every key that it names, also twice."""


Exact = tuple[bool, str, int]
"""Whether below zero, the digits without zeros at either end, and the power of ten of the last one."""


def fields(said: Said) -> Pairs | None:
    """The fields of a reply that may be believed: a success, of bearable length, that is one JSON object."""
    if not 200 <= said.status <= 299 or len(said.body) > LIMIT:
        return None
    try:
        found = json.loads(said.body.decode("utf-8-sig"), parse_int=Digits, parse_float=Digits, object_pairs_hook=Pairs)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, Pairs) else None


def one(pairs: Pairs | None, name: str) -> object:
    """The value of a field that is named once."""
    values = [value for key, value in pairs or () if key == name]
    return values[0] if len(values) == 1 else None


def exact(value: object) -> Exact | None:
    """The number that was written, as a number or as a text; None for any other value."""
    match = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    fraction = match[3] or ""
    digits = (match[2] + fraction).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return False, "", 0
    return match[1] == "-", kept, int(f"{match[4] or ''}{match[5] or 0}") - len(fraction) + len(digits) - len(kept)


def exactly(amount: Decimal) -> Exact | None:
    """The same of an amount that was understood."""
    sign, digits, exponent = amount.as_tuple()
    return exact(f"{'-' * sign}{''.join(map(str, digits))}e{exponent}")


def reads(value: object, code: str) -> bool:
    """Whether a value is that code: as a number, however it is written, or as a text, but for blanks around it."""
    if isinstance(value, Digits):
        return exact(value) == exact(code)
    return isinstance(value, str) and value.strip() == code


def says_zero(said: Said) -> bool:
    """Whether the vendor says that it carried out the request."""
    return reads(one(fields(said), "error"), "0")


def says_plainly_zero(said: Said) -> bool:
    """Whether it says so beyond all doubt: no key twice, and no number that needs arithmetic to be read."""
    pairs = fields(said)
    code = one(pairs, "error")
    return isinstance(code, str) and code in {"0", " 0 "} and not _twice(pairs)


def says_round_cancelled(said: Said, round_id: str) -> bool:
    """Whether an answer to a question says that this round, and no other, is cancelled."""
    status = one(fields(said), "roundStatus")
    return (
        isinstance(status, str)
        and not isinstance(status, Digits)
        and status.lower() in _ROUND_CANCELLED
        and names_no_other(said, round_id)
    )


def names_no_other(said: Said, round_id: str) -> bool:
    """Whether a reply names this round, or none."""
    about = one(fields(said), "roundId")
    return about is None or (isinstance(about, str) and not about.strip()) or about == round_id


def plain_amount(said: Said) -> Exact | None:
    """The refund, where it is written without ambiguity."""
    value = one(fields(said), "amount")
    return exact(value) if isinstance(value, str) and _PLAIN.fullmatch(value) else None


def _twice(value: object) -> bool:
    """Whether an object, at any depth, names a key twice."""
    left = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, Pairs):
            names = [name for name, _ in inner]
            if len(names) != len(set(names)):
                return True
            left += [value for _, value in inner]
        elif isinstance(inner, list):
            left += inner
    return False
