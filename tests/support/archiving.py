"""Archives months of a ledger that has aged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from support.aged_ledger import fill_months

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import Done, World

OLD = ("2024-01", "2024-02")
"""Months that are long over."""


def aged(world: World, *months: str, **facts: Any) -> Path:
    """Fill months of the ledger; returns an empty folder for archives."""
    with psycopg.connect(world.direct) as connection:
        fill_months(connection, *(months or OLD), **facts)
    folder = world.folder / "archive"
    folder.mkdir()
    return folder


async def archive(world: World, folder: Path, *more: str, older_than: str = "300d") -> Done:
    """Archive what is old enough."""
    return await world.command("ledger", "archive", "--older-than", older_than, "--to", str(folder), *more)
