"""A server's side of TLS for localhost, and the file that makes a client trust it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A key and a certificate for localhost and 127.0.0.1, signed by itself: no client trusts it, and it guards no data.
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

# Others for the same key. The first three sign themselves, an unknown authority signs the last.
CERTIFICATES = {
    "expired": """
-----BEGIN CERTIFICATE-----
MIIBdjCCARugAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwHhcNMjAwMTAxMDAwMDAwWhcNMjEwMTAxMDAwMDAwWjAUMRIwEAYDVQQDDAls
b2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATR39u2wx6Fw+Q/Me/Q
SyqmFbxR3ClHLfr9sXNI3xW3FqzMfU93u4TY+J9G7TLHoVFIPHs0js8IfJJXhQ9G
2/Gfo14wXDAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwDwYDVR0TAQH/BAUw
AwEB/zAOBgNVHQ8BAf8EBAMCAoQwHQYDVR0OBBYEFHx4Fb7/5Ah08ZmHN0wGypMe
cuyxMAoGCCqGSM49BAMCA0kAMEYCIQCdN0BH+iYjsm6gqAHpEii5TR85FA/dk3gs
GrLsgNkIWwIhALmLLAMgFVBpLYOTChjanyMWmHI5k71tMYdYsakOw6Pu
-----END CERTIFICATE-----
""",
    "future": """
-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIBAjAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIhgPMjExOTAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFDESMBAGA1UE
AwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0d/btsMehcPk
PzHv0EsqphW8UdwpRy36/bFzSN8VtxaszH1Pd7uE2PifRu0yx6FRSDx7NI7PCHyS
V4UPRtvxn6NeMFwwGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMA8GA1UdEwEB
/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgKEMB0GA1UdDgQWBBR8eBW+/+QIdPGZhzdM
BsqTHnLssTAKBggqhkjOPQQDAgNHADBEAiAB93hpXsMLYuz1dnMSaM7cguL7kBmF
loxySzAZLTMJnAIgX00uKmDX7PfPbPKnzeMRSeBpUYKdwyE3tWhyMxaLI64=
-----END CERTIFICATE-----
""",
    "elsewhere": """
-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIBAzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAllbHNld2hl
cmUwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWVsc2V3aGVyZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNHf27bDHoXD5D8x
79BLKqYVvFHcKUct+v2xc0jfFbcWrMx9T3e7hNj4n0btMsehUUg8ezSOzwh8kleF
D0bb8Z+jYDBeMBwGA1UdEQQVMBOCEWVsc2V3aGVyZS5leGFtcGxlMA8GA1UdEwEB
/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgKEMB0GA1UdDgQWBBR8eBW+/+QIdPGZhzdM
BsqTHnLssTAKBggqhkjOPQQDAgNIADBFAiEApm2+6hfLlEzp3DONLQ/f1Oz8iHt+
yzfbG15kS73G82QCIG4P+ibAvK8xa/U5uVGYFAxTSyzL5aS21qyulGfxAWXZ
-----END CERTIFICATE-----
""",
    "issued": """
-----BEGIN CERTIFICATE-----
MIIBpTCCAUqgAwIBAgIUONQvY1L1zjO4LGr+Ik/THqdWpYMwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyNjE5NTAwM1oYDzIxMjYxMTAy
MTk1MDAzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATR39u2wx6Fw+Q/Me/QSyqmFbxR3ClHLfr9sXNI3xW3FqzMfU93u4TY
+J9G7TLHoVFIPHs0js8IfJJXhQ9G2/Gfo3gwdjAaBgNVHREEEzARgglsb2NhbGhv
c3SHBH8AAAEwHQYDVR0OBBYEFHx4Fb7/5Ah08ZmHN0wGypMecuyxMDkGA1UdIwQy
MDChGKQWMBQxEjAQBgNVBAMMCWF1dGhvcml0eYIUZM1BhTZABUepg07b27y9VAJT
LsIwCgYIKoZIzj0EAwIDSQAwRgIhAOUVuXxOWK7bXbO1cVgEOcRgG9JJjfeTtPCm
njEYh6lpAiEA/A0aCpmQeyJAnJ3kC69Tr+BZFXYhLdbnTAauj+Qk03M=
-----END CERTIFICATE-----
""",
}


def localhost_tls(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's context, and the file that a client has to be given as its authority, by SSL_CERT_FILE say."""
    authority = folder / "localhost.pem"
    authority.write_text(SELF_SIGNED)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    return context, authority


def flawed_tls(folder: Path, flaw: str) -> tuple[ssl.SSLContext, Path]:
    """Return the same with one of CERTIFICATES; a client that is given the file trusts all but the one issued."""
    authority = folder / f"{flaw}.pem"
    key = SELF_SIGNED[: SELF_SIGNED.index("-----BEGIN CERTIFICATE")]
    authority.write_text(key + CERTIFICATES[flaw])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority)
    if flaw == "issued":
        authority = folder / "other.pem"
        authority.write_text(SELF_SIGNED)
    return context, authority
