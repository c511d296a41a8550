"""The rule for reuse of connections, learned from their ends."""

from __future__ import annotations

from retention.core.sending.connection_reuse import KEPT_S, REST_S, SOON_UNUSED_S, WATCH_PAUSE_S, ConnectionReuse


def test_all_may_be_used_until_one_ends() -> None:
    """A connection is good for any number of requests, and for as long as it is kept."""
    reuse = ConnectionReuse()
    assert not reuse.is_spent(1000, KEPT_S - 1)
    assert reuse.is_spent(0, KEPT_S)
    assert not reuse.may_watch(1, 1e9)


def test_an_end_right_after_a_reply_limits_the_uses() -> None:
    """A vendor that ends connections after their nth reply gets n requests over each, the fewest that were seen."""
    reuse = ConnectionReuse()
    reuse.ended(3, REST_S / 2, 0.0)
    assert (False, True) == (reuse.is_spent(2, 0.0), reuse.is_spent(3, 0.0))
    reuse.ended(1, 0.0, 0.0)
    reuse.ended(2, 0.0, 0.0)
    assert (False, True) == (reuse.is_spent(0, 0.0), reuse.is_spent(1, 0.0))


def test_a_later_end_limits_the_wait() -> None:
    """A vendor that ends idle connections gets no request over one that was idle for half as long; new ones are
    apart.
    """
    reuse = ConnectionReuse()
    reuse.ended(7, 1.0, 0.0)
    assert (False, True) == (reuse.is_spent(7, 0.49), reuse.is_spent(1, 0.5))
    assert not reuse.is_spent(0, 20)
    reuse.ended(0, 10.0, 0.0)
    assert (False, True) == (reuse.is_spent(0, 4.9), reuse.is_spent(0, 5.0))
    reuse.ended(0, SOON_UNUSED_S / 2, 0.0)
    assert not reuse.is_spent(0, 4.9), "one that was never really had teaches nothing"


def test_an_outage_leaves_no_limit_on_idle_connections() -> None:
    """What the ends of an outage taught about idle connections is forgotten; how often one may be used is kept."""
    reuse = ConnectionReuse()
    reuse.ended(7, 1.0, 0.0)
    reuse.ended(0, 1.0, 0.0)
    reuse.ended(3, 0.0, 0.0)
    reuse.not_reached()
    assert (False, True) == (reuse.is_spent(0, KEPT_S - 1), reuse.is_spent(0, KEPT_S))
    assert (False, True) == (reuse.is_spent(2, KEPT_S - 1), reuse.is_spent(3, 0.0))


def test_one_end_under_a_request_may_be_a_fault() -> None:
    """Two in a row are the vendor's way; a reply over a used connection between them says that they are not."""
    reuse = ConnectionReuse()
    reuse.ended_in_use(0, 0.0, 0.0)
    reuse.ended_in_use(1, 0.0, 0.0)
    reuse.replied(2)
    reuse.ended_in_use(1, 0.0, 0.0)
    assert not reuse.is_spent(1, 0.0)
    reuse.ended_in_use(1, 0.0, 0.0)
    assert reuse.is_spent(1, 0.0)


def test_a_used_connection_rests_until_one_was_used_again() -> None:
    """Before anything is known the end of a connection may be on its way, so it waits a moment; a new one does not."""
    reuse = ConnectionReuse()
    assert (True, False, False) == (reuse.rests(1, 0.0), reuse.rests(1, REST_S), reuse.rests(0, 0.0))
    reuse.replied(1)
    assert reuse.rests(1, 0.0)
    reuse.replied(2)
    assert not reuse.rests(2, 0.0)


def test_one_that_stays_open_shows_that_the_vendor_has_changed() -> None:
    """Some time after the last end one spent connection is watched; if it stays, connections are used again."""
    reuse = ConnectionReuse()
    reuse.ended(1, 0.0, 100.0)
    assert (False, True) == (
        reuse.may_watch(1, 100.0 + WATCH_PAUSE_S / 2),
        reuse.may_watch(1, 100.0 + WATCH_PAUSE_S),
    )
    reuse.stayed_open()
    assert not reuse.is_spent(5, 0.0)
    assert not reuse.may_watch(1, 1e9)


def test_one_that_stays_open_shows_that_an_outage_taught_the_limit() -> None:
    """A limit shorter than the watch is looked at again, and given up if the connection stays; a longer one is kept."""
    reuse = ConnectionReuse()
    reuse.ended(3, 0.1, 100.0)
    assert (False, True) == (reuse.is_spent(1, 0.04), reuse.is_spent(1, 0.05))
    assert (False, True) == (reuse.may_watch(1, 100.0 + WATCH_PAUSE_S / 2), reuse.may_watch(1, 100.0 + WATCH_PAUSE_S))
    assert not reuse.may_watch(0, 1e9), "one that was never used shows another limit"
    reuse.stayed_open()
    assert (False, True) == (reuse.is_spent(1, 0.49), reuse.is_spent(1, 0.5))
    assert not reuse.may_watch(1, 1e9)
    reuse = ConnectionReuse()
    reuse.ended(3, 4.0, 100.0)
    assert not reuse.may_watch(1, 1e9)
    reuse.stayed_open()
    assert (False, True) == (reuse.is_spent(1, 1.9), reuse.is_spent(1, 2.0))
