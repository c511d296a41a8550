"""The privileges of each command: its error names exactly the GRANTs that it requires."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest
from support.bare_database import as_role, run, sample
from support.role_database import guarded_database, logged_in

from retention.errors import SchemaError
from retention.ledger.checks.grants import REPORT_ROLE, ROLE, grants
from retention.ledger.checks.readiness import check_database, require_ready
from retention.ledger.checks.required_privileges import SERVE, STATEMENTS, required_privileges, statements_of
from retention.ledger.database import open_database
from retention.ledger.queries import query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retention.ledger.checks.grants import Grant

READING = {
    "plan",
    "explain",
    "find",
    "ledger status",
    "ledger archive",
    "report",
    "report --kind pending",
    "runs list",
    "runs show",
    "review list",
    "hold list",
    "audit verify",
    "audit export",
}
CALLING = {"review resolve", "review reclose", "approve", "reject"}
"""Commands that call a function of the schema."""


@pytest.fixture(scope="module")
def owned(postgres: str) -> Iterator[str]:
    with guarded_database(postgres) as dsn:
        yield dsn


@pytest.fixture
def stripped(owned: str) -> Iterator[str]:
    """The database, in which the reporting role has no privilege during a test."""
    run(owned, f"REVOKE ALL ON ALL TABLES IN SCHEMA retention FROM {REPORT_ROLE}")
    run(owned, f"REVOKE ALL ON SCHEMA retention FROM {REPORT_ROLE}")
    yield owned
    run(owned, f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA retention FROM {REPORT_ROLE}", sample("roles"))


def refused(connection: psycopg.Connection[Any], command: str) -> str:
    """The first statement of a command that PostgreSQL would not let this role run, empty where it would run them all.

    To explain one takes the same privileges.
    """
    # A comparison with NULL is never true, and the tables behind it would not be looked at.
    nothing: defaultdict[str, Any] = defaultdict(lambda: None, run_id=UUID(int=0), end="infinity", first=0, last=0)
    for name in statements_of(command):
        try:
            connection.execute("EXPLAIN " + query(name), nothing)
        except psycopg.errors.InsufficientPrivilege as error:
            return f"{name}: {error.diag.message_primary}"
        finally:
            connection.rollback()
    return ""


def written(grant: Grant) -> str:
    """A privilege as GRANT has it."""
    return f"{grant.privilege}{f' ({grant.column})' if grant.column else ''} ON retention.{grant.relation}"


async def advice(dsn: str, command: str) -> str:
    """A command's error for the reporting role; empty if it has none."""
    async with open_database(lambda: as_role(dsn, REPORT_ROLE), size=1) as database:
        try:
            await require_ready(database, command)
        except SchemaError as error:
            return str(error)
    return ""


@pytest.mark.parametrize("command", STATEMENTS)
async def test_named_grants_are_exactly_the_required_privileges(stripped: str, command: str) -> None:
    """The command runs with the GRANTs of its error, and fails without any one of them."""
    for _ in range(2):  # an invisible object comes first
        if message := await advice(stripped, command):
            assert "lacks privileges for" in message or "cannot be read" in message
            statements = re.findall(rf"GRANT .*? TO {REPORT_ROLE}", message)
            assert statements, message
            run(stripped, *statements)
    assert "" == await advice(stripped, command)
    wanted, _ = required_privileges(command)
    spare = []
    with logged_in(stripped, REPORT_ROLE) as connection, psycopg.connect(stripped, autocommit=True) as owner:
        assert "" == refused(connection, command)
        for grant in wanted:
            owner.execute(f"REVOKE {written(grant)} FROM {REPORT_ROLE}".encode())
            if not refused(connection, command):
                spare.append(written(grant))
            owner.execute(f"GRANT {written(grant)} TO {REPORT_ROLE}".encode())
    assert ["SELECT ON retention.schema_migrations"] == spare  # read by the migrations, which have no file of their own


@pytest.mark.parametrize("command", STATEMENTS)
async def test_reporting_role_may_read_only(owned: str, command: str) -> None:
    """With roles.sql the reporting role may run each command that reads; a writing command names the job's role."""
    message = await advice(owned, command)
    if command in READING:
        assert "" == message
        return
    start = f"{REPORT_ROLE} lacks privileges for `retention {command}`; connect as {ROLE}, or GRANT "
    assert message.startswith(start)
    assert "SELECT" not in message
    assert (command in CALLING) == ("EXECUTE" in message)


async def test_serve_alone_requires_the_privileges_of_making_reports(owned: str) -> None:
    """Without them a run is ready, and `serve` names them at its start; both send the notifications of reports."""
    made = ("INSERT", "reports", "report_id"), ("UPDATE", "reports", "tries")
    shared = ("SELECT", "reports", None), ("UPDATE", "reports", "notified")
    of_run, of_serve = required_privileges(None)[0], required_privileges(SERVE)[0]
    assert {*of_run} < {*of_serve}
    assert {"reports"} == {grant.relation for grant in {*of_serve} - {*of_run}}
    assert {*shared} <= {*of_run}
    assert {*made} <= {*of_serve} - {*of_run}
    async with open_database(lambda: as_role(owned, ROLE), size=1) as database:
        await require_ready(database, SERVE)
        run(owned, f"REVOKE UPDATE (tries) ON retention.reports FROM {ROLE}")
        try:
            await require_ready(database)
            with pytest.raises(SchemaError, match=r"`retention serve`.*UPDATE \(tries\) ON retention.reports"):
                await require_ready(database, SERVE)
        finally:
            run(owned, sample("roles"))


async def test_missing_grant_of_roles_sql_names_the_script(stripped: str) -> None:
    """If roles.sql gives a missing privilege, the error names the script first."""
    run(stripped, sample("roles"), f"REVOKE SELECT ON retention.holds FROM {REPORT_ROLE}")
    assert await advice(stripped, "hold list") == (
        f"{REPORT_ROLE} lacks privileges for `retention hold list`; run sql/operator/roles.sql again,"
        f" or GRANT SELECT ON retention.holds TO {REPORT_ROLE}"
    )


async def test_reporting_role_gets_no_run_privileges(owned: str) -> None:
    """No error advises a GRANT of a run's privileges to the reporting role."""
    async with open_database(lambda: as_role(owned, REPORT_ROLE), size=1) as database:
        with pytest.raises(SchemaError) as refusal:
            await require_ready(database)
    assert f"{REPORT_ROLE} lacks privileges; connect as {ROLE}" == str(refusal.value)


@pytest.mark.parametrize("role", [None, ROLE])
async def test_role_that_may_delete_evidence_is_a_warning(owned: str, role: str | None) -> None:
    """The ledger's owner gets a warning that names the role to use; that role gets none."""
    dsn = as_role(owned, role) if role else owned
    async with open_database(lambda: dsn, size=1) as database:
        (found,) = [one for one in await check_database(database, []) if one.name == "role"]
    assert (role is None) == found.warning
    if role is None:
        assert found.message.endswith(f", a superuser, who may delete evidence: use {ROLE} in database.dsn")


def test_grants_are_read_by_role() -> None:
    """A grant to one role does not count for the other."""
    assert {grant.privilege for grant in grants(REPORT_ROLE)} == {"SELECT"}
    assert {grant.privilege for grant in grants(ROLE)} == {"SELECT", "INSERT", "UPDATE"}
