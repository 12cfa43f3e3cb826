"""Whom a client trusts, and which proxies it uses."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from warren_client.errors import Misconfigured

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def trusted(ca_file: str | Path | None) -> ssl.SSLContext | bool:
    """Return what a client of httpx2 trusts: the system, and the authorities of a file, in PEM.

    Raises `Misconfigured` for a file that holds no certificate.
    """
    if not ca_file:
        return True
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        why = (
            "it holds no certificate, in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        )
        raise Misconfigured(f"the authority {ca_file} cannot be used: {why}") from None
    return context


def uses_proxies(url: str) -> bool:
    """Tell whether the proxies of the environment count: none stands before this machine."""
    return urlsplit(url).hostname not in _LOOPBACK
