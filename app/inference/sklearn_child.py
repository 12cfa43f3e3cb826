"""Run the child's side of `sklearn_runtime`: answer by a pipeline of scikit-learn."""

from multiprocessing.connection import Connection
from pathlib import Path

import joblib
import sklearn
from threadpoolctl import threadpool_limits

from app.inference.model_child import Answer, serve
from app.inference.predictor import Tensors
from app.inference.runtime import answers_to_tensors
from app.inference.sklearn_answers import answer
from app.inference.skops_file import load

WORKING_MB = 64  # of scikit-learn's own chunks, such as a matrix of distances; its default is 1 GiB


def main(pipe: Connection, path: str, load_memory: int, run_memory: int) -> None:
    """Answer by the skops file at `path`, on one core; see `model_child.serve`."""
    threadpool_limits(1)
    joblib.parallel_config("sequential")
    sklearn.set_config(working_memory=WORKING_MB, skip_parameter_validation=True)

    def loaded() -> tuple[str, Answer]:
        pipeline, manifest = load(Path(path))
        threadpool_limits(1)  # of the libraries that the model loaded, too

        def run(inputs: Tensors) -> Tensors:
            return answers_to_tensors(answer(pipeline, manifest, inputs))

        return manifest.model_dump_json(), run

    serve(pipe, loaded, load_memory, run_memory)
