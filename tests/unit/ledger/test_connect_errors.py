"""Refused connections: libpq's text leads to one mend."""

from __future__ import annotations

import pytest

from retention.ledger.connect_errors import connect_mend

AT = 'connection failed: connection to server at "10.0.0.5", port 5432 failed: '
HBA = 'FATAL:  no pg_hba.conf entry for host "10.0.0.9", user "job", database "operator", '


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        (f'{AT}FATAL:  password authentication failed for user "job"', r"psql's \password job sets another"),
        (f"{AT}fe_sendauth: no password supplied", "add it to database.dsn"),
        (f'{AT}FATAL:  role "job" does not exist', "whose roles.sql makes retention_job"),
        (f'{AT}FATAL:  role "job" is not permitted to log in', 'ALTER ROLE "job" LOGIN'),
        (f'{AT}FATAL:  database "x" does not exist', "`psql -l` lists them"),
        (f'{AT}FATAL:  permission denied for database "x"', 'GRANT CONNECT ON DATABASE "x"'),
        (f"{AT}{HBA}no encryption", "add sslmode=require to database.dsn"),
        (f"{AT}{HBA}SSL encryption\n{AT}{HBA}no encryption", "hostssl operator job 10.0.0.9/32"),
        (f"{AT}server does not support SSL, but SSL was required", "ssl = on"),
        (f'{AT}root certificate file "/r.crt" does not exist', "sslrootcert"),
        (f"{AT}SSL error: certificate verify failed", "name the server as its certificate does"),
        (f"{AT}FATAL:  sorry, too many clients already", "raise max_connections"),
        (f'{AT}FATAL:  too many connections for role "job"', 'ALTER ROLE "job" CONNECTION LIMIT -1'),
        (f"{AT}FATAL:  the database system is starting up", "try again shortly"),
        (f"{AT}Connection refused\n\tIs the server running?", "listen_addresses"),
        ("failed to resolve host 'db': [Errno -2] Name or service not known", "correct the host in database.dsn"),
        (f"{AT}timeout expired", "have the firewall let this machine through"),
        ('connection is bad: connection to server on socket "/x/.s.PGSQL.5432" failed: No such file', "host=HOST"),
        (f'{AT}FATAL:  Peer authentication failed for user "job"', "wants the system's user job"),
        (f"{AT}FATAL:  etwas anderes", "`psql` with the same address says more"),
    ],
)
def test_each_refusal_has_its_mend(text: str, mend: str) -> None:
    """Each text of libpq or the server leads to its own mend, and an unknown one to the general mend."""
    assert mend in connect_mend(text)
