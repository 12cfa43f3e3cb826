"""Run fits in child processes.

The parent keeps its heartbeats, and can end a child at any time: it kills a child that takes too
long or too much memory, or whose result is no longer wanted. A server process that has imported
the libraries forks the children, so that a child starts in milliseconds and inherits neither
threads nor connections. A child reads a table and writes the model's file beside it; all
else goes over a pipe.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import Any

from app import errors
from app.children.forked import join_child, start_child
from app.children.process_memory import memory_of, resident_memory
from app.models.manifest import TrainedManifest
from app.observability import tracing
from app.protocol.training_request import TrainRequest
from app.protocol.wire_errors import error_from_wire
from app.tables.dialect import TableFormat
from app.training.child_death import child_death
from app.training.fit_messages import out_of_memory, out_of_time

CHECK_SECONDS = 60.0  # how long a child may take to start and to check the parameters
GRACE_SECONDS = 0.5  # how long a child may take to exit when its work is done
POLL_SECONDS = 0.2  # how often the parent looks at its child
MEMORY_SHARE = 0.95  # of the limit, because near it Python retries allocations for a long time

# Names, because importing the second would load scikit-learn into the parent.
SERVER_MODULE = "app.inference.fork_server"
CHILD_MODULE = "app.training.fit_child"


@dataclass(frozen=True)
class FitLimits:
    """The limits of a fit: seconds, and bytes of memory on top of the libraries."""

    seconds: float
    memory: int


def run_child(*arguments: Any) -> None:
    """Run the child's side of a fit."""
    from app.training import fit_child  # only children load scikit-learn

    fit_child.main(*arguments)


class FitRunner:
    """Run fits, each in a child of its own; any number of threads may call `fit`."""

    def __init__(
        self,
        preload: Sequence[str] = (),
        *,
        child: Callable[..., None] = run_child,
        check_seconds: float = CHECK_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Configure the server that forks the children; the first child starts it.

        It imports the modules that `preload` names, beside those of a fit. Name what the main
        module imports, because each child imports the main module again. `child` is what a child
        runs, called with the pipe to the parent and the arguments of `fit_child.main`.
        """
        # Otherwise the threads of two boosters would spin, each waiting for the other's core.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # pyarrow's other allocator reserves a gigabyte, which would count for the limit of a fit.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([SERVER_MODULE, CHILD_MODULE, *preload])
        self._child = child
        self._check_seconds = check_seconds
        self._grace_seconds = grace_seconds
        self._poll_seconds = poll_seconds
        self._stop_reader, self._stop_writer = self._context.Pipe(duplex=False)

    def warm(self) -> None:
        """Start the server, and return once it has imported its modules."""
        child = self._context.Process(target=_do_nothing)
        child.start()
        child.join()

    def fit(
        self,
        request: TrainRequest,
        model_id: str,
        folder: Path,
        limits: FitLimits,
        fetch: Callable[[Path], TableFormat | None],
        on_checked: Callable[[], None],
        on_beat: Callable[[float | None], None],
    ) -> tuple[TrainedManifest, Path]:
        """Check the request, `fetch` the table into a file of `folder`, fit.

        `fetch` returns the format of the file, or None if it has to be found out.

        Return the manifest, and the path of the model's file in `folder`.

        `on_checked` is called when scikit-learn has accepted the parameters; `on_beat` several
        times a second, with the progress from 0 to 1, or None if it is unchanged. An error that
        a callback raises ends the fit and is raised here. Raises `errors.Invalid` or `BadData` for
        a wrong request, `FitTimeout`, `FitOutOfMemory`, `FitFailed`, `ChildKilled` or `ChildLost`,
        and `ShuttingDown` after `stop`.
        """
        table = folder / "table"
        arguments = (request.model_dump(), model_id, str(table), limits.memory)
        try:
            child, ours = start_child("fit", self._child, *arguments)
        except errors.ChildKilled as error:
            raise errors.ChildLost(error.detail) from error
        try:
            check_limits = FitLimits(self._check_seconds, limits.memory)
            bound = self._receive(ours, child, check_limits, on_beat)
            on_checked()
            table_format = fetch(table)
            with _pipe_errors(child):
                ours.send(table_format and table_format.model_dump())
            manifest, path = self._receive(ours, child, limits, on_beat, bound)
            return TrainedManifest.model_validate(manifest), Path(path)
        finally:
            ours.close()
            self._end(child)

    def stop(self) -> None:
        """Interrupt every fit that runs or begins."""
        self._stop_writer.close()

    def _receive(
        self,
        pipe: Connection,
        child: Any,
        limits: FitLimits,
        on_beat: Callable[[float | None], None],
        bound: float = float("inf"),
    ) -> Any:
        """Return the next message of the child that is not its progress, or raise its error.

        `bound` is the memory in bytes at which its allocations fail.
        """
        deadline = monotonic() + limits.seconds
        most = bound - limits.memory * (1 - MEMORY_SHARE)
        resident = 0
        while True:
            resident = max(resident, resident_memory(child.pid))
            ready = wait([pipe, self._stop_reader], self._poll_seconds)
            progress = None
            if pipe in ready:
                with _pipe_errors(child, resident):
                    kind, value = pipe.recv()
                if kind == "error":
                    raise error_from_wire(value)
                if kind == "phase":
                    tracing.add_span(*value)
                elif kind == "progress":
                    progress = value
                else:
                    return value
            if self._stop_reader in ready:
                raise errors.ShuttingDown
            on_beat(progress)
            if monotonic() > deadline:
                raise out_of_time(limits.seconds)
            if memory_of(child.pid) > most:
                raise out_of_memory(limits.memory)

    def _end(self, child: Any) -> None:
        """Kill the child unless it exits by itself; it has nothing to clean up."""
        if not wait([child.sentinel], self._grace_seconds):
            child.kill()
        join_child(child)
        child.close()


@contextmanager
def _pipe_errors(child: Any, resident: int = 0) -> Iterator[None]:
    """Turn the end of the pipe into the error of the child's death."""
    try:
        yield
    except (EOFError, OSError):
        raise child_death(join_child(child), resident) from None


def _do_nothing() -> None:
    """Return at once: the target of the child that `warm` starts."""
