"""A collector of spans: OTLP over HTTP."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collected:
    """A span, and the service that has sent it."""

    service: str
    span: Span

    @property
    def attributes(self) -> dict[str, Any]:
        found = {}
        for each in self.span.attributes:
            kind = each.value.WhichOneof("value")
            found[each.key] = getattr(each.value, kind)
        return found


@dataclass
class Collector:
    """What has come, at `url`."""

    url: str
    collected: list[Collected] = field(default_factory=list)

    def of_trace(self, trace: str) -> list[Collected]:
        return [each for each in self.collected if each.span.trace_id.hex() == trace]


@contextmanager
def collector() -> Iterator[Collector]:
    """Collect on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {each.key: each.value.string_value for each in resource.resource.attributes}
                made.collected += [
                    Collected(names["service.name"], span)
                    for scope in resource.scope_spans
                    for span in scope.spans
                ]
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
