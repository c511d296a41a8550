"""The names of all metrics, with their documentation and labels: deploy/OPERATIONS.md is made from them."""

from __future__ import annotations

from typing import NamedTuple

from retention.core.model import RESOLUTIONS, State


class Described(NamedTuple):
    """A metric: its name, its documentation, and the names of its labels."""

    name: str
    documentation: str
    labels: tuple[str, ...]


ROUNDS = Described(
    "retention_rounds_total",
    "Rounds that this process settled, by what became of them.",
    ("policy", "partner", "market", "outcome"),
)
REQUESTS = Described("retention_request_seconds", "Seconds from sending a request to its reply.", ("partner",))
STALE = Described("retention_stale_rounds", "Stale rounds that the policy's newest plan found.", ("policy", "market"))
REFUNDS = Described(
    "retention_refund_amount_total", "Refunds promised by the vendor, in currency units.", ("partner", "currency")
)
FINISHED = Described(
    "retention_run_last_finished_timestamp_seconds",
    "When the policy's newest run ended as finished or failed, in Unix seconds; a halted run has not ended. 0: none.",
    ("policy",),
)
SUCCEEDED = Described(
    "retention_run_last_success_timestamp_seconds",
    "When the policy's newest run ended as finished (exit code 0 or 4), in Unix seconds. A dry run counts where the"
    " policy's mode is dry_run; a run behind another of the policy that has stalled does not. 0: none.",
    ("policy",),
)
EXIT_CODE = Described(
    "retention_run_last_exit_code",
    "The exit code of the policy's newest run, a halted one included; 0 before the first.",
    ("policy",),
)
STALLED = Described(
    "retention_run_stalled", "Runs of the policy in which no round has come to an end for stalled_after.", ("policy",)
)
REVIEW = Described(
    "retention_review_rounds",
    "Rounds that wait for a person, by why; a round with several whys counts under each.",
    ("policy", "why"),
)
READ = Described(
    "retention_ledger_last_read_timestamp_seconds",
    "When this process last read the policy's runs and reviews from the ledger, in Unix seconds. 0: never.",
    ("policy",),
)
WAITED = Described(
    "retention_rate_wait_seconds_total",
    "Seconds that requests waited for a slot in the partner's rate and its group's.",
    ("partner",),
)
CHECKPOINT = Described(
    "retention_checkpoint_size", "Entries in the newest checkpoint of the evidence, which has this root.", ("root",)
)
SCHEDULED = Described(
    "retention_schedule_last_time_timestamp_seconds",
    "The newest scheduled time of the policy that has come, in Unix seconds. 0: none.",
    ("policy",),
)
PAUSED = Described(
    "retention_paused",
    "1 while calls to the partner are paused, by a person or by the vendor (a Retry-After), else 0.",
    ("partner", "by"),
)
REPORT_FAILED = Described(
    "retention_report_failed", "1 while the newest report that was due could not be made, else 0.", ("report",)
)
BUILD = Described("retention_build_info", "1; the label has the version of the process.", ("version",))
MISSED = Described("retention_schedule_missed_total", "Scheduled times that passed without a run.", ("policy",))
LOST = Described(
    "retention_processes_lost_total", "Helper processes (--processes) that ended while a run needed them.", ()
)

OUTCOMES = (State.IN_DOUBT, *RESOLUTIONS)
"""The outcomes that a run can give a round."""

POLICY_GAUGES = (FINISHED, SUCCEEDED, EXIT_CODE, STALLED, SCHEDULED, READ)
"""The gauges with one value for each policy; each is there from the start."""

METRICS = (
    *(
        ROUNDS,
        REQUESTS,
        STALE,
        REFUNDS,
        FINISHED,
        SUCCEEDED,
        EXIT_CODE,
        STALLED,
        SCHEDULED,
        REVIEW,
        READ,
        WAITED,
        MISSED,
    ),
    *(PAUSED, REPORT_FAILED, CHECKPOINT, BUILD, LOST),
)
