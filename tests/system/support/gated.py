"""The consumer, but that the jobs on some data sets wait in the middle for a test to let them go.

`python -m tests.system.support.gated --num_threads 2`. The children that fit run this module, too.
"""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import Any

COMMAND = ("-m", "tests.system.support.gated", "--num_threads", "2")
ALONE = (*COMMAND[:-1], "1")

HELD = "held"  # waits in its fit, and tells that half of it is done
KEPT = "kept"  # waits when the files of its model are stored, but its row does not say so yet
GRIPPED = "gripped"  # its fit lets no other thread of its process run
GRIP_SECONDS = 4
GREEDY = "greedy"  # its fit takes so much memory
GREED = 500_000_000


def wait_for(job_id: str) -> None:
    gate = Path(os.environ["GATES"], job_id)
    print(f"holding {job_id}", flush=True)  # noqa: T201  a test waits for it
    while not gate.exists():
        sleep(0.01)


def gated_fit(fit: Callable[..., Any]) -> Callable[..., Any]:
    def gated(frame: Any, request: Any, model_id: str, on_progress: Any) -> Any:
        if request.dataset_id == HELD:
            on_progress(0.5)
            wait_for(model_id)
        if request.dataset_id == GRIPPED:
            ctypes.PyDLL(None).sleep(GRIP_SECONDS)
        greed = bytearray(GREED if request.dataset_id == GREEDY else 0)
        fitted = fit(frame, request, model_id, on_progress)
        del greed
        return fitted

    return gated


def gated_put(put: Callable[..., Any]) -> Callable[..., Any]:
    def gated(models: Any, attempt: int, manifest: Any, onnx: bytes) -> Any:
        stored = put(models, attempt, manifest, onnx)
        if manifest.dataset_id == KEPT:
            wait_for(manifest.model_id)
        return stored

    return gated


if __name__ == "__mp_main__":
    from app.training import fit_child

    fit_child.fit_pipeline = gated_fit(fit_child.fit_pipeline)

if __name__ == "__main__":
    from app.consumer import consumer
    from app.storage.model_files import ModelStore

    ModelStore.put_trained = gated_put(ModelStore.put_trained)  # type: ignore[method-assign]
    consumer.main()
