"""Answer the errors of routes and middlewares with problem documents."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.producer.answers.problems import respond


class ErrorResponses:
    """ASGI middleware that answers the errors of the middlewares inside it, and bugs.

    The application answers the other errors of routes before they come here, by the same function.
    A bug outside of this middleware gets its 500 from the application.
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
        except Exception as error:
            if started:
                raise
            response = await respond(Request(scope), error)
            await response(scope, receive, send)
