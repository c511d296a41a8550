"""A storm, in short; the long ones are a command's: `python tests/chaos/storm.py`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from storm import storm
from support.fault_plan import KINDS, Strike, plan

if TYPE_CHECKING:
    from pathlib import Path

SHORT = [
    Strike(0.5, "vendor-reply-lost", 4.0, None, 1),
    Strike(1.5, "kill", 0.0, 0, 2),
    Strike(2.5, "fail-over", 0.0, None, 3),
    Strike(4.0, "db-reply-lost", 2.0, 1, 4),
    Strike(5.0, "rounds-completed", 1.0, None, 5),
]


@pytest.mark.long
async def test_a_short_storm_breaks_no_invariant(tmp_path: Path) -> None:
    """A replica is killed, the database fails over, and replies of both ends are lost while three replicas are at work:
    no invariant is broken.
    """
    async with storm(tmp_path, rate=100) as raging:
        raging.world.partner["timeout"] = "1s"  # a lease is as much shorter
        await raging.rage(SHORT, 6.0, first=500, rounds=20)
        await raging.settle()
        assert [] == raging.found
        assert {strike.kind for strike in SHORT} == raging.spans.keys()
        assert len(raging.world.vendor.requests) > 500


def test_a_plan_is_its_seeds() -> None:
    """The same seed plans the same storm, another one another; each kind strikes, and those of one lane never
    overlap.
    """
    strikes = plan(1, 3600, [*KINDS])
    assert strikes == plan(1, 3600, [*KINDS])
    assert strikes != plan(2, 3600, [*KINDS])
    assert KINDS.keys() == {strike.kind for strike in strikes}
    for lane in {kind.lane for kind in KINDS.values()}:
        ours = [strike for strike in strikes if KINDS[strike.kind].lane == lane]
        assert [] == [one for one, other in pairwise(ours) if one.at + one.seconds >= other.at]
