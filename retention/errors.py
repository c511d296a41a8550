"""The errors of retention. Each has an exit code, and its docstring is the default message."""

from __future__ import annotations

from typing import ClassVar

from retention.exit_codes import ExitCode


class RetentionError(Exception):
    """Something went wrong in retention itself."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UsageError(RetentionError):
    """The command line or the configuration cannot be used."""

    exit_code = ExitCode.USAGE


class ConfigurationError(UsageError):
    """The configuration cannot be used."""


class UnsuitableServerError(ConfigurationError):
    """The server is not a PostgreSQL on which the ledger works."""


class UnprintedError(RetentionError):
    """The output cannot be printed."""

    exit_code = ExitCode.USAGE


class SchemaError(RetentionError):
    """The database is not as it has to be: a migration, an object of the contract or a privilege is missing."""

    exit_code = ExitCode.USAGE


class ViewError(SchemaError):
    """The operator's view cannot be read."""


class ClockError(SchemaError):
    """The database's clock cannot be relied on."""


class DatabaseUnreachableError(RetentionError):
    """The database cannot be reached."""

    exit_code = ExitCode.UNREACHABLE


class LostRunError(RetentionError):
    """The ledger does not have the run any more."""

    exit_code = ExitCode.UNREACHABLE
