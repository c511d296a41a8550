"""[rate_groups.NAME]: partners that share one limit at the vendor."""

from __future__ import annotations

from typing import Annotated

from retention.settings.fields import Says, Table, key


class RateGroup(Table):
    """One limit, over all requests of the partners that name the group."""

    name: str
    rate: Annotated[
        float,
        key(
            "100",
            "a number of requests per second, from 0.000001 to 10000",
            ge=0.000_001,
            le=10_000,
            allow_inf_nan=False,
        ),
        Says(
            "Requests per second of all partners of the group together, over all replicas: cancel requests, status "
            "probes and lists of rounds. Each partner's own rates stay."
        ),
    ]
