"""The parts of a proposal, and the text of one of its files."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retention.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retention.core.operator_tables.draft import Choice, Draft
    from retention.core.operator_tables.money import Stake
    from retention.core.operator_tables.state import OpenState

WIDTH = 110
"""Columns of a comment."""


@dataclass(frozen=True, slots=True)
class Parts:
    """All choices. `conditions` are those of an open round; the index of open rounds has the same, to the letter."""

    draft: Draft
    choices: Mapping[str, Choice]
    stake: Stake
    state: OpenState
    provider: Choice | None
    not_deleted: Sequence[str]

    def conditions(self) -> list[str]:
        """Return the conditions on the table's own columns."""
        return [self.state.condition.sql, *self.not_deleted]

    def asks_zone(self) -> bool:
        """Whether the view has a question about the zone of times."""
        return any("zone" in one.question for one in self.choices.values())

    def is_view(self) -> bool:
        """Whether the table is a view: no index can be made on it."""
        return self.draft.table.kind in {"v", "m", "f"}


@dataclass(slots=True)
class FileText:
    """One file of a proposal as it is written. `subjects`: the decisions that are left in it."""

    name: str
    lines: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    stops: int = 0

    def add(self, *lines: str) -> None:
        """Add lines as they are."""
        self.lines += lines

    def comment(self, text: str, indent: str = "") -> None:
        """Add a comment. Nothing in it can leave it, whatever the operator's names and values are."""
        self.lines += _comment(text, indent, "-- ", "-- ")

    def explain(self, subject: str, choice: Choice, indent: str = "") -> None:
        """Add the question of a choice, or its note."""
        if choice.question:
            self.lines += _comment(f"{subject}: {choice.question}", indent, "-- ? ", "--   ")
            self.asked.append(subject)
            self.stops += choice.stops
        elif choice.note:
            self.comment(f"{subject}: {choice.note}", indent)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The decisions that are left in this file."""
        return tuple(self.asked)

    @property
    def text(self) -> str:
        """The whole file."""
        return "\n".join(self.lines) + "\n"


def _comment(text: str, indent: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=indent + first,
        subsequent_indent=indent + rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
