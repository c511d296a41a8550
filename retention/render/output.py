"""The places that a result is written to: a stream, or a file that appears whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNFINISHED = ".unfinished"
"""The ending of a file that is being written; a process that was killed leaves it behind."""

KNOWN_BYTES = 200
"""The bytes of a file's name that its unfinished file has in its own; a name has at most 255."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where a report goes. `text` leaves line ends unchanged; a binary format writes to `binary` alone.

    `beside(suffix)` opens a second file for rows that the format leaves out: the report's name with that ending. It
    returns the file and its name. It appears together with the report. None: there is no place for a second file.
    `folder`: of the report's file, for temporary files of a format; None: the system's own.
    """

    text: TextIO
    binary: BinaryIO
    beside: Callable[[str], tuple[TextIO, str]] | None = None
    folder: Path | None = None


@contextmanager
def whole_file(path: Path) -> Iterator[Output]:
    """Open a file that appears only when it is complete. Raises OSError.

    A new file is readable by its owner alone; a replaced file keeps its mode. A device or a pipe cannot be replaced,
    so it is written as it is.
    """
    place = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        # Without O_NONBLOCK the open of a pipe that no program reads would wait, and no signal would end it.
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        os.set_blocking(handle, True)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as device:
            yield Output(device, cast("BinaryIO", device.buffer))
        return
    with ExitStack() as stack:
        finished: list[tuple[TextIO, Path, Path]] = []

        def start(target: Path) -> TextIO:
            # An unpredictable name, so that no other user can have put a link there, and no longer than a name may be.
            known = os.fsencode(target.name)[:KNOWN_BYTES].decode(errors="ignore")
            handle, name = tempfile.mkstemp(prefix=f".{known}.", suffix=UNFINISHED, dir=target.parent)
            stack.callback(Path(name).unlink, missing_ok=True)
            file: TextIO = stack.enter_context(os.fdopen(handle, "w", encoding="utf-8", newline=""))
            if target.exists():
                os.fchmod(handle, stat.S_IMODE(target.stat().st_mode))
            finished.append((file, Path(name), target))
            return file

        def beside(suffix: str) -> tuple[TextIO, str]:
            target = place.with_name(f"{place.stem}{suffix}")
            return start(target), target.name

        report = start(place)
        yield Output(report, report.buffer, beside, place.parent)
        for written, _, _ in finished:
            written.close()
        for _, unfinished, target in reversed(finished):  # the report comes last: the file that it names is there
            unfinished.replace(target)
