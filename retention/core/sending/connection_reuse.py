"""How often, and after how long, a vendor's connection may be used again, as the ends of others have shown.

A request over a connection that the vendor is just closing is in doubt. The look at a connection before each use finds
what has arrived here already; what is on its way can only be foreseen.
"""

from __future__ import annotations

from dataclasses import dataclass

KEPT_S = 30.0
"""Seconds for which a connection is kept that no request uses."""

SOON_S = 0.02
"""Seconds: an end that comes sooner after a reply belongs to that reply. A later one is a limit on idle connections."""

SOON_UNUSED_S = 0.2
"""Seconds: a new connection that ends sooner was not really had, and tells nothing of how long others may wait."""

REST_S = SOON_S
"""Seconds that a connection rests after its reply, until one was used again: its end would follow the reply at once."""

SHARE = 0.5
"""Share of the vendor's limit within which an idle connection is used: its clock started before ours."""

SUSPICIOUS = 2
"""Connections in a row that ended under their second or a later request, before that counts as the vendor's way."""

WATCHED_S = 1.0
"""Seconds that a spent connection has to stay open, to show that the vendor keeps connections now."""

WATCH_PAUSE_S = 10.0
"""Seconds until the next one is watched, where the last one ended."""


@dataclass(slots=True)
class ConnectionReuse:
    """What is known of one address. Times in seconds; `now` on the monotonic clock, `idle` since the last reply."""

    known: bool = False
    idle_limit: float = KEPT_S
    unused_limit: float = KEPT_S
    most_uses: int | None = None
    suspects: int = 0
    watch_from: float = 0.0

    def is_spent(self, uses: int, idle: float) -> bool:
        """Whether a connection must not be used any more."""
        limit = self.idle_limit if uses else self.unused_limit
        return idle >= limit or (self.most_uses is not None and uses >= self.most_uses)

    def rests(self, uses: int, idle: float) -> bool:
        """Whether a connection has to wait: its end may be on its way, and nobody knows yet how this vendor does it."""
        return not self.known and uses > 0 and idle < REST_S

    def ended(self, uses: int, idle: float, now: float) -> None:
        """Learn from an idle connection that the vendor ended."""
        if not uses:
            if idle >= SOON_UNUSED_S:
                self.unused_limit = min(self.unused_limit, idle * SHARE)
        elif idle >= SOON_S:
            self.idle_limit = min(self.idle_limit, idle * SHARE)
        else:
            self.most_uses = min(uses, self.most_uses or uses)
            self.watch_from = now + WATCH_PAUSE_S

    def ended_in_use(self, uses: int, idle: float, now: float) -> None:
        """Learn from one that ended under a request, without a byte of reply: one alone may have been a fault."""
        self.suspects += uses > 0
        if uses and self.suspects >= SUSPICIOUS:
            self.ended(uses, idle, now)

    def replied(self, uses: int) -> None:
        """A reply came, to the request that was the connection's `uses`-th."""
        if uses > 1:
            self.known, self.suspects = True, 0

    def may_watch(self, now: float) -> bool:
        """Whether a connection that is spent by its uses may be watched instead of closed."""
        return self.most_uses is not None and now >= self.watch_from

    def stayed_open(self) -> None:
        """The one that was watched did not end: the vendor keeps connections open."""
        self.known, self.most_uses, self.suspects = True, None, 0
