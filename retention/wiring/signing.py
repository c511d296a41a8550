"""Reads the Ed25519 keys of checkpoints: the private one that signs (PEM, or 32 bytes), and public ones that verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.evidence.checkpoint import parse_verifier_key
from retention.core.evidence.signatures import VerifierKey
from retention.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from retention.core.evidence.checkpoint import Signer
    from retention.settings.model import Settings

_EXTRA = "needs the extra `evidence`; pip install 'retention[evidence]'"

_SEED_BYTES = 32

_LARGEST = 65_536
"""Bytes of a key's file, at most."""


class Ed25519Signer:
    """Signs with a private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key: bytes = key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self._key.sign(message)


def signer_of(settings: Settings) -> Signer | None:
    """Return the signer of checkpoints; None where none is configured.

    Raises ConfigurationError where its key cannot be read, or the extra `evidence` is missing.
    """
    path = settings.evidence.signing_key_file
    return None if path is None else Ed25519Signer(_read_key(path))


def own_key(signer: Signer) -> VerifierKey:
    """Return the public key of a signer."""
    return VerifierKey(None, signer.public_key, _verifier(signer.public_key))


def given_keys(lines: Iterable[str]) -> list[VerifierKey]:
    """Read lines of public keys. Raises UsageError for another text, and where the extra `evidence` is missing."""
    keys = []
    for line in lines:
        try:
            name, public_key = parse_verifier_key(line)
        except ValueError as error:
            raise UsageError(f"--key: {error}; copy the whole line that `retention check` shows") from None
        try:
            keys.append(VerifierKey(name, public_key, _verifier(public_key)))
        except ImportError:
            raise UsageError(f"--key {_EXTRA}") from None
    return keys


def _verifier(public_key: bytes) -> Callable[[bytes, bytes], bool]:
    """Return a check of signatures by a public key. Raises ImportError."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    key = Ed25519PublicKey.from_public_bytes(public_key)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return verify


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    except ImportError:
        raise _problem(_EXTRA) from None
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
    except OSError as error:
        words = f"{path} cannot be read ({error.strerror}); name a file that this process may read"
        raise _problem(words) from None
    if len(content) == _SEED_BYTES:
        return Ed25519PrivateKey.from_private_bytes(content)
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # their messages may quote the file
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise _problem(
            f"{path} is no Ed25519 key; write one with `openssl genpkey -algorithm ed25519`, without a password"
        )
    return key


def _problem(words: str) -> ConfigurationError:
    return ConfigurationError(f"evidence.signing_key_file: {words}")
