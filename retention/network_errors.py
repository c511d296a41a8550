"""Network errors in our own words, because the messages of the libraries name the address, which is a secret."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import aiohttp

ENDED_UNUSED = "no connection: the other side takes connections, and ends them before anything is sent"

_UNTRUSTED = (
    "is signed by no authority that this machine trusts ({}); install the authority's certificate, or name its file in"
    " SSL_CERT_FILE"
)
_CERTIFICATE = {
    # OpenSSL's X509_V_ERR_*, which do not change.
    2: _UNTRUSTED.format("its issuer's certificate is missing"),
    9: "is not valid yet; look at this machine's clock, or ask the other side for a valid one",
    10: "has expired; the other side has to renew it (or this machine's clock is wrong)",
    18: _UNTRUSTED.format("it signs itself"),
    19: _UNTRUSTED.format("a certificate that signs itself is at the root"),
    20: _UNTRUSTED.format("its issuer is unknown, or the server does not send the certificate in between"),
    21: _UNTRUSTED.format("the server does not send the certificate in between"),
    23: "has been revoked; the other side has to replace it",
    24: "is signed by one that may sign no others; the other side has to replace it",
    26: "is made for another purpose than a server; the other side has to replace it",
    62: "is made for another name; the configured address has a wrong host, or leads to a wrong server",
    64: "is made for another IP address; the configured address needs the host's name in place of the number",
    66: "has too short a key; the other side has to replace it",
    67: "is signed with too short a key; the other side has to replace it",
    68: "is signed by a method that is too weak; the other side has to replace it",
}

_NOT_TLS = "what answers there does not speak TLS; the configured address has a wrong port, or the other side is misset"
_VERSIONS = "there is no version of TLS that both sides accept (this side: 1.2 and 1.3)"
_HANDSHAKE = (
    # A part of OpenSSL's reason, and its meaning; the first part that fits counts.
    ("WRONG_VERSION_NUMBER", _NOT_TLS),
    ("HTTP_REQUEST", _NOT_TLS),
    ("UNKNOWN_PROTOCOL", _NOT_TLS),
    ("PACKET_LENGTH_TOO_LONG", _NOT_TLS),
    ("RECORD_LAYER_FAILURE", _NOT_TLS),
    ("PROTOCOL_VERSION", _VERSIONS),
    ("UNSUPPORTED_PROTOCOL", _VERSIONS),
    ("NO_PROTOCOLS_AVAILABLE", _VERSIONS),
    ("VERSION_TOO_LOW", _VERSIONS),
    ("CERTIFICATE_REQUIRED", "the other side wants a certificate of ours, which it cannot be given"),
    ("UNRECOGNIZED_NAME", "the other side does not know the host's name; look at the configured address"),
    (
        "HANDSHAKE_FAILURE",
        "there is no cipher or version of TLS that both sides accept, or a certificate of ours is wanted",
    ),
    ("NO_SHARED_CIPHER", "there is no cipher that both sides accept"),
    ("INSUFFICIENT_SECURITY", "there is no cipher that both sides accept"),
    ("DH_KEY_TOO_SMALL", "the other side's keys are too short"),
    ("LEGACY_RENEGOTIATION", "the other side's TLS is too old to be safe"),
    ("UNEXPECTED_EOF", "the other side hung up"),
)


_MENDS = (
    # A part of our own words, and the mend; the first part that fits counts.
    ("could not be resolved", "correct the host's name in {key}, or this machine's DNS"),
    ("handshake timed out", "a proxy or firewall in between may hold TLS up: have it let this machine through"),
    ("TLS handshake failed", "correct host and port in {key}, or ask the other side which TLS it accepts"),
    (
        "timed out",
        "correct host and port in {key}, have the firewall let this machine out, or have the other side allow it in",
    ),
    ("connection refused", "correct host and port in {key}, or ask the other side whether it is up"),
)


def connect_mend(why: str, key: str) -> str:
    """Append the mend to the words of `why_not_connected`; `key`: the configuration's key of the address."""
    if ";" in why:  # some words have their mend already
        return why
    mend = next((mend for part, mend in _MENDS if part in why), "correct {key}, or try again later")
    return f"{why}; {mend.format(key=key)}"


def why_not_connected(error: Exception, *, in_handshake: bool = False) -> str:
    """Say why there was no connection; `in_handshake`: a server answered at the address, and TLS had begun."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(error, aiohttp.InvalidURL):
        why = "the address is no URL"
    elif isinstance(cause, ssl.SSLCertVerificationError):
        why = f"the TLS handshake failed: the certificate {_certificate_words(cause)}"
    elif isinstance(cause, ssl.SSLError) or isinstance(error, aiohttp.ClientSSLError):
        why = f"the TLS handshake failed: {_tls_words(cause)}"
    elif isinstance(error, TimeoutError):
        why = "the TLS handshake timed out" if in_handshake else "timed out"
    elif isinstance(cause, socket.gaierror):
        why = "the name could not be resolved"
    else:
        why = _errno_words(cause)
        if in_handshake:
            why = f"the TLS handshake failed: the other side hung up ({why})"
    return f"no connection: {why}"


def why_unclear(error: Exception) -> str:
    """Say why there is no readable reply, though there was a connection."""
    match error:
        case TimeoutError():
            return "no reply in time"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before a reply"
        case aiohttp.ClientPayloadError():
            return "the reply was cut off"
        case aiohttp.ClientResponseError() | aiohttp.http.HttpProcessingError():
            return "the reply is not HTTP"
        case ssl.SSLError():
            return f"the connection broke: {_tls_words(error)}"
    return f"the connection broke: {_errno_words(error)}"


def ended_without_reply(error: Exception) -> bool:
    """Whether the vendor ended the connection, as it does where it closed it before the request arrived."""
    if isinstance(error, TimeoutError | ssl.SSLError):
        return False
    return isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | OSError)


def _certificate_words(error: ssl.SSLCertVerificationError) -> str:
    words = _CERTIFICATE.get(getattr(error, "verify_code", 0))
    return words or f"could not be verified (OpenSSL's code {getattr(error, 'verify_code', 'unknown')})"


def _tls_words(error: BaseException) -> str:
    reason = str(getattr(error, "reason", None) or "")
    if isinstance(error, ssl.SSLEOFError):
        reason = "UNEXPECTED_EOF"
    for part, words in _HANDSHAKE:
        if part in reason:
            return words
    return reason.lower().replace("_", " ") if reason.isascii() and reason else "no reason is known"


def _errno_words(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number in errno.errorcode:
        return os.strerror(number).lower()
    if isinstance(error, ConnectionResetError):  # asyncio raises it without a number where a handshake is cut off
        return os.strerror(errno.ECONNRESET).lower()
    return type(error).__name__
