"""A finding of `retention check`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. A warning is no failure; a failure's message says how to mend it."""

    name: str
    ok: bool
    message: str
    warning: bool = False
