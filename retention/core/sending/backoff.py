"""The wait before the next attempt. Full jitter spreads the retries of one bad moment."""

from __future__ import annotations

BASE_S = 0.5
"""Seconds of the first wait, at the most."""

CAP_S = 60.0
"""Seconds of any wait, at the most."""

OUTAGE_BASE_S = 1.0
"""Seconds of the first pause of a partner that could not be reached."""


def full_jitter(tries: int, fraction: float) -> float:
    """Seconds to wait after the given number of tries; `fraction` is a random number from 0 to 1.

    Full jitter spreads the retries of one bad moment evenly, so that they do not come back together.
    """
    return fraction * min(CAP_S, BASE_S * 2.0 ** min(tries - 1, 30))


def outage_pause(failures: int, fraction: float) -> float:
    """Seconds without a request to a partner that could not be reached `failures` times in a row.

    At least half of the step is always waited, so that a handful of tries outlasts a restart of the vendor's gateway.
    """
    return (0.5 + fraction / 2) * min(CAP_S, OUTAGE_BASE_S * 2.0 ** min(failures - 1, 30))
