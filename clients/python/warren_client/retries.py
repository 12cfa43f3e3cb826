"""When a call is sent again, and how long to wait before."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from warren_client.calls import Call
from warren_client.errors import QuotaExceeded, RateLimited, Unavailable, WarrenError

# Failures before a byte of the request has left.
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_NOT_FOUND = 404
# Another try does not help against these.
_HOPELESS = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)
_GATEWAY_STATUSES = (502, 503, 504)


@dataclass(frozen=True)
class RetryPolicy:
    """At most `most` more tries, with growing pauses in seconds, half of each by chance.

    A server that asks for a longer pause than `patience` gets no further try.
    """

    most: int = 2
    first: float = 0.5
    longest: float = 8.0
    patience: float = 60.0
    random: Callable[[], float] = random.random

    def pause(self, retry: int, retry_after: float | None = None) -> float:
        """Return the seconds to wait before a retry, of which 0 is the first.

        It is never less than what the server has asked for.
        """
        grown = min(self.longest, self.first * 2.0**retry)
        jittered = grown * (1 + self.random()) / 2
        return jittered if retry_after is None else retry_after + jittered - grown / 2

    def pause_after_failure(
        self, call: Call, retry: int, failure: httpx2.TransportError
    ) -> float | None:
        """Return the seconds to wait before a call is sent again that got no answer, or None."""
        harmless = call.repeatable or not may_have_begun(failure)
        if retry >= self.most or not harmless or isinstance(failure, _HOPELESS):
            return None
        return self.pause(retry)

    def pause_after_refusal(self, call: Call, retry: int, refusal: WarrenError) -> float | None:
        """Return the seconds to wait before a call is sent again that was refused, or None."""
        if retry >= self.most or not _may_succeed(call, refusal):
            return None
        seconds = self.pause(retry, refusal.retry_after)
        return seconds if (refusal.retry_after or 0) <= self.patience else None


def was_deleted(call: Call, status: int, *, lost: bool) -> bool:
    """Tell whether a deletion finds nothing that was done before, its answer `lost`."""
    return lost and call.method == "DELETE" and status == _NOT_FOUND


def may_have_begun(failure: httpx2.TransportError) -> bool:
    """Tell whether the server may have carried out a call that got no answer."""
    return not isinstance(failure, _NEVER_SENT)


def _may_succeed(call: Call, refusal: WarrenError) -> bool:
    """Tell whether the same call may succeed later, and does no harm."""
    if isinstance(refusal, RateLimited | QuotaExceeded):
        return True  # it was refused before anything was done
    if refusal.problem is None:  # a proxy may have lost a server that has begun
        return call.repeatable and refusal.status in _GATEWAY_STATUSES
    # A database that was lost at the end of a change may have kept it.
    begun = call.once or bool(refusal.problem.get("may_have_begun"))
    unavailable = isinstance(refusal, Unavailable) and refusal.status == 503
    return unavailable and (call.repeatable or not begun)
