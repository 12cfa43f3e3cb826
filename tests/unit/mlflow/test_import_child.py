"""What is read of an MLflow model folder, and what is refused."""

import io
import struct
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_STORED

import pytest

from app import errors
from app.mlflow.archive import MAX_ENTRIES, MAX_MLMODEL
from app.mlflow.import_child import read_folder
from tests.support import graphs
from tests.support.graphs import DOUBLE, FLOAT, INT64
from tests.support.mlflow_folders import (
    classifier,
    columns,
    folder,
    mlmodel,
    two_numbers,
    wide,
    with_link,
    zipped,
)

LIMIT = 100_000
AB = columns("a", "b")
REGRESSION = {"output": {"name": "y", "holds": "values"}}
TENSOR = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]


def read(archive: bytes, limit: int = LIMIT) -> dict[str, Any]:
    return read_folder(io.BytesIO(archive), limit)


def manifest(archive: bytes) -> dict[str, Any]:
    """Return what is said in a manifest, without its defaults."""
    found = read(archive)["manifest"]
    found["inputs"] = [
        {key: value for key, value in each.items() if value not in (None, False, "number")}
        for each in found["inputs"]
    ]
    return {key: value for key, value in found.items() if key != "kind" and value not in (None, [])}


@pytest.mark.parametrize("below", ["", "model/", "m2/"])
def test_a_folder_lies_at_the_top_or_in_one_folder(below: str) -> None:
    assert read(folder(graphs.linear(), AB, below))["member"] == f"{below}model.onnx"


@pytest.mark.parametrize(
    ("archive", "inputs"),
    [
        (folder(graphs.linear(), AB), [{"name": "x", "features": ["a", "b"]}]),
        (folder(graphs.linear(DOUBLE), AB), [{"name": "x", "features": ["a", "b"]}]),
        (
            folder(graphs.linear(), columns("a", "b", required=False)),
            [{"name": "x", "features": ["a", "b"], "nullable": True}],
        ),
        (folder(graphs.linear()), [{"name": "x", "features": ["x_0", "x_1"]}]),
        (folder(graphs.linear(), TENSOR), [{"name": "x", "features": ["x_0", "x_1"]}]),
        (
            folder(graphs.named(), AB),
            [{"name": "a", "features": ["a"]}, {"name": "b", "features": ["b"]}],
        ),
        (
            folder(graphs.cast_sum(graphs.BOOL), columns("a", "b", kind="boolean")),
            [{"name": "x", "features": ["a", "b"], "type": "boolean"}],
        ),
    ],
    ids=["floats", "doubles", "optional", "no signature", "tensor", "two inputs", "booleans"],
)
def test_the_signature_names_the_features(archive: bytes, inputs: Any) -> None:
    assert manifest(archive) == {"inputs": inputs, **REGRESSION}


@pytest.mark.parametrize("labels", [["no", "yes"], ["a", "b", "ü"], [0, 1], [3, 5, 8]])
def test_the_graph_of_a_classifier_names_its_labels(labels: Any) -> None:
    assert manifest(folder(classifier(labels), AB)) == {
        "inputs": [{"name": "x", "features": ["a", "b"]}],
        "output": {"name": "probabilities", "holds": "probabilities"},
        "labels": labels,
    }


def nested(depth: int) -> bytes:
    return b"flavors: " + b"[" * depth + b"]" * depth


BILLION = b"a: &a [x, x]\nb: &b [*a, *a]\nflavors: [*b, *b]\n"


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (b"PK", "not a readable zip"),
        (b"\0" * 1000, "not a readable zip"),
        (folder(graphs.linear(), AB)[:-30], "not a readable zip"),
        (zipped({"a": b""}), "no file MLmodel"),
        (zipped({"a/b/MLmodel": b""}), "no file MLmodel"),
        (zipped({"a/MLmodel": b"", "b/MLmodel": b""}), "no file MLmodel"),
        (zipped({"MLmodel": mlmodel(AB)}), 'no file "model.onnx"'),
        (zipped({"MLmodel": mlmodel(AB), "../model.onnx": b""}), "outside"),
        (zipped({"MLmodel": mlmodel(AB), "a/../../b": b""}), "outside"),
        (zipped({"MLmodel": mlmodel(AB), "/etc/passwd": b""}), "outside"),
        (zipped({"MLmodel": mlmodel(AB), "..\\b": b""}), "outside"),
        (with_link("/etc/passwd"), "is a link"),
        (zipped({"MLmodel": mlmodel(AB)}, ZIP_BZIP2), "deflate"),
        (zipped({f"f{n}": b"" for n in range(MAX_ENTRIES + 1)}), "more than 1000 files"),
        (zipped({"MLmodel": b" " * (MAX_MLMODEL + 1)}), "over the limit of 1000000"),
        (folder(b"\0" * (LIMIT + 1), AB), "over the limit of 100000"),
        (folder(b"", AB), "the graph has no input"),
        (folder(b"no protobuf", AB), "not an ONNX file"),
        (zipped({"MLmodel": BILLION}), "aliases are not read"),
        (zipped({"MLmodel": b"a: &a [*a]"}), "aliases are not read"),
        (zipped({"MLmodel": nested(100_000)}), "nested too deeply"),
        (zipped({"MLmodel": b"!!python/object/apply:os.system ['true']"}), "names no flavors"),
        (zipped({"MLmodel": b"a: 1" + b":1" * 300_000}), "names no flavors"),
        (zipped({"MLmodel": b'a: !!int ""'}), "names no flavors"),
        (folder(wide(2**40), None), "takes 1099511627776 columns; at most 10000"),
        (zipped({"MLmodel": b"flavors: [1"}), "not readable as YAML"),
        (zipped({"MLmodel": b"\xff\xfe\0"}), "YAML"),
        (zipped({"MLmodel": b"flavors: 2020-99-99"}), "MLmodel"),
        (zipped({"MLmodel": b"a: [" + b"[], " * 10_000 + b"]"}), "more than 10,000 values"),
        (zipped({"MLmodel": b"- a"}), "names no flavors"),
        (zipped({"MLmodel": mlmodel(AB, {"sklearn": {}})}), "no ONNX flavour.*sklearn"),
        (zipped({"MLmodel": mlmodel(AB, {"onnx": {"data": ["a"]}})}), "flavors.onnx.data"),
        (zipped({"MLmodel": mlmodel(AB, {"onnx": {"data": "../x"}})}), 'no file "../x"'),
        (folder(graphs.linear(), columns("a")), "takes 2 columns, and the signature has 1"),
        (folder(graphs.linear(), columns("a", "a")), "named twice"),
        (folder(graphs.linear(), [{"type": "double"}]), "signature.inputs"),
        (folder(graphs.linear(), [{"type": "double", "name": [1]}]), "is named"),
        (folder(graphs.named(), columns("a", "c")), "the columns a, c"),
        (folder(graphs.colours(), None), "4 dimensions"),
        (folder(two_numbers(), columns("a")), "do not tell what the prediction is"),
        (folder(graphs.probabilities(3), columns("a")), "do not tell what the prediction is"),
    ],
)
def test_what_is_no_folder_of_a_table_model_is_refused(archive: bytes, said: str) -> None:
    with pytest.raises((errors.Invalid, errors.TooLarge), match=said) as caught:
        read(archive)
    assert len(caught.value.detail) < 600


def test_a_member_that_lies_about_its_size_is_refused() -> None:
    """The size in the directory bounds what is read, and the checksum tells the lie."""
    archive = bytearray(folder(graphs.linear(), AB))
    directory = archive.index(b"PK\x01\x02")
    name = archive.index(b"model.onnx", directory)
    archive[name - 22 : name - 18] = struct.pack("<I", 10)
    with pytest.raises(errors.Invalid, match="is damaged"):
        read(bytes(archive))


def test_an_encrypted_member_is_refused() -> None:
    archive = bytearray(zipped({"MLmodel": mlmodel(AB)}, ZIP_STORED))
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(errors.Invalid, match="encrypted"):
        read(bytes(archive))


def test_labels_that_nodes_tell_differently_are_not_guessed() -> None:
    from onnx import helper, load_model_from_string

    model = load_model_from_string(classifier([0, 1]))
    other = helper.make_node("Identity", ["x"], ["more"], classlabels_ints=[7, 8])
    model.graph.node.append(other)
    with pytest.raises(errors.Invalid, match="do not tell"):
        read(folder(model.SerializeToString(), AB))


@pytest.mark.parametrize("kind", [FLOAT, INT64])
def test_a_graph_of_whole_numbers_is_taken(kind: int) -> None:
    file = graphs.cast_sum(kind)
    assert manifest(folder(file, AB))["inputs"] == [{"name": "x", "features": ["a", "b"]}]
