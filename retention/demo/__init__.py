"""The whole job on one machine: an embedded PostgreSQL, an operator's table, the simulated vendor."""

from __future__ import annotations

from retention.demo.walkthrough import demonstrate

__all__ = ["demonstrate"]
