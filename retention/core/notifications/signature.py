"""Signs webhooks as the Standard Webhooks specification (https://www.standardwebhooks.com) has it."""

from __future__ import annotations

import base64
import hashlib
import hmac

_BASE64_PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """The bytes of a signing key: base64 after `whsec_`, any other text as it is. Raises ValueError."""
    if secret.startswith(_BASE64_PREFIX):
        return base64.b64decode(secret.removeprefix(_BASE64_PREFIX), validate=True)
    return secret.encode()


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`; `timestamp` in Unix seconds."""
    signed = hmac.new(key, b"%s.%d.%s" % (message_id.encode(), timestamp, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
