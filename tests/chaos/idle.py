"""The control of a run: an echo between two processes that do nothing else.

`python -m tests.chaos.idle JOURNAL` asks again and again until stdin ends. What it waits is what
the cores make any client wait, whatever the server does.
"""

import subprocess
import sys
import threading
from pathlib import Path
from time import monotonic, time

from tests.chaos.journal import Journal

PERIOD = 0.025


def main(journal: Path) -> None:
    """Ask until stdin ends."""
    written, end = Journal(journal), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
    with subprocess.Popen(["cat"], stdin=-1, stdout=-1, bufsize=0, start_new_session=True) as echo:
        assert echo.stdin
        assert echo.stdout
        while not end.wait(PERIOD):
            at, begun = time(), monotonic()
            echo.stdin.write(b"?")
            echo.stdout.read(1)
            written.write(at=at, seconds=monotonic() - begun)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
