"""The notes of checkpoints, and their signatures, as C2SP specifies them."""

from __future__ import annotations

from base64 import b64decode

import pytest

from retention.core.evidence.checkpoint import (
    Checkpoint,
    key_id,
    parse_note,
    parse_signature_line,
    parse_verifier_key,
    signature_line,
    verifier_key,
)

ED25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")

ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
NOTE = f"retention/ledger\n17\n{ROOT}\n"

# The example of golang.org/x/mod/sumdb/note: other programs read what it writes.
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_LINE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)


class Key:
    """A private key of 32 bytes."""

    def __init__(self, seed: bytes) -> None:
        self._key = ED25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.public_key = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return bytes(self._key.sign(message))


def test_a_note_is_signed_as_other_programs_sign_it() -> None:
    """The same key and text give the same verifier line and signature line as Go's package."""
    key = Key(b64decode(GO_SECRET.partition("c74f20a3+")[2])[1:])
    assert GO_KEY == verifier_key("PeterNeumann", key.public_key)
    assert GO_LINE == signature_line(GO_TEXT, "PeterNeumann", key)


def test_a_signature_line_is_read_back() -> None:
    """Name, key id and signature are read from the line, and the signature holds."""
    name, public_key = parse_verifier_key(GO_KEY)
    assert "PeterNeumann" == name
    signed_by, identity, signature = parse_signature_line(GO_LINE + "\n")
    assert (name, key_id(name, public_key)) == (signed_by, identity)
    ED25519.Ed25519PublicKey.from_public_bytes(public_key).verify(signature, GO_TEXT.encode())


@pytest.mark.parametrize(
    "line", ["", "PeterNeumann x08go/ZJ", "\u2014 Peter", "\u2014 Peter x08g", "\u2014 P+N x08go/ZJ", "\u2014 P %%%"]
)
def test_another_line_is_no_signature(line: str) -> None:
    """A line without name, id and signature is refused."""
    with pytest.raises(ValueError, match="not the signature line of a note"):
        parse_signature_line(line)


@pytest.mark.parametrize(
    "line",
    ["", "Peter", GO_KEY.replace("c74f", "c74e"), GO_KEY[:-4], GO_KEY + "!", GO_KEY.replace("+ARpc", "+AhpcARpc")],
)
def test_another_line_is_no_verifier_key(line: str) -> None:
    """A line with another id, algorithm or length is refused."""
    with pytest.raises(ValueError, match="not the line of an Ed25519 public key"):
        parse_verifier_key(line)


def test_a_checkpoint_is_a_note() -> None:
    """The note has three lines, and is read back, with its signature line or without."""
    found = Checkpoint("retention/ledger", 17, ROOT)
    assert NOTE == found.note == found.signed_note
    assert found == parse_note(NOTE)
    signed = Checkpoint("retention/ledger", 17, ROOT, signature=GO_LINE)
    assert f"{NOTE}\n{GO_LINE}\n" == signed.signed_note
    assert signed == parse_note(signed.signed_note)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "retention/ledger\n17\n",
        f"\n17\n{ROOT}\n",
        f"retention/ledger\n017\n{ROOT}\n",
        f"retention/ledger\n-1\n{ROOT}\n",
    ],
)
def test_another_text_is_no_note(text: str) -> None:
    """A text without origin, size and root is refused."""
    with pytest.raises(ValueError, match="its lines are origin, size and root"):
        parse_note(text)


@pytest.mark.parametrize("root", ["abc", "AAAA", "*" * 44])
def test_a_note_has_a_hash(root: str) -> None:
    """A root that is no hash in base64 is refused."""
    with pytest.raises(ValueError, match="its root is no hash in base64"):
        parse_note(f"retention/ledger\n17\n{root}\n")


def test_the_values_of_its_event() -> None:
    """The log's event has what an anchor needs, and no key without a value."""
    assert {"origin": "o", "size": 1, "root": ROOT, "checkpoint_id": 7} == Checkpoint("o", 1, ROOT, 7).values()
    assert {"size": 1, "root": ROOT} == Checkpoint("o", 1, ROOT, 7, GO_LINE).document()
    assert GO_LINE == Checkpoint("o", 1, ROOT, 7, GO_LINE).values()["signature"]
