"""What people type to say who and why: whether there is anything in it that can be read."""

from __future__ import annotations

import unicodedata

_UNSEEN_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs by their category, and yet nothing to be seen: fillers of Hangul, Braille without a dot."""


def is_blank(text: str) -> bool:
    """Tell whether a text shows nothing: blanks of any width, control and format characters, marks without a letter."""
    return not any(unicodedata.category(sign)[0] in "LNPS" and sign not in _UNSEEN_LETTERS for sign in text)


def strip_invisible(text: str) -> str:
    """Take away what cannot be seen at either end. What stands between stays as it came."""
    start, end = 0, len(text)
    while start < end and _is_unseen(text[start]):
        start += 1
    while end > start and _is_unseen(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_unseen(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "ZC" or sign in _UNSEEN_LETTERS
