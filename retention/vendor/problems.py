"""What went wrong on the network, in words of our own: those of the errors name the address, which is a secret."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import aiohttp


def why_not_connected(error: Exception) -> str:
    """Say why there was no connection."""
    cause = getattr(error, "os_error", None) or error
    if isinstance(error, TimeoutError):
        why = "timed out"
    elif isinstance(error, aiohttp.InvalidURL):
        why = "the address is no URL"
    elif isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        why = "the TLS handshake failed"
    elif isinstance(cause, socket.gaierror):
        why = "the name could not be resolved"
    else:
        why = _errno_words(cause)
    return f"no connection: {why}"


def why_unclear(error: Exception) -> str:
    """Say why there is no reply, or none that can be read, though there was a connection."""
    match error:
        case TimeoutError():
            return "no reply in time"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before a reply"
        case aiohttp.ClientPayloadError():
            return "the reply was cut off"
        case aiohttp.ClientResponseError() | aiohttp.http.HttpProcessingError():
            return "the reply is not HTTP"
    return f"the connection broke: {_errno_words(error)}"


def _errno_words(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number in errno.errorcode:
        return os.strerror(number).lower()
    return type(error).__name__
