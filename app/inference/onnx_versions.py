"""Tell whether an ONNX file is newer than onnx and onnxruntime can read here."""

from functools import cache

import onnx
from onnx import TensorProto, helper

from app import errors
from app.inference.onnx_session import load_session

_OLD_IR, _OLD_OPSET = 8, 13  # all installations read these
# The versions that onnx knows, of the operators of ONNX itself and of those for trees and the like.
_KNOWN = {
    "": onnx.defs.onnx_opset_version(),
    "ai.onnx.ml": max(opset for _, _, _, opset, *_ in helper.VERSION_TABLE),
}


def version_problem(model: onnx.ModelProto) -> str | None:
    """Return a sentence with the highest versions that can be read if a file has higher ones."""
    imports = model.opset_import
    opsets = {"" if each.domain == "ai.onnx" else each.domain: each.version for each in imports}
    found = []
    if not _reads(model.ir_version, "", _OLD_OPSET) and model.ir_version > highest_ir():
        found.append(f"IR version {model.ir_version}")
    for domain in _KNOWN.keys() & opsets.keys():
        version = opsets[domain]
        if not _reads(_OLD_IR, domain, version) and version > highest_opset(domain):
            found.append(f"opset {version}{f' of {domain}' if domain else ''}")
    if not found:
        return None
    ir, opset, other = highest_ir(), highest_opset(""), highest_opset("ai.onnx.ml")
    return (
        f"it has {' and '.join(sorted(found))}, but this server reads at most IR version {ir}, "
        f"opset {opset} and opset {other} of ai.onnx.ml; export it again, with ir_version={ir} and "
        f'opset_imports=[make_opsetid("", {opset})] in onnx.helper.make_model, or with '
        f'target_opset={{"": {opset}, "ai.onnx.ml": {other}}} in skl2onnx'
    )


@cache
def highest_ir() -> int:
    """Return the highest IR version that onnx and onnxruntime read."""
    versions = range(onnx.IR_VERSION, _OLD_IR, -1)
    return next((each for each in versions if _reads(each, "", _OLD_OPSET)), _OLD_IR)


@cache
def highest_opset(domain: str) -> int:
    """Return the highest opset of a domain that onnx and onnxruntime read."""
    versions = range(_KNOWN[domain], 1, -1)
    return next((each for each in versions if _reads(_OLD_IR, domain, each)), 1)


def _reads(ir: int, domain: str, opset: int) -> bool:
    """Try a graph of one node; neither library has a call that tells what it reads."""
    node = helper.make_node("Identity", ["x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    opsets = [helper.make_opsetid(*each) for each in {"": _OLD_OPSET, domain: opset}.items()]
    graph = helper.make_graph([node], "graph", [x], [y])
    file = helper.make_model(graph, ir_version=ir, opset_imports=opsets).SerializeToString()
    try:
        onnx.checker.check_model(file)
        load_session(file)
    except (onnx.checker.ValidationError, ValueError, errors.Corrupt):
        return False
    return True
