"""Everything that can go wrong and has a name, split by whose fault it is. A docstring is the default message."""

from __future__ import annotations

from typing import ClassVar


class RetentionError(Exception):
    """Something went wrong in retention itself."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UsageError(RetentionError):
    """That cannot be asked for."""

    exit_code = 2


class ConfigurationError(UsageError):
    """The configuration cannot be used."""


class UnprintedError(RetentionError):
    """What was to be printed cannot be."""

    exit_code = 2


class SchemaError(RetentionError):
    """The database is not as it has to be: a migration, an object of the contract or a privilege is missing."""

    exit_code = 2


class ViewError(SchemaError):
    """The operator's view cannot be read."""


class ClockError(SchemaError):
    """The database's clock cannot be relied on."""


class DatabaseUnreachableError(RetentionError):
    """The database cannot be reached."""

    exit_code = 5


class LostRunError(RetentionError):
    """The ledger does not have the run any more."""

    exit_code = 5


class VendorUnreachableError(RetentionError):
    """The vendor cannot be reached."""

    exit_code = 5
