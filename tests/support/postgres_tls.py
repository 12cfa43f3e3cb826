"""TLS in front of the tests' PostgreSQL, whose wheel is built without it.

It answers as a server with only `hostssl` in its pg_hba.conf would, and forwards what it decrypts.
"""

import asyncio
import ssl
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devstack.authority import Certificate

# PostgreSQL's documentation, 54.7 "Message Formats": SSLRequest and GSSENCRequest
_SSL_REQUEST, _GSS_REQUEST = struct.pack("!ii", 8, 80877103), struct.pack("!ii", 8, 80877104)


@contextmanager
def postgres_tls(socket: Path, certificate: Certificate) -> Iterator[int]:
    """Serve TLS on a port of this machine, in front of a server's socket; yield the port."""
    loop = asyncio.new_event_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await reader.readexactly(8)) == _GSS_REQUEST:
                writer.write(b"N")
            if asked == _SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                far_reader, far_writer = await asyncio.open_unix_connection(socket)
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # a client that refuses the certificate, or leaves
        finally:
            writer.transport.abort()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(serve, "127.0.0.1", 0)

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(20)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = run(listen())
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        run(_close(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)
