"""A server's side of TLS for localhost, and the file that makes a client trust it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A key and a certificate for localhost and 127.0.0.1, signed by itself: nobody trusts it, and it guards nothing.
SELF_SIGNED = """
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgosJT2X2a08ixXhh0
zufA29/lqM73TLu3xO+/Pboqe9ihRANCAATR39u2wx6Fw+Q/Me/QSyqmFbxR3ClH
Lfr9sXNI3xW3FqzMfU93u4TY+J9G7TLHoVFIPHs0js8IfJJXhQ9G2/Gf
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBdjCCAR2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNHf27bDHoXD5D8x
79BLKqYVvFHcKUct+v2xc0jfFbcWrMx9T3e7hNj4n0btMsehUUg8ezSOzwh8kleF
D0bb8Z+jXjBcMBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBR8eBW+/+QIdPGZhzdMBsqTHnLssTAOBgNVHQ8BAf8E
BAMCAoQwCgYIKoZIzj0EAwIDRwAwRAIgYMUZD+qX0D26UVdcGJPVTzvfh1i+1X/b
rQsvVwSIY4kCIFmZrkRUl5rnx26T1+t1eYf1mEM1zAWceuoqLgaQOwQ7
-----END CERTIFICATE-----
"""


def localhost_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context, and the file that a client has to be given as its authority, by SSL_CERT_FILE say."""
    authority = folder / "localhost.pem"
    authority.write_text(SELF_SIGNED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    return context, authority
