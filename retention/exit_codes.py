"""The exit codes of all commands with their meanings. Errors, signals, commands and documents read them here."""

from __future__ import annotations

import enum
from typing import Self


class ExitCode(enum.IntEnum):
    """The exit code of a command; `meaning` is its line in the documents."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """Make a member whose value is the code alone."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "done, and nothing needs a person"
    BUG = 1, "a bug"
    USAGE = 2, "usage, configuration, or a database that is not as it has to be"
    HALTED = 3, "halted by a rail, or paused"
    REVIEW = 4, "finished, but something needs review"
    UNREACHABLE = 5, "database or vendor unreachable"
    AWAITING_APPROVAL = 6, "awaiting approval"
    SIGINT = 130, "stopped by SIGINT, after settling what was in flight"
    SIGTERM = 143, "stopped by SIGTERM, after settling what was in flight"
