"""The middleware chain: ASGI middlewares in front of every path, raw routes included."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app.producer.admission import AdmissionControl
from app.producer.http.caller_shares import CallerShares
from app.producer.http.model_form import FORM
from app.producer.middleware.body_limit import BodyLimit
from app.producer.middleware.body_rules import BodyRule, BodyRules
from app.producer.middleware.content_decoding import ContentDecoding
from app.producer.middleware.error_responses import ErrorResponses
from app.producer.middleware.forwarded import Forwarded
from app.producer.middleware.gcra import Gcra
from app.producer.middleware.rate_limit import RateLimit
from app.producer.schemas.invocations import ATTRIBUTES
from app.settings import Settings, networks

_UPLOAD_SECONDS = 30.0  # an upload that pauses for so long gets a 408
# The headers that pages of other origins may read, besides those that CORS always lets them read.
_EXPOSED = (
    *("Accept", "Accept-Encoding", "Allow", "ETag", "Location", "RateLimit", "RateLimit-Policy"),
    *("Retry-After", ATTRIBUTES),
)


def middlewares(settings: Settings, memory: AdmissionControl) -> tuple[Middleware, ...]:
    """Return the chain, outermost first; `memory` counts the bodies of requests.

    A middleware is a plain ASGI class. It may raise any error of `app.errors` before it calls the
    next one, if it stands inside `ErrorResponses`. Dependencies of FastAPI are no substitute: they
    do not run on raw routes.
    """
    rules = _rules(settings)
    shares = CallerShares("bytes of bodies in flight", settings.caller_max_in_flight_bytes)
    trusted, root_path = networks(settings.forwarded_allow_ips), settings.root_path
    forwarded = Middleware(Forwarded, trusted=trusted, root_path=root_path)
    return (
        *([forwarded] if trusted or root_path else []),
        # Here: allowed hosts.
        # Here: request context, metrics, tracing, security headers. They and CORS stand outside of
        # ErrorResponses because they have to see the responses to refused requests, too.
        *_cors(settings.cors_origins),
        Middleware(ErrorResponses),
        # Here: authentication.
        *_rate_limit(settings),
        Middleware(BodyLimit, rules=rules, memory=memory, shares=shares),
        # BodyLimit counts the bytes before they are decoded, ContentDecoding the decoded ones.
        Middleware(ContentDecoding, rules=rules, memory=memory),
    )


def _rules(settings: Settings) -> BodyRules:
    """Return the bounds of bodies; uploads are stored while they come."""
    uploads = (("/datasets/", "", settings.max_dataset), ("/models/", FORM, settings.max_model))
    rate = settings.upload_rate
    return BodyRules(
        BodyRule(settings.max_body, settings.predict_timeout),
        tuple(
            (path, kind, BodyRule(size, _UPLOAD_SECONDS, rate, held=False))
            for path, kind, size in uploads
        ),
    )


def _cors(origins: str) -> tuple[Middleware, ...]:
    """Return the middleware that lets pages of other origins call, or nothing if there is none.

    It answers each preflight before the routes. No credentials are allowed, so any header may be.
    """
    allowed = [each.strip() for each in origins.split(",") if each.strip()]
    if not allowed:
        return ()
    return (
        Middleware(
            CORSMiddleware,
            allow_origins=allowed,
            allow_methods=("*",),
            allow_headers=("*",),
            expose_headers=_EXPOSED,
        ),
    )


def _rate_limit(settings: Settings) -> tuple[Middleware, ...]:
    """Return the middleware that limits the rates of callers, or nothing if none is limited."""
    requests = _gcra("requests", settings.caller_max_requests)
    rows = _gcra("rows", settings.caller_max_rows)
    return (Middleware(RateLimit, requests=requests, rows=rows),) if requests or rows else ()


def _gcra(what: str, rate: float | None) -> Gcra | None:
    return None if rate is None else Gcra(what, rate)
