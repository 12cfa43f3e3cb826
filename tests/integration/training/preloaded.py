"""Be the parent of a fit, as a consumer is, and print as JSON what its child finds imported."""

import json
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection

from app.training.fit_process import FitRunner


def report(pipe: Connection) -> None:
    """Be the child."""
    pipe.send((os.getppid(), sorted(sys.modules)))


def main() -> None:
    # Not above, because the child runs this file again and would import the consumer itself.
    from app.consumer.consumer import imported_modules

    FitRunner(imported_modules())
    context = multiprocessing.get_context("forkserver")  # the one that fits are started by
    ours, theirs = context.Pipe()
    child = context.Process(target=report, args=(theirs,))
    child.start()
    parent_of_child, of_child = ours.recv()
    child.join()
    found = {"forked here": parent_of_child == os.getpid(), "parent": [*sys.modules]}
    json.dump({**found, "asked for": imported_modules(), "child": of_child}, sys.stdout)


if __name__ == "__main__":
    main()
