"""What happened, in the order it was written down: an append-only file of JSON lines."""

import json
import threading
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """Any thread may write."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def write(self, **entry: Any) -> None:
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
            self._entries.append(entry)

    def entries(self) -> list[Entry]:
        """Return all that was written."""
        with self._lock:
            return list(self._entries)

    def close(self) -> None:
        self._file.close()
