"""The rules for values. Each refusal names the problem and its mend, and contains no secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from retention.core.invisible_text import is_blank
from retention.core.notifications.signature import signing_key
from retention.core.planning.rails import is_currency
from retention.core.schedule.cron import fields_of, zone_of
from retention.core.toml_text import toml_text
from retention.settings.durations import parse_duration
from retention.settings.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention.settings.secret import Check

SHORTEST_KEY = 24
"""Bytes: with fewer, a key could be guessed."""

_MONEY = re.compile(r"[0-9]{1,20}(\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True)
class TextOf:
    """A check that limits a value to the length in the vendor's documentation. It can be sent to another process."""

    limit: int

    def __call__(self, value: str) -> None:
        """Raise ValueError for a value that is no such text."""
        if value != value.strip() or not value.isprintable():
            raise ValueError("has blanks around it or control characters in it; write it exactly as the vendor gave it")
        if not value:
            raise ValueError("is empty; write what the vendor gave you")
        if len(value) > self.limit:
            raise ValueError(
                f"is longer than the vendor's {self.limit} characters; write it exactly as the vendor gave it"
            )


def check_url(value: str, sends: str = "the token") -> None:
    """Accept an https address of host, port and path alone."""
    if re.search(r"[\s\\]", value) or not value.isprintable():
        raise ValueError("has blanks, backslashes or control characters in it; write the plain address, https://...")
    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or url.scheme not in {"http", "https"}:
        raise ValueError("is not the address of a web service; write https://HOST or https://HOST/PATH")
    if url.scheme == "http" and not _is_loopback(host):
        raise ValueError(
            f"would send {sends} unencrypted; write https:// (http:// is for 127.0.0.1, ::1 and localhost)"
        )
    if "@" in url.netloc:
        raise ValueError("has a user or a password in it; write https://HOST/PATH alone")
    if "?" in value or "#" in value:
        raise ValueError("has a query or a fragment; end it before the ? or #")


def check_webhook(value: str) -> None:
    """Accept an https address. Unlike the vendor's it may have a query, as addresses of chat services do."""
    if re.search(r"[\s\\#]", value) or not value.isprintable():
        raise ValueError("has blanks, backslashes, # or control characters in it; write the plain address, https://...")
    check_url(value.partition("?")[0], "what it tells")


def check_signing_key(value: str) -> None:
    """Accept a key that is too long to be guessed; `whsec_` precedes base64 (standardwebhooks.com)."""
    if value != value.strip() or not value.isprintable():
        raise ValueError("has blanks around it or control characters in it; write it exactly as it was given")
    try:
        key = signing_key(value)
    except ValueError:
        raise ValueError("begins with whsec_, but goes on with no base64; write it exactly as it was given") from None
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"is shorter than {SHORTEST_KEY} bytes; take what `openssl rand -hex 32` prints")


def check_apprise(value: str) -> None:
    """Accept an address in the form of apprise. The first notification shows whether apprise knows the service."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", value) or not value.isprintable():
        raise ValueError("is no address of apprise's; write SERVICE://..., such as mailtos://user:password@example.com")


def schedule(value: str) -> str:
    """Accept a schedule that cron(8) reads."""
    fields_of(value)
    return value


def timezone(value: str) -> str:
    """Accept a zone of the IANA database."""
    zone_of(value)
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_dsn(value: str) -> None:
    """Accept a DSN that libpq understands, without connecting."""
    if not value.strip():
        raise ValueError("is empty; leave it out to use libpq's own environment (PGHOST, PGSERVICE ...)")
    if not value.isprintable():
        raise ValueError("has control characters or line ends in it; write postgresql://USER@HOST/DATABASE")
    passwords_in(value)


@lru_cache(maxsize=4)
def passwords_in(dsn: str) -> tuple[str, ...]:
    """Find the passwords that a URL or key=value DSN carries, decoded as libpq decodes them."""
    from psycopg import ProgrammingError  # noqa: PLC0415 - only a configuration with a DSN pays for the import
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        parts = conninfo_to_dict(dsn)
    except ProgrammingError:  # its text repeats pieces of the DSN
        parts = None
    if parts is None:
        raise ValueError(
            "is not understood by libpq; write postgresql://USER@HOST/DATABASE or host=HOST dbname=DATABASE"
        )
    return tuple(str(parts[key]) for key in ("password", "sslpassword") if parts.get(key))


def secret(check: Check) -> Callable[[object], Secret]:
    """Read a secret from a literal, or from the file that a path names."""

    def read(value: object) -> Secret:
        match value:
            case Secret():
                return value
            case str() | Path():
                return Secret(value, check)
            case _:
                raise ValueError("is not a string; write it in quotes")

    return read


def duration(value: object) -> timedelta:
    """Read a duration. A bare number has no unit and is refused."""
    return value if isinstance(value, timedelta) else parse_duration(toml_text(value, bare=True))


def duration_or_none(value: object) -> timedelta:
    """Read a duration, which may be 0s."""
    return value if isinstance(value, timedelta) else parse_duration(toml_text(value, bare=True), or_none=True)


def money(value: object) -> Decimal:
    """Read an amount, exact as written."""
    match value:
        case float():
            raise ValueError(
                'is a TOML float; write it as a string, such as "50000.00", since money never passes through a float'
            )
        case bool():
            text = ""
        case _:
            text = str(value)
    if not _MONEY.fullmatch(text):
        raise ValueError('is no amount; write a string of digits, such as "50000" or "50000.00"')
    return Decimal(text)


def words(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept names of the operator or the vendor unchanged, if each has a visible character."""
    if any(map(is_blank, value)):
        raise ValueError("has a blank name in it, which would match nothing; write the name, or take it out")
    if any("\0" in word for word in value):
        raise ValueError("has a name with a NUL character in it, which no database has; write the name alone")
    return value


def currency(value: str) -> str:
    """Accept a code of ISO 4217. Another code matches no stake, so its limit would limit nothing."""
    if is_currency(value):
        return value
    code = value.strip().upper()
    mend = f"write {code}" if is_currency(code) else "write three capital letters, such as EUR"
    raise ValueError(f"is no currency code of ISO 4217; {mend}")


def name(value: str) -> str:
    """Accept a name that can be seen and typed."""
    if is_blank(value) or value != value.strip() or not value.isprintable():
        raise ValueError("is no name; write one without control characters, and without blanks around it")
    return value
