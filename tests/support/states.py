"""The transitions of sql/README.md, made from the code's table. `python tests/support/states.py` writes them anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from retention.core.model import LIVE_STATES, State
from retention.core.sending.transitions import ROWS, TABLE, Due, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

README = Path(__file__).parents[2] / "sql" / "README.md"

_CLAIMS = (
    (State.PLANNED, Request.FIRST_PROBE, "with ask_first"),
    (State.PLANNED, Request.CANCEL, "without, or found in progress"),
    (State.RETRYING, Request.FIRST_PROBE, "not asked yet"),
    (State.RETRYING, Request.CANCEL, ""),
    (State.IN_DOUBT, Request.PROBE, "with status_probe"),
    (State.IN_DOUBT, Request.CANCEL, "without"),
)
"""The request that a claim of a round makes, by the round's state; between the two the state is `claimed`."""


def filled(text: str) -> str:
    """The page with diagram and table as they have to be."""
    before, rest = text.split("<!-- states -->\n")
    return f"{before}<!-- states -->\n{diagram()}\n{table()}{rest[rest.index('<!-- end -->') :]}"


def diagram() -> str:
    """A state diagram in Mermaid: each request is a state on the way, between a claim and its outcome."""
    lines = ["stateDiagram-v2", f"[*] --> {State.PLANNED}"]
    lines += [_edge(state, request, [words]) for state, request, words in _CLAIMS]
    edges: dict[tuple[Request, State], dict[str, None]] = {}
    for (request, event, *_), to in TABLE.items():
        edges.setdefault((request, to.state), {})[event.value] = None
    lines += [_edge(request, state, events) for (request, state), events in edges.items()]
    lines += [f"{state} --> [*]" for state in State if state in {to.state for to in TABLE.values()} - LIVE_STATES]
    lines.append(f"{State.IN_DOUBT} --> [*] : left for a later run, and for review")
    return "\n".join(["```mermaid", lines[0], *(f"    {line}" for line in lines[1:]), "```", ""])


def table() -> str:
    """Each row of the code's table."""
    before = ("request", "outcome", "probes", "attempts left", "doubt", "refusal")
    rows: list[tuple[str, ...]] = [(*before, "state", "next request", "doubt", "refusal", "review")]
    for (request, event, probes, *flags), step in ROWS.items():
        events = event if isinstance(event, tuple) else (event,)
        allowed = probes if isinstance(probes, tuple) else (probes,)
        rows.append(
            (
                request.value,
                ", ".join(one.value for one in events),
                ", ".join("any" if one is None else one.value for one in allowed),
                *("any" if flag is None else _yes(flag) for flag in flags),
                f"**{step.state}**",
                "" if step.due is Due.NEVER else step.due.value,
                *(
                    "as before" if flag is None else _yes(flag)
                    for flag in (step.may_have_taken_effect, step.refusal_pending_probe)
                ),
                step.review.value if step.review else "",
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in _ruled(rows))


def _edge(start: str, end: str, words: Iterable[str]) -> str:
    label = ", ".join(words)
    return f"{start} --> {end}{f' : {label}' if label else ''}"


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _ruled(rows: Sequence[Sequence[str]]) -> Iterable[Sequence[str]]:
    head, *rest = rows
    return [head, ["---"] * len(head), *rest]


if __name__ == "__main__":
    README.write_text(filled(README.read_text("utf-8")), "utf-8")
