"""Answer rows for a trained model in a process of its own."""

from collections.abc import Callable
from pathlib import Path

from app import errors
from app.inference.memory_budget import RunAccount
from app.inference.model_process import LOAD_SECONDS, RUN_SECONDS, ModelProcess, load_memory
from app.inference.predictor import Tensors
from app.inference.runtime import Answers, answers_from_tensors
from app.models.manifest import TrainedManifest

RUN_MEMORY = 512_000_000  # bytes beside the loaded model's


class ProcessRuntime:
    """A trained model in a child process, which ends when this is deleted; see `Runtime`."""

    isolated = True

    def __init__(
        self,
        serve: Callable[..., None],
        path: Path,
        *,
        load_seconds: float = LOAD_SECONDS,
        run_seconds: float = RUN_SECONDS,
        load_bytes: int | None = None,
        run_memory: int = RUN_MEMORY,
        account: RunAccount | None = None,
        on_stop: Callable[[errors.WarrenError], None] = lambda _: None,
    ) -> None:
        """Have `serve` load a file, which may be deleted then, in `load_bytes` of memory.

        Raises as `ModelProcess` does.
        """
        self._process = ModelProcess(
            serve,
            str(path),
            load_bytes or load_memory(path),
            run_memory,
            load_seconds=load_seconds,
            run_seconds=run_seconds,
            run_memory=run_memory,
            account=account,
            on_stop=on_stop,
        )
        self.manifest = TrainedManifest.model_validate_json(self._process.description)
        self.bytes = self._process.memory or path.stat().st_size

    @property
    def alive(self) -> bool:
        """Tell whether the child can answer; if it cannot, the model has to be loaded again."""
        return self._process.alive

    def stop(self) -> None:
        """End the child now; see `ModelProcess.stop`."""
        self._process.stop()

    def run(self, inputs: Tensors) -> Answers:
        """Answer rows; see `Runtime`. Raises as `ModelProcess.run` does."""
        return answers_from_tensors(self._process.run(inputs))
