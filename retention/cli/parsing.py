"""Reads values from the text of the command line: moments, durations, run ids, hosts and names."""

from __future__ import annotations

import getpass
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from retention.core.invisible_text import is_blank, strip_invisible
from retention.core.runs.run_ids import GivenRunId, parse_run_id
from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

LATEST = datetime(9999, 12, 31, tzinfo=UTC)
"""A later moment is in the year 10000 in some time zones, so a database in such a zone could not return it."""

LONGEST_TEXT = 2000
"""Characters of one value on the command line; a longer one is a mistake of quoting."""

Period = tuple[datetime | None, datetime | None]
"""Two moments in UTC: at or after the first, before the second; None is no limit."""

_TIME_FORM = re.compile(r"[0-9W-]+([Tt ]|$)")
_PORT = re.compile("[0-9]{1,5}")
_HIGHEST_PORT = 65_535


def refuse_unreadable_texts(context: typer.Context) -> None:
    """Raise UsageError for a value of the command that is blank, too long or not UTF-8.

    Called once for all options of each command, before any connection. A blank filter would match everything, and a
    blank name identifies no person. A text above LONGEST_TEXT characters breaks tables, logs and indexes.
    """
    for name, text in _texts(context):
        if not _is_utf8(text):
            raise UsageError(f"{name} is not UTF-8; write it in that encoding")
        if is_blank(text):
            raise UsageError(f"{name} must not be blank: write what can be read, or leave it out where it may be")
        if len(text) > LONGEST_TEXT:
            raise UsageError(f"{name} has {len(text)} characters; write at most {LONGEST_TEXT}")


def duration(option: str, text: str) -> timedelta:
    """Read a duration such as 90s or 72h. Raises UsageError."""
    from retention.settings.durations import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None


def moment(option: str, text: str) -> datetime:
    """Read ISO 8601; a date alone means its first moment, and UTC where no offset is given. Raises UsageError."""
    try:
        found = datetime.fromisoformat(text) if _TIME_FORM.match(text) else None
    except ValueError:
        found = None
    if found is None:
        raise UsageError(f"{option} {text!r}: not a time; write 2026-01-31, 2026-01-31T22:00 or 2026-01-31T22:00+01:00")
    try:
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:  # in UTC it is in the year 0 or 10000
        found = None
    if found is None or found > LATEST:
        raise UsageError(
            f"{option} {text!r}: outside of the years 1 to 9999 in UTC; write a time up to {LATEST:%Y-%m-%d},"
            " or leave it out"
        )
    return found


def period(from_: str | None, to: str | None) -> Period:
    """Read the times of `--from` and `--to`, None where there is none. Raises UsageError."""
    start = moment("--from", from_) if from_ is not None else None
    end = moment("--to", to) if to is not None else None
    if start and end and start >= end:
        raise UsageError("--from must be before --to")
    return start, end


def typed_run_id(text: str | GivenRunId) -> GivenRunId:
    """Read a run id or its first digits. Raises BadParameter."""
    if isinstance(text, GivenRunId):
        return text
    if is_blank(text):
        raise typer.BadParameter("must not be blank: write a run id, as `retention runs list` shows them")
    try:
        return parse_run_id(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def typed_folder(text: str | Path) -> Path:
    """Read the name of a folder; a blank one would be the present folder. Raises BadParameter."""
    if isinstance(text, str) and is_blank(text):
        raise typer.BadParameter("must not be blank: write the name of a folder, or . for the present one")
    return Path(text)


def http_address(option: str, text: str) -> tuple[str, int]:
    """Read HOST:PORT; an IPv6 address may stand in brackets, and port 0 means any free one. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    if not colon or not _PORT.fullmatch(port) or int(port) > _HIGHEST_PORT or not bare or set("[] ") & {*bare}:
        raise UsageError(f"{option} {text!r}: no address; write HOST:PORT, such as 127.0.0.1:8901 or [::1]:8901")
    require_host(option, bare)
    return bare, int(port)


def require_host(option: str, host: str) -> None:
    """Raise UsageError for a text that is neither the name nor the address of a host."""
    try:
        host.encode("idna")
    except UnicodeError:
        host = ""
    if is_blank(host):
        raise UsageError(f"{option}: no name or address of a host; write one such as 127.0.0.1 or ::1")


def requester(given: str | None) -> str:
    """Name the person who asks: the given name without outer blanks, else the login of the operating system."""
    if given is not None:
        return strip_invisible(given)
    try:
        found = strip_invisible(getpass.getuser())
    except (KeyError, OSError):  # a container's user may have no name
        found = ""
    return f"uid {os.getuid()}" if is_blank(found) else found


def _texts(context: typer.Context) -> Iterator[tuple[str, str]]:
    """Find each text of the command line, with the name of its option or argument."""
    for param in context.command.params:
        value = context.params.get(param.name or "")
        longest = max(param.opts, key=len)
        name = longest if longest.startswith("-") else param.metavar or longest.upper()
        for text in value if isinstance(value, list | tuple) else (value,):
            if isinstance(text, str):
                yield name, text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of the command line that could not be decoded
        return False
    return True
