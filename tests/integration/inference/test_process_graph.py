import os
import resource
from pathlib import Path

import numpy as np
import pytest

from app import errors
from app.inference.graph import RUN_MEMORY, SessionGraph
from app.inference.model_child import ANSWER_BYTES
from app.inference.model_process import ModelProcess
from app.inference.onnx_child import serve_uploaded
from app.inference.process_graph import ProcessGraph
from app.inference.uploaded_model import UploadedModel
from app.models.manifest import OnnxManifest
from app.protocol.requests import PredictionInputs
from app.training.fit_process import FitRunner
from tests.support import graphs, harmful_graphs, hostile_graphs, pictures
from tests.support.forked import child_processes
from tests.support.waiting import until
from tests.system.support.memory import peak

LIBRARIES = 300_000_000  # bytes of a child that has answered nothing
SIDE = 55_000  # of a square of 12 GB
BOXES = 200_000  # minutes


@pytest.fixture(scope="module", autouse=True)
def _fork_server():
    """Import the libraries once, before each child does."""
    FitRunner(["app.inference.loader"]).warm()


@pytest.fixture
def made(tmp_path):
    """A function that loads a file into a process; it returns the model and the process's id."""

    def make(file, described, **limits):
        path = tmp_path / "model.onnx"
        path.write_bytes(file)
        spec = OnnxManifest.model_validate(described)
        before = child_processes()
        graph = ProcessGraph(path, spec, **limits)
        path.unlink()
        (pid,) = child_processes() - before
        return UploadedModel("m", spec, graph, 1_000_000), pid

    return make


def asked(model, **inputs):
    return model.predict(model.prepare(PredictionInputs(**inputs)))


@pytest.mark.parametrize(
    ("file", "spec", "inputs"),
    [
        (graphs.linear(), graphs.LINEAR, {"input_data": [{"a": n, "b": 0.5} for n in range(300)]}),
        (graphs.linear(batch=4), graphs.LINEAR, {"input_data": [{"a": 1, "b": 2}] * 5}),
        (
            graphs.several(),
            {**graphs.LINEAR, "outputs": ["first", "logs"]},
            {"input_data": [{"a": 1, "b": 1}, {"a": 0, "b": 2}]},
        ),
        (
            graphs.words(),
            graphs.WORDS,
            {"input_data": [{"word": each, "a": 1} for each in ("ten", "", "größe\n\0", "\ud800")]},
        ),
        (
            graphs.colours(),
            graphs.IMAGES,
            {"image_data": [pictures.image(each) for each in (pictures.RED, pictures.BLUE)] * 5},
        ),
    ],
    ids=["rows", "batches", "outputs", "texts", "images"],
)
def test_a_process_answers_as_a_session_does(made, file, spec, inputs):
    model, _ = made(file, spec)
    checked = OnnxManifest.model_validate(spec)
    here = UploadedModel("m", checked, SessionGraph(file, checked), 1_000_000)

    assert asked(model, **inputs) == asked(here, **inputs)
    assert model.isolated
    assert not here.isolated
    assert 0 < model.bytes < 100_000_000


def test_gigabytes_at_a_request_are_an_error_of_bounded_memory(made):
    """A file of 400 bytes that allocates 12 GB took a consumer with it."""
    model, pid = made(hostile_graphs.greedy(), graphs.LINEAR)
    parent = peak(os.getpid())

    with pytest.raises(errors.ModelOutOfMemory, match="more than 1,000 MB of memory to answer"):
        asked(model, input_data={"a": SIDE, "b": 0})

    assert peak(pid) < LIBRARIES + RUN_MEMORY
    assert peak(os.getpid()) < parent + 10_000_000
    assert model.alive
    assert asked(model, input_data={"a": 3, "b": 0})[0]["prediction"] == 3


def test_rows_that_take_too_much_together_are_answered_in_parts(made):
    model, pid = made(graphs.probabilities(1000), labels(1000), run_memory=60_000_000)

    answers = asked(model, input_data=[{"x": 1.0}] * 10_000)  # 40 MB, and as much for each node

    assert len(answers) == 10_000
    assert {each["prediction"] for each in answers} == {999}
    assert peak(pid) < LIBRARIES + 60_000_000


def labels(count):
    return {
        "inputs": [{"name": "x", "features": ["x"]}],
        "output": {"name": "p", "holds": "probabilities"},
        "labels": list(range(count)),
    }


@pytest.mark.parametrize(
    ("file", "value"),
    [(hostile_graphs.quadratic(), BOXES), (harmful_graphs.endless(ends_at_zero=True), 1)],
    ids=["a node of quadratic cost", "a loop"],
)
def test_a_run_without_end_is_killed_and_counted(made, file, value):
    """A single node of quadratic cost went on for 66 s, because only nodes are interrupted."""
    stops = []
    model, pid = made(file, graphs.LINEAR, run_seconds=1.0, on_stop=stops.append)
    assert asked(model, input_data={"a": 0, "b": 0})[0]["prediction"] == 0

    with pytest.raises(errors.DeadlineExceeded, match="the model took longer than 1 s") as caught:
        asked(model, input_data={"a": value, "b": value})

    assert stops == [caught.value]
    assert not model.alive
    until(lambda: pid not in child_processes(), "the process ends")


def test_a_load_without_end_is_killed_and_counted(made):
    stops = []

    with pytest.raises(errors.DeadlineExceeded, match="longer than 1 s"):
        made(
            hostile_graphs.slow_to_load(200), graphs.LINEAR, load_seconds=1.0, on_stop=stops.append
        )

    assert [each.type for each in stops] == ["deadline_exceeded"]


def test_a_file_of_a_few_bytes_takes_no_gigabytes_when_it_is_loaded(made):
    model, pid = made(harmful_graphs.swelling(2_000_000_000), graphs.LINEAR)  # 8 GB

    with pytest.raises(errors.ModelOutOfMemory):
        asked(model, input_data={"a": 1, "b": 2})

    assert peak(pid) < LIBRARIES + RUN_MEMORY


def test_a_load_that_runs_out_of_memory_is_counted(tmp_path):
    (tmp_path / "model.onnx").write_bytes(harmful_graphs.heavy(100))
    spec = OnnxManifest.model_validate(graphs.LINEAR).model_dump_json()
    stops = []

    with pytest.raises(errors.ModelOutOfMemory, match="more than 50 MB of memory to be loaded"):
        ModelProcess(
            serve_uploaded,
            *(str(tmp_path / "model.onnx"), spec, 50_000_000, RUN_MEMORY),
            on_stop=stops.append,
        )

    assert [each.type for each in stops] == ["model_out_of_memory"]


def wide(width):
    """y = a + b; `wide` is a row of as many zeros."""
    nodes = [
        graphs.helper.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=0),
        graphs.helper.make_node("Shape", ["x"], ["rows"], end=1),
        graphs.helper.make_node("Concat", ["rows", "width"], ["shape"], axis=0),
        graphs.helper.make_node("ConstantOfShape", ["shape"], ["wide"]),
    ]
    constants = {"axis": (graphs.INT64, [1], [1]), "width": (graphs.INT64, [1], [width])}
    outputs = {"y": (graphs.FLOAT, [None]), "wide": (graphs.FLOAT, [None, width])}
    return graphs.file(nodes, {"x": (graphs.FLOAT, [None, 2])}, outputs, constants)


@pytest.mark.parametrize(("width", "rows"), [(ANSWER_BYTES // 4 + 1, 1), (ANSWER_BYTES // 8, 5)])
def test_outputs_of_many_megabytes_are_refused(made, width, rows):
    model, _ = made(wide(width), {**graphs.LINEAR, "outputs": ["wide"]})

    with pytest.raises(errors.ModelOutOfMemory, match="outputs take more than 16 MB"):
        asked(model, input_data=[{"a": 1, "b": 2}] * rows)

    assert model.alive


def test_the_kernel_kills_the_process_first_and_it_can_open_nothing(made):
    _, pid = made(graphs.linear(), graphs.LINEAR)

    assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        assert resource.prlimit(pid, limit) == (0, 0)


def test_a_file_that_lacks_the_inputs_is_corrupt(made):
    with pytest.raises(errors.Corrupt, match="no input image"):
        made(graphs.linear(), graphs.IMAGES)
    with pytest.raises(errors.Corrupt, match="cannot be loaded"):
        made(b"garbage", graphs.LINEAR)


def test_arrays_are_of_the_type_that_the_graph_answers(made):
    model, _ = made(graphs.linear(graphs.DOUBLE), graphs.LINEAR)

    outputs = model.run([{"a": 1e300, "b": 0}])

    assert outputs["y"].dtype == np.float64
    assert outputs["y"].tolist() == [[2e300]]
