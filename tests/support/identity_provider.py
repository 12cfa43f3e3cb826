"""An identity provider: its discovery document, its keys, and tokens that it signs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "warren"
_FIELDS = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm}


class IdentityProvider:
    """Publishes `keys`, which a test may change, below `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.issuer = url
        self.keys_url = f"{url}/keys"
        self.keys: list[dict[str, Any]] = []
        self.is_away = False
        self.body: bytes | None = None  # of each answer, in place of the document
        self.moved_to: str | None = None  # where its keys are, by a redirect
        self.asked = 0
        self._private: dict[str, tuple[Any, str]] = {}

    def add_key(self, name: str, algorithm: str = "RS256", **more: Any) -> None:
        """Make a key pair, and publish its public half."""
        private: Any
        if algorithm == "RS256":
            private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        else:
            private = ec.generate_private_key(ec.SECP256R1())
        self._private[name] = private, algorithm
        public = _FIELDS[algorithm].to_jwk(private.public_key(), as_dict=True)
        self.keys.append(public | {"kid": name, "alg": algorithm, "use": "sig"} | more)

    def token(self, key: str, **claims: Any) -> str:
        """Sign a token; a claim that is None is left out."""
        private, algorithm = self._private[key]
        return jwt.encode(self.claims(**claims), private, algorithm, headers={"kid": key})

    def claims(self, **changed: Any) -> dict[str, Any]:
        usual = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "ada",
            "exp": int(time()) + 600,
            "scope": "openid predict train",
        }
        return {name: each for name, each in (usual | changed).items() if each is not None}

    def document(self, path: str) -> dict[str, Any] | None:
        """Return what a path has."""
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": self.keys_url,
            },
            "/keys": {"keys": self.keys},
        }.get(path)


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """Serve a provider with an RSA and an elliptic key on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked += 1
            if provider.moved_to and self.path == "/keys":
                self.send_response(302)
                self.send_header("Location", provider.moved_to)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            found = None if provider.is_away else provider.document(self.path)
            body = provider.body or json.dumps(found).encode()
            self.send_response(200 if found else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = IdentityProvider(f"http://127.0.0.1:{server.server_port}")
        provider.add_key("one")
        provider.add_key("two", "ES256")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
