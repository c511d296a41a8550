"""An attacker's statements with each of our logins, tried on a real server as that login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support.bare_database import run
from support.role_database import ROLES, SEEDED, guarded_database, logged_in, tried

from retention.ledger.checks.grants import grants

if TYPE_CHECKING:
    from collections.abc import Iterator

DENIED = {"42501"}
ABSENT = DENIED | {"0A000"}
"""An extension that is not installed on the server is not there to be refused."""

OWN = sorted({grant.relation for grant in grants()} - {"open_rounds"})

DESTROYING = [
    statement.replace("OURS", f"retention.{table}")
    for table in OWN
    for statement in (
        "DELETE FROM OURS",
        "TRUNCATE OURS CASCADE",
        "DROP TABLE OURS CASCADE",
        "LOCK TABLE OURS IN SHARE MODE",
        "LOCK TABLE OURS IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE OURS ADD COLUMN more text",
        "ALTER TABLE OURS DISABLE TRIGGER ALL",
        "ALTER TABLE OURS OWNER TO CURRENT_USER",
        "CREATE TRIGGER mine BEFORE INSERT ON OURS FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE mine AS ON INSERT TO OURS DO INSTEAD NOTHING",
        "CREATE INDEX ON OURS ((1))",
        "COMMENT ON TABLE OURS IS 'nothing happened'",
        "MERGE INTO OURS t USING (SELECT 1) s ON false WHEN MATCHED THEN DELETE",
    )
]

OPERATORS = [
    *(
        statement.replace("THEIRS", relation)
        for relation in ("casino.players", "casino.game_rounds", "public.ledger", "public.balances")
        for statement in (
            "SELECT FROM THEIRS",
            "INSERT INTO THEIRS DEFAULT VALUES",
            "DELETE FROM THEIRS",
            "COPY THEIRS TO STDOUT",
        )
    ),
    "UPDATE casino.players SET iban = ''",
    "UPDATE casino.game_rounds SET state = 'cancelled'",
    "UPDATE public.ledger SET booking = ''",
    "UPDATE public.balances SET booking = ''",
    "UPDATE retention.open_rounds SET stake = 0",
    "DELETE FROM retention.open_rounds",
    "SELECT nextval('public.tickets')",
    "SELECT casino.pay('U-1')",
    "SELECT public.pay_as_caller('U-1')",
    "SELECT public.pay_as_owner('U-1')",
    f"SELECT lo_get({SEEDED})",
    f"SELECT lo_put({SEEDED}, 0, 'x')",
    f"SELECT lo_unlink({SEEDED})",
]

MAKING = [
    *(f"CREATE TABLE {schema}.mine ()" for schema in ("retention", "casino", "public", "pg_catalog")),
    *(
        f"CREATE FUNCTION {schema}.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        for schema in ("retention", "casino", "public", "pg_catalog")
    ),
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE c AS 'libc', 'system'",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE internal AS 'now'",
    "CREATE SCHEMA mine",
    "CREATE CAST (text AS integer) WITH INOUT",
    "CREATE ROLE mine",
    "CREATE PUBLICATION mine",
    "CREATE FOREIGN DATA WRAPPER mine",
    "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE OR REPLACE VIEW retention.open_rounds AS SELECT 1",
    "ALTER VIEW retention.open_rounds SET (security_invoker = true)",
    "ALTER FUNCTION retention.close_rounds SECURITY INVOKER",
    "ALTER FUNCTION retention.close_rounds RESET search_path",
    "DROP FUNCTION retention.close_rounds",
    "DROP TRIGGER cancellations_take_round ON retention.cancellations",
    "UPDATE retention.round_keys SET held_by = NULL",
    "SELECT retention.make_months('2030-01-01')",
    "DROP TABLE retention.cancellations_before",
    "ALTER SEQUENCE retention.holds_hold_id_seq RESTART",
    "SELECT setval('retention.holds_hold_id_seq', 1)",
    "DROP SCHEMA retention CASCADE",
    "UPDATE pg_class SET relname = relname",
]

RISING = [
    "SET SESSION AUTHORIZATION postgres",
    "SET ROLE postgres",
    "SET ROLE pg_monitor",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "GRANT pg_read_server_files TO CURRENT_USER",
    "GRANT pg_execute_server_program TO CURRENT_USER",
    "REASSIGN OWNED BY postgres TO CURRENT_USER",
    "SET session_replication_role = replica",
    "SET dynamic_library_path = '/tmp'",
    "SET lo_compat_privileges = on",
    "SET log_statement = 'none'",
    "SET log_min_messages = panic",
    "LOAD 'auto_explain'",
    "SELECT FROM pg_authid",
    "SELECT FROM pg_shadow",
    "SELECT FROM pg_statistic",
    "SELECT FROM pg_largeobject",
    "SELECT FROM pg_hba_file_rules",
    "SELECT umoptions FROM pg_user_mapping",
    "SELECT subconninfo FROM pg_subscription",
]

REACHING_OUT = [
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/mine'",
    "COPY retention.holds (reason) FROM PROGRAM 'id'",
    "COPY retention.holds (reason) FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    f"SELECT lo_export({SEEDED}, '/tmp/mine')",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_switch_wal()",
    "SELECT pg_promote()",
    "SELECT pg_stat_reset()",
    "SELECT pg_create_physical_replication_slot('mine')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IS DISTINCT FROM current_user AND pid IS NOT NULL",
]

EXTENDING = [f"CREATE EXTENSION {name}" for name in ("dblink", "postgres_fdw", "file_fdw", "adminpack")]

OUTSIDE = ["ALTER SYSTEM SET fsync = off", "CREATE DATABASE mine", "CREATE TABLESPACE mine LOCATION '/tmp'"]
"""The statements that no transaction may contain."""

GRANTING = [
    "GRANT SELECT ON retention.runs TO PUBLIC",
    "GRANT UPDATE (status) ON retention.runs TO retention_report",
    "GRANT SELECT ON retention.open_rounds TO retention_report",
    "GRANT EXECUTE ON FUNCTION retention.close_rounds TO PUBLIC",
    "GRANT USAGE ON SCHEMA retention TO PUBLIC",
    "REVOKE SELECT ON retention.runs FROM retention_report",
    "DROP OWNED BY CURRENT_USER",
]


@pytest.fixture(scope="module")
def owned(postgres: str) -> Iterator[str]:
    with guarded_database(postgres) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def logins(owned: str) -> Iterator[dict[str, Any]]:
    with logged_in(owned, ROLES[0]) as job, logged_in(owned, ROLES[1]) as report:
        yield {"retention_job": job, "retention_report": report}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("statement", [*DESTROYING, *OPERATORS, *MAKING, *RISING, *REACHING_OUT])
def test_a_stolen_login_gets_no_further(logins: dict[str, Any], role: str, statement: str) -> None:
    """No login destroys evidence, touches the operator's objects, creates objects, gains rights, or reaches the
    machine.
    """
    if statement.startswith("MERGE") and logins[role].info.server_version < 150000:
        pytest.skip("MERGE came with PostgreSQL 15")
    assert tried(logins[role], statement)[0] in DENIED


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("statement", EXTENDING)
def test_no_extension_is_brought_in(logins: dict[str, Any], role: str, statement: str) -> None:
    """No login installs an extension that would open connections or files of its own."""
    assert tried(logins[role], statement)[0] in ABSENT


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("statement", OUTSIDE)
def test_the_server_is_not_theirs(owned: str, role: str, statement: str) -> None:
    """Neither login changes the server's settings, or makes databases or places for them."""
    with logged_in(owned, role) as connection:
        connection.autocommit = True
        assert tried(connection, statement)[0] in DENIED


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("statement", GRANTING)
def test_no_privilege_is_granted_onward(owned: str, role: str, statement: str) -> None:
    """A login can neither pass on its privileges nor take others': every privilege stays as it was."""
    privileges = (
        "SELECT relname::text, relacl::text FROM pg_class WHERE relnamespace = 'retention'::regnamespace"
        " UNION ALL SELECT attname::text, attacl::text FROM pg_attribute WHERE attacl IS NOT NULL"
        " UNION ALL SELECT proname::text, proacl::text FROM pg_proc WHERE pronamespace = 'retention'::regnamespace"
        " UNION ALL SELECT nspname::text, nspacl::text FROM pg_namespace ORDER BY 1, 2"
    )
    before = run(owned, privileges)
    with logged_in(owned, role) as connection:
        connection.autocommit = True
        assert tried(connection, statement)[0] in {"", *DENIED}

    assert before == run(owned, privileges)


def test_neither_role_takes_the_other(logins: dict[str, Any]) -> None:
    """A login that reports does not become the one that works, nor is it given to others."""
    assert tried(logins["retention_report"], "SET ROLE retention_job")[0] in DENIED
    if logins["retention_job"].info.server_version >= 150000:  # 14 lets a login give away its own role
        assert tried(logins["retention_job"], "GRANT retention_job TO retention_report")[0] in DENIED


def test_close_rounds_ignores_the_callers_temporary_objects(owned: str) -> None:
    """The product does not use the caller's temporary tables, functions and operators, though first in the search
    path.
    """
    with logged_in(owned, "retention_job") as connection:
        for statement in (
            (
                "CREATE TEMP TABLE game_rounds (account text, vendor_round_id text, state text, closed_at timestamptz,"
                " refund numeric, refund_currency text, refund_transaction text)"
            ),
            "INSERT INTO game_rounds VALUES ('acme', 'R-1', 'open'), ('acme', 'R-2', 'open')",
            "CREATE FUNCTION pg_temp.always(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
            "CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.always)",
            (
                "CREATE FUNCTION pg_temp.unnest(text[], text[], timestamptz[], text[], numeric[], text[])"
                " RETURNS TABLE (a text, b text, c timestamptz, d text, e numeric, f text) LANGUAGE sql"
                " AS $$ SELECT 'acme', 'R-2', now(), 'EUR', 1000000, '' $$"
            ),
            "SET search_path = pg_temp, pg_catalog",
        ):
            connection.execute(statement.encode())
        closed = connection.execute(
            "SELECT * FROM retention.close_rounds(ARRAY['acme', 'acme', 'acme'], ARRAY['R-1', 'R-2', 'R-3'],"
            " array_fill(now(), '{3}'), array_fill(NULL::text, '{3}'), '{1,2,3}', array_fill(NULL::text, '{3}'))"
        ).fetchall()
        mine = connection.execute("SELECT DISTINCT state FROM pg_temp.game_rounds").fetchall()
        connection.rollback()

    assert [("acme", "R-1")] == closed
    assert [("open",)] == mine


def test_the_report_role_sees_open_rounds_and_closes_no_round(logins: dict[str, Any]) -> None:
    """The second login reads the operator's view, for plans and explanations, and has no function of the operator's."""
    closing = "SELECT FROM retention.close_rounds('{}', '{}', '{}', '{}', '{}', '{}')"
    assert "" == tried(logins["retention_report"], "SELECT FROM retention.open_rounds")[0]
    assert tried(logins["retention_report"], closing)[0] in DENIED


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT public.pay_as_everybody('U-1')",
        "CREATE TEMP TABLE mine (filler text)",
        "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT lo_create(0)",
        "SELECT pg_advisory_xact_lock(1)",
        "ALTER ROLE CURRENT_USER PASSWORD 'mine'",
        "ALTER ROLE CURRENT_USER SET work_mem = '1GB'",
        "SELECT FROM retention.runs FOR UPDATE",
    ],
)
def test_the_rights_of_every_login_are_known(logins: dict[str, Any], statement: str) -> None:
    """The rights that PostgreSQL gives to every login, and no grant of ours could revoke, are known."""
    assert "" == tried(logins["retention_job"], statement)[0]
