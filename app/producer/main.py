"""The producer: `python -m app.producer.main`."""

import signal
import sys

import uvicorn

from app.observability import logs
from app.producer.app import create_app
from app.producer.http.uvicorn_protocol import HttpProtocol
from app.runtime import collect_garbage_rarely, raise_open_file_limit
from app.settings import Settings


def main() -> None:
    """Serve until SIGTERM."""
    # After its shutdown, uvicorn sends itself the same signal once more.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = Settings()
    logs.configure(settings.log_level)
    raise_open_file_limit()
    app = create_app(settings)
    collect_garbage_rarely()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=HttpProtocol,
        ws="none",
        timeout_keep_alive=settings.keep_alive_seconds,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # because middleware/forwarded.py reads them
        server_header=False,
    )


if __name__ == "__main__":
    main()
