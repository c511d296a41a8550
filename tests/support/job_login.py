"""Commands that log in as the job, with the privileges of sql/operator/roles.sql, and as a second login with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from retention.ledger.queries import sql_root
from support.bare_database import run
from support.postgres import only_on_our_own

if TYPE_CHECKING:
    from support.world import World

JOB, OTHER_LOGIN = "retention_job", "retention_approver"

_OTHER = f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{OTHER_LOGIN}') THEN
        CREATE ROLE {OTHER_LOGIN} LOGIN;
    END IF;
END
$$;
GRANT {JOB} TO {OTHER_LOGIN};
ALTER FUNCTION retention.close_rounds SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
"""


def as_job(world: World) -> None:
    """Let the world's commands log in as the job from now on."""
    only_on_our_own()
    give_roles(world.direct)
    world.dsn = make_conninfo(world.dsn, user=JOB)


def give_roles(owner: str) -> None:
    """Make the roles of a database, and a second login with the rights of the job; `owner`: a superuser's DSN."""
    run(owner, (sql_root() / "operator" / "roles.sql").read_text("utf-8"))
    run(owner, _OTHER)
