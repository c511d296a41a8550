"""Rows become records by the names of their columns: a statement that reorders its columns changes nothing."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

T = TypeVar("T")


def record(kind: type[T], row: Any) -> T:
    """Make one record of a row. Raises AttributeError if the row lacks one of the record's fields."""
    return kind(**{name: getattr(row, name) for name in _fields(cast("Hashable", kind))})


def records(kind: type[T], rows: Iterable[Any]) -> list[T]:
    """Make a record of each row; columns that the record does not have are left out."""
    return [record(kind, row) for row in rows]


@functools.cache
def _fields(kind: Any) -> tuple[str, ...]:
    """The fields of a named tuple or a dataclass."""
    return getattr(kind, "_fields", None) or tuple(field.name for field in dataclasses.fields(kind))
