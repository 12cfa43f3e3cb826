"""Print the bytes that a loaded model holds: `held_by_models FILE COUNT`, measured with COUNT."""

import sys
from pathlib import Path

from app.inference.held_memory import give_back_memory
from app.inference.onnx_session import load_session


def resident():
    """Return the bytes of this process that are no part of a file."""
    (line,) = [
        each
        for each in Path("/proc/self/status").read_text().splitlines()
        if each.startswith("RssAnon:")
    ]
    return int(line.split()[1]) * 1024


def main(path, count):
    load_session(path, arena=False)  # also allocates what all models share
    give_back_memory()
    before = resident()
    loaded = [load_session(path, arena=False) for _ in range(count)]
    give_back_memory()
    sys.stdout.write(f"{(resident() - before) / len(loaded)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
