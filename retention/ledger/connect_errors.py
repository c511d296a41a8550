"""The mends for a database that lets no connection in.

libpq gives no SQLSTATE for a refused login, so the server's text decides. A server with messages in another language
gets the general mend. The whole text counts: with TLS preferred, libpq tries twice, and the second line may say more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from retention.ledger.database_errors import QUERY_CANCELED, first_line

if TYPE_CHECKING:
    import psycopg


class _Mend(NamedTuple):
    """A part of the text, and its mend, which may use the groups of the part."""

    part: re.Pattern[str]
    mend: str


def _mend(part: str, mend: str) -> _Mend:
    return _Mend(re.compile(part, re.IGNORECASE), mend)


_ANY_MEND = "look at host, port, user, database and TLS in database.dsn: `psql` with the same address says more"

_RIGHT_LOGIN = (
    "write that role's password into database.dsn, or into PGPASSWORD or ~/.pgpass; as the database's owner,"
    " psql's \\password {0} sets another"
)

_MENDS = (
    _mend(r'password authentication failed for user "(.*?)"', _RIGHT_LOGIN),
    _mend(
        r"no password supplied",
        "the server asks for a password: add it to database.dsn (or dsn_file), or to PGPASSWORD or ~/.pgpass",
    ),
    _mend(
        r'role "(.*?)" does not exist',
        "name a role of this server in database.dsn, or make it: `retention db migrate`, then `retention db sample"
        " --table SCHEMA.TABLE -o DIR`, whose roles.sql makes retention_job",
    ),
    _mend(r'role "(.*?)" is not permitted to log in', 'as the database\'s owner: ALTER ROLE "{0}" LOGIN'),
    _mend(r'database "(.*?)" does not exist', "name the operator's database in database.dsn; `psql -l` lists them"),
    _mend(r'permission denied for database "(.*?)"', 'as its owner: GRANT CONNECT ON DATABASE "{0}" TO this role'),
    _mend(
        r'no pg_hba\.conf entry for host "(?P<host>.*?)", user "(?P<user>.*?)", database "(?P<database>.*?)", '
        r"(?:SSL encryption|GSS encryption)",
        "add to the server's pg_hba.conf: hostssl {database} {user} {host}/32 scram-sha-256; then SELECT"
        " pg_reload_conf()",
    ),
    _mend(
        r'no pg_hba\.conf entry for host "(?P<host>.*?)", user "(?P<user>.*?)", database "(?P<database>.*?)"',
        "it may want TLS: add sslmode=require to database.dsn; else add to its pg_hba.conf: host {database} {user}"
        " {host}/32 scram-sha-256; then SELECT pg_reload_conf()",
    ),
    _mend(
        r"pg_hba\.conf (?:entry|rejects)",
        "allow this role, database and address in the server's pg_hba.conf; then SELECT pg_reload_conf()",
    ),
    _mend(
        r'(?:peer|ident) authentication failed for user "(.*?)"',
        "the server wants the system's user {0}: run as that user, or write host=localhost and a password into"
        " database.dsn",
    ),
    _mend(
        r"server does not support SSL",
        "switch TLS on at the server (ssl = on), or take sslmode out of database.dsn where the network is safe",
    ),
    _mend(
        r'root certificate file "(.*?)" does not exist',
        "put the authority's certificate there, or name its file as sslrootcert in database.dsn",
    ),
    _mend(
        r"certificate verify failed|does not match host name",
        "name the server as its certificate does, and the authority's file as sslrootcert, in database.dsn",
    ),
    _mend(
        r'too many connections for role "(.*?)"',
        'as the database\'s owner: ALTER ROLE "{0}" CONNECTION LIMIT -1, or close other connections',
    ),
    _mend(
        r'too many connections for database "(.*?)"',
        'as its owner: ALTER DATABASE "{0}" CONNECTION LIMIT -1, or close other connections',
    ),
    _mend(
        r"too many (?:clients|connections)|remaining connection slots",
        "close connections that nobody needs (pg_stat_activity lists them), raise max_connections, or connect by a"
        " pooler",
    ),
    _mend(
        r"the database system is (?:starting up|shutting down|in recovery mode|not yet accepting)", "try again shortly"
    ),
    _mend(
        r"failed to resolve host|could not translate host name",
        "correct the host in database.dsn, or this machine's DNS",
    ),
    _mend(
        r"connection refused",
        "start the server, or correct host and port in database.dsn; listen_addresses has to include that address",
    ),
    _mend(
        r"timeout expired|timed out|no route to host|network is unreachable",
        "correct host and port in database.dsn, or have the firewall let this machine through",
    ),
    _mend(
        r"no such file",
        "no server listens at that socket: start it, or name host=HOST in database.dsn",
    ),
)


def describe_connect_error(error: psycopg.Error, key: str = "database.dsn") -> str:
    """Describe why no connection can be opened, and its mend. `key`: the configuration's key of the connection."""
    words = first_line(error)
    if error.sqlstate == QUERY_CANCELED:
        return f"its statement_timeout is too short for any statement ({words}); mend: ALTER ROLE"
    return f"{words}; {connect_mend(str(error)).replace('database.dsn', key)}"


def connect_mend(text: str) -> str:
    """Name the mend for libpq's text of a connection that was refused."""
    for part, mend in _MENDS:
        if found := part.search(text):
            return mend.format(*found.groups(), **found.groupdict())
    return _ANY_MEND
