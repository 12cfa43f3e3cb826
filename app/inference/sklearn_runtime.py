"""Answer rows by the scikit-learn pipeline of a trained model, in a child process."""

from pathlib import Path
from typing import Any

from app.inference.model_process import LOAD_SECONDS, RUN_SECONDS, ModelProcess
from app.inference.predictor import Tensors
from app.inference.runtime import Answers
from app.models.manifest import TrainedManifest

# A name, because importing it would load scikit-learn into the parent. The fork server imports it.
CHILD_MODULE = "app.inference.sklearn_child"

LOAD_MEMORY = 256_000_000  # bytes, beside those that a file's size allows
LOAD_MEMORY_OF_BYTE = 8  # a file of many small objects takes most
RUN_MEMORY = 512_000_000  # bytes


def run_child(*arguments: Any) -> None:
    """Run the child's side."""
    from app.inference import sklearn_child  # only children load scikit-learn

    sklearn_child.main(*arguments)


class SklearnRuntime:
    """The pipeline of a trained model; see `Runtime`. The child ends when this is deleted."""

    isolated = True

    def __init__(
        self,
        path: Path,
        *,
        load_seconds: float = LOAD_SECONDS,
        run_seconds: float = RUN_SECONDS,
        run_memory: int = RUN_MEMORY,
    ) -> None:
        """Load a skops file, which may be deleted afterwards. Raises as `ModelProcess` does."""
        self._process = ModelProcess(
            run_child,
            str(path),
            LOAD_MEMORY + LOAD_MEMORY_OF_BYTE * path.stat().st_size,
            run_memory,
            load_seconds=load_seconds,
            run_seconds=run_seconds,
        )
        self.manifest = TrainedManifest.model_validate_json(self._process.description)
        self.bytes = self._process.memory or path.stat().st_size

    @property
    def alive(self) -> bool:
        """Tell whether the child can answer; if it cannot, the model has to be loaded again."""
        return self._process.alive

    def run(self, inputs: Tensors) -> Answers:
        """Answer rows; see `Runtime`. Raises as `ModelProcess.run` does."""
        answers = self._process.run(inputs)
        return Answers(answers["predicted"], answers.get("probabilities"))
