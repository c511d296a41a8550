"""Writes the result of a command: JSON on stdout, or a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retention.errors import UsageError
from retention.process.streams import NO_SPACE, Stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from retention.render.output import Output


def print_json(document: Any) -> None:
    """Print a document: amounts as decimal strings, times as ISO 8601 in UTC."""
    from retention.render.json_file import to_json

    print(to_json(document))


def is_stdout(path: Path | None) -> bool:
    """Whether an output goes to stdout: a file that stdout is sent to is never replaced by its name."""
    return path is None or str(path) == "/dev/stdout"


def require_place(path: Path) -> None:
    """Raise UsageError where no file can be made: better now than after the report was read."""
    if is_stdout(path):
        return
    place = Path(os.path.realpath(path))
    try:
        fits = place.parent.is_dir() and not place.is_dir()
    except OSError:  # a name that is too long, for instance
        fits = False
    if not fits:
        raise UsageError(f"-o {path}: no place for a file; name a file in a folder that can be written to")


def require_folder(option: str, folder: Path) -> None:
    """Raise UsageError where there is no such folder."""
    try:
        there = folder.is_dir()
    except OSError:  # a name that is too long, for instance
        there = False
    if not there:
        raise UsageError(f"{option} {folder}: there is no such folder; make it, or give another one")


def require_parquet(what: str) -> None:
    """Raise UsageError where the extra for Parquet is not installed."""
    if find_spec("pyarrow") is None:
        raise UsageError(f"{what} needs the extra 'parquet'; install it with: pip install 'retention[parquet]'")


@contextmanager
def open_output(path: Path | None) -> Iterator[TextIO]:
    """Open stdout, or a file that appears only when it is complete. Raises UsageError."""
    with open_report(path) as output:
        yield output.text


@contextmanager
def open_report(path: Path | None) -> Iterator[Output]:
    """Open the place of a report in the same way. Raises UsageError."""
    from retention.render.output import Output, whole_file

    if is_stdout(path):
        binary = sys.stdout.binary() if isinstance(sys.stdout, Stream) else sys.stdout.buffer
        yield Output(sys.stdout, binary)
        binary.flush()
        return
    assert path is not None
    try:
        with whole_file(path) as output:
            yield output
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise UsageError(f"{path}: no program reads it; start its reader first, or name a file") from None
        full = "free some space there, or name another file"
        mend = full if error.errno in NO_SPACE else "name a file in a folder that can be written to"
        raise UsageError(f"{path}: {error.strerror}; {mend}") from None
