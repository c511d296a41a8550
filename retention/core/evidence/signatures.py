"""Checks the signatures of checkpoints by public keys: those of the command line, or the configured one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from retention.core.evidence.audit_findings import Finding, FindingKind
from retention.core.evidence.checkpoint import Checkpoint, key_id, parse_signature_line, signature_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retention.core.evidence.audit_findings import Findings


class VerifierKey(NamedTuple):
    """A public key. `verify` tells whether a signature is right for a message.

    `name` is the ledger of a key that a person gave, and None for the configured key, which signs any ledger.
    """

    name: str | None
    public_key: bytes
    verify: Callable[[bytes, bytes], bool]


@dataclass(slots=True)
class SignatureCheck:
    """Checks checkpoints of the ledger `origin` in their order. Without keys, nothing is checked.

    An owner could delete signatures. So, after the first signed checkpoint, one without a signature is a finding; and
    who gives a key expects a signed checkpoint.
    """

    origin: str | None
    keys: Sequence[VerifierKey]
    findings: Findings
    checked: int = 0

    def add(self, checkpoint_id: int, size: int, root: str, line: str | None) -> None:
        """Check the signature of the next checkpoint."""
        if self.origin is None or not (keys := self._own_keys()) or (line is None and not self.checked):
            return
        self.checked += 1
        if (problem := signature_problem(Checkpoint(self.origin, size, root), line, keys)) is not None:
            finding = Finding(FindingKind.SIGNATURE, "checkpoints", str(checkpoint_id), size=size, detail=problem)
            self.findings.add(finding)

    def end(self) -> int:
        """Add the findings about the keys; returns the number of signatures that were checked."""
        if self.origin is None:  # the lost name is a finding already
            return self.checked
        for name in sorted({key.name for key in self.keys if key.name not in {None, self.origin}}, key=str):
            self.findings.add(Finding(FindingKind.KEY_FOREIGN, detail=f"the key of {name}"))
        if not self.checked and any(key.name == self.origin for key in self.keys):
            self.findings.add(Finding(FindingKind.SIGNATURE, "checkpoints", detail="no checkpoint has a signature"))
        return self.checked

    def _own_keys(self) -> list[VerifierKey]:
        return [key for key in self.keys if key.name in {None, self.origin}]


def signature_problem(checkpoint: Checkpoint, line: str | None, keys: Sequence[VerifierKey]) -> str | None:
    """Return why no key has signed the checkpoint by this line; None where one has."""
    if line is None:
        return "it has no signature"
    try:
        name, identity, signature = parse_signature_line(line)
    except ValueError:
        return "its signature is no line of a note"
    if line != signature_text(name, identity, signature):  # base64 can spell the same bytes in several ways
        return "its signature is no line of a note"
    origin = checkpoint.origin
    named = [key for key in keys if (name, identity) == (origin, key_id(origin, key.public_key))]
    if not named:
        return "its signature is another key's"
    right = any(key.verify(checkpoint.note.encode(), signature) for key in named)
    return None if right else "its signature is wrong"
