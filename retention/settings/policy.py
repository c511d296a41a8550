"""[policies.NAME]: the stale rounds, the schedule and the rails of a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from retention.core.planning.rails import Limits
from retention.core.schedule.cron import CronSchedule
from retention.settings.fields import (
    COUNT,
    COUNT_OR_NONE,
    DURATION,
    MANY,
    SWITCH,
    Amounts,
    Cron,
    Duration,
    Says,
    Table,
    Words,
    Zone,
    key,
    list_of,
)


class Policy(Table):
    """One policy: its stale rounds, its schedule and its rails."""

    name: str
    partners: Annotated[
        Words | None,
        list_of('["acme"]', "partners", at_least=1),
        Says("The partners whose rounds the policy selects.", default="all"),
    ] = None
    markets: Annotated[
        Words | None,
        list_of('["MT", "SE"]', "markets", at_least=1),
        Says("The markets whose rounds the policy selects, as the view spells them.", default="all"),
    ] = None
    exclude_markets: Annotated[
        Words, list_of('["GB"]', "markets"), Says("The markets whose rounds the policy leaves out.")
    ] = ()
    games: Annotated[
        Words | None,
        list_of('["roulette-7"]', "game ids", at_least=1),
        Says("The games whose rounds the policy selects.", default="all"),
    ] = None
    exclude_games: Annotated[
        Words, list_of('["poker-1"]', "game ids"), Says("The games whose rounds the policy leaves out.")
    ] = ()
    open_longer_than: Annotated[
        Duration,
        key('"72h"', DURATION),
        Says(
            "A round is stale when it has been open for so long, by the database's clock. No regulator's text "
            "that we found gives a number: this one is yours to choose."
        ),
    ]
    idle_longer_than: Annotated[
        Duration | None,
        key('"24h"', DURATION),
        Says(
            "The last activity of a round, where it is known, must be at least this old too.",
            default="the last activity does not matter",
        ),
    ] = None
    schedule: Annotated[
        Cron | None,
        key('"0 3 * * *"', "five cron fields in quotes"),
        Says(
            "When `retention serve` runs the policy: minute, hour, day of the month, month, day of the week (0 "
            'and 7 are Sunday), as cron(8) reads them, or "@daily" and the like.',
            default="only `retention run` runs it",
        ),
    ] = None
    timezone: Annotated[
        Zone | None,
        key('"Europe/Malta"', "the name of a time zone", validate_default=True),
        Says("The time zone of the schedule.", default="required with `schedule`"),
    ] = None
    catch_up: Annotated[
        Duration | None,
        key('"6h"', DURATION),
        Says(
            "A scheduled time that passed while no `serve` was up is still run within so long. Of several missed "
            "times only the newest is run.",
            default="a missed time is not run",
        ),
    ] = None
    mode: Annotated[
        Literal["dry_run", "enforce"],
        key('"dry_run"', '"dry_run" or "enforce"'),
        Says('"dry_run" plans and reports, "enforce" cancels.'),
    ] = "dry_run"
    max_rounds: Annotated[
        int,
        key("5000", COUNT, ge=1, le=MANY),
        Says("The run halts before its first call when more rounds than this are stale.", unit="rounds"),
    ]
    max_amount: Annotated[
        Amounts,
        key('{ EUR = "50000" }', "a table of amounts by currency"),
        Says(
            "The run halts before its first call when the stakes of a currency add up to more than this. Write "
            "amounts in quotes, because money is never a float.",
            unit="currency units, by ISO 4217 code",
            default="no limit",
        ),
    ] = Field(default_factory=dict)
    max_amount_unknown: Annotated[
        int,
        key("0", COUNT_OR_NONE, ge=0, le=MANY),
        Says(
            "With max_amount: the run halts when the plan has more rounds than this whose stake it cannot judge. "
            "Such a stake is missing or negative, or its currency is missing or no code of ISO 4217.",
            unit="rounds",
        ),
    ] = 0
    max_surge: Annotated[
        float | None,
        key("5.0", f"a number above 0, at most {MANY}", gt=0, le=MANY),
        Says(
            "The run halts before its first call when more than 100 rounds are stale, and more than so many times the "
            "usual number. The usual number is the median of the policy's last 14 finished runs that were no dry runs. "
            "Before its first finished run, the rail judges nothing.",
            unit="times the usual number of rounds",
            default="no limit",
        ),
    ] = None
    max_drift: Annotated[
        float | None,
        key("0.1", "a number from 0 to 1", ge=0, le=1),
        Says(
            "With `requires_approval`: the run halts before its first call when more than this share of the approved "
            "rounds is gone by then: closed, held, or another round under the same id.",
            unit="share of the approved rounds",
            default="no limit",
        ),
    ] = None
    max_conflicts: Annotated[
        int,
        key("5", COUNT_OR_NONE, ge=0, le=MANY),
        Says(
            "The run halts when the operator's database refuses to close more rounds than this that the vendor "
            "has cancelled.",
            unit="rounds",
        ),
    ] = 5
    max_failure_ratio: Annotated[
        float,
        key("0.2", "a number above 0, at most 1", gt=0, le=1),
        Says(
            "The run halts when more of the last 200 replies (at least 50) than this were rejected or left in "
            "doubt. Rounds that an earlier run has tried count apart: where these fail so often, the run leaves "
            "the rest of them to a later run.",
            unit="share of the replies",
        ),
    ] = 0.2
    requires_approval: Annotated[
        bool,
        key("false", SWITCH),
        Says(
            "A run of this policy waits until another person than the one who asked for it has approved its plan with "
            "`retention approve`. Then it cancels exactly those rounds, each looked at once more."
        ),
    ] = False
    approval_expires: Annotated[
        Duration,
        key('"24h"', DURATION),
        Says(
            "So long after the plan, an approval that was not given or not used is none any more: the run is "
            "cancelled, and a later run plans its rounds."
        ),
    ] = timedelta(hours=24)
    approval: Annotated[
        Literal["claimed", "authenticated"],
        key('"claimed"', '"claimed" or "authenticated"'),
        Says(
            'With "claimed", the name given with --by is believed. With "authenticated", a person approves with '
            "another database login than the one that asked for the run."
        ),
    ] = "claimed"
    winnings: Annotated[
        Literal["review", "cancel"],
        key('"review"', '"review" or "cancel"'),
        Says(
            'With "review", a round for which the vendor tells winnings is not cancelled, and is listed for '
            'review. With "cancel", it is cancelled all the same.'
        ),
    ] = "review"
    stalled_after: Annotated[
        Duration,
        key('"30m"', DURATION),
        Says("A run in which no round comes to an end for so long has stalled, and people are notified."),
    ] = timedelta(minutes=30)
    deadline: Annotated[
        Duration | None,
        key('"3h"', DURATION),
        Says(
            "The run stops sending so long after its start. The remaining rounds are reported as not sent.",
            default="no deadline",
        ),
    ] = None
    max_clock_difference: Annotated[
        Duration | None,
        key('"60s"', DURATION),
        Says(
            "The same limit as at the top of the file, for this policy alone.",
            default="the limit at the top of the file",
        ),
    ] = None

    @field_validator("exclude_markets", "exclude_games")
    @classmethod
    def _contradicts_nothing(cls, excluded: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        key = str(info.field_name).removeprefix("exclude_")
        if both := sorted(set(info.data.get(key) or ()) & set(excluded)):
            raise ValueError(f"names {', '.join(both)}, which {key} names too; keep each in one of the two")
        return excluded

    @field_validator("timezone")
    @classmethod
    def _goes_with_the_schedule(cls, zone: str | None, info: ValidationInfo) -> str | None:
        if zone is None and info.data.get("schedule") is not None:
            raise ValueError('missing; a schedule needs its zone, such as "Europe/Malta"')
        return zone

    @property
    def times(self) -> CronSchedule | None:
        """The policy's scheduled times; None without a schedule."""
        if self.schedule is None or self.timezone is None:
            return None
        return CronSchedule(self.schedule, self.timezone)

    @property
    def limits(self) -> Limits:
        """The rails for a plan."""
        return Limits(self.max_rounds, self.max_amount, self.max_amount_unknown, self.max_surge)

    def as_record(self) -> dict[str, Any]:
        """Return the policy as the JSON in `runs.settings`; `Policy.model_validate` reads it back."""
        return self.model_dump(mode="json")
