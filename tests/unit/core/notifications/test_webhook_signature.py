"""How webhooks are signed."""

from __future__ import annotations

import base64

import pytest

from retention.core.notifications.signature import signature, signing_key


def test_a_signature_is_that_of_the_specification() -> None:
    """The published example of the Standard Webhooks specification comes out the same."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == signed


def test_a_key_is_base64_only_where_it_says_so() -> None:
    """Text after `whsec_` is base64, and refused if it is not; any other text is the key itself."""
    assert b"plain text" == signing_key("plain text")
    assert b"\x01\xff" * 12 == signing_key("whsec_" + base64.b64encode(b"\x01\xff" * 12).decode())
    for odd in ("whsec_not base64!", "whsec_MfKQ!!!!9r8G"):
        with pytest.raises(ValueError, match="base64"):
            signing_key(odd)
