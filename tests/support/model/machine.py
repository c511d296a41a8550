"""Everything that can happen to two or three replicas, of which Hypothesis makes histories."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.model.chance import Chance
from support.model.engine_parts import terms
from support.model.fated import Fate
from support.model.fleet import Fleet
from support.model.quiesce import quiesce
from support.model.vendor import MOODS

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from support.model.database import ModelDatabase
    from support.results_table import Evidence

PICK = st.integers(0, 999)
"""Pick one of the possible steps, by their weights."""

EASE = 3
"""How much likelier a step of work is than one of trouble."""

CHANCES = st.builds(
    Chance,
    mood=st.sampled_from(MOODS),
    fate=st.sampled_from([*[Fate.DONE] * 5, Fate.UNHEARD, Fate.LOST]),
    end=st.sampled_from([*["sent"] * 5, "cut", "refused"]),
    twice=st.sampled_from([False, False, False, True]),
    batch=st.integers(1, 3),
    seconds=st.sampled_from([0.3, 1.0, 4.0, 16.0, 60.0]),
)


@dataclass(slots=True)
class Tally:
    """How histories went, beside the row of evidence.

    `overtaken` counts rounds that were called, or cancelled, after the vendor had said that it had done nothing yet,
    although a request was still under way that did it.
    """

    steps: int = 0
    overtaken: int = 0
    states: Counter[str] = field(default_factory=Counter)


class Machine(RuleBasedStateMachine):
    """One example: a few rounds, one run or several, two or three replicas, and any steps between."""

    db: ModelDatabase
    evidence: Evidence
    tally: Tally
    fleet_of: type[Fleet] = Fleet

    def __init__(self) -> None:
        super().__init__()
        self.fleet: Fleet | None = None
        self.troubles = 0

    @initialize(
        rounds=st.integers(1, 3),
        replicas=st.integers(2, 3),
        status_probe=st.sampled_from([True, True, False]),
        ask_first=st.booleans(),
        losses=st.sampled_from([0, 0, 1, 2]),
        troubles=st.integers(0, 5),
        early=st.lists(st.tuples(PICK, CHANCES), max_size=2),
    )
    def begin(
        self,
        rounds: int,
        replicas: int,
        *,
        status_probe: bool,
        ask_first: bool,
        losses: int,
        troubles: int,
        early: list[tuple[int, Chance]],
    ) -> None:
        """A run is planned, and all replicas are at work on it."""
        self.fleet = self.fleet_of(
            self.db,
            terms(status_probe=status_probe, ask_first=ask_first, in_group=replicas == 3),
            rounds,
            replicas,
            losses,
        )
        self.troubles = troubles
        self.db.run(self.fleet.begin())
        for pick, chance in early:  # between the plan and the first claim
            assert self.fleet is not None
            options = self.fleet.trouble()
            self._do(options[pick % len(options)][1](chance))

    @precondition(lambda self: self.fleet)
    @rule(pick=PICK, chance=CHANCES)
    def step(self, pick: int, chance: Chance) -> None:
        """Take a step that is possible now. One rule serves for all steps, because Hypothesis leaves out rules at
        random.
        """
        assert self.fleet is not None
        options = [(EASE * weight, action) for weight, action in [*self.fleet.carry(), *self.fleet.work()]]
        trouble = self.fleet.trouble() if self.troubles else []
        weighted = [action for weight, action in [*options, *trouble] for _ in range(weight)]
        action = weighted[pick % len(weighted)]
        self.troubles -= action in [wanted for _, wanted in trouble]
        self._do(action(chance))

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        try:
            self.db.run(step)
        except BaseException:
            self.fleet = None  # the first failure must not be hidden by its consequences at the end
            raise

    @invariant()
    def invariants_hold(self) -> None:
        """Look at everything after each step."""
        if self.fleet is not None:
            self.tally.steps += 1
            self._do(self.fleet.invariants.look())

    def teardown(self) -> None:
        """Let it all become quiet, and see whether everybody agrees."""
        if self.fleet is None:
            return
        invariants = self.fleet.invariants
        self.db.run(self.fleet.repair())
        states = self.db.run(quiesce(invariants, self.fleet.terms, self.fleet.runs))
        self.evidence.tried += 1
        self.evidence.rounds += len(self.fleet.names)
        self.evidence.requests += invariants.vendor.served
        self.evidence.reviewed += invariants.reviewed.total()
        self.tally.overtaken += len(invariants.overtaken)
        self.tally.states.update(states)
