"""The end of a consumer's process."""

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import NoReturn

from app.observability import tracing


def join_all(threads: Sequence[threading.Thread], seconds: float) -> None:
    """Wait for threads to end, for `seconds` in all."""
    deadline = time.monotonic() + seconds
    for each in threads:
        each.join(max(0.0, deadline - time.monotonic()))


def end_process() -> NoReturn:
    """End the process now, because a thread that runs a model might go on for minutes.

    The children of multiprocessing end by themselves when their pipes are closed.
    """
    tracing.flush()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
