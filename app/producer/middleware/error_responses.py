"""Answer the errors of the middleware chain with problem documents."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.producer.http.problems import EXPECTED_ERRORS, respond


class ErrorResponses:
    """ASGI middleware that answers the errors of the middlewares inside it.

    The application answers the errors of routes before they come here, by the same function. Bugs
    pass through: the application answers them with a 500, outside of all middlewares.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except EXPECTED_ERRORS as error:
            if started:
                raise
            response = await respond(Request(scope), error)
            await response(scope, receive, send)
