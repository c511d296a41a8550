"""An operator's function that misbehaves as a test wants it to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from support.world import World

FUNCTION = """
CREATE OR REPLACE FUNCTION retention.close_rounds(
    p_partner text[], p_round_id text[], p_cancelled_at timestamptz[], p_currency text[], p_amount numeric[],
    p_transaction_id text[]
) RETURNS TABLE (partner text, round_id text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    {begin}
    RETURN QUERY
    UPDATE public.rounds r SET status = 2, cancelled_at = c.at, refund = c.amount
    FROM unnest(p_partner, p_round_id, p_cancelled_at, p_amount) AS c (partner, round_id, at, amount)
    WHERE r.partner = c.partner AND r.round_id = c.round_id AND r.status = 0 AND {condition}
    RETURNING r.partner, r.round_id;
    {end}
END $$
"""


async def replace(world: World, begin: str = "", condition: str = "true", end: str = "") -> None:
    """Give the operator another function: its first and last statements, and the rounds that it closes."""
    text = FUNCTION.replace("{begin}", begin).replace("{condition}", condition).replace("{end}", end)
    async with await psycopg.AsyncConnection.connect(world.direct, autocommit=True) as connection:
        await connection.execute(text.encode())
