"""The middleware chain: ASGI middlewares in front of every path, raw routes included."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app.auth.key_ring import KeyRing
from app.producer.admission import AdmissionControl
from app.producer.callers.caller_shares import CallerShares
from app.producer.middleware.allowed_hosts import AllowedHosts
from app.producer.middleware.authentication import Authentication, IdentifyToken
from app.producer.middleware.body_limit import BodyLimit
from app.producer.middleware.body_rules import BodyRule, BodyRules
from app.producer.middleware.content_decoding import ContentDecoding
from app.producer.middleware.error_responses import ErrorResponses
from app.producer.middleware.forwarded import Forwarded
from app.producer.middleware.gcra import Gcra
from app.producer.middleware.http_metrics import HttpMetrics
from app.producer.middleware.origin_check import OriginCheck
from app.producer.middleware.rate_limit import RateLimit
from app.producer.middleware.security_headers import SecurityHeaders
from app.producer.middleware.tracing import Tracing
from app.producer.schemas.invocations import ATTRIBUTES
from app.protocol.oip.message import HEADER_LENGTH
from app.protocol.types import JSON_MEDIA_TYPE, MULTIPART_MEDIA_TYPE, ZIP_MEDIA_TYPE
from app.settings import Settings
from app.settings.checks import names, networks

_BATCH = "/predict/batch"  # its body is JSON, or a table
_MOST_OF_LOGIN = 4096  # because it is read before anybody is known
_UPLOAD_SECONDS = 30.0  # an upload that pauses for so long gets a 408
# The headers that pages of other origins may read, besides those that CORS always lets them read.
_EXPOSED = (
    *("Accept", "Accept-Encoding", "Allow", "ETag", "Location", "RateLimit", "RateLimit-Policy"),
    *("Retry-After", ATTRIBUTES, HEADER_LENGTH),
)


def middlewares(
    settings: Settings,
    memory: AdmissionControl,
    keys: KeyRing | None = None,
    identify_token: IdentifyToken | None = None,
) -> tuple[Middleware, ...]:
    """Return the chain, outermost first; `memory` counts the bodies of requests.

    Without `keys` everybody may do everything. `identify_token` accepts tokens beside them.

    A middleware is a plain ASGI class. It may raise any error of `app.errors` before it calls the
    next one, if it stands inside `ErrorResponses`. Dependencies of FastAPI are no substitute: they
    do not run on raw routes.
    """
    rules = _rules(settings)
    shares = CallerShares("bytes of bodies in flight", settings.caller_max_in_flight_bytes)
    origins = names(settings.cors_origins)
    trusted, root_path = networks(settings.forwarded_allow_ips), settings.root_path
    forwarded = Middleware(Forwarded, trusted=trusted, root_path=root_path)
    return (
        Middleware(SecurityHeaders),
        *([forwarded] if trusted or root_path else []),
        Middleware(AllowedHosts, bound=settings.host, names=names(settings.allowed_hosts)),
        # Metrics, tracing and CORS stand outside of ErrorResponses
        # because they have to see the responses to refused requests, too.
        Middleware(HttpMetrics),
        *([Middleware(Tracing)] if settings.otel_exporter_otlp_endpoint else []),
        *_cors(origins),
        Middleware(ErrorResponses),
        Middleware(OriginCheck, origins=origins),
        *([Middleware(Authentication, keys=keys, identify_token=identify_token)] if keys else []),
        *_rate_limit(settings, keys),
        Middleware(BodyLimit, rules=rules, memory=memory, shares=shares),
        # BodyLimit counts the bytes before they are decoded, ContentDecoding the decoded ones.
        Middleware(ContentDecoding, rules=rules, memory=memory),
    )


def _rules(settings: Settings) -> BodyRules:
    """Return the bounds of bodies; uploads are stored while they come."""
    uploads = (
        ("/datasets/", "", settings.max_dataset),
        ("/ui/datasets/", MULTIPART_MEDIA_TYPE, settings.max_dataset),
        (_BATCH, "", settings.max_dataset),
        ("/models/", MULTIPART_MEDIA_TYPE, settings.max_model),
        ("/models/", ZIP_MEDIA_TYPE, settings.max_model),
    )
    rate = settings.upload_rate
    usual = BodyRule(settings.max_body, settings.predict_timeout)
    return BodyRules(
        usual,
        (
            (_BATCH, JSON_MEDIA_TYPE, usual),
            ("/login", "", BodyRule(_MOST_OF_LOGIN, settings.predict_timeout)),
            *(
                (path, kind, BodyRule(size, _UPLOAD_SECONDS, rate, held=False))
                for path, kind, size in uploads
            ),
        ),
    )


def _cors(origins: tuple[str, ...]) -> tuple[Middleware, ...]:
    """Return the middleware that lets pages of other origins call, or nothing if there is none.

    It answers each preflight before the routes. No credentials are allowed, so any header may be.
    """
    if not origins:
        return ()
    return (
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("*",),
            allow_headers=("*",),
            expose_headers=_EXPOSED,
        ),
    )


def _rate_limit(settings: Settings, keys: KeyRing | None) -> tuple[Middleware, ...]:
    """Return the middleware that limits the rates of callers and keys, or nothing without both."""
    requests = _gcra("requests", settings.caller_max_requests)
    rows = _gcra("rows", settings.caller_max_rows)
    is_needed = requests or rows or keys  # any key may have limits of its own
    return (Middleware(RateLimit, requests=requests, rows=rows),) if is_needed else ()


def _gcra(what: str, rate: float | None) -> Gcra | None:
    return None if rate is None else Gcra(what, rate)
