"""Whether a vendor that refuses our credentials refuses the configured ones. Times in seconds, monotonic."""

from __future__ import annotations

import enum

CHANGING_S = 10.0
"""Seconds after a change of a secret's file in which the file, or the vendor, may change once more."""

LONGEST_S = 30.0
"""Seconds for which a refusal is not believed, however often the file changes."""


class CredentialRefusal(enum.Enum):
    """Which credentials the vendor has refused."""

    OLD = "earlier credentials, which are not configured any more"
    CHANGING = "credentials that may be about to change"
    REAL = "the configured credentials"


def judge_credential_refusal(
    sent_at: float, refused_at: float, now: float, *, since: float, changed_at: float
) -> CredentialRefusal:
    """Judge the refusal of a request.

    `since`: when the present credentials were first used. `changed_at`: when a secret's file was last seen to change,
    whether its new value is used yet or not.
    """
    if sent_at < since:
        return CredentialRefusal.OLD
    if now - changed_at < CHANGING_S and now - refused_at < LONGEST_S:
        return CredentialRefusal.CHANGING
    return CredentialRefusal.REAL
