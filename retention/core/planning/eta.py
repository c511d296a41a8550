"""How long a plan takes at the rates of its partners, and of their rate groups. Rates are per second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Pace:
    """A partner's own limit, in rounds, and its group's, in requests; a round takes `requests` of them."""

    rate: float
    requests: int = 1
    group: str | None = None
    group_rate: float = 0.0


def eta_s(rounds: Mapping[str, int], paces: Mapping[str, Pace]) -> float:
    """Estimate the seconds that a plan takes. Partners are called in parallel, and share the rates of their groups."""
    groups: dict[str, list[tuple[float, Pace]]] = {}
    for partner, count in rounds.items():
        pace = paces[partner]
        groups.setdefault(f"group {pace.group}" if pace.group is not None else partner, []).append((count, pace))
    return max((_together_s(members) for members in groups.values()), default=0.0)


def fair_rates(paces: Sequence[Pace]) -> list[float]:
    """Share a group's rate out: each partner gets as many rounds per second as any other, and none above its own rate.

    What a slow partner leaves is shared by the others.
    """
    rates = [0.0] * len(paces)
    requests, weight = paces[0].group_rate if paces else 0.0, float(sum(pace.requests for pace in paces))
    for nth in sorted(range(len(paces)), key=lambda nth: paces[nth].rate):
        pace = paces[nth]
        rates[nth] = min(pace.rate, requests / weight)
        requests -= rates[nth] * pace.requests
        weight -= pace.requests
    return rates


def _together_s(members: Sequence[tuple[float, Pace]]) -> float:
    """The seconds until the last of these partners is done: one alone, or those of a group."""
    took, left = 0.0, [one for one in members if one[0]]
    while left:
        paces = [pace for _, pace in left]
        rates = [paces[0].rate] if paces[0].group is None else fair_rates(paces)
        step = min(count / rate for (count, _), rate in zip(left, rates, strict=True))
        took += step
        left = [
            (count - step * rate, pace)
            for (count, pace), rate in zip(left, rates, strict=True)
            if count - step * rate > 1e-9 * count
        ]
    return took
