"""Writes the result of a command: JSON on stdout, or a file that appears whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retention.errors import UsageError
from retention.process.streams import NO_SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


def print_json(document: Any) -> None:
    """Print a document: amounts as decimal strings, times as ISO 8601 in UTC."""
    from retention.render.json_file import to_json

    print(to_json(document))


def require_place(path: Path) -> None:
    """Raise UsageError where no file can be made: better now than after the report was read."""
    place = Path(os.path.realpath(path))
    try:
        fits = place.parent.is_dir() and not place.is_dir()
    except OSError:  # a name that is too long, for instance
        fits = False
    if not fits:
        raise UsageError(f"-o {path}: no place for a file; name a file in a folder that can be written to")


@contextmanager
def open_output(path: Path | None) -> Iterator[TextIO]:
    """Open stdout, or a file that appears only when it is complete. Raises UsageError.

    A new file is readable by its owner alone; a replaced file keeps its mode.
    """
    import tempfile

    if path is None:
        yield sys.stdout
        return
    place, beside = Path(os.path.realpath(path)), None
    try:
        if place.exists() and not place.is_file():  # a device or a pipe cannot be replaced
            with path.open("w", encoding="utf-8", newline="") as file:
                yield file
            return
        # An unpredictable name, so that no other user can have put a link there.
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        beside = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            if place.exists():
                os.fchmod(handle, stat.S_IMODE(place.stat().st_mode))
            yield file
        beside.replace(place)
    except OSError as error:
        full = "free some space there, or name another file"
        mend = full if error.errno in NO_SPACE else "name a file in a folder that can be written to"
        raise UsageError(f"{path}: {error.strerror}; {mend}") from None
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)
