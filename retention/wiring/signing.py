"""Reads the key that signs checkpoints: an Ed25519 key, as PEM or as its 32 bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from retention.core.evidence.checkpoint import Signer
    from retention.settings.model import Settings

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


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    except ImportError:
        raise _problem("needs the extra `evidence`; pip install 'retention[evidence]'") from None
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
