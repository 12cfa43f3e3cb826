"""Run the child's side of `model_process`: load a model, then answer until the parent ends."""

import json
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from app import errors
from app.inference.child_process import follow_parent
from app.inference.held_memory import give_back_memory
from app.inference.predictor import Tensors
from app.inference.process_memory import limit_memory, memory_of, private_memory

Answer = Callable[[Tensors], Tensors]


def serve(
    pipe: Connection, load: Callable[[], tuple[str, Answer]], load_memory: int, run_memory: int
) -> None:
    """Call `load`, send the description that it returns, and answer by the function.

    `load` may take `load_memory` bytes more than the process has, and the answers `run_memory`
    bytes more than the loaded model.
    """
    follow_parent()
    limit_memory(memory_of("self") + load_memory)
    try:
        description, answer = load()
    except Exception as error:  # noqa: BLE001  the parent reports it
        _send_error(pipe, error, load_memory, "to be loaded")
        return
    give_back_memory()
    limit_memory(memory_of("self") + run_memory)
    _send(pipe, {"description": description, "memory": private_memory()})
    while True:
        try:
            inputs = pipe.recv()
        except (EOFError, OSError):
            return  # the parent does not need the model any more
        try:
            answers = answer(inputs)
        except Exception as error:  # noqa: BLE001  the parent reports it
            _send_error(pipe, error, run_memory, "to answer")
        else:
            _send(pipe, {}, answers)


def _send(pipe: Connection, said: dict[str, Any], arrays: Tensors | None = None) -> None:
    whole = {name: np.ascontiguousarray(each) for name, each in (arrays or {}).items()}
    said["arrays"] = [
        {"name": name, "dtype": each.dtype.str, "shape": each.shape} for name, each in whole.items()
    ]
    pipe.send_bytes(json.dumps(said).encode())
    for each in whole.values():
        pipe.send_bytes(each.reshape(-1).view(np.uint8).data)


def _send_error(pipe: Connection, error: Exception, memory: int, purpose: str) -> None:
    match error:
        case errors.WarrenError():
            known = error
        case MemoryError():
            detail = f"the model needs more than {memory / 1e6:,.0f} MB of memory {purpose}"
            known = errors.ModelOutOfMemory(detail)
        case _:  # the log says where it came from
            traceback.print_exception(error)
            known = errors.WarrenError()
    _send(pipe, {"error": known.to_wire()})
