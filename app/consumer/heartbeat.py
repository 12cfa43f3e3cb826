"""A thread by which others hear of this consumer."""

import logging
import threading
from collections.abc import Callable

from app import errors
from app.database.engine import Engine
from app.jobs.workers import BEAT_SECONDS, Worker, leave, report

log = logging.getLogger(__name__)


class Heartbeat(threading.Thread):
    """Writes a row of the table `workers` every `seconds`, and deletes it at the end."""

    def __init__(
        self, engine: Engine, describe: Callable[[], Worker], seconds: float = BEAT_SECONDS
    ) -> None:
        """Create the thread without starting it; `describe` says what is true now."""
        super().__init__(name="heartbeat", daemon=True)
        self._engine = engine
        self._describe = describe
        self._seconds = seconds
        self._stopping = threading.Event()
        self._is_away = False
        self.connected = False  # whether the last statement succeeded

    def stop(self) -> None:
        """Delete the row and end soon; `join` waits for it."""
        self._stopping.set()

    def run(self) -> None:
        """Run the thread's main loop."""
        name = self._describe().name
        while not self._stopping.is_set():
            self._try(lambda: report(self._engine, self._describe()))
            self._stopping.wait(self._seconds)
        self._try(lambda: leave(self._engine, name))

    def _try(self, write: Callable[[], None]) -> None:
        connected = False
        try:
            write()
            connected = True
        except errors.WarrenError as error:
            if not self._is_away:
                log.warning("nobody hears of this consumer: %s", error)
        except Exception:  # a bug must not end the thread
            log.exception("nobody hears of this consumer")
        self.connected, self._is_away = connected, not connected
