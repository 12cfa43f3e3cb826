"""The event loop of the producer's server, which limits the time of TLS handshakes."""

from typing import Any

import uvloop


class ServerLoop(uvloop.Loop):
    """Disconnects a client that takes too long for its handshake. uvicorn leaves it a minute."""

    handshake_seconds = 10.0

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        """Listen, as uvloop does."""
        if options.get("ssl"):
            options["ssl_handshake_timeout"] = self.handshake_seconds
        return await super().create_server(*arguments, **options)
