"""A clock that a test moves: the statements' own functions for the time, in a schema before pg_catalog."""

from __future__ import annotations

from datetime import UTC, datetime

START = datetime(2100, 1, 1, tzinfo=UTC)  # after any time that a column's default may take from the real clock

INSTALL_CLOCK = """
CREATE SCHEMA model;
CREATE TABLE model.clock (at timestamptz NOT NULL);
INSERT INTO model.clock VALUES ('infinity');
CREATE FUNCTION model.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM model.clock';
CREATE FUNCTION model.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT at FROM model.clock';
"""

SEARCH_PATH = "model, pg_catalog, public"
