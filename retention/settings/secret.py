"""A secret value, which may stand in a file that changes, and is never shown.

A secret's file is read again when it changes, once its content stands still: half a token would halt a run.
"""

from __future__ import annotations

import math
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Check = Callable[[str], None]  # raises ValueError; its text does not contain the value

SETTLED_S = 0.3
"""Seconds without a change before a changed file is read: it may be half written."""

OLD_S = 2.0
"""Seconds since the last change, by the host's clock, after which a changed file is read at once."""

_LARGEST = 65_536


class Version(NamedTuple):
    """The marks of a file's content; they differ from those of the next content. A swapped link has another inode."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int


class Secret:
    """A literal, or the content of a file that is read again whenever it has changed.

    A valid value is only ever replaced by another valid value. While the file is missing, unreadable or refused by the
    check, the last valid value stays in use, and `problem` names the reason. The same holds while the file is being
    written. `revision` counts the values; `changed_at`, on the monotonic clock, is the last seen change of the file.
    """

    __slots__ = ("_check", "_clock", "_path", "_seen", "_value", "_version", "changed_at", "problem", "revision")

    def __init__(self, source: str | Path, check: Check, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a literal, or read a file now. ValueError names the problem."""
        self._check = check
        self._clock = clock
        self._path = source if isinstance(source, Path) else None
        self._version: Version | None = None
        self._seen: tuple[Version | None, float] | None = None
        self._value = source if isinstance(source, str) else ""
        self.revision = 0
        self.changed_at = -math.inf
        self.problem: str | None = None
        if self._path:
            version = _version(self._path)
            self._take(self._path, version)
            self.changed_at = clock() - max(0.0, _age(version))
        else:
            check(self._value)

    def reveal(self) -> str:
        """Return the current value. An unchanged file costs one stat(2)."""
        if self._path:
            try:
                self._refresh(self._path)
            except ValueError as error:
                self._version, self.problem = None, str(error)
        return self._value

    def _refresh(self, path: Path) -> None:
        try:
            version = _version(path)
        except ValueError:
            self._note(None)
            raise
        if version == self._version:
            return
        since = self._note(version)
        if self._clock() - since >= SETTLED_S or _age(version) >= OLD_S:
            self._take(path, version)

    def _note(self, version: Version | None) -> float:
        """Return the moment at which this version of the file was first seen."""
        if self._seen is None or self._seen[0] != version:
            now = self._clock()
            self._seen = (version, now)
            self.changed_at = now
        return self._seen[1]

    def _take(self, path: Path, version: Version) -> None:
        """Use the file's content. `version` is older than the read, so a write meanwhile is still seen as a change."""
        value = _read(path)
        self._check(value)
        self.revision += value != self._value
        self._value, self._version, self.problem = value, version, None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reveal() == other.reveal()

    __hash__ = None  # type: ignore[assignment]  # equality changes with the file

    def __repr__(self) -> str:
        return f"Secret({self._path or '...'})"


def _age(version: Version) -> float:
    """Seconds since the file's last change, if the clocks of host and file system agree."""
    return time.time() - version.changed_ns / 1e9


def _version(path: Path) -> Version:
    """Return the file's version. Links are followed."""
    try:
        status = path.stat()
    except OSError as error:
        raise ValueError(_unreadable(path, error)) from None
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path} is not a regular file; name the file that holds the value")
    return Version(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


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
