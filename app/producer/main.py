"""The producer: `python -m app.producer.main`."""

import signal
import sys

import uvicorn

from app.observability import logs
from app.producer.app import create_app
from app.producer.http.bounded_protocol import ConnectionLimits, bounded
from app.runtime import collect_garbage_rarely, raise_open_file_limit
from app.settings import Settings

_OTHER_FILES = 256  # of libraries, the database, S3, uploads


def main() -> None:
    """Serve until SIGTERM."""
    # After its shutdown, uvicorn sends itself the same signal once more.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = Settings()
    logs.configure(settings.log_level)
    connections = min(settings.max_connections, raise_open_file_limit() - _OTHER_FILES)
    app = create_app(settings)
    limits = ConnectionLimits(max(1, connections), settings.head_seconds)
    collect_garbage_rarely()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=bounded(limits),
        ws="none",
        timeout_keep_alive=settings.keep_alive_seconds,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # because middleware/forwarded.py reads them
        server_header=False,
    )


if __name__ == "__main__":
    main()
