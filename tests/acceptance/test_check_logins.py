"""`check` with a login that the server refuses: one line names the mend, and following it lets the login in."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.postgres import only_on_our_own
from support.replica import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.world import World

PASSWORD = "hunter2-hunter2"


class Refused(NamedTuple):
    """A login that is refused: its address, what the server is told before, and the mend in SQL, if it is one."""

    address: Mapping[str, Any]
    mend: str
    before: str = "SELECT"
    hba: str = ""
    mended_by: str = ""


REFUSED = {
    "wrong password": Refused(
        {"password": PASSWORD},
        r'password authentication failed for user "GUEST"; write that role\'s password .* psql\'s \\password GUEST sets',
        hba="local all GUEST scram-sha-256",
        mended_by=f"ALTER ROLE GUEST PASSWORD '{PASSWORD}'",
    ),
    "no password": Refused({}, r"add it to database\.dsn \(or dsn_file\)", hba="local all GUEST scram-sha-256"),
    "missing role": Refused(
        {"user": "nobody_4711"}, r"`retention db migrate`, then `retention db sample --table SCHEMA\.TABLE -o DIR`"
    ),
    "wrong database": Refused({"dbname": "nowhere_4711"}, r"name the operator's database in database\.dsn; `psql -l`"),
    "wrong host": Refused({"host": "database.invalid"}, r"correct the host in database\.dsn, or this machine's DNS"),
    "wrong port": Refused(
        {"host": "127.0.0.1", "port": 0}, r"correct host and port in database\.dsn; listen_addresses"
    ),
    "wrong socket": Refused({"host": "/nowhere"}, r"no server listens at that socket: start it, or name host=HOST"),
    "pg_hba": Refused(
        {},
        r"allow this role, database and address in the server's pg_hba\.conf; .*reload",
        hba="local all GUEST reject",
    ),
    "no login": Refused(
        {},
        r'as the database\'s owner: ALTER ROLE "GUEST" LOGIN',
        before="ALTER ROLE GUEST NOLOGIN",
        mended_by='ALTER ROLE "GUEST" LOGIN',
    ),
    "no CONNECT": Refused(
        {},
        r'as its owner: GRANT CONNECT ON DATABASE "BASE" TO this role',
        before='REVOKE CONNECT ON DATABASE "BASE" FROM PUBLIC',
        mended_by='GRANT CONNECT ON DATABASE "BASE" TO GUEST',
    ),
    "too many connections": Refused(
        {},
        r'ALTER ROLE "GUEST" CONNECTION LIMIT -1',
        before="ALTER ROLE GUEST CONNECTION LIMIT 0",
        mended_by='ALTER ROLE "GUEST" CONNECTION LIMIT -1',
    ),
}


@contextmanager
def guest(owner: psycopg.Connection[Any], hba: str) -> Iterator[str]:
    """Make a role that the rules of `hba` hold for."""
    role = f"guest_{uuid.uuid4().hex[:12]}"
    [before] = owner.execute("SELECT pg_read_file(current_setting('hba_file'))").fetchone() or ("",)

    def write(rules: str) -> None:
        made = owner.execute("SELECT lo_from_bytea(0, convert_to(%s, 'UTF8'))", [rules]).fetchone()
        owner.execute("SELECT lo_export(%s, current_setting('hba_file'))", made)
        owner.execute("SELECT lo_unlink(%s)", made)
        owner.execute("SELECT pg_reload_conf()")

    owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'another-4711'".encode())
    try:
        if hba:
            write(f"{hba.replace('GUEST', role)}\n{before}")
        yield role
    finally:
        if hba:
            write(before)
        owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_login_names_its_mend(world: World, case: str) -> None:
    """A refused login is one line with its mend and without the password; the mend in SQL lets the login in."""
    only_on_our_own()
    refused = REFUSED[case]
    database = str(conninfo_to_dict(world.direct)["dbname"])
    with psycopg.connect(world.direct, autocommit=True) as owner, guest(owner, refused.hba) as role:

        def filled(text: str) -> str:
            return text.replace("GUEST", role).replace('BASE"', f'{database}"')

        owner.execute(filled(refused.before).encode())
        address = {key: value or free_port() for key, value in refused.address.items()}
        world.dsn = make_conninfo(world.direct, **{"user": role, **address})
        while True:  # the server reads its rules again in its own time
            done = await world.command("check", "--json")
            found = {one["name"]: one for one in done.json["checks"]}
            if found["database"]["message"].startswith("the database cannot be reached: ") or not refused.hba:
                break
        assert (2, False) == (done.code, found["database"]["ok"])
        assert re.search(filled(refused.mend), found["database"]["message"]), found["database"]["message"]
        assert {"schema", "view", "privileges", "clock"}.isdisjoint(found)
        assert PASSWORD not in done.out + done.err
        if refused.mended_by:
            owner.execute(filled(refused.mended_by).encode())
            after = {one["name"]: one for one in (await world.command("check", "--json")).json["checks"]}
            assert "database" not in after or after["database"]["ok"]
            assert not after["privileges"]["ok"]  # the next thing to mend
