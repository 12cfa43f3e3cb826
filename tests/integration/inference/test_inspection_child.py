import json
import subprocess
import sys
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from app import errors
from app.inference import inspection_child
from app.inference.graph import SessionGraph
from app.inference.onnx_versions import highest_ir, highest_opset
from app.models.manifest import OnnxManifest
from tests.conftest import ROOT
from tests.support import graphs, harmful_graphs
from tests.support.graphs import (
    BOOL,
    DOUBLE,
    FLOAT,
    FLOAT16,
    IMAGES,
    INT64,
    LINEAR,
    STRING,
    UINT8,
)


def spec(base, **changes):
    return OnnxManifest.model_validate({**base, **changes})


def image(**changes):
    return {**IMAGES, "inputs": [{"name": "image", "image": {"size": [8, 8], **changes}}]}


def probable(labels, **changes):
    return {
        "inputs": [{"name": "x", "features": ["x"]}],
        "output": {"name": "p", "holds": "probabilities"},
        "labels": [f"l{n}" for n in range(labels)],
        **changes,
    }


def typed(holds, **changes):
    inputs = [{"name": "x", "features": ["a", "b"], "type": holds, **changes}]
    return {**LINEAR, "inputs": inputs}


OWN_PARTS = {
    "inputs": [{"name": "a", "features": ["a"]}, {"name": "b", "features": ["b"]}],
    "output": {"name": "y", "holds": "values"},
}


@pytest.mark.parametrize(
    ("file", "described"),
    {
        "rows": (graphs.linear(), LINEAR),
        "doubles": (graphs.linear(DOUBLE), LINEAR),
        "whole numbers": (graphs.linear(INT64), LINEAR),
        "one by one": (graphs.linear(batch=1), LINEAR),
        "a sample": (graphs.linear(), {**LINEAR, "sample": {"a": 1.5, "b": -2}}),
        "inputs of their own": (graphs.named(), OWN_PARTS),
        "images": (graphs.colours(), IMAGES),
        "one image": (graphs.colours(1), IMAGES),
        "channels last": (graphs.colours(layout="NHWC"), image(layout="NHWC")),
        "any size": (graphs.colours(size=None), image(size=[5, 9])),
        "probabilities": (graphs.probabilities(4), probable(4)),
        "a fixed batch": (graphs.linear(batch=4), LINEAR),
        "images by the four": (graphs.colours(4), IMAGES),
        "half floats": (graphs.cast_sum(FLOAT16), LINEAR),
        "small numbers": (graphs.cast_sum(UINT8), LINEAR),
        "true and false": (graphs.cast_sum(BOOL), typed("boolean")),
        "text": (graphs.words(), graphs.WORDS),
        "missing values": (graphs.known_or_zero(), typed("number", nullable=True)),
        "pixels": (graphs.colours(kind=UINT8), IMAGES),
        "half pixels": (graphs.colours(kind=FLOAT16), IMAGES),
        "further outputs": (
            graphs.several(),
            {**LINEAR, "outputs": ["logs", "first"], "sample": {"a": 1, "b": 2}},
        ),
        "one sigmoid": (graphs.sigmoid([None, 1]), probable(2)),
        "one flat sigmoid": (graphs.sigmoid([None]), probable(2)),
        "one logit": (
            graphs.sigmoid([None, 1], logits=True),
            probable(2, output={"name": "p", "holds": "logits"}),
        ),
    }.values(),
)
def test_what_can_serve_passes(file, described):
    inspection_child.check(file, spec(described))


def unknown_operator():
    nodes = [helper.make_node("Prophesy", ["x"], ["y"])]
    return graphs.file(nodes, {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None, 1])})


def own_domain():
    nodes = [helper.make_node("Prophesy", ["x"], ["y"], domain="own")]
    return graphs.file(nodes, {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None, 1])})


def texts():
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=FLOAT)]
    return graphs.file(nodes, {"x": (STRING, [None, 2])}, {"y": (FLOAT, [None, 2])})


def two_batches():
    nodes = [
        helper.make_node("ReduceSum", ["b"], ["sum"], keepdims=0),
        helper.make_node("Add", ["a", "sum"], ["y"]),
    ]
    return graphs.file(nodes, {"a": (FLOAT, [2]), "b": (FLOAT, [4])}, {"y": (FLOAT, [2])})


def says_text():
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=STRING)]
    return graphs.file(nodes, {"x": (FLOAT, [None, 2])}, {"y": (STRING, [None, 2])})


def zipmap():
    nodes = [
        helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])
    ]
    inputs = [helper.make_tensor_value_info("x", FLOAT, [None, 2])]
    kind = helper.make_sequence_type_proto(
        helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    )
    graph = helper.make_graph(nodes, "graph", inputs, [helper.make_value_info("y", kind)])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def only_one():
    """A graph that says that it takes any number of rows, and does not."""
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["row"]),
        helper.make_node("ReduceMax", ["row", "axis"], ["y"], keepdims=0),
    ]
    shapes = {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None])}
    constants = {"shape": (INT64, [2], [1, 2]), "axis": (INT64, [1], [1])}
    return graphs.file(nodes, *shapes, constants)


def of_all():
    """A graph that has one answer, whatever the number of rows."""
    nodes = [helper.make_node("ReduceMax", ["x"], ["y"], keepdims=0)]
    return graphs.file(nodes, {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [])})


def logarithm():
    nodes = [
        helper.make_node("Log", ["x"], ["log"]),
        helper.make_node("ReduceMax", ["log", "axis"], ["y"], keepdims=0),
    ]
    shapes = {"x": (FLOAT, [None, 2])}, {"y": (FLOAT, [None])}
    return graphs.file(nodes, *shapes, {"axis": (INT64, [1], [1])})


def newer(ir_version=9, **opsets):
    loaded = onnx.load_model_from_string(graphs.linear())
    loaded.ir_version = ir_version
    for each in loaded.opset_import:
        each.version = opsets.get(each.domain.replace(".", "_") or "own_operators", each.version)
    return loaded.SerializeToString()


IR, OPSET, ML = highest_ir(), highest_opset(""), highest_opset("ai.onnx.ml")
READS = f"this server reads at most IR version {IR}, opset {OPSET} and opset {ML} of ai.onnx.ml"


BAD = {
    "garbage": (b"garbage", LINEAR, "model", "not an ONNX file"),
    "nothing": (b"", LINEAR, "model", "the file is empty"),
    "zeros": (bytes(1000), LINEAR, "model", "not an ONNX file"),
    "cut": (graphs.linear()[:-30], LINEAR, "model", "not an ONNX file"),
    "of another time": (newer(99), LINEAR, "model", f"it has IR version 99, but {READS}"),
    "an IR too new": (newer(IR + 1), LINEAR, "model", f"it has IR version {IR + 1}, but {READS}"),
    "operators too new": (
        newer(own_operators=OPSET + 1),
        LINEAR,
        "model",
        f"it has opset {OPSET + 1}, but {READS}; export it again, with ir_version={IR} and",
    ),
    "all too new": (
        newer(IR + 1, own_operators=OPSET + 1, ai_onnx_ml=ML + 1),
        LINEAR,
        "model",
        f"IR version {IR + 1} and opset {OPSET + 1} and opset {ML + 1} of ai.onnx.ml, but",
    ),
    "unknown operator": (unknown_operator(), LINEAR, "model", "Prophesy"),
    "an operator of its own": (own_domain(), LINEAR, "model", "own"),
    **{
        f"external {where}": (harmful_graphs.external(where), LINEAR, "model", "in other files")
        for where in ("initializer", "attribute", "sparse", "subgraph", "function", "training")
    },
    "no such input": (
        graphs.linear(),
        {**LINEAR, "inputs": [{"name": "z", "features": ["a", "b"]}]},
        "manifest.inputs.0.name",
        "it has x",
    ),
    "an input too few": (
        graphs.named(),
        {**OWN_PARTS, "inputs": OWN_PARTS["inputs"][:1]},
        "manifest.inputs",
        "also needs b",
    ),
    "no such output": (
        graphs.linear(),
        {**LINEAR, "output": {"name": "z", "holds": "values"}},
        "manifest.output.name",
        "it has y",
    ),
    "too few features": (
        graphs.linear(),
        {**LINEAR, "inputs": [{"name": "x", "features": ["a"]}]},
        "manifest.inputs.0.features",
        "[?, 2]",
    ),
    "an input of text": (texts(), LINEAR, "manifest.inputs.0.type", 'its "type" is "text"'),
    "no input of text": (graphs.linear(), typed("text"), "manifest.inputs.0.type", '"number"'),
    "an input of bfloat16": (
        graphs.cast_sum(TensorProto.BFLOAT16),
        LINEAR,
        "manifest.inputs.0.name",
        "tensor(bfloat16)",
    ),
    "an image of whole numbers": (
        graphs.colours(kind=INT64),
        IMAGES,
        "manifest.inputs.0.name",
        "tensor(int64)",
    ),
    "pixels with a mean": (
        graphs.colours(kind=UINT8),
        image(mean=[0.5, 0.5, 0.5]),
        "manifest.inputs.0.image",
        "leave out mean and std",
    ),
    "whole numbers that may be missing": (
        graphs.linear(INT64),
        typed("number", nullable=True),
        "manifest.inputs.0.nullable",
        "only tensors of float",
    ),
    "missing values that it does not know": (
        graphs.linear(),
        typed("number", nullable=True),
        "manifest.inputs.0.nullable",
        "no finite prediction for missing values",
    ),
    "no such further output": (
        graphs.several(),
        {**LINEAR, "outputs": ["logs", "z"]},
        "manifest.outputs.1",
        "it has y, logs, first, of_all",
    ),
    "a further output of all rows": (
        graphs.several(),
        {**LINEAR, "outputs": ["of_all"]},
        "manifest.outputs.0",
        "for 1 at a time the output of_all has shape []",
    ),
    "batches of two sizes": (two_batches(), OWN_PARTS, "model", "different sizes"),
    "a huge batch": (graphs.linear(batch=20_000_000), LINEAR, "model", "256,000,000 bytes"),
    "a sigmoid for three labels": (
        graphs.sigmoid([None, 1]),
        probable(3),
        "manifest.labels",
        "there are 3",
    ),
    "an output of text": (says_text(), LINEAR, "manifest.output.name", "not of numbers"),
    "a ZipMap": (zipmap(), LINEAR, "manifest.output.name", "without ZipMap"),
    "one row only": (only_one(), LINEAR, "model", "2 at a time"),
    "one answer to all": (of_all(), LINEAR, "manifest.output.name", "[]"),
    "images to rows": (
        graphs.linear(),
        {**image(), "inputs": [{"name": "x", "image": {"size": [8, 8]}}]}
        | {"output": {"name": "y", "holds": "logits"}},
        "manifest.inputs.0.image",
        "4 dimensions",
    ),
    "rows to images": (
        graphs.colours(),
        {**IMAGES, "inputs": [{"name": "image", "features": ["a"]}]},
        "manifest.inputs.0.features",
        "[?, 3, 8, 8]",
    ),
    "another size": (graphs.colours(), image(size=[8, 9]), "manifest.inputs.0.image", "8 x 9"),
    "another layout": (graphs.colours(), image(layout="NHWC"), "manifest.inputs.0.image", "NHWC"),
    "too few labels": (graphs.probabilities(4), probable(3), "manifest.labels", "there are 3"),
    "too many labels": (graphs.probabilities(4), probable(5), "manifest.labels", "[?, 4]"),
    "logits": (
        graphs.probabilities(3, softmax=False),
        {**probable(3), "sample": {"x": 5}},
        "manifest.output.holds",
        "not probabilities",
    ),
    "logits that are zero at the sample": (
        graphs.probabilities(3, softmax=False),
        probable(3),
        "manifest.output.holds",
        "not probabilities",
    ),
    "a sample of text": (
        graphs.linear(),
        {**LINEAR, "sample": {"a": "x", "b": 1}},
        "manifest.sample",
        "a number",
    ),
    "zeros it cannot take": (logarithm(), LINEAR, "manifest.sample", "no finite prediction"),
    "memory": (harmful_graphs.memory_bomb(10**9), LINEAR, "model", "memory"),
}


@pytest.mark.parametrize(("file", "described", "field", "says"), BAD.values(), ids=BAD)
def test_what_cannot_serve_is_refused_with_the_reason(file, described, field, says):
    with pytest.raises(errors.Invalid) as caught:
        inspection_child.check(file, spec(described))

    assert caught.value.extra["field"] == field
    assert says in caught.value.detail
    assert caught.value.detail.startswith(f"{field}: ")
    assert len(caught.value.detail) < 700
    assert "onnxruntime_src" not in caught.value.detail


@pytest.mark.parametrize(
    "file", [graphs.linear(), newer(IR), newer(own_operators=OPSET), newer(ai_onnx_ml=ML)]
)
def test_the_highest_versions_that_are_named_can_be_read(file):
    inspection_child.check(file, spec(LINEAR))


def test_zeros_that_a_model_cannot_take_are_no_matter_if_there_is_a_sample():
    inspection_child.check(logarithm(), spec(LINEAR, sample={"a": 1, "b": 2}))


def test_a_loop_without_an_end_is_ended():
    load = partial(SessionGraph, run_seconds=0.1)

    with pytest.raises(errors.Invalid, match=r"longer than 0\.1 s"):
        inspection_child.check(harmful_graphs.endless(), spec(LINEAR), load)


def inspected(tmp_path, file, described, code=""):
    """Run the real process, after some lines of Python if need be; return its verdict."""
    path = tmp_path / "model.onnx"
    path.write_bytes(file)
    command = (
        ["-c", code, str(path)] if code else ["-m", "app.inference.inspection_child", str(path)]
    )
    found = subprocess.run(
        [sys.executable, *command],
        input=spec(described).model_dump_json().encode(),
        capture_output=True,
        cwd=ROOT,
        env={},
        timeout=60,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, b"")
    return json.loads(found.stdout)


def test_the_process_says_that_nothing_is_wrong(tmp_path):
    assert inspected(tmp_path, graphs.linear(), LINEAR) == {}
    assert inspected(tmp_path, graphs.colours(), IMAGES) == {}


def test_the_process_says_what_is_wrong(tmp_path):
    error = inspected(tmp_path, b"garbage", LINEAR)["error"]

    assert (error["type"], error["field"]) == ("invalid", "model")


@pytest.mark.parametrize("side", [30_000, 100_000])
def test_memory_is_bounded(tmp_path, side):
    error = inspected(tmp_path, harmful_graphs.memory_bomb(side), LINEAR)["error"]

    assert error["detail"].endswith("it needs more than 1,000 MB of memory to answer")


def test_a_small_file_may_not_become_a_large_model(tmp_path):
    error = inspected(tmp_path, harmful_graphs.swelling(100_000_000), LINEAR)["error"]

    assert error["field"] == "model"
    assert "it takes 4" in error["detail"]
    assert "for a file of its size at most 200 MB are allowed" in error["detail"]


def test_a_model_may_become_somewhat_larger_than_its_file(tmp_path):
    assert inspected(tmp_path, harmful_graphs.swelling(25_000_000), LINEAR) == {}
    assert inspected(tmp_path, harmful_graphs.heavy(100), LINEAR) == {}


def test_as_many_are_tried_as_will_be_asked_at_a_time():
    tried = []

    class Counting(SessionGraph):
        def run(self, feeds):
            count = len(feeds["image"])
            tried.append(count)
            return {"logits": np.zeros((count, 3), np.float32)}

    for size in (8, 2000, 4096):  # the last so large that serving takes them one by one
        inspection_child.check(graphs.colours(size=size), spec(image(size=[size, size])), Counting)

    assert tried == [1, 8, 1, 1, 5, 1, 1, 1]


CONFINED = """
import json, socket, sys
from app import errors
from app.inference import inspection_child

def tried(file, spec, limit):
    refused = []
    for attempt in (lambda: open("/etc/passwd"), socket.socket, lambda: open("new", "w")):
        try:
            attempt()
        except OSError as error:
            refused.append(error.errno)
    raise errors.Invalid("model", str(refused))

inspection_child.check = tried  # in a process of its own
inspection_child.main(sys.argv[1])
"""


def test_the_process_opens_nothing_but_the_file(tmp_path):
    error = inspected(tmp_path, graphs.linear(), LINEAR, CONFINED)["error"]

    assert error["detail"] == "model: [24, 24, 24]"  # EMFILE
