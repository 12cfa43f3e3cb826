"""A process that ends with the test that starts it."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from devstack.subprocesses import end_group

STOP_SECONDS = 10


@contextmanager
def child(command: list[Any], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Start a process that leads a group; the group ends with the block, whatever happens in it.

    A process that still runs then is interrupted first, so that it ends what it has started itself.
    """
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_SECONDS)
            end_group(process)
