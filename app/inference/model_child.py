"""Run the child's side of `model_process`: load a model, then answer until the parent ends."""

import json
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app import errors
from app.children.forked import follow_parent
from app.children.process_memory import OwnMemory, limit_memory
from app.inference.held_memory import give_back_memory
from app.inference.predictor import Tensors

Answer = Callable[[Tensors], Tensors]

KEPT_BYTES = 32_000_000  # that a process may keep between two runs
ANSWER_BYTES = 16_000_000  # of the arrays of one answer
TEXTS = "texts"  # in place of the type of an array that comes as JSON


def serve(
    pipe: Connection,
    load: Callable[[], tuple[str, Answer]],
    load_memory: int,
    run_memory: int,
    confine: Callable[[], None] = lambda: None,
) -> None:
    """Call `load`, send the description that it returns, and answer by the function.

    `load` may take `load_memory` bytes more than the process has, and the answers `run_memory`
    bytes more than the loaded model, or fewer if the parent says so. `confine` is called between
    the two. A child that cannot give back what an answer took says that it `keeps` it.
    """
    follow_parent()
    own = OwnMemory()
    limit_memory(own.data + load_memory)
    try:
        description, answer = load()
    except Exception as error:  # noqa: BLE001  the parent reports it
        _send(pipe, {"error": _known(error, load_memory, "to be loaded").to_wire()})
        return
    give_back_memory()
    begin, memory = own.data, own.private
    limit = run_memory
    limit_memory(begin + limit)
    confine()
    _send(pipe, {"description": description, "memory": memory})
    while True:
        try:
            allowed, inputs = pipe.recv()
        except (EOFError, OSError):
            return  # the parent does not need the model any more
        allowed = min(run_memory, allowed or run_memory)
        if allowed != limit:
            limit = allowed
            limit_memory(begin + limit)
        try:
            contents = {name: _content(each) for name, each in answer(inputs).items()}
            _check_size(contents)
        except Exception as error:  # noqa: BLE001  the parent reports it
            known = _known(error, allowed, "to answer")
            error.__traceback__ = error.__cause__ = error.__context__ = None  # they hold the rows
            _send(pipe, {"error": known.to_wire(), "keeps": _keeps(own, begin, memory)})
        else:
            _send(pipe, {"keeps": _keeps(own, begin, memory)}, contents)
            del contents
        del inputs


def _keeps(own: OwnMemory, begin: int, memory: int) -> bool:
    """Give back what a run took; tell whether much of it is still there.

    The process had `begin` bytes of data before the first run, and held `memory` alone.
    """
    if own.data <= begin + KEPT_BYTES:
        return False
    give_back_memory()
    return own.private > memory + ANSWER_BYTES + KEPT_BYTES


class _Content(NamedTuple):
    dtype: str
    shape: tuple[int, ...]
    content: bytes | memoryview


def _content(array: npt.NDArray[Any]) -> _Content:
    """Return what the parent needs to make the same array."""
    if array.dtype == object:
        return _Content(TEXTS, array.shape, json.dumps(array.ravel().tolist()).encode())
    whole = np.ascontiguousarray(array)
    return _Content(array.dtype.str, array.shape, whole.reshape(-1).view(np.uint8).data)


def _check_size(contents: dict[str, _Content]) -> None:
    if sum(len(each.content) for each in contents.values()) > ANSWER_BYTES:
        raise errors.ModelOutOfMemory(
            f"the model's outputs take more than {ANSWER_BYTES / 1e6:,.0f} MB; "
            "ask for fewer rows at a time, or register it with fewer outputs"
        )


def _send(
    pipe: Connection, said: dict[str, Any], contents: dict[str, _Content] | None = None
) -> None:
    contents = contents or {}
    said["arrays"] = [
        {"name": name, "dtype": each.dtype, "shape": each.shape, "size": len(each.content)}
        for name, each in contents.items()
    ]
    pipe.send_bytes(json.dumps(said).encode())
    for each in contents.values():
        pipe.send_bytes(each.content)


def _known(error: Exception, memory: int, purpose: str) -> errors.WarrenError:
    """Return the error that the parent is told."""
    match error:
        case errors.WarrenError():
            return error
        case MemoryError():
            detail = f"the model needs more than {memory / 1e6:,.0f} MB of memory {purpose}"
            return errors.ModelOutOfMemory(detail)
        case OSError() if error.strerror:  # the system refused something, as on a full disk
            return errors.Unavailable(f"the model's process could not go on: {error.strerror}")
    traceback.print_exception(error)  # the log says where it came from
    return errors.WarrenError()
