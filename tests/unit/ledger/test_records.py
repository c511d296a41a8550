"""Records are made of rows by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest

from retention.ledger.records import record, records


@dataclass(frozen=True, slots=True)
class Found:
    """As the ledger's records are."""

    partner: str
    rounds: int


class Counted(NamedTuple):
    """As other records are."""

    partner: str
    rounds: int


class Straight(NamedTuple):
    """A row whose columns stand as the fields do."""

    partner: str
    rounds: int


class Mixed(NamedTuple):
    """A row of another order, with one column more."""

    rounds: int
    since: str
    partner: str


class Short(NamedTuple):
    """A row that lacks a column."""

    partner: str


@pytest.mark.parametrize("kind", [Found, Counted])
def test_columns_are_read_by_name(kind: type[Found | Counted]) -> None:
    """Another order of columns, or one column more, changes no record."""
    expected = kind("acme", 3)
    assert expected == record(kind, Straight("acme", 3))
    assert [expected] == records(kind, [Mixed(3, "now", "acme")])


def test_a_missing_column_is_an_error() -> None:
    """A row without one of the fields makes no record."""
    with pytest.raises(AttributeError):
        record(Found, Short("acme"))
