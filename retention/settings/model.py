"""The configuration as the rest of the house sees it: validated once, frozen, its secrets wrapped."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from retention.core.name_matching import known_names_text, list_names
from retention.core.notifications.events import EVENTS, Event
from retention.core.planning.rails import Limits
from retention.core.schedule.cron import CronSchedule
from retention.errors import UsageError
from retention.settings import rules
from retention.settings.fields import (
    COUNT,
    COUNT_OR_NONE,
    DURATION,
    MANY,
    SWITCH,
    Amounts,
    AppriseUrl,
    Cron,
    Dsn,
    Duration,
    Name,
    SigningKey,
    Table,
    TableT,
    Webhook,
    Words,
    Zone,
    key,
    list_of,
)
from retention.settings.partner import Call, Partner

if TYPE_CHECKING:
    from retention.settings.secret import Secret

# Secrets that may also be given as `<key>_file = "path"`.
ADDRESSES = ("api_url", *(call.key for call in Call))
FILE_SECRETS = frozenset({"dsn", *ADDRESSES, "token", "webhook", "signing_key", "apprise"})


class Database(Table):
    """Where the ledger and the operator's view are. Without a DSN, libpq's own environment says."""

    dsn: Annotated[Dsn | None, key('"postgresql://retention_job@db/operator"', "a string")] = None


class Policy(Table):
    """Which rounds are stale, and within which rails they are cancelled."""

    name: str
    partners: Annotated[Words | None, list_of('["acme"]', "partners", at_least=1)] = None
    markets: Annotated[Words | None, list_of('["MT", "SE"]', "markets", at_least=1)] = None
    exclude_markets: Annotated[Words, list_of('["GB"]', "markets")] = ()
    games: Annotated[Words | None, list_of('["roulette-7"]', "game ids", at_least=1)] = None
    exclude_games: Annotated[Words, list_of('["poker-1"]', "game ids")] = ()
    open_longer_than: Annotated[Duration, key('"72h"', DURATION)]
    idle_longer_than: Annotated[Duration | None, key('"24h"', DURATION)] = None
    schedule: Annotated[Cron | None, key('"0 3 * * *"', "five cron fields in quotes")] = None
    timezone: Annotated[Zone | None, key('"Europe/Malta"', "the name of a time zone", validate_default=True)] = None
    catch_up: Annotated[Duration | None, key('"6h"', DURATION)] = None
    mode: Annotated[Literal["dry_run", "enforce"], key('"dry_run"', '"dry_run" or "enforce"')] = "dry_run"
    max_rounds: Annotated[int, key("5000", COUNT, ge=1, le=MANY)]
    max_amount: Annotated[Amounts, key('{ EUR = "50000" }', "a table of amounts by currency")] = Field(
        default_factory=dict
    )
    max_amount_unknown: Annotated[int, key("0", COUNT_OR_NONE, ge=0, le=MANY)] = 0
    max_conflicts: Annotated[int, key("5", COUNT_OR_NONE, ge=0, le=MANY)] = 5
    max_failure_ratio: Annotated[float, key("0.2", "a number above 0, at most 1", gt=0, le=1)] = 0.2
    winnings: Annotated[Literal["review", "cancel"], key('"review"', '"review" or "cancel"')] = "review"
    stalled_after: Annotated[Duration, key('"30m"', DURATION)] = timedelta(minutes=30)
    deadline: Annotated[Duration | None, key('"3h"', DURATION)] = None
    max_clock_difference: Annotated[Duration | None, key('"60s"', DURATION)] = None

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
        """When it is to be run by itself; None where it has no schedule."""
        if self.schedule is None or self.timezone is None:
            return None
        return CronSchedule(self.schedule, self.timezone)

    @property
    def limits(self) -> Limits:
        """Its rails for a plan."""
        return Limits(self.max_rounds, self.max_amount, self.max_amount_unknown)

    def as_record(self) -> dict[str, Any]:
        """Return what the ledger keeps of the policy: JSON, and `Policy.model_validate` reads it back."""
        return self.model_dump(mode="json")


class Target(Table):
    """Somebody who is to be told what a person must know."""

    name: str
    webhook: Annotated[Webhook | None, key('"https://ops.example.com/retention"', "an https address")] = None
    signing_key: Annotated[
        SigningKey | None, key('"whsec_dGFrZSBhbm90aGVyIHRoYW4gdGhpcyBvbmU="', "a string", validate_default=True)
    ] = None
    apprise: Annotated[
        AppriseUrl | None, key('"mailtos://user:password@example.com"', "a string", validate_default=True)
    ] = None
    events: Annotated[tuple[Event, ...], list_of('["run.halted"]', "events: " + ", ".join(EVENTS), at_least=1)] = EVENTS

    # A webhook that was refused is in no `info.data`, and nothing more is said about what goes with it.
    @field_validator("signing_key")
    @classmethod
    def _signs_the_webhook(cls, key: Secret | None, info: ValidationInfo) -> Secret | None:
        if "webhook" in info.data and (key is None) != (info.data["webhook"] is None):
            if key is None:
                raise ValueError("missing; a webhook is signed: take what `openssl rand -hex 32` prints")
            raise ValueError("signs a webhook, and there is none; give both, or neither")
        return key

    @field_validator("apprise")
    @classmethod
    def _is_the_other_way(cls, url: Secret | None, info: ValidationInfo) -> Secret | None:
        if "webhook" in info.data and (url is None) == (info.data["webhook"] is None):
            if url is None:
                raise ValueError("missing, and so is webhook; give one of the two")
            raise ValueError("given together with webhook; keep one of the two")
        return url


class Settings(Table):
    """All of it."""

    database: Database = Field(default_factory=Database, description="a table, [database]")
    partners: Mapping[Name, Partner] = Field(default_factory=dict, description="a table, [partners.NAME]")
    policies: Mapping[Name, Policy] = Field(default_factory=dict, description="a table, [policies.NAME]")
    notify: Mapping[Name, Target] = Field(default_factory=dict, description="a table, [notify.NAME]")
    log_user_ids: Annotated[bool, key("false", SWITCH)] = False
    max_clock_difference: Annotated[Duration, key('"60s"', DURATION)] = timedelta(seconds=60)

    def policy(self, name: str | None = None) -> Policy:
        """Return the policy of that name; without a name, the only one there is."""
        if name is None and len(self.policies) == 1:
            return next(iter(self.policies.values()))
        return _named("policy", "policies", self.policies, name)

    def partner(self, name: str) -> Partner:
        """Return the partner of that name."""
        return _named("partner", "partners", self.partners, name)

    def partners_of(self, policy: Policy) -> tuple[str, ...]:
        """Return the names of the partners that the policy speaks of: those that it names, else all."""
        names = tuple(dict.fromkeys(policy.partners or self.partners))
        if not names:
            raise UsageError("no partner is configured; add [partners.NAME] to the configuration")
        return names

    def max_runs(self) -> dict[str, int]:
        """Return each partner's `max_runs`."""
        return {name: partner.max_runs for name, partner in self.partners.items()}

    def clock_limit(self, policy: str | None = None) -> float:
        """Return how many seconds the database's clock may be off for a policy; without one, for every policy.

        It is always today's: it is about the machines, and not about what was planned.
        """
        if policy is None:
            return min(
                (self.clock_limit(name) for name in self.policies), default=self.max_clock_difference.total_seconds()
            )
        known = self.policies.get(policy)
        return ((known and known.max_clock_difference) or self.max_clock_difference).total_seconds()

    def every_secret(self) -> tuple[Secret, ...]:
        """Return all that no log may show."""
        found: list[Secret | None] = [self.database.dsn]
        for partner in self.partners.values():
            found += [partner.secure_login, partner.token, *partner.addresses()]
        for target in self.notify.values():
            found += [target.webhook, target.signing_key, target.apprise]
        return tuple(secret for secret in found if secret)

    def secrets(self) -> list[str]:
        """Return the words of all that no log may show, as it is at this moment, the longest first."""
        found = {secret.reveal() for secret in self.every_secret()}
        for partner in self.partners.values():
            found |= {url.reveal().rstrip("/") for url in partner.addresses()}
        if self.database.dsn:
            found |= {*rules.passwords_in(self.database.dsn.reveal())}
        return sorted(found, key=len, reverse=True)


def _named(kind: str, table: str, known: Mapping[str, TableT], name: str | None) -> TableT:
    if name is not None and name in known:
        return known[name]
    if not known:
        raise UsageError(f"no {kind} is configured; add [{table}.NAME] to the configuration")
    if name is None:
        raise UsageError(f"say which {kind}: {list_names(known)}")
    raise UsageError(f"there is no {kind} {name!r}; {known_names_text(name, known)}")
