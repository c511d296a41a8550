"""The policy that a run was planned under, read from the settings in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from retention.core.runs.stricter import stricter_settings
from retention.errors import UsageError
from retention.runs.narrowing import CONFIGURED, NAMED, NOT_POLICY
from retention.runs.targeted import UNUSED
from retention.settings.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID


def stored_policy(run_id: UUID, settings: Mapping[str, Any]) -> Policy:
    """Read the policy from a run's `settings`. Raises UsageError where this version refuses it."""
    try:
        unused = UNUSED if NAMED in settings else {}
        return Policy.model_validate(unused | {key: value for key, value in settings.items() if key not in NOT_POLICY})
    except ValidationError:
        raise UsageError(
            f"run {run_id} keeps a policy that this version refuses; `retention runs close` calls it off"
        ) from None


def stricter_now(settings: Mapping[str, Any], policy: Policy, now: Policy | None) -> list[str]:
    """List the changes that make the policy configured `now` stricter, except for values that a person replaced."""
    before = policy.as_record() | settings.get(CONFIGURED, {})
    return stricter_settings(dict(Policy.model_validate(before)), dict(now) if now is not None else None)
