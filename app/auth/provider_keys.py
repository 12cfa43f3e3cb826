"""The public keys of the identity provider, read every few minutes, for providers change them."""

import json
import logging
import threading
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt

from app import errors
from app.settings.checks import is_private

READ_SECONDS = 300.0
RETRY_SECONDS = 10.0  # after a failure, or a token with a key that is not known
_TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 1_000_000
_DISCOVERY = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, 4

# What PyJWT raises for a key of another form; the last one is for a key of the algorithm `none`.
_UNREADABLE = (jwt.PyJWTError, TypeError, ValueError, AttributeError, NotImplementedError)

log = logging.getLogger(__name__)


class ProviderKeys(threading.Thread):
    """Reads the keys that sign the tokens of `issuer`; known ones count while it is away."""

    def __init__(
        self, issuer: str, retry_seconds: float = RETRY_SECONDS, seconds: float = READ_SECONDS
    ) -> None:
        """Create the thread without starting it; it reads every `seconds`.

        A key that is not known is looked for at most every `retry_seconds`.
        """
        super().__init__(name="provider-keys", daemon=True)
        self._issuer = issuer
        self._retry_seconds = retry_seconds
        self._seconds = seconds
        self._keys: dict[str | None, jwt.PyJWK] | None = None
        self._wanted = threading.Event()
        self._stopping = threading.Event()

    def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key of an id, or None; a provider of one key may leave the id out.

        Raises `errors.Unavailable` if the keys were never read.
        """
        keys = self._keys
        if keys is None:
            raise errors.Unavailable(
                "the keys of the identity provider have not been read yet; ask again in a moment"
            )
        if key_id is None and len(keys) == 1:
            return next(iter(keys.values()))
        found = keys.get(key_id)
        if found is None:
            self._wanted.set()
        return found

    def refresh(self) -> None:
        """Read the keys. Raises `errors.Unavailable`, which says what is wrong."""
        found = _fetch(f"{self._issuer.rstrip('/')}{_DISCOVERY}")
        if found.get("issuer") != self._issuer:
            raise errors.Unavailable(
                f"OIDC_ISSUER is {self._issuer}, and its provider calls itself "
                f"{found.get('issuer')}; set OIDC_ISSUER to this name if it is right"
            )
        keys = _fetch(str(found.get("jwks_uri"))).get("keys")
        self._keys = _readable(keys if isinstance(keys, list) else [])

    def begin(self) -> None:
        """Read the keys, so that the first requests find them, and start the thread."""
        self._try()
        self.start()

    def stop(self) -> None:
        """End the thread soon; `join` waits for it."""
        self._stopping.set()
        self._wanted.set()

    def run(self) -> None:
        """Run the thread's main loop."""
        while not self._stopping.wait(self._retry_seconds):
            self._wanted.wait(0 if self._keys is None else self._seconds)
            if not self._stopping.is_set():
                self._wanted.clear()
                self._try()

    def _try(self) -> None:
        try:
            self.refresh()
        except errors.Unavailable as error:
            log.warning("the keys of OIDC_ISSUER cannot be read: %s", error)
        except Exception:  # a bug must not end the thread
            log.exception("the keys of OIDC_ISSUER cannot be read")


def _readable(keys: list[Any]) -> dict[str | None, jwt.PyJWK]:
    """Return the keys that sign, by their ids; of kinds that PyJWT does not know, none."""
    found = {}
    for each in keys:
        try:
            key = jwt.PyJWK.from_dict(each)
            if key.key_type != "oct" and key.public_key_use in (None, "sig"):
                found[key.key_id] = key
        except _UNREADABLE as error:
            log.warning("a key of OIDC_ISSUER cannot be read: %s", error)
    return found


class _CheckedRedirects(HTTPRedirectHandler):
    """Follows redirects, but to no address that `_check` refuses."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """Return the request for the new address. Raises `errors.Unavailable`."""
        _check(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check(url: str) -> None:
    """Raise `errors.Unavailable` unless an address is https, or of this machine."""
    if not is_private(url):
        raise errors.Unavailable(f"{url} does not begin with https://")


def _fetch(url: str) -> dict[str, Any]:
    """Return the JSON object at an address, which has to be https except on this machine."""
    _check(url)
    try:
        with build_opener(_CheckedRedirects).open(url, timeout=_TIMEOUT_SECONDS) as response:
            found = json.loads(response.read(_MOST_BYTES))
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise errors.Unavailable(f"{url}: {error}") from error
    if not isinstance(found, dict):
        raise errors.Unavailable(f"{url} is no JSON object")
    return found
