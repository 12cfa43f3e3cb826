"""The middleware chain: ASGI middlewares in front of every path, raw routes included."""

from starlette.middleware import Middleware

from app.producer.middleware.body_limit import BodyLimit
from app.producer.middleware.content_decoding import ContentDecoding
from app.producer.middleware.error_responses import ErrorResponses
from app.settings import Settings

_STALL_SECONDS = 30.0  # an upload that sends nothing for so long gets a 408


def middlewares(settings: Settings) -> tuple[Middleware, ...]:
    """Return the chain, outermost first.

    A middleware is a plain ASGI class. It may raise any error of `app.errors` before it calls the
    next one, if it stands inside `ErrorResponses`. Dependencies of FastAPI are no substitute: they
    do not run on raw routes.
    """
    limits = {"/datasets/": settings.max_dataset, "/models/": settings.max_model}
    return (
        # Here: forwarded addresses, then allowed hosts.
        # Here: request context, metrics, tracing, CORS, security headers. They stand outside of
        # ErrorResponses because they have to see the responses to refused requests, too.
        Middleware(ErrorResponses),
        # Here: authentication, then the rate limit.
        Middleware(
            BodyLimit, limit=settings.max_body, special=limits, stall_seconds=_STALL_SECONDS
        ),
        # BodyLimit counts the bytes before they are decoded.
        Middleware(ContentDecoding, limit=settings.max_body, special=limits),
    )
