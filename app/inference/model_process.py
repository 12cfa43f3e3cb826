"""Have a child process answer for a model, so that its memory and its time are bounded.

The parent sends a pickle of the rows. The child sends JSON and the bytes of arrays: what it has
loaded may be hostile, so nothing that it sends is unpickled.
"""

import json
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import numpy as np

from app import errors
from app.children.forked import join_child, start_child
from app.inference.memory_budget import RunAccount
from app.inference.model_child import ANSWER_BYTES, TEXTS
from app.inference.predictor import Tensors
from app.inference.run_deadline import watchdog
from app.protocol.wire_errors import error_from_wire

LOAD_SECONDS = 30.0
RUN_SECONDS = 15.0  # below two heartbeats, because a connection's thread predicts small requests
WAIT_SHARE = 1 / 3  # of the seconds of a run, which a run may wait for much memory
LOAD_MEMORY = 256_000_000  # bytes, beside those that a file's size allows
LOAD_MEMORY_OF_BYTE = 8  # a file of many small objects takes most
SAID_BYTES = 10_000_000  # of JSON; that of a model of 100,000 labels is shorter


def load_memory(file: Path) -> int:
    """Return the bytes that the load of a file may take."""
    return LOAD_MEMORY + LOAD_MEMORY_OF_BYTE * file.stat().st_size


class ModelProcess:
    """A child that holds a model; threads that use it take turns.

    The child ends when this object is deleted, because that closes the pipe. `description` is what
    the child says of the model, and `memory` the bytes that the child holds.
    """

    def __init__(
        self,
        serve: Callable[..., None],
        *arguments: Any,
        load_seconds: float = LOAD_SECONDS,
        run_seconds: float = RUN_SECONDS,
        run_memory: int = 0,
        account: RunAccount | None = None,
        on_stop: Callable[[errors.WarrenError], None] = lambda _: None,
    ) -> None:
        """Start a child that runs `serve(pipe, *arguments)`, and wait until it has the model.

        With an `account`, a run gets little memory first. If that is not enough, it waits for its
        turn and gets `run_memory` of the account's budget. Without one the child has its limit.

        `on_stop` is called with each error by which the model ended the child: it took too long,
        it crashed, or it could not be loaded in its memory. Raises the error of the child, or as
        `run` does.
        """
        try:
            child, self._pipe = start_child("answer", serve, *arguments)
        except errors.ChildKilled as error:
            raise errors.ModelLost(error.detail) from error
        # Also at the exit of this process, which waits for its children to end.
        Finalize(self, self._pipe.close, exitpriority=0)
        self._child = child
        self._said = select.poll()  # `Connection.poll` makes a selector in each call
        self._said.register(self._pipe, select.POLLIN)
        self._killed = False
        self._run_seconds = run_seconds
        self._run_memory = run_memory
        self._account = account
        self._on_stop = on_stop
        self._turn = threading.Lock()
        try:
            loaded = self._ask(load_seconds)[0]
        except errors.ModelOutOfMemory as error:
            on_stop(error)
            raise
        self.description: str = loaded["description"]
        self.memory: int = loaded["memory"]

    @property
    def alive(self) -> bool:
        """Tell whether the child can answer; it is not asked."""
        if self._killed:
            return False
        if not self._turn.acquire(blocking=False):
            return True  # it is answering
        try:
            return not self._said.poll(0)  # outside of a run, only the end can be read
        finally:
            self._turn.release()

    def run(self, inputs: Tensors) -> Tensors:
        """Return the child's answer to `inputs`.

        Raises the error of the child; `errors.DeadlineExceeded` if it takes longer than
        `run_seconds`, which kills the child; `Overloaded` if other threads use it for as long, or
        other models leave no memory; `ModelLost` if it has ended.
        """
        if not self._turn.acquire(timeout=self._run_seconds):
            raise errors.Overloaded("this model has too many requests at a time; try again later")
        try:
            return self._run(inputs)
        finally:
            self._turn.release()

    def stop(self) -> None:
        """End the child now; a thread that waits for its answer gets `errors.ModelLost`."""
        self._kill()

    def _run(self, inputs: Tensors) -> Tensors:
        """Answer in little memory, or if that is not enough in much, after a wait for it."""
        seconds = self._run_seconds
        if (account := self._account) is None:
            return self._ask(seconds, inputs)[1]
        size = sum(each.nbytes for each in inputs.values())
        small = account.budget.small
        if size < account.large_from:
            try:
                with account.timed():
                    return self._ask(seconds, inputs, small)[1]
            except errors.ModelOutOfMemory:
                if self._run_memory <= small:
                    raise
                account.large_from = size
        wait = seconds * WAIT_SHARE
        with (
            account.budget.reserved(self._run_memory, slow=account.slow, seconds=wait) as allowed,
            account.timed(),
        ):
            return self._ask(seconds, inputs, allowed)[1]

    def _ask(
        self, seconds: float, inputs: Tensors | None = None, memory: int = 0
    ) -> tuple[dict[str, Any], Tensors]:
        """Send `inputs` unless they are None; return the child's answer: JSON and arrays.

        The answer may take `memory`, or if that is 0 what the child may.
        """
        with self._ended_by_errors(), watchdog().deadline(_Run(self._child), seconds):
            if self._killed:
                raise EOFError
            if inputs is not None:
                self._pipe.send((memory, inputs))
            said = json.loads(self._pipe.recv_bytes(SAID_BYTES))
            arrays = {each["name"]: self._array(each) for each in said.get("arrays", ())}
        if said.get("keeps"):  # from now on, this memory is that of others
            self._kill()
        if error := said.get("error"):
            raise error_from_wire(error)
        return said, arrays

    def _array(self, described: dict[str, Any]) -> "np.ndarray[Any, Any]":
        shape, size = described["shape"], described["size"]
        if size > ANSWER_BYTES:
            raise errors.ModelLost("the process of the model sent more than it may")
        content = self._pipe.recv_bytes(size)
        if described["dtype"] == TEXTS:
            return np.array(json.loads(content), object).reshape(shape)
        return np.frombuffer(content, described["dtype"]).reshape(shape)

    @contextmanager
    def _ended_by_errors(self) -> Iterator[None]:
        """Kill the child after any error, because its next answer might be that to this question.

        Raises `errors.ModelLost` in place of the errors of a pipe that has ended.
        """
        try:
            yield
        except (EOFError, OSError):
            known = self._killed  # other threads may have waited for this child when it died
            self._kill()
            death = join_child(self._child)
            detail = f"the process of the model died ({death.cause})"
            if death.from_outside:
                raise errors.ModelKilled(detail) from None
            error = errors.ModelLost(detail)
            if not known:
                self._on_stop(error)
            raise error from None
        except errors.DeadlineExceeded as error:
            self._kill()
            self._on_stop(error)
            raise
        except BaseException:
            self._kill()
            raise

    def _kill(self) -> None:
        self._killed = True
        self._child.kill()


class _Run:
    """A run that the watchdog can end."""

    def __init__(self, child: BaseProcess) -> None:
        self._late = False
        self._child = child

    @property
    def terminate(self) -> bool:
        return self._late

    @terminate.setter
    def terminate(self, _: bool) -> None:
        self._late = True
        self._child.kill()
