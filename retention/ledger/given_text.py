"""Texts that a person must give."""

from __future__ import annotations

from retention.core.invisible_text import is_blank
from retention.errors import UsageError


def require_text(text: str, name: str) -> str:
    """Return the text. Raises UsageError, which calls it `name`, if it is blank."""
    if is_blank(text):
        raise UsageError(f"{name} must not be blank")
    return text
