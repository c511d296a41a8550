r"""The migrations as a script for psql, for a DBA who lets no program change a schema.

Each migration stands behind psql's `\if`: applied ones are skipped, so the script may run twice, and beside
`retention db migrate`, which takes the same lock. It ends as `db migrate` does, with the same rows in
`schema_migrations`.
"""

from __future__ import annotations

from retention.ledger.migrations import LOCK, LOCK_TIMEOUT, TABLE, migrations
from retention.ledger.queries import query
from retention.ledger.server_kind import GENUINE, OLDEST_MAJOR, OTHERS

_HEAD = """\
-- The schema `retention` of this version. Run it as its owner, with CREATE on the database:
--
--     psql -X -v ON_ERROR_STOP=1 -f FILE DATABASE
--
-- Pending migrations are applied in one transaction, or none is. What is applied already is skipped.

\\set ON_ERROR_STOP on
\\set QUIET on
-- One message: no limit of the role or the database applies to it.
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE \\;
SET LOCAL statement_timeout = 0 \\;
{settings} \\g /dev/null

-- A claim needs PostgreSQL's own locks: no other server with its protocol will do.
SELECT version() AS server, current_setting('server_version_num') AS server_number \\gset
SELECT :'server' !~ '{genuine}' OR :'server' ~ '{others}' OR :server_number < {oldest}0000 AS unsuitable \\gset
\\if :unsuitable
DO $guard$
BEGIN
    RAISE EXCEPTION 'the server is not a PostgreSQL of version {oldest} or newer, whose locks a claim needs';
END
$guard$;
\\endif

SELECT pg_advisory_xact_lock({lock}) \\g /dev/null
SET LOCAL lock_timeout = '{timeout}'; -- claims queue behind a lock that waits; run it again where it gives up
CREATE SCHEMA IF NOT EXISTS retention;
{table};

-- Neither a newer schema nor migrations with another text are touched.
DO $guard$
DECLARE
    stranger text;
BEGIN
    SELECT format('%s (%s)', m.number, m.name) INTO stranger
    FROM retention.schema_migrations m
    WHERE (m.number, m.checksum) NOT IN (VALUES
{known})
    ORDER BY m.number
    LIMIT 1;
    IF stranger IS NOT NULL THEN
        RAISE EXCEPTION 'migration % is applied, and this version does not know it: take the one that applied it',
            stranger;
    END IF;
END
$guard$;
"""

_ONE = """
SELECT NOT EXISTS (SELECT FROM retention.schema_migrations WHERE number = {number}) AS {flag} \\gset
\\if :{flag}
{text}
INSERT INTO retention.schema_migrations (number, name, checksum)
VALUES ({number}, '{name}', '{checksum}');
\\echo applied {name}
\\endif
"""


def migration_script() -> str:
    """Return the script: all migrations of this version, each skipped where it is applied."""
    known = ",\n".join(f"        ({one.number}, '{one.checksum}')" for one in migrations())
    settings = query("session/begin_pooled").strip()
    kind = {"genuine": GENUINE, "others": OTHERS, "oldest": OLDEST_MAJOR}
    parts = [_HEAD.format(lock=LOCK, timeout=LOCK_TIMEOUT, table=TABLE.strip(), known=known, settings=settings, **kind)]
    parts += [
        _ONE.format(
            number=one.number,
            flag=f"migration_{one.number:04}",
            text=one.text.strip(),
            name=one.name,
            checksum=one.checksum,
        )
        for one in migrations()
    ]
    return "".join(parts) + "\nCOMMIT;\n"
