"""What the vendor's codes mean unless the operator says otherwise."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from retention.core.model import Treatment

if TYPE_CHECKING:
    from collections.abc import Mapping

# The vendor lists these codes for calls in both directions, so what they mean for CancelRound is likely, not certain.
# A code that is not here is rejected too; those that are have been read about, and are rejected on purpose.
DEFAULT_CODES: Mapping[str, Treatment] = MappingProxyType(
    {
        "0": Treatment.CANCELLED,
        "61": Treatment.ALREADY_CANCELLED,
        "998": Treatment.RETRY,
        **dict.fromkeys(("54", "401"), Treatment.UNAUTHORIZED),
        **dict.fromkeys(("1", "999"), Treatment.REJECTED),
        **dict.fromkeys(
            ("12", "16", "17", "18", "20", "21", "22", "57", "62", "64", "99", "404"),
            Treatment.REJECTED,
        ),
    }
)
