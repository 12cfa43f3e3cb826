"""Read the X-Forwarded headers of trusted proxies, and serve below a path prefix."""

import re
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from app.producer.callers.authority import PORT, PROXY_HOST, address_of, host_of
from app.settings.checks import PATH_PREFIX, Networks

_FOR, _HOST = b"x-forwarded-for", b"x-forwarded-host"
_PREFIX, _PROTO = b"x-forwarded-prefix", b"x-forwarded-proto"
_NAMES = {_FOR, _HOST, _PREFIX, _PROTO}
_MAX_HOPS = 20  # of X-Forwarded-For; more would only cost time
_ADDRESS = re.compile(rf"([0-9.]+){PORT}|\[([0-9A-Fa-f:.]+)\]{PORT}|([0-9A-Fa-f:.]+)")


class Forwarded:
    """ASGI middleware: applies the X-Forwarded headers of a trusted proxy to the scope.

    `X-Forwarded-For` changes `client`, `-Proto` changes `scheme`, `-Host` changes the header field
    `host`, whose value becomes `PROXY_HOST`, and `-Prefix` changes `root_path`, which is the
    setting otherwise. Of a list the last element counts, because the nearest proxy wrote it. A
    value of another form is ignored. `path` begins with `root_path`, as ASGI wants it, whether or
    not the proxy removed the prefix.
    """

    def __init__(self, app: ASGIApp, trusted: Networks, root_path: str) -> None:
        """Wrap `app`."""
        self._app = app
        self._trusted = trusted
        self._trusts = lru_cache(maxsize=1024)(self._is_trusted)
        self._root_path = root_path.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            prefix = self._root_path
            client = scope["client"]
            if client and self._trusts(client[0]) and (said := _forwarded(scope)):
                prefix = _prefix(said) or prefix
                _replace_scheme(scope, said)
                _replace_host(scope, said)
                self._replace_client(scope, said)
            if prefix:
                _move_below(scope, prefix)
        await self._app(scope, receive, send)

    def _is_trusted(self, host: str) -> bool:
        address = address_of(host)
        return address is not None and any(address in each for each in self._trusted)

    def _replace_client(self, scope: Scope, said: dict[bytes, str]) -> None:
        """Set `client` to the last address that is not a trusted proxy's."""
        for hop in reversed(said.get(_FOR, "").split(",")[-_MAX_HOPS:]):
            match = _ADDRESS.fullmatch(hop.strip())
            if not match or not address_of(host := match[1] or match[3] or match[5]):
                return
            scope["client"] = (host, int(match[2] or match[4] or 0))
            if not self._trusts(host):
                return


def _forwarded(scope: Scope) -> dict[bytes, str]:
    """Return the header fields that a proxy wrote; repeated ones are one list."""
    said: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _NAMES:
            text = value.decode("latin-1")
            said[name] = f"{said[name]},{text}" if name in said else text
    return said


def _last(said: dict[bytes, str], name: bytes) -> str:
    return said.get(name, "").rpartition(",")[2].strip()


def _prefix(said: dict[bytes, str]) -> str:
    prefix = _last(said, _PREFIX)
    return prefix.rstrip("/") if re.fullmatch(PATH_PREFIX, prefix) else ""


def _replace_scheme(scope: Scope, said: dict[bytes, str]) -> None:
    scheme = _last(said, _PROTO).lower()
    if scheme in ("http", "https"):
        scope["scheme"] = scheme


def _replace_host(scope: Scope, said: dict[bytes, str]) -> None:
    host = _last(said, _HOST)
    if host_of(host) is None:
        return
    sent = [value for name, value in scope["headers"] if name == b"host"]
    if len(sent) <= 1:  # two are refused later
        others = [field for field in scope["headers"] if field[0] != b"host"]
        scope["headers"] = [(b"host", host.encode()), *others]
        if sent:
            scope[PROXY_HOST] = sent[0]


def _move_below(scope: Scope, prefix: str) -> None:
    """Set `root_path`, and put it before `path` if it is not there."""
    scope["root_path"] = prefix
    path = scope["path"]
    if path.startswith("/") and not f"{path}/".startswith(f"{prefix}/"):
        scope["path"] = prefix + path
        scope["raw_path"] = prefix.encode() + scope["raw_path"]
