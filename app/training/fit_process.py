"""A fit in a child process: the parent keeps its heartbeats, and may end the child at any time.

A child that takes too long or too much memory is killed, and so is one whose parent is told that
nobody wants the result any more. Children are forked from a server process that has scikit-learn
loaded, so that one costs milliseconds and inherits neither threads nor connections. The child reads
a CSV file and writes an ONNX file; everything else goes over a pipe.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import Any

from app import errors
from app.models.manifest import TrainedManifest
from app.protocol.requests import TrainRequest
from app.training.memory import memory_of, out_of_memory

CHECK_SECONDS = 60.0  # how long a child may take to start and to look at the parameters
GRACE_SECONDS = 0.5  # how long a child may take to end when it has nothing more to do
BEAT_SECONDS = 0.2  # how often the parent looks at its child
NEARLY_ALL = 0.95  # Python can spin for long, one failing allocation after the other, at its limit


# A child runs its parent's main module again, hence what that imports.
PRELOADED_MODULES = [
    "app.training.fit_child",
    "app.training.pipeline",
    "app.inference.trained_model",
    "app.consumer.handlers.predict",
    "app.consumer.handlers.train",
    "app.jobs.relay",
    "app.inference.loader",
    "click",
]


@dataclass(frozen=True)
class FitLimits:
    """What a fit may take: seconds, and bytes of memory on top of the libraries."""

    seconds: float
    memory: int


class FitRunner:
    """Runs fits, each in a child of its own; any number of threads may call `fit`."""

    def __init__(self) -> None:
        """Start the server that the children are forked from."""
        # The threads of two fits that boost would else spin, each waiting for the other's core.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED_MODULES)
        self._lock = threading.Lock()  # multiprocessing polls all children in each start and join
        self._stop_reader, self._stop_writer = self._context.Pipe(duplex=False)

    def warm(self) -> None:
        """Return once a child can start at once."""
        child = self._context.Process(target=_nothing)
        child.start()
        child.join()

    def fit(
        self,
        request: TrainRequest,
        model_id: str,
        folder: Path,
        limits: FitLimits,
        fetch: Callable[[Path], None],
        on_checked: Callable[[], None],
        on_beat: Callable[[float | None], None],
    ) -> tuple[TrainedManifest, bytes]:
        """Check the request, `fetch` the CSV into a file of `folder`, fit; return the ONNX file.

        `on_checked` is called when scikit-learn has accepted the parameters; `on_beat` several
        times a second, with the progress (a fraction) when it is news; what it raises ends the fit.
        Raises `errors.Invalid` or `BadData` for what is the request's fault, `FitTimeout`,
        `FitOutOfMemory`, `ChildKilled`, `ShuttingDown` after `stop`, and what the callbacks raise.
        """
        csv, onnx = folder / "data.csv", folder / "model.onnx"
        arguments = (request.model_dump(), model_id, str(csv), str(onnx), limits.memory)
        child, ours = self._start(arguments)
        try:
            bound = self._receive(ours, child, FitLimits(CHECK_SECONDS, limits.memory), on_beat)
            on_checked()
            fetch(csv)
            with self._mourned(child):
                ours.send(None)
            manifest = TrainedManifest.model_validate(
                self._receive(ours, child, limits, on_beat, bound)
            )
            return manifest, onnx.read_bytes()
        finally:
            ours.close()
            self._end(child)

    def stop(self) -> None:
        """Interrupt every fit that runs or begins."""
        self._stop_writer.close()

    def _start(self, arguments: tuple[Any, ...]) -> tuple[Any, Connection]:
        """Start a child; return it and our end of the pipe to it."""
        ours, theirs = self._context.Pipe()
        child = self._context.Process(target=_run_child, args=(theirs, *arguments))
        try:
            with theirs, self._lock:
                child.start()
        except (EOFError, OSError) as error:  # the server died, or the system is out of something
            ours.close()
            raise errors.ChildKilled(f"no process could be started to fit: {error!r}") from error
        return child, ours

    def _receive(
        self,
        pipe: Connection,
        child: Any,
        limits: FitLimits,
        on_beat: Callable[[float | None], None],
        bound: float = float("inf"),
    ) -> Any:
        """Return what the child sends next but its progress, or raise the error it sent.

        `bound` is the memory at which its allocations fail.
        """
        deadline = monotonic() + limits.seconds
        most = bound - limits.memory * (1 - NEARLY_ALL)
        while True:
            ready = wait([pipe, self._stop_reader], BEAT_SECONDS)
            progress = None
            if pipe in ready:
                with self._mourned(child):
                    kind, value = pipe.recv()
                if kind == "error":
                    raise errors.from_wire(value)
                if kind != "progress":
                    return value
                progress = value
            if self._stop_reader in ready:
                raise errors.ShuttingDown
            on_beat(progress)
            if monotonic() > deadline:
                raise errors.FitTimeout(f"the fit took longer than {limits.seconds:g} s")
            if memory_of(child.pid) > most:
                raise out_of_memory(limits.memory)

    @contextmanager
    def _mourned(self, child: Any) -> Iterator[None]:
        """Turn the end of the pipe into the cause of the child's death."""
        try:
            yield
        except (EOFError, OSError):
            self._join(child)
            code = child.exitcode
            cause = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            raise errors.ChildKilled(f"the process that fitted died ({cause})") from None

    def _end(self, child: Any) -> None:
        """End the child if it still runs; it owns nothing that it would have to put away."""
        if not wait([child.sentinel], GRACE_SECONDS):
            child.kill()
        self._join(child)
        child.close()

    def _join(self, child: Any) -> None:
        wait([child.sentinel])
        with self._lock:
            child.join()


def _nothing() -> None:
    """Be a child that has nothing to do."""


def _run_child(*arguments: Any) -> None:
    """Run the child's side."""
    # Only children load scikit-learn; the fork server has done so before them.
    from app.training import fit_child

    fit_child.main(*arguments)
