"""Run the child's side of models that onnxruntime answers in a process of their own."""

import json
import resource
from multiprocessing.connection import Connection
from pathlib import Path

from app.inference.graph import SessionGraph
from app.inference.model_child import Answer, serve
from app.inference.onnx_runtime import RUN_SECONDS, OnnxRuntime
from app.inference.predictor import Tensors
from app.inference.runtime import answers_to_tensors
from app.models.manifest import OnnxManifest


def serve_trained(
    pipe: Connection,
    path: str,
    load_memory: int,
    run_memory: int,
    run_seconds: float = RUN_SECONDS,
) -> None:
    """Answer by the file of a trained model at `path`; see `model_child.serve`."""

    def loaded() -> tuple[str, Answer]:
        runtime = OnnxRuntime(Path(path), run_seconds=run_seconds)

        def run(inputs: Tensors) -> Tensors:
            return answers_to_tensors(runtime.run(inputs))

        return runtime.manifest.model_dump_json(), run

    serve(pipe, loaded, load_memory, run_memory)


def serve_uploaded(
    pipe: Connection, path: str, manifest: str, load_memory: int, run_memory: int
) -> None:
    """Answer by the graph of the uploaded file at `path`; see `model_child.serve`.

    The graph may be hostile. Once it is loaded, the process can open neither files nor sockets.
    """
    spec = OnnxManifest.model_validate_json(manifest)

    def loaded() -> tuple[str, Answer]:
        graph = SessionGraph(Path(path), spec)
        return json.dumps({"inputs": list(graph.inputs.values()), "bytes": graph.bytes}), graph.run

    serve(pipe, loaded, load_memory, run_memory, forbid_files)


def forbid_files() -> None:
    """Let this process open neither files nor sockets from now on."""
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(limit, (0, 0))
