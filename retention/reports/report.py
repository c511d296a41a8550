"""The values of a report: commands, files and pages show the same ones."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from retention.core.model import RESOLUTIONS, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

    from retention.core.evidence.archives import ArchivedMonth
    from retention.core.evidence.checkpoint import Checkpoint
    from retention.core.planning.plan import Scope
    from retention.reports.sections import Sections

OUTCOMES = (State.IN_DOUBT, *RESOLUTIONS)
"""All outcomes of a round. A resolved round has the outcome that it was resolved as."""

UTC_NAME = "UTC"
"""The calendar of a report that names no other."""

NO_ACTIVITY = "no activity"
"""The words of a report for a period, market or day without a row. N.J.A.C. 13:69O-1.9 asks for them."""


DRY_RUN = "dry run: no vendor was called and nothing was cancelled; --all lists what it would have cancelled"
"""The words of a report about a dry run."""


class Kind(enum.StrEnum):
    """The subject of a report: the values of `--kind`."""

    CANCELLED = "cancelled"
    PENDING = "pending"
    REFUNDS = "refunds"
    DECISIONS = "decisions"


class ColumnType(enum.Enum):
    """The type of a column. Any column may be empty."""

    TEXT = "str"
    TEXTS = "tuple[str, ...]"
    AMOUNT = "Decimal"
    TIME = "datetime"
    UUID = "UUID"
    COUNT = "int"
    FLAG = "bool"


class Column(NamedTuple):
    """A column of a report: its name in the contract, and its type."""

    name: str
    type: ColumnType


def columns_of(row: Any) -> tuple[Column, ...]:
    """Return the columns of a dataclass of rows, in the order of its fields."""
    return tuple(Column(one.name, ColumnType(str(one.type).removesuffix(" | None"))) for one in fields(row))


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected rows: from `start` on, and before `end`. None is no limit.

    `period`: the name of these times in the calendar of `timezone`, such as 2026-10; None where they have none.
    `pseudonymise`: users' ids are shown as keyed hashes. `dry_run`: it is about one run, a dry run.
    """

    start: datetime | None = None
    end: datetime | None = None
    markets: tuple[str, ...] | None = None
    policies: tuple[str, ...] | None = None
    run_id: UUID | None = None
    all_outcomes: bool = False
    kind: Kind = Kind.CANCELLED
    period: str | None = None
    timezone: str = UTC_NAME
    pseudonymise: bool = False
    dry_run: bool = False

    def filters(self) -> dict[str, list[str] | None]:
        """Return the filters `markets` and `policies` as parameters of statements."""
        chosen = (("markets", self.markets), ("policies", self.policies))
        return {name: None if names is None else list(names) for name, names in chosen}


@dataclass(frozen=True, slots=True)
class Configured:
    """The part of the configuration that reports need.

    `scopes`: the configured policies by name. `refund_within`: of each configured partner.
    """

    scopes: Mapping[str, Scope] = field(default_factory=dict)
    refund_within: Mapping[str, timedelta] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportHead:
    """The facts of a report as a whole.

    `checkpoint`: the newest one at `generated_at`; None before the first. `software`: name and version. `archived`:
    months with rows that the report lacks.
    """

    report_id: UUID
    selection: Selection
    generated_at: datetime
    generated_by: str
    checkpoint: Checkpoint | None
    software: str
    archived: tuple[ArchivedMonth, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """An open report. Its rows can be read once, one by one, and agree with its totals.

    `count`: the number of rows. `columns` are theirs, `total_columns` those of the totals. `sections`: for a page;
    None where the format does not show them.
    """

    head: ReportHead
    columns: tuple[Column, ...]
    rows: AsyncIterator[Any]
    count: int
    total_columns: tuple[Column, ...]
    totals: tuple[Any, ...]
    sections: Sections | None = None
