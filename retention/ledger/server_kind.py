"""The servers that the ledger works on: PostgreSQL, and no other server that speaks its protocol.

A claim needs PostgreSQL's own row locks. SKIP LOCKED passes over rows that others hold, READ COMMITTED looks at a row
again after a wait, and an advisory lock keeps others out. Another server may accept the same statements and lock
otherwise, and two processes would then cancel one round. So each connection is judged before its first statement, by
the server's parameters at login, and by `version()` in the statement that begins the session.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from retention.errors import UnsuitableServerError

if TYPE_CHECKING:
    from collections.abc import Callable

OLDEST_MAJOR, NEWEST_MAJOR = 14, 18
"""The oldest version that works, and the newest that the tests run on."""

ENCODINGS = {"UTF8", "SQL_ASCII"}
"""Encodings that hold every letter; a reply with another letter could not be written and would be lost."""

_MEND = f"name a PostgreSQL of version {OLDEST_MAJOR} to {NEWEST_MAJOR} in database.dsn"

GENUINE = "^PostgreSQL [^ ]+ ([(].*[)] )?on "
"""How version() begins on each build of PostgreSQL, those of clouds and distributors included; for SQL, too."""


class _OtherServer(NamedTuple):
    """A server that is not PostgreSQL: its mark in its parameters and its version(), and why no claim is safe there."""

    name: str
    mark: str
    reason: str


_OTHERS = (
    _OtherServer(
        "CockroachDB",
        "CockroachDB",
        "advisory locks may lock nothing there, and SKIP LOCKED may pass by a lock that READ COMMITTED takes",
    ),
    _OtherServer(
        "YugabyteDB",
        "-YB-",
        "SKIP LOCKED does not promise the same there: READ COMMITTED may be snapshot isolation, where a claim does not"
        " look at a row again",
    ),
    _OtherServer(
        "Amazon Redshift",
        "Redshift",
        "it comes from PostgreSQL 8: it has no SKIP LOCKED, and does not enforce a unique key",
    ),
    _OtherServer(
        "Aurora DSQL",
        "DSQL",
        "it has no triggers and no PL/pgSQL, and finds a conflict of two claims only at COMMIT",
    ),
    _OtherServer(
        "Greenplum", "Greenplum", "a claim there may lock the whole table, and a unique key needs the distribution key"
    ),
    *(
        _OtherServer(name, name, "it speaks PostgreSQL's protocol, and has no row locks of PostgreSQL's")
        for name in ("Materialize", "RisingWave", "QuestDB", "CrateDB", "openGauss", "GaussDB")
    ),
)

OTHERS = "|".join(other.mark for other in _OTHERS)
"""The marks of all servers that are not PostgreSQL, as a pattern for SQL."""

_PARAMETERS = {"crdb_version": "CockroachDB", "padb_version": "Redshift"}
"""Parameters that only one server reports, and its mark."""


def refuse_by_parameters(reported: Callable[[str], str | None], number: int) -> None:
    """Judge a server by its parameters at login; `number` as PostgreSQL's `server_version_num`.

    Raises UnsuitableServerError, which names the server, the reason and the mend.
    """
    version = reported("server_version") or "of an unknown version"
    for name, mark in _PARAMETERS.items():
        if own := reported(name):
            _refuse_other(mark, own)
    _refuse_other(version, version)
    if number < OLDEST_MAJOR * 10_000:
        raise UnsuitableServerError(f"PostgreSQL {version} is too old for the ledger; {_MEND}")


def refuse_by_version(text: str) -> None:
    """Judge a server by its version(). Raises UnsuitableServerError as `refuse_by_parameters` does."""
    _refuse_other(text, text)
    if not re.match(GENUINE, text):
        raise UnsuitableServerError(
            f"the server calls itself {_short(text)}, as Aurora DSQL does and PostgreSQL does not: the locks of a claim"
            f" are PostgreSQL's own; {_MEND}"
        )


def encoding_problem(encoding: str) -> str | None:
    """Why a database's encoding cannot hold the ledger; None where it can."""
    if encoding in ENCODINGS:
        return None
    return f"its encoding is {encoding}, and a vendor may use any letter; a database in UTF8 is needed"


def untested(number: int) -> bool:
    """Whether a PostgreSQL is newer than the tests; `number` is its `server_version_num`."""
    return number // 10_000 > NEWEST_MAJOR


def _refuse_other(words: str, version: str) -> None:
    for other in _OTHERS:
        if other.mark in words:
            raise UnsuitableServerError(
                f"the server is {other.name} ({_short(version)}), not PostgreSQL: {other.reason}; {_MEND}"
            )


def _short(text: str) -> str:
    """The first words of a version, without the compiler that it was built with."""
    return text.partition(" on ")[0].partition(", compiled")[0][:80]
