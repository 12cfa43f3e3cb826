"""What lies between a client and the broker, for the tests to cut."""

import socket
import threading
from contextlib import suppress
from time import sleep
from typing import Self
from urllib.parse import quote

from devstack.rabbitmq import Broker
from tests.support.waiting import until


class Wire:
    """Forwards connections to a port of 127.0.0.1, until it is cut; new ones come through again."""

    def __init__(self, port: int, listen: int = 0, seconds_per_piece: float = 0) -> None:
        """Listen; `self.port` is where. A piece has at most 64 KiB."""
        self._pause = seconds_per_piece
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", listen))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        # `close` alone would leave the thread in its `accept`.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Lose every connection there is."""
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                with self._lock:
                    self._open += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(
                        target=forward, args=(source, sink, self._pause), daemon=True
                    ).start()


def forward(source: socket.socket, sink: socket.socket, pause: float) -> None:
    """Pass on what comes until either end is gone."""
    with suppress(OSError):
        while received := source.recv(65536):
            sink.sendall(received)
            sleep(pause)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    source.close()


def close_connection(broker: Broker, name: str) -> None:
    """Have the broker close the connection of this name, as an operator would."""

    def named() -> list[str]:
        found = broker.api("GET", "connections")
        return [each["name"] for each in found if each.get("user_provided_name") == name]

    (connection,) = until(named, f"the management API shows the connection {name}")
    broker.api("DELETE", f"connections/{quote(connection, safe='')}")
