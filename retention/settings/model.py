"""The configuration as the product reads it: validated once, frozen, its secrets wrapped."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from datetime import timedelta
from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationInfo, field_validator

from retention.core.name_matching import known_names_text, list_names
from retention.core.notifications.events import EVENTS, Event
from retention.errors import UsageError
from retention.settings import rules
from retention.settings.fields import (
    DURATION,
    SWITCH,
    AppriseUrl,
    Dsn,
    Duration,
    Name,
    Says,
    SigningKey,
    Table,
    TableT,
    Webhook,
    key,
    list_of,
)
from retention.settings.partner import Call, Partner
from retention.settings.policy import Policy  # noqa: TC001 - pydantic reads the annotations
from retention.settings.rate_group import RateGroup  # noqa: TC001 - pydantic reads the annotations
from retention.settings.report import ScheduledReport  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from retention.settings.secret import Secret

# Secrets that may also be given as `<key>_file = "path"`.
ADDRESSES = ("api_url", *(call.key for call in Call))
FILE_SECRETS = frozenset({"dsn", "read_dsn", "owner_dsn", *ADDRESSES, "token", "webhook", "signing_key", "apprise"})
PATHS = frozenset({"signing_key_file", "directory"})
"""Keys that are paths themselves, in a table without a secret of that name."""


class Database(Table):
    """The database with the ledger and the operator's view. Without a DSN, libpq's own environment decides."""

    dsn: Annotated[
        Dsn | None,
        key('"postgresql://retention_job@db/operator"', "a string"),
        Says(
            "The database with the ledger and the view `retention.open_rounds`, as a connection string of libpq. "
            "Over a network, ask for TLS and for the right server: add ?sslmode=verify-full&sslrootcert=FILE.",
            default="libpq's own environment (PGHOST, PGSERVICE ...)",
        ),
    ] = None
    read_dsn: Annotated[
        Dsn | None,
        key('"postgresql://retention_job@replica/operator"', "a string"),
        Says(
            "A streaming replica (hot standby) of that database. `plan`, `run`, `serve` and `check` read the view "
            "there, and everything else on the primary. A claim looks each round up on the primary, so a late replica "
            "cancels nothing wrongly. A replica that is away or is not one of this primary is named, and the primary "
            "is read.",
            default="the view is read on the primary",
        ),
    ] = None
    owner_dsn: Annotated[
        Dsn | None,
        key('"postgresql://operator_owner@db/operator"', "a string"),
        Says(
            "The same database as its owner, for `db migrate` and the proposals of `db sample`: the job's own role can "
            "neither create a schema nor read the operator's tables. No run opens it. Keep it out of the file that the "
            "job reads every night: `db migrate --as`, or the variable, does as well.",
            default="as `dsn`",
        ),
    ] = None

    @property
    def owner(self) -> Secret | None:
        """The DSN of the owner; the job's own where no other is given."""
        return self.owner_dsn or self.dsn

    def secrets(self) -> list[Secret]:
        """Return every DSN that is given."""
        return [dsn for dsn in (self.dsn, self.read_dsn, self.owner_dsn) if dsn is not None]


class Target(Table):
    """One target of notifications."""

    name: str
    webhook: Annotated[
        Webhook | None,
        key('"https://ops.example.com/retention"', "an https address"),
        Says(
            "The https address to which notifications are posted as signed JSON.",
            default="required, unless `apprise` is given",
        ),
    ] = None
    signing_key: Annotated[
        SigningKey | None,
        key('"whsec_dGFrZSBhbm90aGVyIHRoYW4gdGhpcyBvbmU="', "a string", validate_default=True),
        Says(
            "The key that signs the webhook, as standardwebhooks.com specifies; the receiver needs it too. At "
            "least 24 bytes, in base64 after whsec_, or as they are: `openssl rand -hex 32` prints such a key.",
            default="required with `webhook`",
        ),
    ] = None
    apprise: Annotated[
        AppriseUrl | None,
        key('"mailtos://user:password@example.com"', "a string", validate_default=True),
        Says(
            'The address of a chat or mail service, as apprise spells it. Needs the extra "notify".',
            default="required, unless `webhook` is given",
        ),
    ] = None
    events: Annotated[
        tuple[Event, ...],
        list_of('["run.halted"]', "events: " + ", ".join(EVENTS), at_least=1),
        Says("The events of which this target is notified.", default="all"),
    ] = EVENTS

    # A refused webhook is not in `info.data`; its error suffices, and its key is not checked.
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


class Evidence(Table):
    """The evidence that the ledger keeps."""

    signing_key_file: Annotated[
        Path | None,
        key('"/run/secrets/retention-signing-key"', "the path of a file"),
        Says(
            "The file of a private Ed25519 key, as PEM or as its 32 bytes, which signs each checkpoint of the "
            'evidence. `check` shows the public key for those who verify. Needs the extra "evidence".',
            default="checkpoints are not signed",
        ),
    ] = None


class Settings(Table):
    """The whole configuration."""

    database: Database = Field(default_factory=Database, description="a table, [database]")
    partners: Mapping[Name, Partner] = Field(default_factory=dict, description="a table, [partners.NAME]")
    rate_groups: Mapping[Name, RateGroup] = Field(default_factory=dict, description="a table, [rate_groups.NAME]")
    policies: Mapping[Name, Policy] = Field(default_factory=dict, description="a table, [policies.NAME]")
    reports: Mapping[Name, ScheduledReport] = Field(default_factory=dict, description="a table, [reports.NAME]")
    notify: Mapping[Name, Target] = Field(default_factory=dict, description="a table, [notify.NAME]")
    evidence: Evidence = Field(default_factory=Evidence, description="a table, [evidence]")
    log_user_ids: Annotated[bool, key("false", SWITCH), Says("Whether logs may show user ids.")] = False
    max_clock_difference: Annotated[
        Duration,
        key('"60s"', DURATION),
        Says(
            "No run plans and no process claims while the clocks of the database and of this process differ by "
            "more. A policy may have its own limit."
        ),
    ] = timedelta(seconds=60)

    def policy(self, name: str | None = None) -> Policy:
        """Return the policy of that name; without a name, the only policy. UsageError otherwise."""
        if name is None and len(self.policies) == 1:
            return next(iter(self.policies.values()))
        return _named("policy", "policies", self.policies, name)

    def partner(self, name: str) -> Partner:
        """Return the partner of that name; UsageError where it is not configured."""
        return _named("partner", "partners", self.partners, name)

    def partners_of(self, policy: Policy) -> tuple[str, ...]:
        """Return the names of the policy's partners; a policy that names no partner has all of them."""
        names = tuple(dict.fromkeys(policy.partners or self.partners))
        if not names:
            raise UsageError("no partner is configured; add [partners.NAME] to the configuration")
        return names

    def partners_in(self, group: str) -> tuple[str, ...]:
        """Return the names of the partners that share the limit of a rate group."""
        return tuple(partner.name for partner in self.partners.values() if partner.rate_group == group)

    def max_runs(self) -> dict[str, int]:
        """Return each partner's `max_runs`."""
        return {name: partner.max_runs for name, partner in self.partners.items()}

    def clock_limit(self, policy: str | None = None) -> float:
        """Return the largest difference of the database's clock, in seconds: of a policy, or the least of all.

        The limit is always the current configuration's, because it concerns the machines and not the plan.
        """
        if policy is None:
            return min(
                (self.clock_limit(name) for name in self.policies), default=self.max_clock_difference.total_seconds()
            )
        known = self.policies.get(policy)
        return ((known and known.max_clock_difference) or self.max_clock_difference).total_seconds()

    def every_secret(self) -> tuple[Secret, ...]:
        """Return every secret; no log may show one."""
        found: list[Secret | None] = [*self.database.secrets()]
        for partner in self.partners.values():
            found += [partner.secure_login, partner.token, *partner.addresses()]
        for target in self.notify.values():
            found += [target.webhook, target.signing_key, target.apprise]
        return tuple(secret for secret in found if secret)

    def secrets(self) -> list[str]:
        """Return the current text of every secret, the longest first."""
        found = {secret.reveal() for secret in self.every_secret()}
        for partner in self.partners.values():
            found |= {url.reveal().rstrip("/") for url in partner.addresses()}
        for dsn in self.database.secrets():
            found |= {*rules.passwords_in(dsn.reveal())}
        return sorted(found, key=len, reverse=True)


def _named(kind: str, table: str, known: Mapping[str, TableT], name: str | None) -> TableT:
    if name is not None and name in known:
        return known[name]
    if not known:
        raise UsageError(f"no {kind} is configured; add [{table}.NAME] to the configuration")
    if name is None:
        raise UsageError(f"say which {kind}: {list_names(known)}")
    raise UsageError(f"there is no {kind} {name!r}; {known_names_text(name, known)}")
