"""Whether a vendor that refuses our credentials refuses the configured ones. Times in seconds, monotonic."""

from __future__ import annotations

import enum

CHANGING_S = 10.0
"""Seconds after a change of a secret's file in which it, or the vendor, may still be about to change."""

LONGEST_S = 30.0
"""Seconds for which a refusal is not believed, however often the file changes."""


class CredentialRefusal(enum.Enum):
    """What a refusal of our credentials comes to."""

    OLD = "of credentials that are not the configured ones any more"
    CHANGING = "of credentials that may be about to change"
    REAL = "of the configured credentials"


def judge_credential_refusal(
    sent_at: float, refused_at: float, now: float, *, since: float, changed_at: float
) -> CredentialRefusal:
    """Judge the refusal of a request.

    `since`: when the credentials of `now` were first used. `changed_at`: the last time when the file of one was seen to
    change, believed or not yet.
    """
    if sent_at < since:
        return CredentialRefusal.OLD
    if now - changed_at < CHANGING_S and now - refused_at < LONGEST_S:
        return CredentialRefusal.CHANGING
    return CredentialRefusal.REAL
