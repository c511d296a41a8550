"""Rate groups: slots that keep several partners' shared limit, and each partner's own, at times that the test sets."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest
from support.slot_book import HEAD_START_S, SlotBook, terms

from retention.core.model import Kind
from retention.core.sending.pacing import HORIZON_S, SPACING, TOLERANCE
from retention.ledger.terms import GroupTerms

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTNERS = ("acme", "beta", "gamma")

POLL_S = 0.1
"""Seconds between two looks of a process that got fewer slots than it wanted."""


@pytest.fixture
def book(direct_dsn: str) -> Iterator[SlotBook]:
    """A ledger with three partners, at time zero."""
    with SlotBook(direct_dsn, PARTNERS) as opened:
        opened.begin()
        yield opened


def most_within(times: list[float], seconds: float) -> int:
    """The most of these moments in any span of so many seconds; it does not hold its own end."""
    ordered = sorted(times)
    first, most = 0, 0
    for last, moment in enumerate(ordered):
        while ordered[first] + seconds <= moment - 1e-6:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("seed", range(4))
def test_a_slot_keeps_the_groups_limit_and_the_partners_own(book: SlotBook, seed: int) -> None:
    """No second holds more slots than a limit allows, though each is used late by up to the tolerance."""
    chance = random.Random(seed)
    group = GroupTerms("lm", chance.choice([3.0, 20.0, 100.0, 250.0]), 3)
    own = {name: terms(name, group.rate * chance.choice([0.2, 0.55, 0.9, 1.0, 3.0]), group) for name in PARTNERS}
    given: dict[tuple[str, Kind], list[float]] = {(name, kind): [] for name in PARTNERS for kind in Kind}
    now = 0.0
    for _ in range(250):
        name, kind = chance.choice(PARTNERS), chance.choice([*Kind])
        head = chance.choice([0.0, 0.02, 0.2])
        slots = book.reserve(now, own[name], chance.choice([1, 2, 30, 500]), kind, head_start=head)
        assert all(now + head - 1e-5 <= slot <= now + HORIZON_S + 1e-5 for slot in slots)
        given[name, kind] += slots
        now += chance.choice([0.0, 0.001, 0.01, 0.05, 0.2, 1.0])
    every = [slot for slots in given.values() for slot in slots]
    gaps = [after - before for before, after in itertools.pairwise(sorted(every))]
    assert min(gaps) > 1 / (SPACING * group.rate) - 1e-5
    assert most_within(every, 1 + TOLERANCE) <= group.rate
    for (name, _), slots in given.items():
        assert most_within(slots, 1 + TOLERANCE) <= max(1, own[name].rate)


@pytest.mark.parametrize(
    ("rates", "shares"),
    [
        ((500.0, 500.0, 500.0), (1 / 3, 1 / 3, 1 / 3)),
        ((10.0, 500.0, 500.0), (0.1, 0.45, 0.45)),
        ((70.0, 20.0, 15.0), (0.63, 0.2, 0.15)),
        ((70.0, 1e-9, 1e-9), (0.7, 0.0, 0.0)),
    ],
)
def test_a_group_is_shared_out_and_nothing_of_it_is_wasted(
    book: SlotBook, rates: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    """Greedy partners get equal shares; a slower one gets its own rate, and leaves the rest to the others."""
    group = GroupTerms("lm", 100.0, 3)
    wants = [terms(name, rate, group) for name, rate in zip(PARTNERS, rates, strict=True) if rate > 1e-6]
    got = dict.fromkeys(PARTNERS, 0)
    for step in range(100):  # 10 s
        for nth, partner in enumerate(wants):
            now = step * POLL_S + nth * 0.03
            got[partner.partner] += len(book.reserve(now, partner, 500))
    found = [got[name] / (SPACING * group.rate * 10) for name in PARTNERS]
    assert pytest.approx(shares, abs=0.07) == found
    assert sum(found) > min(1.0, sum(rates) / group.rate) - 0.04


def test_a_partner_with_a_million_rounds_starves_nobody(book: SlotBook) -> None:
    """A partner with ten rounds gets its share at once, though another, in ten processes, takes all that it can get."""
    group = GroupTerms("lm", 100.0, 2)
    large, small = terms("acme", 1000.0, group), terms("beta", 1000.0, group)
    waited, now, left = 0.0, 0.0, 10
    for step in range(400):
        now = step * 0.01
        assert len(book.reserve(now, large, 500)) <= HORIZON_S * group.rate  # each look is that of another process
        if now >= 2.0 and step % 10 == 5 and left:
            slots = book.reserve(now, small, left)
            left -= len(slots)
            waited = max([waited, *(slot - 2.0 for slot in slots)])
    assert not left
    assert waited < HORIZON_S + 10 / (group.rate / 2) + 2 * POLL_S


def test_a_group_alone_is_used_as_a_partner_alone(book: SlotBook) -> None:
    """The only active partner of a group gets all of the group's slots, in one claim as many as the horizon has."""
    group = GroupTerms("lm", 200.0, 3)
    slots = book.reserve(0.0, terms("acme", 1000.0, group), 500)
    step = 1 / (SPACING * group.rate)
    assert pytest.approx([HEAD_START_S + nth * step for nth in range(len(slots))], abs=1e-5) == slots
    assert len(slots) == 1 + int((HORIZON_S - HEAD_START_S) / step)


def test_only_the_429s_of_two_partners_slow_the_group_down(book: SlotBook) -> None:
    """A partner's own 429s leave the group's rate; another's, within a minute, halve it, and it grows back."""
    group = GroupTerms("lm", 100.0, 3)
    acme, beta = terms("acme", 100.0, group), terms("beta", 100.0, group)
    rate = "SELECT coalesce(rate, 100) FROM retention.rate_groups"
    for now in (1.0, 5.0, 9.0):
        book.throttle(now, acme)
    assert 100.0 == book.value(rate)
    book.throttle(70.0, beta)
    assert 100.0 == book.value(rate)
    book.throttle(129.0, acme)
    assert 50.0 == book.value(rate)
    book.throttle(129.5, beta)  # of the same burst
    assert 50.0 == book.value(rate)
    slots = book.reserve(130.0, terms("gamma", 100.0, group), 500)
    assert pytest.approx(1 / (SPACING * 50.0), abs=1e-5) == slots[1] - slots[0]
    book.reserve(139.0, terms("gamma", 100.0, group), 500)
    assert pytest.approx(70.0) == book.value(rate)
    book.reserve(200.0, terms("gamma", 100.0, group), 500)
    assert None is book.value("SELECT rate FROM retention.rate_groups")


def test_another_rate_begins_behind_the_slots_that_are_taken(book: SlotBook) -> None:
    """Processes with different configurations never give two slots closer to each other than the slower rate allows."""
    slow, quick = (terms("acme", 1000.0, GroupTerms("lm", rate, 2)) for rate in (50.0, 200.0))
    first = book.reserve(0.0, quick, 10)
    second = book.reserve(0.01, slow, 3)
    third = book.reserve(0.02, quick, 3)
    assert pytest.approx(1 / (SPACING * 50.0), abs=1e-5) == second[0] - first[-1]
    assert pytest.approx(1 / (SPACING * 50.0), abs=1e-5) == third[0] - second[-1]


def test_a_group_that_the_ledger_lacks_is_made(book: SlotBook) -> None:
    """A group that is new, or lost with a fail-over, gives no slot without its limit: the next claim gets slots."""
    partner = terms("acme", 100.0, GroupTerms("new", 50.0, 1))
    assert [] == book.reserve(0.0, partner, 3)
    assert 3 == len(book.reserve(0.1, partner, 3))


def test_a_group_waits_no_longer_than_the_clock_jumped(book: SlotBook) -> None:
    """After the database's clock was set back, slots are given behind those that were taken, and none earlier."""
    partner = terms("acme", 100.0, GroupTerms("lm", 50.0, 1))
    last = book.reserve(30.0, partner, 10)[-1]
    assert [] == book.reserve(0.0, partner, 10)
    assert all(slot > last for slot in book.reserve(last - 0.1, partner, 10))
