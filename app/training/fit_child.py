"""Run the child's side of a fit: check the parameters, wait for the file, fit, write the model.

The child sends `("checked", bound)`, waits for the format of the file, or None, and ends with
`("done", (manifest, path))`. Meanwhile it sends `("progress", share)` and
`("phase", (name, begin, end))`, in seconds of the monotonic clock, any number of times. At any time
it may end with `("error", error)`.
"""

import shutil
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from app import errors
from app.children.forked import follow_parent
from app.children.process_memory import limit_memory, memory_of, release_memory_limit
from app.evaluation.phases import Phases
from app.models.manifest import TrainedManifest
from app.protocol.training_request import TrainRequest
from app.runtime import lower_priority
from app.tables.dialect import TableFormat
from app.training.estimators import build_estimator, estimator_class
from app.training.fit_messages import cannot_fit, out_of_memory
from app.training.model_bounds import check_layers, check_trees
from app.training.pipeline import fit_pipeline
from app.training.training_data import read_training_data

NICENESS = 5  # more than the fork server has, because the clients of predictions wait


def main(
    pipe: Connection,
    body: dict[str, Any],
    model_id: str,
    table: str,
    memory: int,
    *,
    fit: Callable[..., tuple[TrainedManifest, Path]] = fit_pipeline,
) -> None:
    """Fit the model that `body`, a `TrainRequest`, asks for; report over `pipe`.

    `table` is the path of the data; the model's file is written beside it. `memory` is the limit in
    bytes, on top of what the libraries have taken.
    """
    folder = Path(table).parent
    follow_parent(lambda: shutil.rmtree(folder, ignore_errors=True))
    lower_priority(NICENESS)
    np.random.seed()  # for a random_state of null: all forks have the state of their parent
    request = TrainRequest.model_validate(body)

    def progress(fraction: float) -> None:
        pipe.send(("progress", fraction))

    def phase(name: str, begin: float, end: float) -> None:
        pipe.send(("phase", (name, begin, end)))

    try:
        estimator_class(request.resolved_estimator.spec)  # before, because its library is not data
        bound = memory_of("self") + memory
        limit_memory(bound)
        _check(request, memory)
        pipe.send(("checked", bound))
        told = pipe.recv()
        table_format = TableFormat.model_validate(told) if told else None
        data = read_training_data(table, request, table_format)
        if data.estimator is not None:
            request = request.model_copy(update={"estimator": data.estimator})
            _check(request, memory)
        end = monotonic()
        phase("read", end - data.seconds, end)
        phases = Phases(on_end=phase)
        manifest, path = fit(data, request, model_id, folder, progress, phases=phases)
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


def _check(request: TrainRequest, memory: int) -> None:
    """Raise `errors.Invalid` for params that the estimator does not take, or that are too large."""
    estimator = build_estimator(request.resolved_estimator)
    check_trees(estimator, memory)
    check_layers(estimator, memory)


def _report(pipe: Connection, error: errors.WarrenError) -> None:
    with suppress(OSError):  # the parent may have seen the end of time or memory first
        pipe.send(("error", error.to_wire()))
