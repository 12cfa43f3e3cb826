"""Find out who sends a request, by its key; without a valid one it gets a 401."""

import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app import errors
from app.auth.identity import Identity
from app.auth.key_ring import KeyRing
from app.auth.tokens import sent_key
from app.producer.callers.caller import IDENTITY, WRONG_KEY, caller_of
from app.producer.callers.same_origin import is_same_origin
from app.producer.callers.session_cookie import session_of
from app.producer.routing.methods import SAFE_METHODS
from app.producer.routing.route_scopes import is_open

log = logging.getLogger(__name__)

IdentifyToken = Callable[[str], Identity]

_QUIET_SECONDS = 60.0
_AUTHORIZATION, _API_KEY = b"authorization", b"x-api-key"
_NOBODY = Identity("nobody", frozenset())  # on open paths, without a valid key
_MISSING = (
    "this needs a key: send the header Authorization: Bearer KEY, or X-API-Key: KEY; "
    "a browser logs in at {root}/login"
)
_INVALID = "the key is not valid: it is unknown, expired or revoked, or was not copied completely"
_ENDED = "the login has ended; log in again at {root}/login"
_FOREIGN = "a login only counts for changes that Warren's own pages ask for; send a key"


class Authentication:
    """ASGI middleware: puts the identity of a request's key into its scope.

    The key is in `Authorization` or in `X-API-Key`; the cookie of a login counts like its key.
    `identify_token` tells whom a token of an identity provider stands for, which is sent like a
    key. It raises `errors.Unauthenticated` before the body is read, for unknown paths too, so that
    nothing can be probed. The scopes that a key needs are the routes' to check.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: KeyRing,
        identify_token: IdentifyToken | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Wrap `app`."""
        self._app = app
        self._keys = keys
        self._identify_token = identify_token
        self._clock = clock
        self._wrong = 0  # requests with wrong keys since the last line of the log
        self._tell_at = 0.0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. It is no coroutine function, because each would cost `/predict`."""
        if scope["type"] == "http":
            sent = None
            for name, value in scope["headers"]:
                if name == _AUTHORIZATION:
                    sent = value
                    break
                if name == _API_KEY and sent is None:  # of two, `Headers` finds the first, too
                    sent = value
            scope[IDENTITY] = self._keys.remembered(sent) or self._find(scope)
        return self._app(scope, receive, send)

    def _find(self, scope: Scope) -> Identity:
        """Return the identity of a request that is not remembered."""
        scope[WRONG_KEY] = self._tell_of_wrong
        try:
            return self._identify(Headers(scope=scope), scope)
        except errors.WarrenError:
            if not is_open(scope):
                raise
            return _NOBODY

    def _identify(self, headers: Headers, scope: Scope) -> Identity:
        fields = headers.get("authorization", ""), headers.get("x-api-key", "")
        sent, key = sent_key(*fields)
        if not sent:
            return self._of_session(headers, scope)
        try:
            if self._identify_token and key.count(".") == 2:  # which no key of Warren has
                return self._identify_token(key)
            found = self._keys.identify(key.encode("latin-1"), sent.encode("latin-1"))
            if found is None:
                raise _refusal(scope, _INVALID)
        except errors.Unauthenticated:
            self._tell_of_wrong(scope)
            raise
        return found

    def _tell_of_wrong(self, scope: Scope) -> None:
        """Log wrong keys, because somebody may be guessing, in one line a minute."""
        self._wrong += 1
        if (now := self._clock()) >= self._tell_at:
            who = caller_of(scope)
            log.warning(
                "%d requests with a key that is not valid, the last of %s", self._wrong, who
            )
            self._wrong, self._tell_at = 0, now + _QUIET_SECONDS

    def _of_session(self, headers: Headers, scope: Scope) -> Identity:
        text = session_of(headers.get("cookie", ""))
        if not text:
            raise _refusal(scope, _MISSING)
        if scope["method"] not in SAFE_METHODS and not is_same_origin(scope):
            raise errors.Forbidden(_FOREIGN)
        found = self._keys.identify(text.encode("latin-1"))
        if found is None:
            raise _refusal(scope, _ENDED)
        return found


def _refusal(scope: Scope, detail: str) -> errors.Unauthenticated:
    return errors.Unauthenticated(detail.format(root=scope.get("root_path", "")))
