"""The kill switch: the partners that a run may not call now, and whether all of them are paused.

A run is halted only for its own reason, or when all its partners are paused. `runs.paused_partners` lists the
partners that the run waits for. A daemon resumes the run as soon as one of them is free, and does not start and halt
it every second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retention.core.runs.next_steps import pause_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class ActivePause(NamedTuple):
    """An active pause of one partner, or (None) of all partners."""

    partner: str | None
    by: str
    reason: str

    def __str__(self) -> str:
        return pause_text(self.by, self.reason, self.partner)


def paused_partners(pauses: Iterable[ActivePause], partners: Iterable[str]) -> dict[str, str]:
    """Map each paused partner to the text of its oldest pause; `pauses` come oldest first."""
    listed = [*pauses]
    found = {name: [str(one) for one in listed if one.partner in {None, name}] for name in partners}
    return {name: words[0] for name, words in found.items() if words}


def pause_of_all(paused: Mapping[str, str], partners: Collection[str]) -> str | None:
    """Say why a run has no partner to call; None while it has one."""
    return pauses_text(paused) if partners and len(paused) == len(partners) else None


def pauses_text(paused: Mapping[str, str]) -> str:
    """Write these pauses, each once."""
    return "; ".join(dict.fromkeys(paused.values()))
