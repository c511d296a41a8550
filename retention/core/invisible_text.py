"""Typed names and reasons: whether a text is visible, and its invisible ends."""

from __future__ import annotations

import unicodedata

_UNSEEN_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs by category that are invisible: fillers of Hangul, Braille without a dot."""

_SELECTORS = frozenset([0x034F, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
"""Marks that choose between forms of the sign before them, or keep signs apart."""


def is_invisible(sign: str) -> bool:
    """Tell whether a sign takes no place of its own in a text: controls, formats, fillers, selectors of a form."""
    return unicodedata.category(sign) in {"Cc", "Cf"} or sign in _UNSEEN_LETTERS or ord(sign) in _SELECTORS


def is_blank(text: str) -> bool:
    """Tell whether a text is invisible: blanks of any width, control and format characters, marks without a letter."""
    return not any(unicodedata.category(sign)[0] in "LNPS" and sign not in _UNSEEN_LETTERS for sign in text)


def strip_invisible(text: str) -> str:
    """Remove invisible characters at both ends. The text between stays as it is."""
    start, end = 0, len(text)
    while start < end and _is_unseen(text[start]):
        start += 1
    while end > start and _is_unseen(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_unseen(sign: str) -> bool:
    return unicodedata.category(sign)[0] in "ZC" or sign in _UNSEEN_LETTERS
