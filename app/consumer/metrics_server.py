"""Serve `/metrics` and `/healthz` of a consumer, from threads of their own."""

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from socketserver import ThreadingTCPServer
from typing import Any

from app.auth.key_ring import KeyRing
from app.consumer.metrics_answers import MetricsAnswers
from app.database.engine import Engine
from app.observability.metrics.exposition import Exposition
from app.observability.metrics.families import CONSUMER, Gauge, Read
from app.settings import Settings
from app.settings.checks import names

log = logging.getLogger(__name__)

REQUESTS = 8  # at a time; further connections are closed
SECONDS = 5.0  # that a client may take to send its request, and to read the answer


class MetricsServer(ThreadingTCPServer):
    """The server; a thread accepts, and each request has a thread."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        exposition: Exposition,
        is_healthy: Callable[[], bool],
        keys: KeyRing | None = None,
        names: tuple[str, ...] = (),
        seconds: float = SECONDS,
    ) -> None:
        """Listen. `keys` tell who may read the metrics; None lets everybody who asks by an address.

        They may also ask by one of the `names`, as ALLOWED_HOSTS has them. A client may take
        `seconds` to send its request, and to read the answer. Raises `OSError` if the address
        cannot be had.
        """
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._free = threading.Semaphore(REQUESTS)
        answers = partial(MetricsAnswers, exposition, is_healthy, keys, names, seconds)
        super().__init__(address, answers)

    def start(self) -> None:
        """Serve in a thread until `shutdown`."""
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or close the connection if there are too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the library's
        """Log an error of a connection, such as a client that has gone."""
        log.debug("a request of %s failed", client_address, exc_info=True)


def start_metrics_server(
    settings: Settings,
    engine: Engine,
    gauges: Mapping[Gauge, Read],
    is_healthy: Callable[[], bool],
) -> MetricsServer | None:
    """Serve in the background; return None if no port is set.

    If the address cannot be had, it warns and returns None, because the consumer works without it.
    Keys are those of the database of `engine`.
    """
    if not settings.metrics_port:
        return None
    address = (settings.metrics_host, settings.metrics_port)
    keys = KeyRing(engine) if settings.authenticates_scrapes else None
    try:
        exposition, hosts = Exposition(CONSUMER, gauges), names(settings.allowed_hosts)
        server = MetricsServer(address, exposition, is_healthy, keys, hosts)
    except OSError as error:
        log.warning("metrics are not served, because %s:%d cannot be had: %s", *address, error)
        return None
    if keys:
        keys.begin()
    server.start()
    log.info("metrics at http://%s:%d/metrics", *address)
    return server
