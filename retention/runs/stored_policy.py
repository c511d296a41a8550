"""The policy that a run was planned under, as the ledger keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from retention.core.runs.stricter import stricter
from retention.errors import UsageError
from retention.runs.narrowing import BESIDES, CONFIGURED
from retention.settings.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID


def stored_policy(run_id: UUID, settings: Mapping[str, Any]) -> Policy:
    """The policy of a run's `settings`. Raises UsageError where this version cannot read it."""
    try:
        return Policy.model_validate({key: value for key, value in settings.items() if key not in BESIDES})
    except ValidationError:
        raise UsageError(
            f"run {run_id} keeps a policy that this version refuses; `retention runs close` calls it off"
        ) from None


def stricter_now(settings: Mapping[str, Any], policy: Policy, now: Policy | None) -> list[str]:
    """Say what is stricter in the policy as it is configured `now`; what a person chose for this run stands."""
    before = policy.as_record() | settings.get(CONFIGURED, {})
    return stricter(dict(Policy.model_validate(before)), dict(now) if now is not None else None)
