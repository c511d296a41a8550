"""The samples in a text of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.world import World


def figures(text: str) -> dict[str, float]:
    """The samples that /metrics or a file of metrics has of retention; of a histogram only its count."""
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("retention_")]
    return {name: float(value) for name, _, value in lines if "_bucket" not in name and "_sum" not in name}


def of_policy(found: Mapping[str, float], metric: str, policy: str = "nightly") -> float:
    """The value of a metric that has one for each policy."""
    return found[f'retention_{metric}{{policy="{policy}"}}']


def waiting(found: Mapping[str, float], policy: str = "nightly") -> dict[str, float]:
    """The rounds of a policy that wait for a person, by reason, without zeros."""
    begin, end = 'retention_review_rounds{policy="' + policy + '",why="', '"}'
    names = {name: name.removeprefix(begin).removesuffix(end) for name in found if name.startswith(begin)}
    return {why: found[name] for name, why in names.items() if found[name]}


async def last_ends(world: World, policy: str = "nightly") -> tuple[float, float]:
    """When the policy's newest run ended as finished or failed, and as finished, by the ledger; 0 where none did."""
    (row,) = await world.sql(
        "SELECT coalesce(extract(epoch FROM max(finished_at)), 0)::float8 AS finished,"
        " coalesce(extract(epoch FROM max(finished_at) FILTER (WHERE status = 'finished' AND mode = 'enforce')), 0)::float8"
        " AS succeeded FROM retention.runs WHERE policy = %(policy)s AND status IN ('finished', 'failed')",
        policy=policy,
    )
    return row.finished, row.succeeded
