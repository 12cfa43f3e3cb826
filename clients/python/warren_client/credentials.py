"""Keys and addresses as they may be sent and shown: no message has a key or a password."""

from urllib.parse import urlsplit, urlunsplit

from warren_client.errors import Misconfigured


def fits_header(text: str) -> bool:
    """Tell whether a text can be the value of a header: printable ASCII."""
    return text.isascii() and text.isprintable()


def checked_key(key: str | None) -> str | None:
    """Return a key without white space around it, and None for an empty one.

    Raises `Misconfigured`, which does not show the key, if no header can hold it.
    """
    bare = (key or "").strip()
    if not fits_header(bare):
        raise Misconfigured("the API key has characters that no header can hold")
    return bare or None


def checked_url(url: str, example: str) -> str:
    """Return an address without a slash at its end.

    Raises `Misconfigured` for what is no address, and for one with a user or a password.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        has_user = "@" in parts.netloc
    except ValueError:
        usable, has_user = False, False
    if has_user:
        raise Misconfigured(
            f"the address {without_user(url)!r} has a user or a password in front; leave them out: "
            "Warren takes a key"
        )
    if not usable or not url.isprintable():
        shown = without_user(url)
        raise Misconfigured(f"{shown!r} is no address of a server; use one such as {example}")
    return url.rstrip("/")


def without_user(url: str) -> str:
    """Return an address as it may be shown: without a user and a password."""
    try:
        parts = urlsplit(url)
        if parts.netloc or "@" not in url:
            return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        pass
    return f"...@{url.rpartition('@')[2]}" if "@" in url else url
