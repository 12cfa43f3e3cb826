"""A fit in a child process: the parent keeps its heartbeats, and may end the child at any time.

Children are forked from a server process that has scikit-learn loaded, so that one costs
milliseconds and inherits neither threads nor connections. The child reads a CSV file and writes an
ONNX file; everything else goes over a pipe.
"""

import multiprocessing
import os
import shutil
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from app import errors
from app.manifest import Manifest
from app.messages import TrainRequest

MAX_PARITY = 1e-2  # nearest neighbours may differ by more where distances tie
GRACE_SECONDS = 0.5  # how long a child may take to end when it has nothing more to do


# A child runs its parent's main module again, hence what that imports.
_PRELOAD = [
    __name__,
    "app.model",
    "app.serving",
    "app.consumer.tasks",
    "app.consumer.models",
    "click",
]


class Trainer:
    """Runs fits, each in a child of its own; any number of threads may call `fit`."""

    def __init__(self) -> None:
        """Start the server that the children are forked from."""
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
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
        fetch: Callable[[Path], None],
        on_checked: Callable[[], None],
    ) -> tuple[Manifest, bytes]:
        """Check the request, `fetch` the CSV into a file of `folder`, fit; return the ONNX file.

        `on_checked` is called when scikit-learn has accepted the parameters. Raises
        `errors.Invalid` or `BadData` for what is the request's fault, `FitFailed` when the child
        died, `Interrupted` after `stop`, and whatever `fetch` raises.
        """
        ours, theirs = self._context.Pipe()
        csv, onnx = folder / "data.csv", folder / "model.onnx"
        child = self._context.Process(
            target=_run, args=(theirs, request.model_dump(), model_id, str(csv), str(onnx))
        )
        with self._lock:
            child.start()
        theirs.close()
        try:
            self._receive(ours, child)
            on_checked()
            fetch(csv)
            with self._mourned(child):
                ours.send(None)
            manifest = Manifest.model_validate(self._receive(ours, child))
            return manifest, onnx.read_bytes()
        finally:
            ours.close()
            self._end(child)

    def stop(self) -> None:
        """Interrupt every fit that runs or begins."""
        self._stop_writer.close()

    def _receive(self, pipe: Connection, child: Any) -> Any:
        """Return what the child sends next, or raise the error it sent."""
        if pipe not in wait([pipe, self._stop_reader]):
            raise errors.Interrupted
        with self._mourned(child):
            kind, value = pipe.recv()
        if kind == "error":
            raise errors.from_wire(value)
        return value

    @contextmanager
    def _mourned(self, child: Any) -> Iterator[None]:
        """Turn the end of the pipe into the cause of the child's death."""
        try:
            yield
        except (EOFError, OSError):
            self._join(child)
            code = child.exitcode
            cause = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            raise errors.FitFailed(f"the process that fitted died ({cause})") from None

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


def _run(pipe: Connection, body: dict[str, Any], model_id: str, csv: str, onnx: str) -> None:
    """Be the child: check, wait for the file, fit, write."""
    # Only children load scikit-learn; the server they are forked from has done so already.
    from app import estimators, model, serving

    # Both may be sent to the whole group: the parent decides what becomes of the fit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    folder = Path(csv).parent
    threading.Thread(target=_die_with_parent, args=(folder,), daemon=True).start()
    request = TrainRequest.model_validate(body)
    try:
        estimators.build(request.estimator, request.params)
        pipe.send(("checked", None))
        pipe.recv()
        fitted = model.fit(model.read(csv, request), request, model_id)
        file, _ = fitted.encode(parity=0.0)
        parity = serving.parity(fitted.expected, serving.Model(file).run(fitted.inputs))
        if not (parity <= MAX_PARITY or request.estimator.startswith("knn")):
            raise errors.BadData(
                f"params: ONNX would answer otherwise than scikit-learn (parity {parity:.2g}), "
                "so this model cannot be served",
                field="params",
            )
        file, manifest = fitted.encode(parity)
        Path(onnx).write_bytes(file)
        pipe.send(("done", manifest.model_dump()))
    except EOFError:
        return  # the parent gave up
    except errors.WarrenError as error:
        pipe.send(("error", error.to_wire()))
    except MemoryError:
        pipe.send(("error", errors.FitFailed("the fit ran out of memory").to_wire()))
    except Exception as error:  # noqa: BLE001  the libraries raise anything; the job tells
        traceback.print_exc()
        detail = f"{request.estimator} cannot be fitted or exported with these params: {error!r}"
        pipe.send(("error", errors.FitFailed(detail).to_wire()))


def _die_with_parent(folder: Path) -> None:
    """End when the parent has died, which could not remove its folder."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
