"""One partner in one run, as this process works on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retention.engine.asked_rounds import AskedRounds

if TYPE_CHECKING:
    from retention.core.sending.partner_state import PartnerState
    from retention.ledger.terms import PartnerTerms
    from retention.vendor_api.gateway import VendorGateway


@dataclass(slots=True)
class RunPartner:
    """A partner's terms, whether it may be called (`state`), how (`gateway`), and which rounds are ready to cancel."""

    terms: PartnerTerms
    state: PartnerState
    gateway: VendorGateway
    asked: AskedRounds = field(init=False)

    def __post_init__(self) -> None:
        self.asked = AskedRounds(self.terms.ahead_rate)

    @property
    def name(self) -> str:
        """The partner's name in the configuration."""
        return self.terms.partner
