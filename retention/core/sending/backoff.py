"""How long to wait before the next attempt."""

from __future__ import annotations

BASE = 0.5
"""Seconds: the longest first wait."""

CAP = 60.0
"""Seconds: no wait is longer."""

OUTAGE_BASE = 1.0
"""Seconds: the first pause of a partner that could not be reached."""


def full_jitter(tries: int, fraction: float) -> float:
    """Seconds to wait after the given number of tries; `fraction` is a random number from 0 to 1.

    Full jitter spreads the retries of one bad moment evenly, so that they do not come back together.
    """
    return fraction * min(CAP, BASE * 2.0 ** min(tries - 1, 30))


def outage_pause(failures: int, fraction: float) -> float:
    """Seconds for which a partner that could not be reached `failures` times in a row is left alone.

    At least half of the step is always waited, so that a handful of tries outlasts a restart of the vendor's gateway.
    """
    return (0.5 + fraction / 2) * min(CAP, OUTAGE_BASE * 2.0 ** min(failures - 1, 30))
