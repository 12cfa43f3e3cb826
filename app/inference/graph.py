"""Run the graph of an uploaded model."""

from pathlib import Path
from typing import Any, NamedTuple, Protocol

from app import errors
from app.inference import images
from app.inference.held_memory import estimate_held
from app.inference.onnx_session import load_session, ran_out_of_memory, run_options
from app.inference.predictor import Tensors
from app.inference.run_deadline import watchdog
from app.inference.tensor_types import TENSOR_TYPES
from app.models.manifest import OnnxManifest

RUN_SECONDS = 15.0
RUN_MEMORY = 1_000_000_000  # bytes beside the loaded model's, of a process and of the inspection


class GraphInput(NamedTuple):
    """An input of a graph as onnxruntime describes it; a dimension is an int if it is fixed."""

    name: str
    type: str
    shape: list[Any]


class Graph(Protocol):
    """A loaded graph; any number of threads may use it. `bytes` is the memory that it holds."""

    bytes: int
    inputs: dict[str, GraphInput]

    @property
    def alive(self) -> bool:
        """Tell whether it can answer; if it cannot, the model has to be loaded again."""

    @property
    def isolated(self) -> bool:
        """Tell whether it is a process of its own."""

    def stop(self) -> None:
        """End its process now, if it has one; the thread that waits for it gets an error."""

    def run(self, feeds: Tensors) -> Tensors:
        """Return the outputs that the manifest names, for rows, or for images as pixels.

        Images are [images, height, width, 3]. Raises `errors.Invalid` without a field if the graph
        fails at its inputs, and `errors.ModelOutOfMemory` or `DeadlineExceeded`.
        """


class SessionGraph:
    """A graph in this process."""

    alive = True
    isolated = False

    def __init__(
        self, onnx: Path | bytes, spec: OnnxManifest, *, run_seconds: float = RUN_SECONDS
    ) -> None:
        """Load an ONNX file, which is not read any more then.

        Between the nodes of the graph, a run ends after `run_seconds`. Raises `errors.Corrupt`, or
        `MemoryError` where memory ends.
        """
        try:
            self._session = load_session(onnx, arena=False)
        except errors.Corrupt as error:
            if error.__cause__ and ran_out_of_memory(error.__cause__):
                raise MemoryError from error
            raise
        self.bytes = estimate_held(onnx)
        self.inputs = {
            each.name: GraphInput(each.name, each.type, each.shape)
            for each in self._session.get_inputs()
        }
        self._names = [spec.output.name, *spec.outputs]
        self._image = spec.image
        self._run_seconds = run_seconds

    def stop(self) -> None:
        """Do nothing, because it runs in this process."""

    def run(self, feeds: Tensors) -> Tensors:
        """Run the graph once; see `Graph`. Raises `MemoryError` where memory ends."""
        if self._image and self._image.image:
            name = self._image.name
            dtype = TENSOR_TYPES[self.inputs[name].type].dtype
            feeds = {name: images.tensor(feeds[name], self._image.image, dtype)}
        try:
            with watchdog().deadline(run_options(), self._run_seconds) as options:
                outputs = self._session.run(self._names, feeds, options)
        except errors.DeadlineExceeded:
            raise
        except Exception as error:  # onnxruntime's errors have no common base class
            if ran_out_of_memory(error):
                raise MemoryError from error
            raise errors.Invalid(None, str(error)) from error
        return dict(zip(self._names, outputs, strict=True))
