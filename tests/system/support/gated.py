"""A consumer whose jobs on some data sets wait in the middle until a test lets them go on.

`python -m tests.system.support.gated --num_threads 2`. Each child that fits imports this module.
"""

import ctypes
import os
from pathlib import Path
from time import sleep
from typing import Any

import click

from app.consumer.consumer import run
from app.models.manifest import TrainedManifest
from app.models.record import StoredFile
from app.settings import Settings
from app.storage.model_files import ModelStore

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


def gated_fit(
    data: Any, request: Any, model_id: str, folder: Path, on_progress: Any, **more: Any
) -> Any:
    from app.training.pipeline import fit_pipeline

    if request.dataset_id == HELD:
        on_progress(0.5)
        wait_for(model_id)
    if request.dataset_id == GRIPPED:
        ctypes.PyDLL(None).sleep(GRIP_SECONDS)
    greed = bytearray(GREED if request.dataset_id == GREEDY else 0)
    fitted = fit_pipeline(data, request, model_id, folder, on_progress, **more)
    del greed
    return fitted


def gated_child(*arguments: Any) -> None:
    from app.training import fit_child

    fit_child.main(*arguments, fit=gated_fit)


class GatedModelStore(ModelStore):
    def put_trained(self, attempt: int, manifest: TrainedManifest, path: Path) -> StoredFile:
        stored = super().put_trained(attempt, manifest, path)
        if manifest.dataset_id == KEPT:
            wait_for(manifest.model_id)
        return stored


@click.command()
@click.option("--num_threads", type=int)
def main(num_threads: int) -> None:
    run(Settings(), num_threads, 1000, child=gated_child, model_store=GatedModelStore)


if __name__ == "__main__":
    main()
