"""Runs as a terminal shows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from retention.core.planning.named_rounds import TARGETED
from retention.core.planning.plan import WHY_UNPLANNABLE
from retention.core.runs.next_steps import resume_command
from retention.core.runs.stalled import status_text
from retention.core.runs.summary import NOT_CONFIRMED
from retention.render.json_file import to_json
from retention.render.terminal_table import (
    moment,
    print_lines,
    sums_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

LEFT_OUT = {
    "held": "on hold",
    "in_ledger": "in the ledger already (live in another run, in doubt, or cancelled before)",
    "doubled": "in the view more than once: make retention.open_rounds give each round once",
    "given_up": "refused or already completed in max_runs runs (`retention review list`)",
    **{broken: f"with {words} (`retention plan --rounds`)" for broken, words in WHY_UNPLANNABLE.items()},
}
"""The words for each reason why a plan leaves a stale round out, to follow a count."""

_OPEN_ENDS = {
    "conflicts": "cancelled, and not closed at the operator's; `retention review list` says why",
    "discrepancies": "with a refund that differs from the operator's record",
    "incomplete": "with a reply that lacks amount, currency or transaction",
    "to_review": "waiting for a person for another reason; `retention review list` says why",
}


_REFUSED_SHOWN = 100
"""Refused rounds that are shown one by one."""

_RECORD_BELOW = {"refunds", "overrides", "settings", "vendor_pauses"}
"""Values of a recorded run that need lines of their own, after all others."""

_RECORD_LABELS = {"active": "a process is at work"}
"""Labels of a recorded run's values that differ from their JSON keys."""


def heading(text: str) -> None:
    """Print the heading of a step; a command gets a prompt."""
    print_lines(["", f"$ {text}" if text.startswith("retention ") else text], None)


def print_result(document: Mapping[str, Any]) -> None:
    """Print the result of a run and the next steps, the document of `run`."""
    print_lines(_result_lines(document), None)


def print_refused(document: Mapping[str, Any]) -> None:
    """Print the named rounds that are not called, where that is all of them."""
    print_lines(_refused(document["refused"]), None)


def print_record(document: Mapping[str, Any], file: TextIO | None = None) -> None:
    """Print a recorded run, the document of `runs show`, one known value per line.

    Overrides and settings follow as JSON, which is never wrapped. Then come the vendor pauses that delay the run.
    """
    shown = {name: value for name, value in document.items() if name not in _RECORD_BELOW}
    if shown.get("approval") == "not_required":
        shown.pop("approval")
    if shown.get("status") != "running":
        shown.pop("active", None)  # the process that ended the run stays listed as active for some seconds
    if shown.get("status") in {"planned", "running"}:
        stalled = document["stalled_at"] is not None
        shown["status"] = status_text(document["status"], at_work=document["active"], stalled=stalled)
    lines = ((name, _one_line(value)) for name, value in shown.items())
    print_lines((f"{_RECORD_LABELS.get(name, name).replace('_', ' ')}: {text}" for name, text in lines if text), file)
    if document["refunds"]:
        print_lines(sums_lines("refunds", document["refunds"]), file)
    for name in ("overrides", "settings"):
        if document.get(name):
            print_lines([f"{name}:"], file)
            print(to_json(document[name]), file=file)
    pauses = document.get("vendor_pauses", ())
    print_lines((vendor_pause(pause["partner"], pause["until"]) for pause in pauses), file)


def person_pause(partner: str | None, by: str, since: datetime, reason: str) -> str:
    """Describe a person's pause of one partner, or (None) of all partners, with the command that ends it."""
    paused = f"{partner} is" if partner is not None else "all partners are"
    return f"{paused} paused by {by} since {moment(since)}: {reason}; `{resume_command(partner)}` ends it"


def vendor_pause(partner: str, until: datetime) -> str:
    """Describe the pause that a partner's vendor asked for, with its end and the command that ends it earlier."""
    return f"{partner} is paused by the vendor until {moment(until)}; `{resume_command(partner)}` ends it"


def left_out_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Write how many stale rounds are left out for which reason, and which other runs have such rounds."""
    for reason, count in sorted(document["left_out"].items()):
        yield f"left out: {count} {LEFT_OUT[reason]}"
    for other in document["elsewhere"]:
        yield other["words"]


def _result_lines(document: Mapping[str, Any]) -> Iterator[str]:
    if (document["status"], document["halt_reason"]) == ("cancelled", NOT_CONFIRMED):
        whose = "" if document["trigger"] == TARGETED else ", and the next run has its rounds"
        yield f"nothing was cancelled: run {document['run_id']} is not confirmed{whose}"
        return
    dry = ", dry run: no calls" if document["mode"] == "dry_run" else ""
    yield f"run {document['run_id']} of policy {document['policy']}: {document['status']}{dry}"
    if document["halt_reason"]:
        yield f"  {document['halt_reason']}"
    for state, count in document["states"].items():
        yield f"  {count:>8} {state}"
    for state, count in document["taken_up"].items():
        yield f"  {count:>8} {state} (doubts of earlier runs)"
    for why, count in document["unsent"].items():
        yield f"  not sent: {count}, {why}"
    if not document["rounds"] and not document["taken_up"]:
        yield "  no stale rounds" + (" but those of other runs" if document["elsewhere"] else "")
    yield from left_out_lines(document)
    yield from _refused(document["refused"])
    if document["refunds"]:
        yield from sums_lines("refunds promised by the vendor", document["refunds"])
    for name, words in _OPEN_ENDS.items():
        if document[name]:
            yield f"  {document[name]:>8} {words}"
    yield from document["warnings"]
    yield from _next_steps(document)


def _refused(refused: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in refused[:_REFUSED_SHOWN]:
        yield f"  refused: {one['partner']}/{one['round_id']}, {one['words']}"
    if (more := len(refused) - _REFUSED_SHOWN) > 0:
        yield f"  refused: {more} more, which `--json` lists"


def _next_steps(document: Mapping[str, Any]) -> Iterator[str]:
    for nth, step in enumerate(document["next"]):
        yield f"{'      ' if nth else 'next: '}{step['command']}  ({step['does']})"


def _one_line(value: Any) -> str:
    """Write a value on one line; an unknown, false or empty value is the empty text."""
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
