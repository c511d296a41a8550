"""`db sample`: the view, function, indexes and roles that the DBA creates."""

from __future__ import annotations


def sample() -> None:
    """Print the sample view, function, indexes and roles, for the DBA to adapt."""
    from retention.ledger.queries import sql_root

    for name in ("open_rounds", "close_rounds", "indexes", "roles"):
        print(f"-- {name}.sql {'-' * (73 - len(name))}")
        print((sql_root() / "operator" / f"{name}.sql").read_text("utf-8"))
