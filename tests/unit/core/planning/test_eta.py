"""How long a plan takes: fair shares of a group, and the time until its last partner is done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.planning.eta import Pace, eta_s, fair_rates

PACES = st.lists(st.tuples(st.floats(0.01, 1000.0), st.integers(1, 2)), min_size=1, max_size=8)


def paces_of(members: list[tuple[float, int]], group: float) -> list[Pace]:
    """Partners of one group."""
    return [Pace(rate, requests, "lm", group) for rate, requests in members]


@given(PACES, st.floats(0.01, 1000.0))
def test_a_group_is_shared_fairly_and_wholly(members: list[tuple[float, int]], group: float) -> None:
    """No rate is exceeded, nothing is left unused, and nobody below its own rate gets less than another."""
    paces = paces_of(members, group)
    rates = fair_rates(paces)
    used = sum(rate * pace.requests for rate, pace in zip(rates, paces, strict=True))
    wanted = sum(pace.rate * pace.requests for pace in paces)
    assert used == pytest.approx(min(group, wanted))
    for rate, pace in zip(rates, paces, strict=True):
        assert rate <= pace.rate
        if rate < pace.rate * (1 - 1e-9):
            assert rate >= max(rates) * (1 - 1e-9)


@given(PACES, st.lists(st.integers(0, 10_000), min_size=8, max_size=8), st.floats(0.01, 1000.0))
def test_an_eta_is_no_shorter_than_any_limit_allows(
    members: list[tuple[float, int]], counts: list[int], group: float
) -> None:
    """A plan takes as long as each partner alone, and as all requests of the group, and no longer than one by one."""
    paces = {f"p{nth}": pace for nth, pace in enumerate(paces_of(members, group))}
    rounds = dict(zip(paces, counts, strict=False))
    alone = [count / min(paces[name].rate, group / paces[name].requests) for name, count in rounds.items()]
    together = sum(count * paces[name].requests for name, count in rounds.items()) / group
    found = eta_s(rounds, paces)
    assert max(*alone, together, 0.0) * (1 - 1e-6) <= found <= sum(alone) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("seconds", "rounds"),
    [
        (10.0, {"acme": 500, "beta": 500}),
        (7.5, {"acme": 500, "beta": 250}),
        (20.0, {"acme": 500, "beta": 500, "other": 100}),
        (0.0, {"acme": 0, "beta": 0}),
    ],
)
def test_partners_of_a_group_share_its_rate(seconds: float, rounds: dict[str, int]) -> None:
    """Two partners share a hundred requests a second; who remains alone has them alone, up to its own rate."""
    paces = {"acme": Pace(100.0, 1, "lm", 100.0), "beta": Pace(60.0, 1, "lm", 100.0), "other": Pace(5.0)}
    assert pytest.approx(seconds) == eta_s(rounds, paces)
