"""What may be told of a call that got no answer."""

import httpx2


def reason(failure: httpx2.TransportError) -> str:
    """Return why there was no answer, without a header: these may hold a key."""
    if isinstance(failure, httpx2.LocalProtocolError):
        return "the request is not valid HTTP"
    if isinstance(failure, httpx2.RemoteProtocolError):
        return "the connection ended early, or the answer is not valid HTTP"
    return str(failure) or type(failure).__name__


def shown(failure: httpx2.TransportError) -> httpx2.TransportError | None:
    """Return the failure as the cause of an error, and None if its own text may have a header."""
    return None if isinstance(failure, httpx2.ProtocolError) else failure
