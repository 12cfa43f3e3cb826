"""A server that makes the handshakes of TLS and says nothing."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from devstack.authority import Certificate


@contextmanager
def tls_listener(certificate: Certificate | None) -> Iterator[int]:
    """Yield the port; without a certificate it says a line in plain and closes."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if certificate:
        context.load_cert_chain(certificate.chain, certificate.key)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                plain, _ = listener.accept()
                with plain, suppress(OSError):
                    if certificate:
                        context.wrap_socket(plain, server_side=True).close()
                    else:
                        plain.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                        plain.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
