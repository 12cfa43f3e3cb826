"""Run the child's side of a fit: check the parameters, wait for the file, fit, write the model.

The child sends `("checked", bound)`, waits for any message, then sends `("progress", share)` any
number of times and `("done", manifest)`, or `("error", error)` at any time.
"""

import multiprocessing
import os
import resource
import shutil
import signal
import threading
import traceback
from collections.abc import Callable
from math import isfinite
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from app import errors
from app.inference.onnx_runtime import OnnxRuntime
from app.inference.process_memory import memory_of
from app.protocol.estimators import ESTIMATORS
from app.protocol.requests import TrainRequest
from app.training.dataset import read_dataset
from app.training.estimators import build_estimator
from app.training.evaluation import measure_parity
from app.training.fit_messages import explain_fit
from app.training.memory import out_of_memory
from app.training.pipeline import FittedModel, fit_pipeline

NICENESS = 10  # predictions have priority, because their clients wait


def main(
    pipe: Connection,
    body: dict[str, Any],
    model_id: str,
    csv: str,
    onnx: str,
    memory: int,
    *,
    fit: Callable[..., FittedModel] = fit_pipeline,
) -> None:
    """Fit the model that `body`, a `TrainRequest`, asks for; report over `pipe`.

    `csv` and `onnx` are paths of the input and the output. `memory` is the limit in bytes, on top
    of what the libraries have taken.
    """
    # Ignore both, because they reach the whole process group, but the parent decides about the fit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    folder = Path(csv).parent
    threading.Thread(target=_die_with_parent, args=(folder,), daemon=True).start()
    request = TrainRequest.model_validate(body)

    def progress(fraction: float) -> None:
        pipe.send(("progress", fraction))

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = memory_of(os.getpid()) + memory
    if most == resource.RLIM_INFINITY or bound < most:
        resource.setrlimit(resource.RLIMIT_DATA, (bound, most))
    try:
        build_estimator(request.estimator, request.params)
        pipe.send(("checked", bound))
        pipe.recv()
        fitted = fit(read_dataset(csv, request), request, model_id, progress)
        file, _ = fitted.encode(parity=0.0)
        max_parity = ESTIMATORS[request.estimator].max_parity
        answers = OnnxRuntime(file).run(fitted.inputs)
        parity = measure_parity(fitted.expected, fitted.compared(answers))
        if max_parity is not None and not parity <= max_parity:
            far = f"parity {parity:.2g}" if isfinite(parity) else "numbers become too large for it"
            raise errors.BadData(
                "params",
                f"the ONNX model would not predict the same as scikit-learn ({far}), so it cannot "
                "be served; scaled columns may help",
            )
        file, manifest = fitted.encode(parity)
        Path(onnx).write_bytes(file)
        pipe.send(("done", manifest.model_dump()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent gave up
    except errors.WarrenError as error:
        pipe.send(("error", error.to_wire()))
    except MemoryError:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))  # the report needs memory, too
        pipe.send(("error", out_of_memory(memory).to_wire()))
    except Exception as error:  # noqa: BLE001  the libraries raise any error; the job shows it
        traceback.print_exc()
        detail = f"{request.estimator} cannot be fitted or exported with these params"
        detail += f": {why}" if (why := explain_fit(error)) else "; change them, or leave them out"
        pipe.send(("error", errors.FitFailed(detail).to_wire()))


def _die_with_parent(folder: Path) -> None:
    """Exit when the parent dies, and remove the folder in its place."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
