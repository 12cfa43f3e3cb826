"""Hold the model of the last part, because the next part is probably of the same job."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app import errors
from app.inference.predictor import Predictor
from app.inference.table_model import TableModel, TrainedTableModel, UploadedTableModel
from app.inference.trained_model import TrainedModel
from app.inference.uploaded_model import UploadedModel

KEEP_SECONDS = 10.0


class HeldTableModel:
    """The model of one thread, in a process of its own, which ends when it is not used any more."""

    def __init__(
        self, load: Callable[[str], Predictor], keep_seconds: float = KEEP_SECONDS
    ) -> None:
        """Hold what `load` returns for `keep_seconds` after its last use."""
        self._load = load
        self._keep_seconds = keep_seconds
        self._held: tuple[str, TableModel] | None = None
        self._forgetting: threading.Timer | None = None
        self._lock = threading.Lock()

    @contextmanager
    def use(self, model_id: str) -> Iterator[TableModel]:
        """Give the loaded model. Raises as the loader does, and `errors.Invalid` for images."""
        if self._forgetting:
            self._forgetting.cancel()
        with self._lock:
            held, self._held = self._held, None
        if held and (held[0] != model_id or not held[1].alive):
            held = None
        model = held[1] if held else _table_model(self._load(model_id))
        with self._lock:
            self._held = model_id, model
        try:
            yield model
        finally:
            self._forgetting = threading.Timer(self._keep_seconds, self._forget, (model,))
            self._forgetting.daemon = True
            self._forgetting.start()

    def stop(self) -> None:
        """End the model's process, also while it answers."""
        with self._lock:
            held, self._held = self._held, None
        if held:
            held[1].stop()

    def _forget(self, model: TableModel) -> None:
        with self._lock:
            if self._held and self._held[1] is model:
                self._held = None


def _table_model(model: Predictor) -> TableModel:
    if isinstance(model, TrainedModel):
        return TrainedTableModel(model)
    if isinstance(model, UploadedModel) and not model.spec.image:
        return UploadedTableModel(model)
    raise errors.Invalid("model_id", f"model {model.model_id} takes images, and a table holds none")
