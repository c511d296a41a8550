"""Where a simulated vendor finds rounds that nobody has registered with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from retention.simulator.rounds import Round


class RoundsUnavailableError(Exception):
    """The source cannot be read now: the call is answered with 503."""


class RoundSource(Protocol):
    """A source of rounds, such as a file of stakes or the operator's view."""

    async def find(self, secure_login: str, round_id: str) -> Round | None:
        """Return a round; None for an unknown one. Raises RoundsUnavailableError while the source cannot be read."""
