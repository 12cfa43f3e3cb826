"""Refuse requests whose `Host` is not a name of this server.

A page of another site cannot read the answers of this server, or change anything in it. But the
owner of that site can let its name mean this server's address (DNS rebinding). Then a browser takes
both for one site, and only `Host` tells.
"""

from collections.abc import Awaitable
from functools import lru_cache

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app import errors
from app.producer.answers.problems import respond
from app.producer.callers.authority import PROXY_HOST, address_of, host_of
from app.producer.routing.probes import PROBES
from app.protocol.wording import quoted


class AllowedHosts:
    """ASGI middleware: answers 421 for a host that is not allowed (RFC 9110, 15.5.20).

    No `Host`, two of them, or one that is no host gets a 400 (RFC 9112, 3.2). If a trusted proxy
    forwards another host than it sends, both have to be allowed, because pages can write
    `X-Forwarded-Host`, but not `Host`.
    """

    def __init__(self, app: ASGIApp, bound: str, names: tuple[str, ...]) -> None:
        """Wrap `app`. `bound` is the address that it listens on; `names` are allowed besides.

        Of `names`, `*` is every host, and `*.example.com` every one below `example.com`.
        """
        self._app = app
        self._bound = bound.lower()
        self._names = names
        self._fault = lru_cache(maxsize=1024)(self._find_fault)
        self._usual: list[bytes] | None = None  # the last host that was allowed; most ask by it

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. It is no coroutine function, because each would cost `/predict`."""
        if scope["type"] == "http":
            hosts = []  # a loop, because it takes half the time of a comprehension
            for name, value in scope["headers"]:
                if name == b"host":
                    hosts.append(value)
            if hosts != self._usual or PROXY_HOST in scope:
                error = self._error(scope, hosts)
                if error is not None:
                    return _refuse(error, scope, receive, send)
        return self._app(scope, receive, send)

    def _error(self, scope: Scope, hosts: list[bytes]) -> Exception | None:
        """Return the error of a request whose fields `Host` do not name this server."""
        if len(hosts) != 1:
            if not hosts and scope.get("http_version") == "1.0":
                return None  # it need not name a host, and no browser sends it
            return HTTPException(400, f"Host: send this field once; there are {len(hosts)}")
        for host in (*hosts, scope.get(PROXY_HOST, hosts[0])):
            error = self._fault(host)
            if error is None:
                self._usual = [host]
            elif not (isinstance(error, errors.Misdirected) and _is_probe(scope)):
                return error
        return None

    def _find_fault(self, field: bytes) -> Exception | None:
        """Return the error of a value of `Host`."""
        host = host_of(field.decode("latin-1"))
        if host is None:
            return HTTPException(400, "Host: this is neither a host nor host:port")
        if self._is_allowed(host):
            return None
        return errors.Misdirected(
            f"Host: {quoted(host)} is no name of this server; ask it by another one, or add this "
            "one to its setting ALLOWED_HOSTS"
        )

    def _is_allowed(self, host: str) -> bool:
        address, bound = address_of(host), address_of(self._bound)
        if address is None:
            below = [name[1:] for name in self._names if name.startswith("*.")]
            if host == "localhost" or host.endswith((".localhost", *below)):
                return True
        elif address.is_loopback or address in (bound, *map(address_of, self._names)):
            return True
        elif bound is not None and bound.is_unspecified:
            return True  # each address is bound then; and an address is no name to be bound anew
        return host == self._bound or host in self._names or "*" in self._names


async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    response = await respond(Request(scope), error)
    await response(scope, receive, send)


def _is_probe(scope: Scope) -> bool:
    """Tell whether load balancers ask for this path, by any address; it has nothing to protect."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path in PROBES
