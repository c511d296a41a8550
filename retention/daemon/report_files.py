"""The files of a report that `serve` makes: written under hidden names, and renamed when the ledger has the report.

A hidden name has the report's id and the number of the try. So the next maker knows the files of a dead one, and a
maker that has lost its report touches no other's.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from retention.render.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO
    from uuid import UUID

FILE_MODE = 0o640
"""The group may read a new file, because other people fetch it; the process's umask may take that away."""


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """The files of one try: `name` is the report's own, and the others have its stem."""

    directory: Path
    name: str
    report_id: UUID
    tries: int
    targets: list[str] = field(default_factory=list)

    def hidden(self, target: str) -> Path:
        """Return the path of a file before it is renamed."""
        return self.directory / f".{target}.{self.report_id}.{self.tries}"

    @contextmanager
    def writing(self) -> Iterator[Output]:
        """Open the report's file, and others on demand; all are on the disk when the block ends. Raises OSError.

        A format's temporary files have a hidden folder, so that a later try finds those of a killed one.
        """
        opened: list[TextIO] = []

        def start(target: str) -> TextIO:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            file = os.fdopen(os.open(self.hidden(target), flags, FILE_MODE), "w", encoding="utf-8", newline="")
            opened.append(file)
            self.targets.append(target)
            return file

        def beside(suffix: str) -> tuple[TextIO, str]:
            target = f"{Path(self.name).stem}{suffix}"
            return start(target), target

        folder = self.hidden("parts")
        try:
            report = start(self.name)
            folder.mkdir(mode=0o700)
            yield Output(report, report.buffer, beside, folder)
            for file in opened:
                file.flush()
                os.fsync(file.fileno())
        finally:
            for file in opened:
                with suppress(OSError):  # a full disk has been told already
                    file.close()
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self) -> None:
        """Rename the files; a replaced file's mode stays. The report comes last: a file that it names is there.

        Raises OSError: for a name that a directory has, before any file is renamed.
        """
        for target in self.targets:
            if (self.directory / target).is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self.directory / target))
        for target in reversed(self.targets):
            hidden, shown = self.hidden(target), self.directory / target
            with suppress(FileNotFoundError):
                hidden.chmod(stat.S_IMODE(shown.stat().st_mode))
            hidden.replace(shown)
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self, *, earlier: bool = False) -> None:
        """Remove the hidden files of this try; with `earlier`, those of earlier tries too."""
        with suppress(OSError):
            for path in self.directory.iterdir():
                name, _, tries = path.name.rpartition(".")
                if name.startswith(".") and name.endswith(f".{self.report_id}") and tries.isdecimal():
                    of_earlier = earlier and int(tries) <= self.tries
                    if of_earlier or int(tries) == self.tries:
                        _remove(path)


def _remove(path: Path) -> None:
    """Remove a file, or the folder of a format's temporary files."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
