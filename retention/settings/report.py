"""[reports.NAME]: a report that `serve` makes at its times."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator

from retention.core.schedule.cron import CronSchedule
from retention.core.schedule.period import EXAMPLES, require_period
from retention.settings.fields import (
    DURATION,
    SWITCH,
    Cron,
    Duration,
    Says,
    Table,
    Words,
    Zone,
    key,
    list_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NAME = 100
"""Bytes: the file of a report has its name, its period and an ending, and a temporary name is longer still."""

KINDS = '"cancelled", "pending", "refunds" or "decisions"'
FORMATS = '"table", "csv", "json", "html", "xlsx" or "parquet"'


def _period(value: str) -> str:
    require_period(value)
    return value


class ScheduledReport(Table):
    """One report that `serve` makes: its times, its period, its rows, and where it goes."""

    name: str
    schedule: Annotated[
        Cron,
        key('"0 6 1 * *"', "five cron fields in quotes"),
        Says(
            "When `retention serve` makes the report: minute, hour, day of the month, month, day of the week (0 "
            'and 7 are Sunday), as cron(8) reads them, or "@monthly" and the like.'
        ),
    ]
    timezone: Annotated[
        Zone,
        key('"Europe/Malta"', "the name of a time zone"),
        Says("The time zone of the schedule and of the period."),
    ]
    period: Annotated[
        Annotated[str, AfterValidator(_period)],
        key('"last-month"', f"a period: {EXAMPLES}"),
        Says("The period of the report, as seen at its scheduled time: a late report is of the same period."),
    ]
    kind: Annotated[
        Literal["cancelled", "pending", "refunds", "decisions"],
        key('"cancelled"', KINDS),
        Says("The subject of the report, as `report` has it."),
    ] = "cancelled"
    format: Annotated[
        Literal["table", "csv", "json", "html", "xlsx", "parquet"],
        key('"csv"', FORMATS),
        Says("How the file is written, as `report` has it. Some formats need an extra."),
    ] = "csv"
    markets: Annotated[
        Words | None,
        list_of('["MT"]', "markets", at_least=1),
        Says("The markets that the report is about, as the view spells them.", default="all"),
    ] = None
    policies: Annotated[
        Words | None,
        list_of('["nightly"]', "policies", at_least=1),
        Says("The policies that the report is about.", default="all"),
    ] = None
    pseudonymise: Annotated[bool, key("false", SWITCH), Says("Whether users' ids are shown as keyed hashes.")] = False
    catch_up: Annotated[
        Duration | None,
        key('"3d"', DURATION),
        Says(
            "A time that passed while no `serve` was up still has its report within so long. Of several times with "
            "the same period, only the newest has one.",
            default="each period that was missed still has its report",
        ),
    ] = None
    directory: Annotated[
        Path | None,
        key('"/srv/reports"', "the path of a directory"),
        Says(
            "Where the file is put. It appears whole, under the name of report and period: mga-monthly-2026-10.csv.",
            default="no file is made, and `notify` is required",
        ),
    ] = None
    notify: Annotated[
        Words,
        list_of('["ops"]', "targets of notifications", validate_default=True),
        Says(
            "The targets that are notified of the finished report, besides of a failure, whichever `events` they have.",
            default="each target whose `events` have it",
        ),
    ] = ()

    @field_validator("directory")
    @classmethod
    def _can_be_a_file_s_name(cls, directory: Path | None, info: ValidationInfo) -> Path | None:
        name = str(info.data["name"])
        if directory is not None and (
            name.startswith(".") or any(sign in name for sign in "/\\") or len(name.encode()) > LONGEST_NAME
        ):
            raise ValueError(
                f"needs a report whose name can begin a file's name: without / and \\, no dot at its begin, and at most"
                f" {LONGEST_NAME} bytes; rename the table"
            )
        return directory

    @field_validator("notify")
    @classmethod
    def _goes_somewhere(cls, targets: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not targets and "directory" in info.data and info.data["directory"] is None:
            raise ValueError("missing, and so is directory; give one of the two, or both")
        return targets

    @property
    def times(self) -> CronSchedule:
        """The scheduled times."""
        return CronSchedule(self.schedule, self.timezone)

    @property
    def place(self) -> tuple[Path, str] | None:
        """The place of its files: two reports with the same place would replace each other's files."""
        if self.directory is None:
            return None
        return self.directory, unicodedata.normalize("NFC", self.name).casefold()

    def as_record(self) -> dict[str, Any]:
        """Return the report as the JSON in `reports.settings`."""
        return self.model_dump(mode="json")

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> ScheduledReport:
        """Read a report back from the ledger."""
        return cls.model_validate_json(json.dumps(record))
