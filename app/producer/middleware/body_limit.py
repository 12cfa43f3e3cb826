"""Limit the size of request bodies, the time they take to come, and the memory of all of them."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.producer.admission import AdmissionControl
from app.producer.callers.caller import caller_of
from app.producer.callers.caller_shares import UNBOUNDED, CallerShares
from app.producer.middleware.body_rules import BodyRule, BodyRules

# Nobody waits for the rest of a body that comes too slowly (RFC 9110, 15.5.9). After a 413 the rest
# is read and dropped, because a client that still sends would lose the answer with the connection.
_CLOSE = {"Connection": "close"}
# Bodies of so many bytes do not count for their caller: counting costs more than they hold.
_SMALL = 4096


class BodyLimit:
    """ASGI middleware: reading a body that breaks its rule raises an HTTP error.

    It is a 413 for too many bytes, announced or read; a 408, which ends the connection, for a body
    that comes too slowly; a 503 if the bodies of all requests leave no room for this one; and a 429
    if those of its caller do not. The bytes of a body count in `memory` when they have come, in
    `shares` when they are announced, and in both until its request ends.
    """

    def __init__(
        self,
        app: ASGIApp,
        rules: BodyRules,
        memory: AdmissionControl,
        shares: CallerShares = UNBOUNDED,
    ) -> None:
        """Wrap `app`."""
        self._app = app
        self._rules = rules
        self._memory = memory
        self._shares = shares

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        size = int(announced) if announced.isdecimal() else 0
        rule = self._rules.of(scope)
        body = _Body(scope, receive, rule, self._memory, self._shares, size)
        try:
            await self._app(scope, body, send)
        finally:
            body.forget()


class _Body:
    """The messages of a request, whose body follows a rule."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        rule: BodyRule,
        memory: AdmissionControl,
        shares: CallerShares,
        announced: int,
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._rule = rule
        self._memory = memory
        self._shares = shares
        self._shared = 0  # bytes that count for the caller
        self._announced = announced
        self._size = 0
        self._seconds = rule.seconds  # left to wait
        self._more = True  # of the body is to come

    async def __call__(self) -> Message:
        """Return the next message. Raises HTTP's 408, 413, 429 or 503."""
        if not self._more:
            return await self._receive()
        rule = self._rule
        if self._announced > rule.size:
            raise _too_large(rule)
        if rule.held and self._announced > _SMALL:
            self._reserve()
        try:
            async with asyncio.timeout(self._seconds) as waited:
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"body: {_late(rule)}", _CLOSE) from None
        size = len(message.get("body", b""))
        if self._size + size > rule.size:
            raise _too_large(rule)
        more = message.get("more_body", False)
        if rule.held:
            self._count(size, more)
        self._size += size
        self._more = more
        if more:
            left = (waited.when() or 0) - asyncio.get_running_loop().time()
            self._seconds = min(rule.seconds, left + (size / rule.rate if rule.rate else 0))
        return message

    def forget(self) -> None:
        """Give back the memory of the body."""
        if self._rule.held:
            if self._more:
                self._memory.complete(self._size)
            self._memory.give_back(self._size)
        if self._shared:
            self._shares.give_back(caller_of(self._scope), self._shared)

    def _reserve(self) -> None:
        """Refuse a larger body of known length for which there is no room, before it is read."""
        if not self._memory.fits(self._announced - self._size):
            raise HTTPException(503, errors.Overloaded().detail)
        self._share(self._announced)

    def _count(self, size: int, more: bool) -> None:
        if self._size + size > _SMALL:
            self._share(self._size + size)
        try:
            if more:
                self._memory.take_arriving(size)
            else:
                self._memory.take(size)
                self._memory.complete(self._size)
        except errors.Overloaded as error:
            raise HTTPException(503, error.detail) from None

    def _share(self, size: int) -> None:
        """Count the bytes of the body for the caller, as they are announced or as they come."""
        if size <= self._shared:
            return
        try:
            self._shares.take(caller_of(self._scope), size - self._shared)
        except errors.QuotaExceeded as error:
            raise HTTPException(429, error.detail) from None
        self._shared = size


def _too_large(rule: BodyRule) -> HTTPException:
    return HTTPException(413, f"body: over the limit of {rule.size} bytes")


def _late(rule: BodyRule) -> str:
    if rule.rate is None:
        return f"it did not arrive within {rule.seconds:g} s"
    return (
        f"nothing came for {rule.seconds:g} s, or less than {rule.rate:g} bytes a second; send it "
        "without pauses"
    )
