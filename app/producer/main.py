"""The producer: `python -m app.producer.main`."""

import gc
import logging
import signal
import sys
from importlib.util import find_spec

if __name__ == "__main__":
    gc.disable()  # until `collect_garbage_rarely`: imports leave no garbage, and searches take long

import uvicorn
from fastapi import FastAPI

from app import errors
from app.auth.key_ring import KeyRing
from app.auth.store import has_usable_key
from app.children.memory_sum import warn_of_memory
from app.database.existing import end_without_database
from app.observability import logs
from app.observability.span_export import export_spans
from app.producer.app import create_app
from app.producer.memory_shares import memory_shares
from app.producer.server.bounded_protocol import ConnectionLimits, bounded
from app.producer.server.server_certificate import ServerCertificate
from app.runtime import collect_garbage_rarely, raise_open_file_limit, switch_threads_often
from app.settings import Settings
from app.settings.refused import ends_for_wrong_settings

log = logging.getLogger(__name__)

_OTHER_FILES = 256  # of libraries, the database, S3, uploads
NO_KEY = """\
Requests need a key, because AUTH is on or HOST is no loopback address, and there is none yet.
Make the first one, which is shown once, and start again:

  python -m app.cli keys create --name first --scope all

Or let everybody who reaches the producer do everything, with the setting AUTH=off."""
NO_EXTRA = """\
OIDC_ISSUER needs the extra `oidc`, which is not installed:

  pip install --require-hashes --no-deps -r requirements-oidc.lock"""

NO_AUTH = """\
OIDC_ISSUER has no effect, because requests need no key: AUTH is off, or HOST is a loopback address.
Set AUTH=on, too, or leave OIDC_ISSUER out."""


def main() -> None:
    """Serve until SIGTERM."""
    # After its shutdown, uvicorn sends itself the same signal once more.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ends_for_wrong_settings():
        settings = Settings().acting_as("producer")
    logs.configure(settings.log_level, settings.log_format)
    export_spans(
        settings.otel_exporter_otlp_endpoint, settings.otel_traces_sampler_arg, "warren-producer"
    )
    end_without_database(settings)
    check_openid(settings)
    warn_of_memory("producer", memory_shares(settings))
    app = create_app(settings)
    if app.state.keys and not settings.oidc_issuer:
        require_key(app.state.keys)
    serve(app, settings)


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve an application in this process until it is told to end.

    Exits if the certificate of the settings is no good.
    """
    certificate = certificate_of(settings)
    connections = min(settings.max_connections, raise_open_file_limit() - _OTHER_FILES)
    limits = ConnectionLimits(max(1, connections), settings.head_seconds)
    collect_garbage_rarely()
    switch_threads_often()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="app.producer.server.server_loop:ServerLoop",
        http=bounded(limits),
        ws="none",
        timeout_keep_alive=settings.keep_alive_seconds,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # because middleware/forwarded.py reads them
        server_header=False,
        ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
    )


def check_openid(settings: Settings) -> None:
    """Exit if there is an identity provider and its tokens would not be checked."""
    if settings.oidc_issuer and not settings.authenticates:
        sys.exit(NO_AUTH)
    if settings.oidc_issuer and find_spec("jwt") is None:
        sys.exit(NO_EXTRA)


def certificate_of(settings: Settings) -> ServerCertificate | None:
    """Return the certificate of the settings, or None to serve HTTP. Exits if it is no good."""
    if not settings.tls_certificate_file:
        return None
    try:
        return ServerCertificate(settings.tls_certificate_file, settings.tls_key_file)
    except errors.Invalid as error:
        sys.exit(error.detail)


def require_key(keys: KeyRing) -> None:
    """Exit if there is no valid key, with the way to make one.

    Without the database nobody can tell. The producer starts then, and answers 503 until it can
    read the keys.
    """
    try:
        if not has_usable_key(keys.engine):
            sys.exit(NO_KEY)
    except errors.Unavailable as error:
        log.warning("nobody can be identified before the keys can be read: %s", error)


if __name__ == "__main__":
    main()
