"""The random choices of one step of the model."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.model.fated import Fate
    from support.model.vendor import Mood


@dataclass(frozen=True, slots=True)
class Chance:
    """The random choices of a step; each kind of step uses some of them.

    `end` is how a request leaves: sent, cut behind it, or refused. `twice`: the network keeps a copy of it for later.
    """

    mood: Mood
    fate: Fate
    end: str
    twice: bool
    batch: int
    seconds: float


Option = tuple[int, Callable[[Chance], Coroutine[Any, Any, None]]]
"""A step that is possible now, and its weight among the others."""
