"""The transitions of a cancellation: one table, from a request and its outcome to the next state.

retention.core.sending.decision looks a key up and adds the figures. The tests prove properties of this table, and
`python tests/support/states.py` draws the diagram in sql/README.md from it. Contract sections 5 and 5.1.

While a rejected round waits for its one probe, its own row stays live as `in_doubt` with the refusal recorded. A
crash loses neither the refusal nor the probe. A refusal after an unclear request stays a doubt where probes are not
allowed, because the earlier request may be the reason for the refusal.
"""

from __future__ import annotations

import enum
import itertools
from typing import TYPE_CHECKING, NamedTuple, cast

from retention.core.model import Outcome, Review, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


# The keys are StrEnum, because these hash in C; a plain Enum hashes in Python, and each reply looks one key up.
class Request(enum.StrEnum):
    """A request by its place in a round's life; Kind does not tell the first probe from a later one."""

    CANCEL = "cancel"
    FIRST_PROBE = "first_probe"
    """Sent before the first cancel request, so no request of ours can have had an effect."""
    PROBE = "probe"


class Probes(enum.StrEnum):
    """Whether the round may be probed once more in this run."""

    LEFT = "left"
    USED_UP = "used up"
    FORBIDDEN = "forbidden"


class Special(enum.StrEnum):
    """Events that the outcome alone does not show."""

    WINNINGS = "winnings"
    """In progress, with winnings that this policy does not cancel."""
    WRONG_ADDRESS = "wrong_address"
    """The status address is not the vendor's; the run is halted until it is corrected."""
    ROUND_REFUSED = "round_refused"
    """The vendor refuses the probe, while a HealthCheck accepts the credentials: it refuses this round alone."""


Event = Outcome | Special


class Due(enum.StrEnum):
    """The moment of the round's next request in this run."""

    NEVER = "-"
    """Not in this run; a planned round is called when its turn comes."""
    NOW = "now"
    BACKOFF = "backoff"
    """After a pause that grows with the requests of this kind."""
    RESEND = "resend"
    """At once where the run asks first, because the probe is fresh; else after the cancel requests' back-off."""
    PAUSE = "pause"
    """After the pause that the vendor asked for."""


class Detail(enum.StrEnum):
    """The text that goes into `detail`."""

    ANSWER = "answer"
    WINNINGS = "winnings"
    NOT_ASKED = "not asked"


class Step(NamedTuple):
    """The right side of a row.

    `may_have_taken_effect`: a request of ours may have cancelled the round. `refusal_pending_probe`: the vendor refused
    the round, and a probe has to confirm that. None keeps the value that it had before.
    """

    state: State
    due: Due = Due.NEVER
    may_have_taken_effect: bool | None = False
    refusal_pending_probe: bool | None = False
    review: Review | None = None
    detail: Detail = Detail.ANSWER


class Transition(NamedTuple):
    """A row's step for one key.

    `uncounted`: the request uses no attempt. The failure-ratio rail counts `failed`, None for no reply to a cancel
    request. `tells_refund`: the reply to a cancel request says that the round is cancelled.
    """

    state: State
    due: Due
    may_have_taken_effect: bool
    refusal_pending_probe: bool
    review: Review | None
    detail: Detail
    uncounted: bool
    failed: bool | None
    tells_refund: bool


Key = tuple[Request, Event, Probes, bool, bool, bool]
"""Request, event, probes, and as they were before: attempts left, may have taken effect, refusal pending probe."""

_PROBE_EVENTS: tuple[Event, ...] = (
    *(Outcome.CANCELLED, Outcome.ALREADY_COMPLETED, Outcome.IN_PROGRESS, Special.WINNINGS, Outcome.REJECTED),
    *(Outcome.IN_DOUBT, Outcome.THROTTLED, Outcome.UNAUTHORIZED, Outcome.NOT_CONNECTED),
)
EVENTS: Mapping[Request, tuple[Event, ...]] = {
    Request.CANCEL: (
        *(Outcome.CANCELLED, Outcome.ALREADY_CANCELLED, Outcome.ALREADY_COMPLETED, Outcome.REJECTED, Outcome.RETRY),
        *(Outcome.IN_DOUBT, Outcome.THROTTLED, Outcome.UNAUTHORIZED, Outcome.NOT_CONNECTED),
    ),
    Request.FIRST_PROBE: (*_PROBE_EVENTS, Special.WRONG_ADDRESS, Special.ROUND_REFUSED),
    Request.PROBE: _PROBE_EVENTS,
}
"""The events that can follow each request."""

# Short words for the cells of the table.
CANCEL, FIRST, PROBE = Request.CANCEL, Request.FIRST_PROBE, Request.PROBE
LEFT, USED_UP, FORBIDDEN = Probes
NONE_LEFT, NOT_USED_UP = (USED_UP, FORBIDDEN), (LEFT, FORBIDDEN)
NEVER, NOW, BACKOFF, RESEND, PAUSE = Due
REFUSED_OR_NONE = (Outcome.REJECTED, Outcome.IN_DOUBT)
"""A probe that is refused tells as little about the round as one without a reply."""
UNUSABLE = (*REFUSED_OR_NONE, Outcome.NOT_CONNECTED)
"""Outcomes of a probe that leave the round unknown."""
TURNED_AWAY = frozenset({Outcome.THROTTLED, Outcome.UNAUTHORIZED, Special.WRONG_ADDRESS})
"""Events that use no attempt: the vendor did not look at the round."""
ANY, KEEP, yes, no = None, None, True, False

Pattern = tuple[
    Request, Event | tuple[Event, ...], Probes | tuple[Probes, ...] | None, bool | None, bool | None, bool | None
]
"""A key with several values in a column, or (ANY) every value."""

# fmt: off
ROWS: Mapping[Pattern, Step] = {
    # request, event                    probes  attempts doubt refused       state                    due     doubt ref.
    (CANCEL, Outcome.CANCELLED,         ANY,         ANY, ANY, ANY): Step(State.CANCELLED,         NEVER,   KEEP, no),
    (CANCEL, Outcome.ALREADY_CANCELLED, ANY,         ANY, ANY, ANY): Step(State.ALREADY_CANCELLED, NEVER,   KEEP, no),
    (CANCEL, Outcome.ALREADY_COMPLETED, ANY,         ANY, ANY, ANY): Step(State.ALREADY_COMPLETED, NEVER,   KEEP, no),
    (CANCEL, Outcome.REJECTED,          LEFT,        ANY, ANY, ANY): Step(State.IN_DOUBT,          NOW,     KEEP, yes),
    (CANCEL, Outcome.REJECTED,          NONE_LEFT,   ANY, no,  ANY): Step(State.REJECTED,          NEVER,   no,   no),
    # An earlier request may have cancelled the round, and that may be the reason of this refusal.
    (CANCEL, Outcome.REJECTED,          NONE_LEFT,   ANY, yes, ANY): Step(State.IN_DOUBT,          NEVER,   yes,  no),
    (CANCEL, Outcome.RETRY,             ANY,         yes, ANY, ANY): Step(State.RETRYING,          BACKOFF, yes,  no),
    (CANCEL, Outcome.RETRY,             LEFT,        no,  ANY, ANY): Step(State.IN_DOUBT,          BACKOFF, yes,  no),
    (CANCEL, Outcome.RETRY,             NONE_LEFT,   no,  ANY, ANY): Step(State.IN_DOUBT,          NEVER,   yes,  no),
    # Probes have attempts of their own. A doubt is sent again only where no probe is allowed.
    (CANCEL, Outcome.IN_DOUBT,          LEFT,        ANY, ANY, ANY): Step(State.IN_DOUBT,          BACKOFF, yes,  no),
    (CANCEL, Outcome.IN_DOUBT,          USED_UP,     ANY, ANY, ANY): Step(State.IN_DOUBT,          NEVER,   yes,  no),
    (CANCEL, Outcome.IN_DOUBT,          FORBIDDEN,   yes, ANY, ANY): Step(State.IN_DOUBT,          BACKOFF, yes,  no),
    (CANCEL, Outcome.IN_DOUBT,          FORBIDDEN,   no,  ANY, ANY): Step(State.IN_DOUBT,          NEVER,   yes,  no),
    # The next three had no effect, so an earlier doubt stays as it was. A round whose probes are used up was sent
    # because its last probe found it in progress, and may be sent again.
    (CANCEL, Outcome.THROTTLED,         ANY,         ANY, no,  ANY): Step(State.RETRYING,          PAUSE,   no,   no),
    (CANCEL, Outcome.THROTTLED,         NOT_USED_UP, ANY, yes, ANY): Step(State.IN_DOUBT,          PAUSE,   yes,  no),
    (CANCEL, Outcome.THROTTLED,         USED_UP,     ANY, yes, ANY): Step(State.RETRYING,          PAUSE,   yes,  no),
    (CANCEL, Outcome.UNAUTHORIZED,      ANY,         ANY, no,  ANY): Step(State.PLANNED,           NEVER,   no,   no),
    (CANCEL, Outcome.UNAUTHORIZED,      NOT_USED_UP, ANY, yes, ANY): Step(State.IN_DOUBT,          BACKOFF, yes,  no),
    (CANCEL, Outcome.UNAUTHORIZED,      USED_UP,     ANY, yes, ANY): Step(State.RETRYING,          BACKOFF, yes,  no),
    (CANCEL, Outcome.NOT_CONNECTED,     ANY,         yes, no,  ANY): Step(State.RETRYING,          BACKOFF, no,   no),
    (CANCEL, Outcome.NOT_CONNECTED,     ANY,         no,  no,  ANY): Step(State.NOT_SENT,          NEVER,   no,   no),
    (CANCEL, Outcome.NOT_CONNECTED,     LEFT,        ANY, yes, ANY): Step(State.IN_DOUBT,          BACKOFF, yes,  no),
    (CANCEL, Outcome.NOT_CONNECTED,     FORBIDDEN,   yes, yes, ANY): Step(State.IN_DOUBT,          BACKOFF, yes,  no),
    (CANCEL, Outcome.NOT_CONNECTED,     USED_UP,     yes, yes, ANY): Step(State.RETRYING,          BACKOFF, yes,  no),
    (CANCEL, Outcome.NOT_CONNECTED,     NONE_LEFT,   no,  yes, ANY): Step(State.IN_DOUBT,          NEVER,   yes,  no),

    (FIRST,  Outcome.CANCELLED,         ANY,         ANY, no,  no): Step(State.ALREADY_CANCELLED),
    (FIRST,  Outcome.ALREADY_COMPLETED, ANY,         ANY, no,  no): Step(State.ALREADY_COMPLETED),
    (FIRST,  Outcome.IN_PROGRESS,       ANY,         ANY, no,  no): Step(State.PLANNED),
    (FIRST,  Special.WINNINGS,          ANY,         ANY, no,  no):
        Step(State.HELD, review=Review.WINNINGS, detail=Detail.WINNINGS),
    (FIRST,  UNUSABLE,                  LEFT,        ANY, no,  no): Step(State.RETRYING, BACKOFF),
    (FIRST,  UNUSABLE,                  USED_UP,     ANY, no,  no):
        Step(State.NOT_SENT, review=Review.NOT_ASKED, detail=Detail.NOT_ASKED),
    (FIRST,  Special.ROUND_REFUSED,     ANY,         ANY, no,  no):
        Step(State.NOT_SENT, review=Review.NOT_ASKED, detail=Detail.NOT_ASKED),
    (FIRST,  Special.WRONG_ADDRESS,     ANY,         ANY, no,  no): Step(State.PLANNED),
    (FIRST,  Outcome.UNAUTHORIZED,      ANY,         ANY, no,  no): Step(State.PLANNED),
    (FIRST,  Outcome.THROTTLED,         ANY,         ANY, no,  no): Step(State.RETRYING, PAUSE),

    # The round counts as cancelled by us only where a request may have done it; a clean refusal did nothing.
    (PROBE,  Outcome.CANCELLED,         ANY,         ANY, yes, ANY): Step(State.CANCELLED,         NEVER,   yes,  no),
    (PROBE,  Outcome.CANCELLED,         ANY,         ANY, no,  yes): Step(State.ALREADY_CANCELLED, NEVER,   no,   no),
    (PROBE,  Outcome.ALREADY_COMPLETED, ANY,         ANY, ANY, ANY): Step(State.ALREADY_COMPLETED, NEVER,   KEEP, no),
    # The earlier request had no effect, so it is sent again while attempts are left, unless the vendor refused it.
    (PROBE,  Outcome.IN_PROGRESS,       ANY,         ANY, ANY, yes): Step(State.REJECTED,          NEVER,   KEEP, no),
    (PROBE,  Outcome.IN_PROGRESS,       ANY,         yes, yes, no):  Step(State.RETRYING,          RESEND,  yes,  no),
    (PROBE,  Outcome.IN_PROGRESS,       ANY,         no,  yes, no):  Step(State.IN_DOUBT,          NEVER,   yes,  no),
    (PROBE,  Special.WINNINGS,          ANY,         ANY, ANY, yes): Step(State.REJECTED,          NEVER,   KEEP, no),
    (PROBE,  Special.WINNINGS,          ANY,         ANY, yes, no):
        Step(State.IN_DOUBT, NEVER, yes, no, detail=Detail.WINNINGS),
    (PROBE,  REFUSED_OR_NONE,           ANY,         ANY, no,  yes): Step(State.REJECTED,          NEVER,   no,   no),
    (PROBE,  REFUSED_OR_NONE,           LEFT,        ANY, yes, ANY): Step(State.IN_DOUBT,          BACKOFF, yes,  KEEP),
    (PROBE,  REFUSED_OR_NONE,           USED_UP,     ANY, yes, ANY): Step(State.IN_DOUBT,          NEVER,   yes,  no),
    (PROBE,  Outcome.NOT_CONNECTED,     LEFT,        ANY, ANY, ANY): Step(State.IN_DOUBT,          BACKOFF, KEEP, KEEP),
    (PROBE,  Outcome.NOT_CONNECTED,     USED_UP,     ANY, yes, ANY): Step(State.IN_DOUBT,          NEVER,   yes,  no),
    (PROBE,  Outcome.NOT_CONNECTED,     USED_UP,     ANY, no,  yes): Step(State.REJECTED,          NEVER,   no,   no),
    (PROBE,  Outcome.UNAUTHORIZED,      ANY,         ANY, ANY, ANY): Step(State.IN_DOUBT,          NOW,     KEEP, KEEP),
    (PROBE,  Outcome.THROTTLED,         ANY,         ANY, ANY, ANY): Step(State.IN_DOUBT,          PAUSE,   KEEP, KEEP),
}
# fmt: on
"""The table. A row that stands for several keys has several values, or ANY, in a column. No key matches two rows."""


def expand(pattern: Pattern) -> Iterator[Key]:
    """List the keys that a pattern stands for."""
    request, event, probes, attempts, doubtful, refused = pattern
    events = event if isinstance(event, tuple) else (event,)
    if probes is ANY:
        probes = tuple(Probes) if request is CANCEL else (LEFT, USED_UP)  # where probes are forbidden, none is sent
    elif not isinstance(probes, tuple):
        probes = (probes,)
    flags = ((yes, no) if flag is ANY else (flag,) for flag in (attempts, doubtful, refused))
    for key in itertools.product((request,), events, probes, *flags):
        if request is not PROBE or key[-2] or key[-1]:  # with neither a doubt nor a refusal it is a first probe
            yield cast("Key", key)


def _transition(key: Key, step: Step) -> Transition:
    request, event, _, _, doubtful, refused = key
    counts = request is CANCEL and event not in TURNED_AWAY and event is not Outcome.NOT_CONNECTED
    return Transition(
        step.state,
        step.due,
        doubtful if step.may_have_taken_effect is KEEP else step.may_have_taken_effect,
        refused if step.refusal_pending_probe is KEEP else step.refusal_pending_probe,
        step.review,
        step.detail,
        uncounted=event in TURNED_AWAY,
        failed=step.state in {State.REJECTED, State.IN_DOUBT} if counts else None,
        tells_refund=request is CANCEL and event in {Outcome.CANCELLED, Outcome.ALREADY_CANCELLED},
    )


TABLE: Mapping[Key, Transition] = {key: _transition(key, step) for row, step in ROWS.items() for key in expand(row)}
"""The transition of each key."""
