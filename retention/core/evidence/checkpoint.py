"""Checkpoints of the evidence: the size and root of its tree, as a note of C2SP tlog-checkpoint, signed or not.

A signed note (C2SP signed-note) is the note's text, an empty line, and a line for each signature. The ledger's name,
the origin, is the name of its key, too.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

_ED25519 = b"\x01"
"""The signature's algorithm, as signed-note numbers it."""

_KEY_ID_BYTES = 4

_SIGNATURE = re.compile(r"\u2014 (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]+={0,2})")


class Signer(Protocol):
    """A private key of Ed25519."""

    @property
    def public_key(self) -> bytes:
        """The public key, 32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature, 64 bytes."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of the ledger `origin` has `size` leaves. `root` is base64; `signature` a line of a signed note.

    `checkpoint_id` is the checkpoint's number in the ledger, None where the ledger is not known.
    """

    origin: str
    size: int
    root: str
    checkpoint_id: int | None = None
    signature: str | None = None

    @property
    def note(self) -> str:
        """The text that a signature covers."""
        return f"{self.origin}\n{self.size}\n{self.root}\n"

    @property
    def signed_note(self) -> str:
        """The note with its signature line, for programs that verify notes."""
        return self.note if self.signature is None else f"{self.note}\n{self.signature}\n"

    def document(self) -> dict[str, Any]:
        """The size and root, as results, reports and notifications carry them."""
        return {"size": self.size, "root": self.root}

    def values(self) -> Mapping[str, Any]:
        """The values of the log event `audit.checkpoint`."""
        values = {
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "checkpoint_id": self.checkpoint_id,
            "signature": self.signature,
        }
        return {name: value for name, value in values.items() if value is not None}


def root_text(root: bytes) -> str:
    """A root as a note has it."""
    return b64encode(root).decode()


def parse_note(text: str) -> Checkpoint:
    """Parse a note, with or without signatures. Raises ValueError for another text."""
    note, _, signatures = text.partition("\n\n")
    lines = note.removesuffix("\n").split("\n")
    if len(lines) < 3 or not lines[0] or not re.fullmatch(r"0|[1-9][0-9]*", lines[1]):  # noqa: PLR2004 - origin, size, root
        raise ValueError("not the note of a checkpoint: its lines are origin, size and root")
    try:
        root = b64decode(lines[2], validate=True)
    except ValueError:
        root = b""
    if len(root) != sha256().digest_size:
        raise ValueError("not the note of a checkpoint: its root is no hash in base64")
    signature = signatures.split("\n")[0] or None
    return Checkpoint(lines[0], int(lines[1]), lines[2], signature=signature)


def key_id(name: str, public_key: bytes) -> bytes:
    """The four bytes by which a signature names its key."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_ID_BYTES]


def verifier_key(name: str, public_key: bytes) -> str:
    """The line by which others know the public key: name, key id and key."""
    return f"{name}+{key_id(name, public_key).hex()}+{b64encode(_ED25519 + public_key).decode()}"


def parse_verifier_key(text: str) -> tuple[str, bytes]:
    """Parse such a line into the name and the public key. Raises ValueError for another text."""
    name, _, rest = text.strip().partition("+")
    identity, _, encoded = rest.partition("+")
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if len(key) != 33 or key[:1] != _ED25519 or identity != key_id(name, key[1:]).hex():  # noqa: PLR2004 - with its algorithm
        raise ValueError("not the line of an Ed25519 public key: name+id+key")
    return name, key[1:]


def signature_line(note: str, name: str, signer: Signer) -> str:
    """Sign a note; returns the line of its signature."""
    return signature_text(name, key_id(name, signer.public_key), signer.sign(note.encode()))


def signature_text(name: str, identity: bytes, signature: bytes) -> str:
    """Write a signature line: the name and id of its key, and the signature."""
    return f"\u2014 {name} {b64encode(identity + signature).decode()}"


def parse_signature_line(line: str) -> tuple[str, bytes, bytes]:
    """Parse a signature line into the name and id of its key, and the signature. Raises ValueError for another text."""
    found = _SIGNATURE.fullmatch(line.rstrip("\n"))
    try:
        signed = b64decode(found["signature"], validate=True) if found else b""
    except ValueError:
        signed = b""
    if found is None or len(signed) <= _KEY_ID_BYTES:
        raise ValueError("not the signature line of a note")
    return found["name"], signed[:_KEY_ID_BYTES], signed[_KEY_ID_BYTES:]
