"""Refuse models that keep ending their processes."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import NamedTuple

from cachetools import LRUCache

from app import errors

log = logging.getLogger(__name__)

STOPS = 3
WINDOW_SECONDS = 600.0
QUARANTINE_SECONDS = 600.0  # from the last stop; not below the window
REMEMBERED = 10_000  # models


class _Stops(NamedTuple):
    times: deque[float]  # the last `STOPS`
    reason: str


class Quarantine:
    """Counts how often a model had to be stopped, or ended its process; any thread may use it.

    After `STOPS` times within `WINDOW_SECONDS` the model is refused for `QUARANTINE_SECONDS`.
    """

    def __init__(self, timer: Callable[[], float] = monotonic) -> None:
        """Remember nothing yet."""
        self._timer = timer
        self._stops: LRUCache[str, _Stops] = LRUCache(REMEMBERED)
        self._lock = threading.Lock()

    def count(self, model_id: str, error: errors.WarrenError) -> None:
        """Count one more stop of a model, by `error`."""
        with self._lock:
            known = self._stops.get(model_id)
            times = known.times if known else deque[float](maxlen=STOPS)
            times.append(self._timer())
            self._stops[model_id] = _Stops(times, error.detail)
            left = self._left(model_id)
        log.warning("model %s was stopped: %s", model_id, error.detail)
        if left > 0:
            log.error("model %s is quarantined for %.0f s", model_id, left)

    def has_stopped(self, model_id: str) -> bool:
        """Tell whether a model was ever stopped, as far as this process remembers."""
        with self._lock:
            return model_id in self._stops

    def check(self, model_id: str) -> None:
        """Raise `errors.ModelQuarantined` while a model is refused."""
        with self._lock:
            if (left := self._left(model_id)) <= 0:
                return
            reason = self._stops[model_id].reason
        until = datetime.now(UTC) + timedelta(seconds=left)
        raise errors.ModelQuarantined(
            f"model {model_id} ended its process {STOPS} times within "
            f"{WINDOW_SECONDS / 60:.0f} minutes, the last time because: {reason}; "
            f"it is not run before {until:%H:%M:%S} UTC",
            until=f"{until:%Y-%m-%dT%H:%M:%SZ}",
        )

    def _left(self, model_id: str) -> float:
        """Return for how many seconds a model is still refused; 0 or less if it is not."""
        known = self._stops.get(model_id)
        if known is None or len(known.times) < STOPS:
            return 0.0
        if known.times[-1] - known.times[0] >= WINDOW_SECONDS:
            return 0.0
        return known.times[-1] + QUARANTINE_SECONDS - self._timer()
