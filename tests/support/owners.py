"""An application whose clients say for which owner they act, in place of authentication."""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth.identity import Identity
from app.producer.callers.caller import IDENTITY

HEADER = "x-test-owner"


class ActsFor:
    """Give each request with the header the identity of that owner."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the lifespan."""
        for name, value in scope.get("headers", ()):
            if name == HEADER.encode():
                scope[IDENTITY] = Identity(value.decode(), key_id="test")
        await self.app(scope, receive, send)
