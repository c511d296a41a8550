"""A fail-over as one database can show it: commits are lost, and the server has started at another time."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import psycopg

if TYPE_CHECKING:
    from support.world import World

FORGET: LiteralString = """
WITH lost AS (
    DELETE FROM retention.attempts WHERE outcome IS NULL RETURNING cancellation_id
), forgotten AS (
    UPDATE retention.cancellations c
    SET state = 'planned', attempt_uuid = NULL, lease_until = NULL, attempts = 0, attempts_this_run = 0, probes_this_run = 0
    FROM lost WHERE c.id = lost.cancellation_id
)
UPDATE taken_over.server SET started = now()
"""
"""Lose the newest claims, as a standby that lagged behind does, and move to another server."""

MOVE: LiteralString = "UPDATE taken_over.server SET started = clock_timestamp()"
"""Move to another server, which lacks nothing."""

SERVER: LiteralString = """
CREATE SCHEMA taken_over;
GRANT USAGE ON SCHEMA taken_over TO PUBLIC;
CREATE TABLE taken_over.server AS SELECT pg_catalog.pg_postmaster_start_time() AS started;
GRANT SELECT ON taken_over.server TO PUBLIC;
CREATE FUNCTION taken_over.pg_postmaster_start_time() RETURNS timestamptz STABLE LANGUAGE sql
    AS 'SELECT started FROM taken_over.server';
DO $$ BEGIN
    EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || ' SET search_path = taken_over, pg_catalog, public';
END $$
"""
"""The function that tells when the server started, with a table of the test's own behind it."""


async def on_own_server(world: World) -> None:
    """Let a table of the test's own say when the server started."""
    async with await psycopg.AsyncConnection.connect(world.direct, autocommit=True) as connection:
        await connection.execute(SERVER)
