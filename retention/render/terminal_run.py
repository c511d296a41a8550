"""One run as `runs show` tells it: who asked for it, under which settings, and what it came to."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from retention.core.runs.stalled import standing
from retention.render.files import to_json
from retention.render.terminal_table import print_lines
from retention.render.terminal_values import moment, sums_told

if TYPE_CHECKING:
    from typing import TextIO

    from retention.core.runs.summary import Summary

_BELOW = ("refunds", "overrides", "settings")
"""What is told below all that fits on a line."""

_NAMES = {"active": "a process is at work"}
"""How people are told what is named otherwise in JSON."""


def print_run(run: Any, summary: Summary, file: TextIO | None = None) -> None:
    """Print one run, the row of RunLedger.get, and what it came to: a line for each thing that there is to tell.

    Its overrides and settings follow as whole JSON, no line of which is wrapped.
    """
    document = run_document(run, summary)
    if document.get("status") != "running":
        document.pop("active", None)  # whoever ended it may be listed as at work for some seconds more
    if document.get("status") in {"planned", "running"}:
        document["status"] = standing(run.status, at_work=run.active, stalled=run.stalled_at is not None)
    short = ((name, _value(value)) for name, value in document.items() if name not in _BELOW)
    print_lines((f"{_NAMES.get(name, name).replace('_', ' ')}: {words}" for name, words in short if words), file)
    if summary.refunds:
        print_lines(sums_told("refunds", summary.refunds), file)
    for name in ("overrides", "settings"):
        if document.get(name):
            print_lines([f"{name}:"], file)
            print(to_json(document[name]), file=file)


def run_document(run: Any, summary: Summary) -> dict[str, Any]:
    """Put one run, the row of RunLedger.get, together with what it came to."""
    return {
        **run._asdict(),
        "rounds": summary.rounds,
        "states": {state.value: count for state, count in summary.states.items()},
        "taken_up": {state.value: count for state, count in summary.taken_up.items()},
        "conflicts": summary.conflicts,
        "incomplete": summary.incomplete,
        "discrepancies": summary.discrepancies,
        "refunds": dict(summary.refunds),
    }


def _value(value: Any) -> str:
    """Write one thing on one line; nothing for what is not there."""
    if value is None or value is False or value in ([], {}):
        return ""
    match value:
        case True:
            return "yes"
        case datetime():
            return moment(value)
        case dict():
            return ", ".join(f"{name} {one}" for name, one in value.items())
        case list() | tuple():
            return ", ".join(map(str, value))
    return str(value)
