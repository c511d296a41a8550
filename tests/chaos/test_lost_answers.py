"""The connection is cut exactly after PostgreSQL executed a statement, and before its answer arrives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.agreement import violations
from support.postgres import address
from support.proxy import Proxy, ReplyLost

from retention.ledger.queries import folder, query
from retention.vendor.faults import Faults

if TYPE_CHECKING:
    from support.world import World

ROUNDS = 300

AT_WORK = ("claim", "claim_probes", "settle", "watch", "recover", "finish_run")
AT_THE_START = ("insert_run", "freeze", "start_run")
"""Statements whose answers are lost: those that a run makes over and over, and those that it begins with."""


@dataclass(slots=True)
class Lose:
    """Chooses what holds a text, so many times. A COMMIT is the one after such a statement, in the same transaction."""

    text: bytes
    times: int
    commit: bool = False
    lost: int = 0
    _came: bool = False

    def __call__(self, data: bytes) -> bool:
        """Whether the answer to this is to be lost."""
        self._came = self._came or self.text in data
        if not self._came or self.lost == self.times or (self.commit and b"COMMIT" not in data):
            return False
        self._came = False
        self.lost += 1
        return True


def text_of(name: str) -> bytes:
    """The longest part of a statement that has no parameter in it, and that no other statement holds."""
    others = [query(other) for path in (folder() / "queries").iterdir() if (other := path.name[:-4]) != name]
    parts = re.split(r"%\(\w+\)\w|%%", query(name))
    return max((part for part in parts if not any(part in other for other in others)), key=len).encode()


@pytest.mark.parametrize(
    "lose",
    [
        *(
            pytest.param(Lose(text_of(name), times), id=name)
            for times, names in ((3, AT_WORK), (1, AT_THE_START))
            for name in names
        ),
        pytest.param(Lose(text_of("freeze"), 1, commit=True), id="COMMIT of the plan"),
    ],
)
async def test_no_lost_answer_costs_a_round(world: World, lose: Lose) -> None:
    """Whichever statement's answer is lost, each round is cancelled once in the end, though the run may have to be resumed, or begun anew."""
    await world.seed(ROUNDS)
    world.partner |= {"rate": 300, "timeout": "1s"}
    world.vendor.faults = Faults.of({"share": 0.02, "cut": "after"})
    server, _ = address(world.dsn)
    async with Proxy(server, postgres=True) as proxy:
        world.dsn = make_conninfo(world.dsn, host="127.0.0.1", port=proxy.port, sslmode="disable", gssencmode="disable")
        with proxy.trouble(ReplyLost(lose)):
            done = await world.command("run", "nightly")
            while done.code == 5:
                # Whether there is a run by now only the ledger knows.
                begun = await world.sql("SELECT run_id FROM retention.runs")
                done = await world.command("run", *(["--resume", str(begun[0].run_id)] if begun else ["nightly"]))
    assert done.code in {0, 4}, done.err
    assert lose.lost > 0
    assert "Traceback" not in done.err
    assert [1] * ROUNDS == [truth.cancelled_times for truth in world.vendor.rounds.values()]
    assert ["cancelled"] * ROUNDS == [*(await world.states()).values()]
    assert [] == await violations(world)
