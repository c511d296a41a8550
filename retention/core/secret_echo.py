"""Where a secret stands in an identifier: whether that is chance, or the identifier is an echo of the secret.

Identifiers and amounts are data. They stay as they came, so no part of one is ever masked. An echo is no identifier:
it is dropped as a whole, as what makes no sense is.
"""

from __future__ import annotations

MIN_EQUAL = 8
"""Characters from which on an identifier that is a secret, and nothing else, is an echo of it."""

MIN_CONTAINED = 12
"""Characters from which on an identifier that holds a secret anywhere is an echo of it."""


def why_weak(secret: str) -> str | None:
    """Why identifiers and amounts hold this secret by chance; None where they do not."""
    if len(secret) < MIN_EQUAL:
        return f"is shorter than {MIN_EQUAL} characters"
    return None if any(map(str.isalpha, secret)) else "has no letter"


def is_echo_if_equal(secret: str) -> bool:
    """Whether an identifier that is this secret, and nothing else, is an echo."""
    return why_weak(secret) is None


def is_echo_if_contained(secret: str, *, login: bool) -> bool:
    """Whether an identifier that holds this secret anywhere is an echo.

    A login is a name: a vendor may well begin its identifiers with the account's.
    """
    return why_weak(secret) is None and len(secret) >= MIN_CONTAINED and not login
