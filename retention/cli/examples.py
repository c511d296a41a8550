"""Examples of each command, which its `--help` shows; people copy them. A test parses each one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "demo": ("retention demo", "retention demo --rounds 400"),
    "simulate": ("retention simulate --from-view", "retention simulate --faults faults.toml --port 8900"),
    "init": (
        "retention init",
        "retention init --partner acme --market MT --older-than 72h",
        "retention init --dsn postgresql://retention_job@db/operator",
    ),
    "db migrate": (
        "retention db migrate",
        "retention db migrate --as postgresql://owner@db/operator",
        "retention db migrate --sql",
    ),
    "db status": ("retention db status",),
    "db sample": ("retention db sample --table casino.rounds -o proposal", "retention db sample"),
    "db sql": ("retention db sql", "retention db sql claims/claim_rounds"),
    "check": ("retention check", "retention check --json", "retention check --processes 2"),
    "plan": (
        "retention plan",
        "retention plan nightly --by market",
        "retention plan --rounds -o rounds.csv",
        "retention plan --compare 01234567",
    ),
    "run": (
        "retention run nightly",
        'retention run --market MT --enforce --by ann --reason "MGA request 81"',
        "retention run --resume 01234567",
        'retention run --resume 01234567 --override "1,200 is right" --by ann',
        "retention run nightly --processes 2",
    ),
    "cancel": ("retention cancel --partner acme --round 702750 --evidence T-4711 --by ann",),
    "approve": ("retention approve 01234567 --by bea --digest 0123456789ab",),
    "reject": ('retention reject 01234567 --by bea --note "wrong market"',),
    "serve": ("retention serve --http 127.0.0.1:8901", "retention serve --processes 2"),
    "report": (
        "retention report --period last-month --timezone Europe/Malta --market MT",
        "retention report --period 2026-03 --format csv -o march.csv",
        "retention report --all --run 01234567",
        "retention report --kind decisions --period this-week",
    ),
    "explain": ("retention explain --partner acme --round 702750",),
    "find": ("retention find 702750",),
    "reconcile": ("retention reconcile --from 2026-03-01 --to 2026-04-01", "retention reconcile --run 01234567"),
    "pause": (
        'retention pause --by ann --reason "incident 12"',
        "retention pause --partner acme --by ann --reason test",
    ),
    "resume": ("retention resume --by ann", "retention resume --partner acme --by ann"),
    "runs list": ("retention runs list",),
    "runs show": ("retention runs show 01234567", "retention runs show 01234567 --set --format csv"),
    "runs close": ('retention runs close 01234567 --by ann --note "planned under the wrong age"',),
    "review list": ("retention review list", "retention review list --market MT --why discrepancy"),
    "review resolve": (
        'retention review resolve 17 --as cancelled --by ann --note "wallet has it"',
        "retention review resolve --from-file review.csv --by ann",
    ),
    "review reclose": ("retention review reclose --by ann",),
    "hold add": ('retention hold add --user 5472 --reason "complaint 4711" --by ann',),
    "hold list": ("retention hold list",),
    "hold release": ("retention hold release 1 --by ann",),
    "audit verify": (
        "retention audit verify",
        "retention audit verify --anchors march.html --anchors retention.log",
        "retention audit verify --archives /srv/archive",
    ),
    "audit export": ("retention audit export --run 01234567 -o run.json",),
    "ledger status": ("retention ledger status",),
    "ledger archive": (
        "retention ledger archive --older-than 400d --to /srv/archive --dry-run",
        "retention ledger archive --older-than 400d --to /srv/archive --by ann",
    ),
    "ledger pseudonymise": ("retention ledger pseudonymise --user 5472 --by ann",),
    "completion": ("retention completion bash", "source <(retention completion bash)"),
    "help": ("retention help", "retention help exit-codes", "retention help review list"),
}


def epilog(command: str) -> str:
    r"""Return the end of a command's help; `\b` keeps click from joining the lines. Empty where there is no example."""
    lines = EXAMPLES.get(command, ())
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) if lines else ""
