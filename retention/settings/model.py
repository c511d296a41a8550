"""The configuration as the rest of the house sees it: validated once, frozen, its secrets wrapped.

A key's description completes "must be ...", and its example is what an error tells people to write. Examples are
TOML; the type of an example is also how a value from the environment is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
)

from retention.core.codes import DEFAULT_CODES
from retention.core.cron import Schedule
from retention.core.model import Treatment
from retention.core.notice import EVENTS, Event
from retention.errors import UsageError
from retention.settings import rules
from retention.settings.durations import format_duration
from retention.settings.secret import Secret

# Secrets that may also be given as `<key>_file = "path"`.
FILE_SECRETS = frozenset({"dsn", "api_url", "status_url", "token", "webhook", "signing_key", "apprise"})

Dsn = Annotated[Secret, BeforeValidator(rules.secret(rules.check_dsn))]
Login = Annotated[Secret, BeforeValidator(rules.secret(rules.text_of(32)))]
Token = Annotated[Secret, BeforeValidator(rules.secret(rules.text_of(36)))]
Url = Annotated[Secret, BeforeValidator(rules.secret(rules.check_url))]
Webhook = Annotated[Secret, BeforeValidator(rules.secret(rules.check_webhook))]
SigningKey = Annotated[Secret, BeforeValidator(rules.secret(rules.check_signing_key))]
AppriseUrl = Annotated[Secret, BeforeValidator(rules.secret(rules.check_apprise))]

Name = Annotated[str, AfterValidator(rules.name)]
Words = tuple[Annotated[str, Field(min_length=1)], ...]
Codes = Mapping[Name, Annotated[Treatment, Field(strict=False)]]
Amounts = Mapping[Name, Annotated[Decimal, BeforeValidator(rules.money)]]
Cron = Annotated[str, AfterValidator(rules.schedule)]
Zone = Annotated[str, AfterValidator(rules.timezone)]
Duration = Annotated[timedelta, BeforeValidator(rules.duration), PlainSerializer(format_duration)]


def _key(example: str, must_be: str, **limits: Any) -> Any:
    return Field(examples=[example], description=must_be, **limits)


def _list(example: str, of: str, at_least: int = 0) -> Any:
    must_be = f"a list of {of}" + (", not empty: without the key it is all of them" if at_least else "")
    return _key(example, must_be, min_length=at_least, strict=False)


_LOGIN = _key('"acme"', "a string")
_TOKEN = _key('"the-token-of-this-partner"', "a string")
_API_URL = _key('"https://api.example.com"', "an https address")
_STATUS_URL = _key('"https://api.example.com/history/GetRoundStatus"', "an https address")
_COUNT = "a whole number, 1 or more"
_SWITCH = "true or false"
_DURATION = "a duration"
_AMOUNTS = "a table of amounts by currency"
_TREATMENTS = "a table of vendor codes, each one of " + ", ".join(Treatment)


class Table(BaseModel):
    """A table of the file. Strict: a string is no number, and a number no boolean."""

    model_config = ConfigDict(
        arbitrary_types_allowed=True, extra="forbid", frozen=True, hide_input_in_errors=True, strict=True
    )


TableT = TypeVar("TableT", bound=Table)


class Database(Table):
    """Where the ledger and the operator's view are. Without a DSN, libpq's own environment says."""

    dsn: Annotated[Dsn | None, _key('"postgresql://retention_job@db/operator"', "a string")] = None


class Partner(Table):
    """One account at the vendor."""

    name: str
    secure_login: Annotated[Login, _LOGIN]
    api_url: Annotated[Url, _API_URL]
    status_url: Annotated[Url | None, _STATUS_URL] = None
    token: Annotated[Token, _TOKEN]
    rate: Annotated[float, _key("20", "a number of requests per second, above 0", gt=0, allow_inf_nan=False)]
    concurrency: Annotated[int, _key("50", "a whole number from 1 to 1000", ge=1, le=1000)] = 50
    timeout: Annotated[Duration, _key('"10s"', _DURATION)] = timedelta(seconds=10)
    max_attempts: Annotated[int, _key("5", _COUNT, ge=1)] = 5
    max_runs: Annotated[int, _key("3", _COUNT, ge=1)] = 3
    status_probe: Annotated[bool, _key("true", _SWITCH)] = True
    send_game_id: Annotated[bool, _key("true", _SWITCH)] = True
    codes: Annotated[Codes, _key('{ "61" = "already_cancelled" }', _TREATMENTS)] = Field(default_factory=dict)

    @cached_property
    def treatments(self) -> Mapping[str, Treatment]:
        """What each code means: the default mapping with this partner's own words over it."""
        return MappingProxyType({**DEFAULT_CODES, **self.codes})


class Policy(Table):
    """Which rounds are stale, and within which rails they are cancelled."""

    name: str
    partners: Annotated[Words | None, _list('["acme"]', "partners", at_least=1)] = None
    markets: Annotated[Words | None, _list('["MT", "SE"]', "markets", at_least=1)] = None
    exclude_markets: Annotated[Words, _list('["GB"]', "markets")] = ()
    games: Annotated[Words | None, _list('["roulette-7"]', "game ids", at_least=1)] = None
    exclude_games: Annotated[Words, _list('["poker-1"]', "game ids")] = ()
    open_longer_than: Annotated[Duration, _key('"72h"', _DURATION)]
    idle_longer_than: Annotated[Duration | None, _key('"24h"', _DURATION)] = None
    schedule: Annotated[Cron | None, _key('"0 3 * * *"', "five cron fields in quotes")] = None
    timezone: Annotated[Zone | None, _key('"Europe/Malta"', "the name of a time zone", validate_default=True)] = None
    catch_up: Annotated[Duration | None, _key('"6h"', _DURATION)] = None
    mode: Annotated[Literal["dry_run", "enforce"], _key('"dry_run"', '"dry_run" or "enforce"')] = "dry_run"
    max_rounds: Annotated[int, _key("5000", _COUNT, ge=1)]
    max_amount: Annotated[Amounts, _key('{ EUR = "50000" }', _AMOUNTS)] = Field(default_factory=dict)
    max_failure_ratio: Annotated[float, _key("0.2", "a number above 0, at most 1", gt=0, le=1)] = 0.2
    deadline: Annotated[Duration | None, _key('"3h"', _DURATION)] = None

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
    def times(self) -> Schedule | None:
        """When it is to be run by itself; None where it has no schedule."""
        if self.schedule is None or self.timezone is None:
            return None
        return Schedule(self.schedule, self.timezone)

    def as_record(self) -> dict[str, Any]:
        """Return what the ledger keeps of the policy: JSON, and `Policy.model_validate` reads it back."""
        return self.model_dump(mode="json")


class Target(Table):
    """Somebody who is to be told what a person must know."""

    name: str
    webhook: Annotated[Webhook | None, _key('"https://ops.example.com/retention"', "an https address")] = None
    signing_key: Annotated[
        SigningKey | None, _key('"whsec_dGFrZSBhbm90aGVyIHRoYW4gdGhpcyBvbmU="', "a string", validate_default=True)
    ] = None
    apprise: Annotated[
        AppriseUrl | None, _key('"mailtos://user:password@example.com"', "a string", validate_default=True)
    ] = None
    events: Annotated[tuple[Event, ...], _list('["run.halted"]', "events: " + ", ".join(EVENTS), at_least=1)] = EVENTS

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
    log_user_ids: Annotated[bool, _key("false", _SWITCH)] = False

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

    def every_secret(self) -> tuple[Secret, ...]:
        """Return all that no log may show."""
        found: list[Secret | None] = [self.database.dsn]
        for partner in self.partners.values():
            found += [partner.secure_login, partner.token, partner.api_url, partner.status_url]
        for target in self.notify.values():
            found += [target.webhook, target.signing_key, target.apprise]
        return tuple(secret for secret in found if secret)

    def secrets(self) -> list[str]:
        """Return the words of all that no log may show, as it is at this moment, the longest first."""
        found = {secret.reveal() for secret in self.every_secret()}
        for partner in self.partners.values():
            found |= {url.reveal().rstrip("/") for url in (partner.api_url, partner.status_url) if url}
        if self.database.dsn:
            found |= {*rules.passwords_in(self.database.dsn.reveal())}
        return sorted(found, key=len, reverse=True)


def _named(kind: str, table: str, known: Mapping[str, TableT], name: str | None) -> TableT:
    if name is not None and name in known:
        return known[name]
    if not known:
        raise UsageError(f"no {kind} is configured; add [{table}.NAME] to the configuration")
    names = ", ".join(known)
    raise UsageError(f"there is no {kind} {name!r}; known: {names}" if name else f"say which {kind}: {names}")
