"""The changes that a person may make to a policy for one run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from retention.errors import UsageError
from retention.runs.narrowing import narrowed
from retention.settings.policy import Policy


def policy(**changes: Any) -> Policy:
    """Make a dry-run policy over three markets, for rounds open for 72 hours."""
    values = {
        "name": "nightly",
        "markets": ["MT", "SE", "DK"],
        "open_longer_than": "72h",
        "idle_longer_than": "24h",
        "max_rounds": 5000,
        "max_amount": {"EUR": "50000"},
    }
    return Policy.model_validate({**values, **changes})


def test_without_options_the_policy_is_unchanged() -> None:
    """Without options the run has the policy as configured."""
    assert policy() == narrowed(policy())
    assert policy() == narrowed(policy(), reason="none needed")


@pytest.mark.parametrize(
    ("expected", "markets", "of"),
    [
        (("MT",), ["MT"], {}),
        (("SE", "MT"), ["SE", "MT", "SE"], {}),
        (("GB",), ["GB"], {"markets": None}),
        (("GB",), ["GB"], {"markets": None, "exclude_markets": ["DE"]}),
    ],
)
def test_markets_may_be_narrowed(expected: tuple[str, ...], markets: list[str], of: dict[str, Any]) -> None:
    """A run may have some of the policy's markets, each once; a policy for all markets admits any not excluded."""
    assert expected == narrowed(policy(**of), markets=markets).markets


@pytest.mark.parametrize(
    ("words", "markets", "of"),
    [
        ("--market GB: not in policy 'nightly', which allows MT, SE, DK", ["MT", "GB"], {}),
        ("--market GB, mt: not in policy 'nightly', which allows MT, SE, DK", ["GB", "mt"], {}),
        ("--market : not in policy 'nightly', which allows MT, SE, DK", [""], {}),
        (
            "--market DE: not in policy 'nightly', which allows all but its exclude_markets",
            ["DE", "GB"],
            {"markets": None, "exclude_markets": ["DE"]},
        ),
    ],
)
def test_markets_may_not_be_widened(words: str, markets: list[str], of: dict[str, Any]) -> None:
    """A market outside the policy, or excluded by it, is refused by its name."""
    with pytest.raises(UsageError) as caught:
        narrowed(policy(**of), markets=markets, reason="please")
    assert words == str(caught.value)


@pytest.mark.parametrize(
    ("hours", "reason"), [(72, None), (73, None), (720, ""), (71, "a complaint"), (0, "a complaint")]
)
def test_the_age_may_be_changed_for_a_run(hours: int, reason: str | None) -> None:
    """An older age needs no reason, a younger one does; the policy's other conditions stay."""
    changed = narrowed(policy(), older_than=timedelta(hours=hours), reason=reason)
    assert (timedelta(hours=hours), timedelta(hours=24)) == (changed.open_longer_than, changed.idle_longer_than)


@pytest.mark.parametrize("reason", [None, "", " ", "\t\n"])
def test_a_younger_age_without_a_reason_is_refused(reason: str | None) -> None:
    """An age below the policy's is refused without a reason; blanks are not a reason."""
    with pytest.raises(
        UsageError, match=r"^--older-than 1h is below the 3d of policy 'nightly'; say why with --reason$"
    ):
        narrowed(policy(), older_than=timedelta(hours=1), reason=reason)


@pytest.mark.parametrize("mode", ["dry_run", "enforce"])
def test_the_mode_may_be_chosen_for_a_run(mode: str) -> None:
    """A person chooses the mode of one run, and the rails stay."""
    changed = narrowed(policy(), mode=mode)
    assert (mode, 5000, policy().max_amount) == (changed.mode, changed.max_rounds, changed.max_amount)


def test_narrowing_changes_a_copy_of_the_policy() -> None:
    """Narrowing changes a copy, and the configured policy stays."""
    original = policy()
    narrowed(original, markets=["MT"], older_than=timedelta(hours=1), mode="enforce", reason="a complaint")
    assert policy() == original


def test_a_narrowed_policy_can_be_recorded_and_read_back() -> None:
    """The record of a narrowed policy in the ledger reads back as the same policy."""
    changed = narrowed(policy(), markets=["MT"], older_than=timedelta(hours=96), mode="enforce")
    assert changed == Policy.model_validate(changed.as_record())
