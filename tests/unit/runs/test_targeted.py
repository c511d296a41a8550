"""The policy of a targeted run: rails of [policies.targeted], and nothing that selects rounds by age or market."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from retention.core.planning.named_rounds import NamedRound
from retention.runs.stored_policy import stored_policy
from retention.runs.targeted import UNUSED, Demand, stricter_rails, targeted_policy, targeted_record
from retention.settings.policy import Policy

DEMAND = Demand((NamedRound("acme", "r1"), NamedRound("acme", "r2")), "ann", "ticket 7")

CONFIGURED = Policy.model_validate(
    {
        "name": "targeted",
        "partners": ["acme", "other"],
        "markets": ["SE"],
        "open_longer_than": "72h",
        "idle_longer_than": "24h",
        "max_rounds": 1,
        "max_amount": {"EUR": "50"},
        "deadline": "3h",
    }
)


def policy(configured: Policy | None = None, *, despite_winnings: bool = False) -> Policy:
    """The policy of a run of two rounds."""
    return targeted_policy(configured, ["acme"], 2, despite_winnings=despite_winnings)


def test_without_a_configured_policy_the_demand_is_its_own_rail() -> None:
    """The run enforces, for the partners of the named rounds, and no more rounds than were named."""
    made = policy()
    assert ("targeted", ("acme",), "enforce", 2, "review") == (
        made.name,
        made.partners,
        made.mode,
        made.max_rounds,
        made.winnings,
    )


def test_a_configured_policy_gives_rails_and_selects_nothing() -> None:
    """Numbers, amounts and deadline are the configured ones; age, market, idle time and mode are not."""
    made = policy(CONFIGURED)
    assert (1, CONFIGURED.max_amount, CONFIGURED.deadline) == (made.max_rounds, made.max_amount, made.deadline)
    assert (None, None, "enforce", ("acme",)) == (made.markets, made.idle_longer_than, made.mode, made.partners)


def test_winnings_are_cancelled_at_a_persons_word() -> None:
    """--despite-winnings is the run's `winnings`."""
    assert "cancel" == policy(CONFIGURED, despite_winnings=True).winnings


def test_the_record_of_a_run_reads_back() -> None:
    """The settings in the ledger have the demand's numbers, no age, and read back as the same policy."""
    for made in (policy(), policy(CONFIGURED)):
        record = targeted_record(made, DEMAND)
        assert {"rounds": 2, "despite_winnings": False} == record["named"]
        assert not UNUSED.keys() & record.keys()
        assert made == stored_policy(UUID(int=1), record)


def test_only_a_stricter_rail_counts_on_resume() -> None:
    """A policy that is not configured, or only has another age, is not stricter; a lower rail is."""
    made = policy(CONFIGURED)
    record = targeted_record(made, DEMAND)
    older = CONFIGURED.model_copy(update={"markets": ("MT",), "exclude_games": ("g",)})
    assert [] == stricter_rails(record, made, None)
    assert [] == stricter_rails(record, made, older)
    lower = stricter_rails(
        record, made, CONFIGURED.model_copy(update={"max_amount": {"EUR": Decimal(20), "SEK": Decimal(1)}})
    )
    assert ["max_amount of EUR was 50, is 20", "max_amount of SEK was not set, is 1"] == lower


def test_despite_winnings_stays_a_persons_word_on_resume() -> None:
    """A configured `winnings = "review"` is not stricter than the word that was given."""
    made = policy(CONFIGURED, despite_winnings=True)
    demand = Demand(DEMAND.named, "ann", "ticket 7", despite_winnings=True)
    assert [] == stricter_rails(targeted_record(made, demand), made, CONFIGURED)
