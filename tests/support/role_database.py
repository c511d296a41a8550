"""An operator's database with objects of its own, and logins with the privileges of sql/operator/roles.sql."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo

from support.bare_database import bare_database, install_samples, run
from support.postgres import only_on_our_own

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROLES = ("retention_job", "retention_report")

SEEDED = "4711"
"""Under this number the operator keeps a large object."""

# The owner is a superuser: code that runs with its rights could do anything.
_OPERATORS = f"""
REVOKE CREATE ON SCHEMA public FROM PUBLIC; -- PostgreSQL 14 lets each role create there
CREATE TABLE casino.players (player text, iban text);
CREATE TABLE public.ledger (booking text);
CREATE SEQUENCE public.tickets;
CREATE VIEW public.balances AS SELECT booking FROM public.ledger;
INSERT INTO casino.players VALUES ('U-1', 'MT31');
INSERT INTO casino.game_rounds (id, account, vendor_round_id, vendor_user_id, market, state, opened_at, stake)
VALUES (1, 'acme', 'R-1', 'U-1', 'MT', 'open', now() - interval '5 days', 10),
       (2, 'acme', 'R-2', 'U-2', 'MT', 'completed', now() - interval '5 days', 20);
CREATE FUNCTION casino.pay(p_player text) RETURNS void LANGUAGE sql SECURITY DEFINER
    AS $$ UPDATE casino.players SET iban = '' WHERE player = p_player $$;
CREATE FUNCTION public.pay_as_caller(p_player text) RETURNS void LANGUAGE sql
    AS $$ UPDATE casino.players SET iban = '' WHERE player = p_player $$;
CREATE FUNCTION public.pay_as_owner(p_player text) RETURNS void LANGUAGE sql SECURITY DEFINER
    AS $$ UPDATE casino.players SET iban = '' WHERE player = p_player $$;
REVOKE ALL ON FUNCTION public.pay_as_owner(text) FROM PUBLIC;
CREATE FUNCTION public.pay_as_everybody(p_player text) RETURNS void LANGUAGE sql SECURITY DEFINER
    AS $$ UPDATE casino.players SET iban = '' WHERE player = p_player $$;
SELECT lo_from_bytea({SEEDED}, 'of the operator');
"""

OF_THE_OWNER = {f"archives/{name}" for name in ("lock_remaining", "record_archive", "record_remaining")}
"""Statements that take a month out of the ledger: the owner's login alone runs them."""


@contextmanager
def guarded_database(server: str) -> Iterator[str]:
    """DSN of the owner of a database with the samples installed, beside tables and functions of the operator's."""
    only_on_our_own()
    with bare_database(server, server) as dsn:
        install_samples(dsn)
        run(dsn, _OPERATORS)
        yield dsn


@contextmanager
def logged_in(dsn: str, role: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of a role that has logged in as itself, and has no other role to go back to."""
    with psycopg.connect(make_conninfo(dsn, user=role)) as connection:
        assert (role, role) == connection.execute("SELECT session_user::text, current_user::text").fetchone()
        connection.rollback()
        yield connection


def tried(
    connection: psycopg.Connection[Any], *statements: str, values: Mapping[str, Any] | None = None
) -> tuple[str, str]:
    """Try statements in one transaction that is rolled back: the SQLSTATE and the words of a refusal, or two empty
    texts.
    """
    try:
        for statement in statements:
            connection.execute(statement.encode(), values)
    except psycopg.Error as error:
        return error.sqlstate or type(error).__name__, str(error)
    finally:
        connection.rollback()
    return "", ""
