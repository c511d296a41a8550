"""A configured report whose daemon was away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import World


def report(world: World, **keys: object) -> Path:
    """Configure the report `daily` of October, due each minute; returns its directory."""
    directory = world.folder / "reports"
    directory.mkdir(exist_ok=True)
    values: dict[str, object] = {
        "schedule": "* * * * *",
        "timezone": "UTC",
        "period": "2026-10",
        "directory": str(directory),
        **keys,
    }
    table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items() if value is not None)
    world.extra = f"[reports.daily]\n{table}"
    return directory


async def down_since(world: World, minutes: int, schedule: str = "* * * * *") -> None:
    """Leave the schedule of a daemon that went away so long ago."""
    await world.sql(
        "INSERT INTO retention.schedules (kind, name, schedule, timezone, processed_until) VALUES"
        " ('report', 'daily', %(schedule)s, 'UTC', date_trunc('minute', now()) - make_interval(mins => %(minutes)s))",
        minutes=minutes,
        schedule=schedule,
    )


async def reports(world: World, status: str) -> list[Any]:
    """The rows of that status, oldest first."""
    return await world.sql(
        "SELECT * FROM retention.reports WHERE status = %(status)s ORDER BY scheduled_for", status=status
    )
