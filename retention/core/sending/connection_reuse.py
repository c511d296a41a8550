"""How often, and after how long, a vendor's connection may be used again, learned from the ends of earlier ones.

A request over a connection that the vendor is just closing ends in doubt. The check before each use finds an end that
has arrived here. An end that is still on its way can only be foreseen.
"""

from __future__ import annotations

from dataclasses import dataclass

KEPT_S = 30.0
"""Seconds for which an idle connection is kept."""

SOON_S = 0.02
"""Seconds after a reply: a sooner end belongs to that reply, a later one shows a limit on idle connections."""

SOON_UNUSED_S = 0.2
"""Seconds: a new connection that ends sooner never really opened, and shows no limit on idle connections."""

REST_S = SOON_S
"""Seconds that a connection rests after its reply, until one was used twice: an end would follow the reply at once."""

SHARE = 0.5
"""Share of the vendor's limit within which an idle connection is used: the vendor's clock started before ours."""

SUSPICIOUS = 2
"""Connections in a row that ended under their second or a later request: then the vendor uses each only once."""

WATCHED_S = 1.0
"""Seconds that a spent connection has to stay open, to show that the vendor keeps connections for so long."""

WATCH_PAUSE_S = 10.0
"""Seconds until the next spent connection is watched, after the last one ended."""

WATCHED_LIMIT_S = WATCHED_S * SHARE
"""Seconds that an idle connection may be used again, once a watched one has stayed open."""


@dataclass(slots=True)
class ConnectionReuse:
    """Limits of one address. Times in seconds; `now` is on the monotonic clock, `idle` counts from the last reply."""

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
        """Whether a connection has to wait: its end may be on its way, and this vendor's habit is not known yet."""
        return not self.known and uses > 0 and idle < REST_S

    def ended(self, uses: int, idle: float, now: float) -> None:
        """Learn from an idle connection that the vendor ended."""
        if not uses:
            if idle >= SOON_UNUSED_S:
                self.unused_limit = min(self.unused_limit, idle * SHARE)
            return
        if idle >= SOON_S:
            self.idle_limit = min(self.idle_limit, idle * SHARE)
        else:
            self.most_uses = min(uses, self.most_uses or uses)
        self.watch_from = now + WATCH_PAUSE_S

    def not_reached(self) -> None:
        """Forget the limits on idle connections: the outage that ended them, and no limit, may have taught these."""
        self.idle_limit = self.unused_limit = KEPT_S

    def ended_in_use(self, uses: int, idle: float, now: float) -> None:
        """Learn from a connection that ended under a request, without a byte of reply; a single one may be a fault."""
        self.suspects += uses > 0
        if uses and self.suspects >= SUSPICIOUS:
            self.ended(uses, idle, now)

    def replied(self, uses: int) -> None:
        """A reply came, to the request that was the connection's `uses`-th."""
        if uses > 1:
            self.known, self.suspects = True, 0

    def may_watch(self, uses: int, now: float) -> bool:
        """Whether a connection that is spent may be watched instead of closed: an outage may have taught a limit."""
        limited = self.most_uses is not None or self.idle_limit < WATCHED_LIMIT_S
        return uses > 0 and limited and now >= self.watch_from

    def stayed_open(self) -> None:
        """The watched connection did not end: the vendor keeps connections open."""
        self.known, self.most_uses, self.suspects = True, None, 0
        self.idle_limit = max(self.idle_limit, WATCHED_LIMIT_S)
