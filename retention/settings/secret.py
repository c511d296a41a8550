"""A value that is used and never shown."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

Check = Callable[[str], None]  # raises ValueError, in words that do not hold the value

_LARGEST = 65_536


class Secret:
    """A literal, or the content of a file that is read again whenever it has changed.

    What has once been good is replaced by something good only: while the file is missing, unreadable or refused by
    the check, the last good value goes on being used, and `problem` says why. `revision` counts the values.
    """

    __slots__ = ("_check", "_path", "_value", "_version", "problem", "revision")

    def __init__(self, source: str | Path, check: Check) -> None:
        """Take a literal or read a file now; ValueError says what is wrong with it."""
        self._check = check
        self._path = source if isinstance(source, Path) else None
        self._version: tuple[int, int, int] | None = None
        self._value = source if isinstance(source, str) else ""
        self.revision = 0
        self.problem: str | None = None
        if self._path:
            self._refresh(self._path)
        else:
            check(self._value)

    def reveal(self) -> str:
        """Return the value of this moment, for one stat(2) while the file stays as it is."""
        if self._path:
            try:
                self._refresh(self._path)
            except ValueError as error:
                self._version, self.problem = None, str(error)
        return self._value

    def _refresh(self, path: Path) -> None:
        version = _version(path)  # before reading: what is written in between is then seen the next time
        if version != self._version:
            value = _read(path)
            self._check(value)
            self._value, self._version, self.problem = value, version, None
            self.revision += 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reveal() == other.reveal()

    __hash__ = None  # type: ignore[assignment]  # what it equals changes with the file

    def __repr__(self) -> str:
        return f"Secret({self._path or '...'})"


def _version(path: Path) -> tuple[int, int, int]:
    """Tell one content of the file from the next. Links are followed: a swapped link leads to another inode."""
    try:
        status = path.stat()
    except OSError as error:
        raise ValueError(_unreadable(path, error)) from None
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a regular file; name the file that holds the value")
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ValueError(_unreadable(path, error)) from None
    if len(content) > _LARGEST:
        raise ValueError(f"{path} is larger than {_LARGEST} bytes; name a file that holds the value alone")
    try:
        value = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text; write the value into it as plain text") from None
    if not value:
        raise ValueError(f"{path} is empty; write the value into it")
    return value


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path} cannot be read ({error.strerror}); name a file that this process may read"
