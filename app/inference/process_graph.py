"""Run the graph of an uploaded model in a process of its own."""

import json
from collections.abc import Callable
from pathlib import Path

from app import errors
from app.inference import onnx_child
from app.inference.graph import RUN_MEMORY, GraphInput
from app.inference.memory_budget import RunAccount
from app.inference.model_process import LOAD_SECONDS, RUN_SECONDS, ModelProcess, load_memory
from app.inference.predictor import Tensors
from app.models.manifest import OnnxManifest


class ProcessGraph:
    """A graph in a child process, which ends when this is deleted; see `Graph`."""

    isolated = True

    def __init__(
        self,
        path: Path,
        spec: OnnxManifest,
        *,
        load_seconds: float = LOAD_SECONDS,
        run_seconds: float = RUN_SECONDS,
        load_bytes: int | None = None,
        run_memory: int = RUN_MEMORY,
        account: RunAccount | None = None,
        on_stop: Callable[[errors.WarrenError], None] = lambda _: None,
    ) -> None:
        """Load an ONNX file, which may be deleted afterwards, in `load_bytes` of memory.

        Raises as `ModelProcess` does.
        """
        self._process = ModelProcess(
            onnx_child.serve_uploaded,
            str(path),
            spec.model_dump_json(),
            load_bytes or load_memory(path),
            run_memory,
            load_seconds=load_seconds,
            run_seconds=run_seconds,
            run_memory=run_memory,
            account=account,
            on_stop=on_stop,
        )
        described = json.loads(self._process.description)
        self.inputs = {each[0]: GraphInput(*each) for each in described["inputs"]}
        self.bytes = self._process.memory or int(described["bytes"])

    @property
    def alive(self) -> bool:
        """Tell whether the child can answer."""
        return self._process.alive

    def stop(self) -> None:
        """End the child now; see `ModelProcess.stop`."""
        self._process.stop()

    def run(self, feeds: Tensors) -> Tensors:
        """Have the child run the graph; see `Graph`. Raises as `ModelProcess.run` does."""
        return self._process.run(feeds)
