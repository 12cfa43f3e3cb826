"""Run the child's side of a fit: check the parameters, wait for the file, fit, write the model.

The child sends `("checked", bound)`, waits for any message, then sends `("progress", share)` any
number of times and `("done", (manifest, path))`, or `("error", error)` at any time.
"""

import os
import shutil
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from app import errors
from app.inference.child_process import follow_parent
from app.inference.process_memory import limit_memory, memory_of, release_memory_limit
from app.models.manifest import TrainedManifest
from app.protocol.training_request import TrainRequest
from app.training.estimators import build_estimator
from app.training.fit_messages import cannot_fit, out_of_memory
from app.training.model_bounds import check_trees
from app.training.pipeline import fit_pipeline
from app.training.training_data import read_training_data

NICENESS = 10  # predictions have priority, because their clients wait


def main(
    pipe: Connection,
    body: dict[str, Any],
    model_id: str,
    csv: str,
    memory: int,
    *,
    fit: Callable[..., tuple[TrainedManifest, Path]] = fit_pipeline,
) -> None:
    """Fit the model that `body`, a `TrainRequest`, asks for; report over `pipe`.

    `csv` is the path of the data; the model's file is written beside it. `memory` is the limit in
    bytes, on top of what the libraries have taken.
    """
    folder = Path(csv).parent
    follow_parent(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.nice(NICENESS)
    np.random.seed()  # for a random_state of null: all forks have the state of their parent
    request = TrainRequest.model_validate(body)

    def progress(fraction: float) -> None:
        pipe.send(("progress", fraction))

    bound = memory_of("self") + memory
    limit_memory(bound)
    try:
        check_trees(build_estimator(request.resolved_estimator), memory)
        pipe.send(("checked", bound))
        pipe.recv()
        manifest, path = fit(read_training_data(csv, request), request, model_id, folder, progress)
        pipe.send(("done", (manifest.model_dump(), str(path))))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent gave up
    except errors.WarrenError as error:
        _report(pipe, error)
    except MemoryError:
        release_memory_limit()  # the report needs memory, too
        _report(pipe, out_of_memory(memory))
    except Exception as error:  # noqa: BLE001  the libraries raise any error; the job shows it
        traceback.print_exc()
        detail = cannot_fit(request.resolved_estimator.name, request.params, error)
        _report(pipe, errors.FitFailed(detail))


def _report(pipe: Connection, error: errors.WarrenError) -> None:
    with suppress(OSError):  # the parent may have seen the end of time or memory first
        pipe.send(("error", error.to_wire()))
