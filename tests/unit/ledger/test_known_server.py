"""The server on which a process may claim."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retention.ledger.known_server import KnownServer

OLD, NEW, NEWER = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hours) for hours in range(3))


def test_the_first_server_is_claimed_on_at_once() -> None:
    """Before the first check no server is known, and the first server has no known loss."""
    server = KnownServer()
    assert server.for_claims(10, 0) is None
    server.observe(OLD, 100)
    assert OLD == server.for_claims(10, 100)


def test_one_that_took_over_is_claimed_on_after_the_lease() -> None:
    """Claims wait for the length of their own lease, independently of other partners' leases."""
    server = KnownServer()
    server.observe(OLD, 0)
    server.observe(NEW, 100)
    server.observe(NEW, 105)
    assert [OLD, NEW, OLD] == [server.for_claims(10, 105), server.for_claims(5, 105), server.for_claims(10, 109.9)]
    assert NEW == server.for_claims(10, 110)


def test_each_take_over_restarts_the_wait_for_a_lease() -> None:
    """A second one within the lease begins it again."""
    server = KnownServer()
    server.observe(OLD, 0)
    server.observe(NEW, 100)
    server.observe(NEWER, 108)
    assert NEW == server.for_claims(10, 112)
    assert NEWER == server.for_claims(10, 118)


def test_no_answer_counts_from_before_a_take_over() -> None:
    """The vendor's answers count from when this process came, and again from when another server took over."""
    server = KnownServer()
    assert [1, 6, 55] == [server.told_within(55, 100, now) for now in (100, 105, 300)]
    server.observe(OLD, 100)
    assert 55 == server.told_within(55, 100, 300)
    server.observe(NEW, 300)
    assert [0, 8, 55] == [server.told_within(55, 100, now) for now in (301, 310, 400)]
    assert 5 == server.told_within(55, 306, 310)


def test_a_process_has_waited_on_a_server_after_its_own_lease_there() -> None:
    """A server counts as awaited a lease after this process first met it, also where it is the first one."""
    server = KnownServer()
    assert server.awaited(10, 0) is None
    server.observe(OLD, 100)
    assert [None, OLD, OLD] == [server.awaited(10, 109.9), server.awaited(10, 110), server.awaited(5, 105)]
    server.observe(NEW, 120)
    assert [None, NEW] == [server.awaited(10, 129), server.awaited(10, 130)]
