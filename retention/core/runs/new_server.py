"""Words for the wait on a database server that may lack claims: it has restarted, or it has taken over."""

from __future__ import annotations


def new_server_text(lease_s: float) -> str:
    """Say why nothing is done yet, and for how long at the most; in seconds."""
    return (
        "the database server has restarted, or another has taken over: this goes on when earlier requests have ended,"
        f" within {lease_s:.0f} s"
    )
