"""Tell requests of Warren's own pages from those of other sites, which a browser labels itself."""

from starlette.datastructures import Headers
from starlette.types import Scope


def is_own(origin: str, scope: Scope) -> bool:
    """Tell whether an origin has the host and port that the request is for.

    The scheme is not compared, because a proxy that ends TLS may not tell it.
    """
    authority = origin.partition("://")[2].lower()
    return bool(authority) and authority == Headers(scope=scope).get("host", "").lower()


def is_same_origin(scope: Scope) -> bool:
    """Tell whether a browser says that a page of this origin sent the request.

    `Sec-Fetch-Site` says it, which no page can set. Browsers send it over https and to loopback
    addresses; elsewhere the host of `Origin` has to be the one that was asked.
    """
    headers = Headers(scope=scope)
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    return is_own(headers.get("origin", ""), scope)


def is_foreign(scope: Scope) -> bool:
    """Tell whether a browser says that a page of another origin sent the request."""
    headers = Headers(scope=scope)
    return ("origin" in headers or "sec-fetch-site" in headers) and not is_same_origin(scope)
