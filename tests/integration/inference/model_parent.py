"""Be the parent of a model's process: send lines of input, and print the child's number."""

import signal
import sys

from app.inference.model_process import ModelProcess
from tests.support.model_children import asked, obey


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)
    process = ModelProcess(obey)
    for line in sys.stdin:
        sys.stdout.write(f"{process.run(asked(line.strip()))['pid'][0]}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
