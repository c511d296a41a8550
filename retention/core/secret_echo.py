"""Whether an identifier repeats a secret, or contains it by chance.

Identifiers and amounts are data and are never masked in part: masking the login `4711` once altered transaction
98124711003. A vendor may still repeat the token as a transaction. An identifier that equals a secret, or contains one
of 12 or more characters, is an echo. It is dropped as a whole, `detail` says so, and the round is listed as
incomplete.

Secrets shorter than 8 characters or without a letter occur by chance and are not searched. A login counts only where
it stands alone, because vendors begin identifiers with it. Our own texts (`detail`, `halt_reason`, errors) contain
amounts, so they lose only secrets that chance does not write.
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
