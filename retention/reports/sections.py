"""The sections of a page besides its rows: runs and their decisions, and the counts of its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention.reports.kinds.kind import Reading


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of one report."""


async def read_sections(reading: Reading) -> Sections:
    """Read the sections of a report, as of the moment of its rows."""
    del reading
    return Sections()
