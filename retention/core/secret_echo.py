"""Secrets within identifiers: chance, or an echo of the secret.

Identifiers and amounts are data and stay as they came, so no part of one is ever masked. An echo is dropped as a whole,
like an identifier that makes no sense.
"""

from __future__ import annotations

MIN_EQUAL = 8
"""Characters of the shortest secret that has an echo in an identifier equal to it."""

MIN_CONTAINED = 12
"""Characters of the shortest secret that has an echo in an identifier that contains it."""


def why_weak(secret: str) -> str | None:
    """Say why identifiers and amounts contain this secret by chance; None for a strong secret."""
    if len(secret) < MIN_EQUAL:
        return f"is shorter than {MIN_EQUAL} characters"
    return None if any(map(str.isalpha, secret)) else "has no letter"


def is_echo_if_equal(secret: str) -> bool:
    """Tell whether an identifier equal to this secret is an echo."""
    return why_weak(secret) is None


def is_echo_if_contained(secret: str, *, login: bool) -> bool:
    """Tell whether an identifier that contains this secret is an echo.

    A login is a name, and vendors begin identifiers with the account's name.
    """
    return why_weak(secret) is None and len(secret) >= MIN_CONTAINED and not login
