"""When a refusal of our credentials is believed."""

from __future__ import annotations

import math

import pytest

from retention.core.sending.credential_refusal import CHANGING_S, LONGEST_S, CredentialRefusal, judge_credential_refusal


@pytest.mark.parametrize(
    ("expected", "sent_at", "now", "since", "changed_at"),
    [
        (CredentialRefusal.REAL, 100, 101, -math.inf, -math.inf),
        (CredentialRefusal.REAL, 100, 101, 50, 50),
        (CredentialRefusal.OLD, 100, 101, 100.5, 100.5),
        (CredentialRefusal.OLD, 100, 1000, 100.5, 100.5),
        (CredentialRefusal.CHANGING, 100, 101, -math.inf, 99),
        (CredentialRefusal.CHANGING, 100, 101, 99, 99),
        (CredentialRefusal.CHANGING, 100, 100 + CHANGING_S, 99, 101),
        (CredentialRefusal.REAL, 100, 99 + CHANGING_S, 99, 99),
        (CredentialRefusal.REAL, 100, 100 + LONGEST_S, 99, 99 + LONGEST_S),
    ],
)
def test_a_credential_refusal_counts_by_the_age_of_the_credentials(
    expected: CredentialRefusal, sent_at: float, now: float, since: float, changed_at: float
) -> None:
    """A refusal of old credentials is ignored; one just after a change of their file waits, and not for ever."""
    assert expected is judge_credential_refusal(sent_at, 100, now, since=since, changed_at=changed_at)
