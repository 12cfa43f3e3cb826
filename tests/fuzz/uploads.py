"""Models that were not trained here: descriptions of endpoints, and forms with an ONNX file."""

import json
from random import Random
from typing import Any

from onnx import TensorProto, helper

from devstack.demo import ROW
from tests.fuzz.bodies import IDS, body, damage, garbage, hostile, mutate, write
from tests.support import tiny

BOUNDARY = b"b0undary"

Json = Any

# Nothing of this may be called, so that none of it is ever registered.
ENDPOINTS: list[dict[str, Json]] = [
    {"kind": "endpoint", "url": "http://127.0.0.1:9/invocations", "sample": ROW},
    {"kind": "endpoint", "url": "https://models.example.com/x", "secret": {"name": "a"}},
    {"kind": "endpoint", "sagemaker": {"endpoint_name": "churn"}, "seconds": 1, "limit": 1},
    {"kind": "endpoint", "sagemaker": {"endpoint_name": "a", "endpoint_url": "http://[::1]:1"}},
]
URLS = [
    *("", "http://", "http:///x", "ftp://127.0.0.1/", "file:///etc/passwd", "http://127.0.0.1:0/"),
    *(
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://[::1",
        "http://a@127.0.0.1/",
        "//a",
    ),
    *(
        "http://\u0130.example/",
        "http://127.0.0.1\\@a/",
        "http://0x7f000001/",
        "http://a b/",
        "http://%00/",
    ),
    *("http://127.1:5000/", "HTTP://LOCALHOST/", "http://" + "a" * 70_000, "http://\ud83d\ude00/"),
]


def endpoint(rng: Random) -> bytes:
    """Return the description of an endpoint."""
    seed = rng.choice(ENDPOINTS)
    if "url" in seed and rng.random() < 0.5:
        seed = {**seed, "url": rng.choice(URLS)}
    return body(rng, seed, 0.3)


def _node(kind: str, gives: str = "y", takes: tuple[str, ...] = ("x",), **more: Json) -> Json:
    return helper.make_node(kind, list(takes), [gives], **more)


def _graph(nodes: list[Json], *constants: Json, domain: str = "") -> bytes:
    """Write a model, whatever it does."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "odd", [x], [y], list(constants))
    opset = [helper.make_opsetid("", 18)]
    if domain:
        opset.append(helper.make_opsetid(domain, 1))
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    return bytes(model.SerializeToString(deterministic=True))


def _huge() -> bytes:
    """Return a model that makes a terabyte of a few bytes."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [500_000, 500_000])
    return _graph([_node("ConstantOfShape", takes=("shape",))], shape)


def _endless() -> bytes:
    """Return a model that counts to 2^62."""
    trips = helper.make_tensor("trips", TensorProto.INT64, [], [2**62])
    go = helper.make_tensor("go", TensorProto.BOOL, [], [1])
    info = helper.make_tensor_value_info
    loop = helper.make_graph(
        [_node("Identity", "go_on", ("on",)), _node("Identity", "next", ("state",))],
        "loop",
        [
            info("i", TensorProto.INT64, []),
            info("on", TensorProto.BOOL, []),
            info("state", 1, None),
        ],
        [info("go_on", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, None)],
    )
    return _graph([_node("Loop", takes=("trips", "go", "x"), body=loop)], trips, go)


def _elsewhere() -> bytes:
    """Return a model whose numbers lie in another file."""
    ones = helper.make_tensor("ones", TensorProto.FLOAT, [2, 1], [1.0, 1.0])
    ones.ClearField("float_data")
    ones.data_location = TensorProto.EXTERNAL
    entry = ones.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    return _graph([_node("MatMul", takes=("x", "ones"))], ones)


MODELS = [
    *(_huge(), _endless(), _elsewhere(), _graph([]), _graph([_node("Nothing")]), b"", b"\x08\x09"),
    *(_graph([_node("Mine", domain="mine")], domain="mine"), _graph([_node("Identity")])),
    *(_graph([_node("Identity", "z")]), _graph([_node("Identity", "y", ("w",))])),
]


def uploaded(rng: Random) -> tuple[bytes, bytes]:
    """Return the form of an upload, and its type."""
    seed, model = rng.choice(((tiny.ROWS, tiny.sums()), (tiny.COLOURS, tiny.colours())))
    manifest = json.dumps(seed).encode()
    kind = rng.random()
    if kind < 0.25:
        model = damage(rng, model)
    elif kind < 0.45:
        model = rng.choice(MODELS)
    elif kind < 0.65:
        manifest = write(mutate(rng, json.loads(manifest))).encode()
    elif kind < 0.7:
        manifest = garbage(rng)
    form = _form(rng, manifest, model)
    if kind > 0.85:
        form = damage(rng, form)
    return form, b"multipart/form-data; boundary=" + BOUNDARY


def _form(rng: Random, manifest: bytes, model: bytes) -> bytes:
    """Write the parts, of which one may be missing, double, or called something else."""
    parts = [
        (b'name="manifest"', b"application/json", manifest),
        (b'name="model"; filename="m.onnx"', b"application/octet-stream", model),
    ]
    if rng.random() < 0.2:
        name, kind, content = rng.choice(parts)
        odd = write(rng.choice(IDS)).encode(errors="replace")
        match rng.randrange(5):
            case 0:
                parts.remove((name, kind, content))
            case 1:
                parts.append((name, kind, content))
            case 2:
                parts.append((b"name=" + odd, kind, write(hostile(rng)).encode(errors="replace")))
            case 3:
                parts = [(b"name=" + odd, kind, content)] * rng.choice((1, 50))
            case _:
                parts.reverse()
    written = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\nContent-Type: %s\r\n\r\n%s\r\n"
        % (BOUNDARY, name, kind, content)
        for name, kind, content in parts
    )
    return written + b"--" + BOUNDARY + b"--\r\n"
