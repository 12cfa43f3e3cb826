"""The checks, in their order: each is a function that raises `Wrong` or `NotOffered`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from examples.oip_conformance.server import (
    LENGTH,
    NotOffered,
    Server,
    check,
    parameters_of,
    refused,
)
from examples.oip_conformance.tensors import DATATYPES, count_of, nested, twice

NOWHERE = "no-such-model-of-the-conformance-check"
Function = Callable[[Server], None]


class Check(NamedTuple):
    """What is checked in words, the function, and whether the protocol's text demands it."""

    said: str
    run: Function
    is_demanded: bool


CHECKS: list[Check] = []


def passes_if(said: str, *, is_demanded: bool = True) -> Callable[[Function], Function]:
    """Add a check to the list, with what it checks in words."""

    def added(run: Function) -> Function:
        CHECKS.append(Check(said, run, is_demanded))
        return run

    return added


@passes_if("GET /v2/health/live is a 200")
def _live(server: Server) -> None:
    check(server.http.get("/v2/health/live").status_code == 200, "it is not")


@passes_if("GET /v2/health/ready is a 200")
def _ready(server: Server) -> None:
    check(server.http.get("/v2/health/ready").status_code == 200, "it is not")


@passes_if("GET /v2 has name, version and extensions")
def _server_metadata(server: Server) -> None:
    found = server.json("/v2")
    check(isinstance(found["name"], str) and isinstance(found["version"], str), "no texts")
    check(all(isinstance(each, str) for each in found["extensions"]), "extensions are no texts")


@passes_if("A model's /ready has its name, and that it is ready")
def _model_ready(server: Server) -> None:
    found = server.json(f"{server.path}/ready")
    check(isinstance(found.get("name"), str), "the name is missing")
    check(found.get("ready") is True, "ready is not true")


@passes_if("A model's metadata have name, platform, inputs and outputs")
def _model_metadata(server: Server) -> None:
    found = server.json(server.path)
    check(isinstance(found["name"], str) and isinstance(found["platform"], str), "no texts")
    for each in (*found["inputs"], *found["outputs"]):
        check(each["datatype"] in DATATYPES, f"{each['datatype']} is no datatype")
        sides = each["shape"]
        check(all(type(side) is int and side >= -1 for side in sides), f"the shape is {sides}")


@passes_if("The /ready of an unknown model is no 200")
def _unknown_ready(server: Server) -> None:
    status = server.http.get(f"/v2/models/{NOWHERE}/ready").status_code
    check(400 <= status < 600, f"it is a {status}")


@passes_if("The metadata of an unknown model are an error")
def _unknown_metadata(server: Server) -> None:
    refused(server.http.get(f"/v2/models/{NOWHERE}"))


@passes_if("An inference by an unknown model is an error")
def _unknown_infer(server: Server) -> None:
    refused(server.post({"inputs": server.inputs()}, f"/v2/models/{NOWHERE}/infer"))


@passes_if("An answer has the model's name and outputs whose data fit their shape")
def _answers(server: Server) -> None:
    found = server.infer(server.inputs())
    check(isinstance(found.get("model_name"), str), "model_name is missing")
    check(bool(found["outputs"]), "there is no output")
    for each in found["outputs"]:
        check(each["datatype"] in DATATYPES, f"{each['datatype']} is no datatype")
        has, wants = len(each["data"]), count_of(each["shape"])
        check(has == wants, f"{each['name']} has {has} elements for the shape {each['shape']}")


@passes_if("An answer in JSON says that it is JSON")
def _content_type(server: Server) -> None:
    kind = server.post({"inputs": server.inputs()}).headers.get("content-type", "")
    check(kind.startswith("application/json"), f"it says {kind}")


@passes_if("The id of a request is returned")
def _id_is_returned(server: Server) -> None:
    found = server.infer(server.inputs(), id="conformance-42").get("id")
    check(found == "conformance-42", f"the id is {found}")


@passes_if("The outputs are those of the model's metadata, of the same datatype and rank")
def _outputs_are_those_of_metadata(server: Server) -> None:
    told = {each["name"]: each for each in server.json(server.path)["outputs"]}
    for each in server.infer(server.inputs())["outputs"]:
        if told:
            check(each["name"] in told, f"{each['name']} is not among {sorted(told)}")
            known = told[each["name"]]
            check(known["datatype"] == each["datatype"], f"{each['name']} is {each['datatype']}")
            check(len(known["shape"]) == len(each["shape"]), f"{each['name']}: {each['shape']}")


@passes_if("Nested data mean the same as flat data")
def _nested_data(server: Server) -> None:
    inputs = server.inputs()
    deep = [{**each, "data": nested(each["data"], each["shape"])} for each in inputs]
    check(server.infer(deep)["outputs"] == server.infer(inputs)["outputs"], "the answers differ")


@passes_if("Two rows are answered by two")
def _two_rows(server: Server) -> None:
    one, two = server.infer(server.inputs()), server.infer(twice(server.inputs()))
    wanted = [2 * each["shape"][0] for each in one["outputs"]]
    rows = [each["shape"][0] for each in two["outputs"]]
    check(rows == wanted, f"the outputs have {rows} rows, not {wanted}")


@passes_if("Only the output that is asked for is returned")
def _chosen_output(server: Server) -> None:
    last = server.infer(server.inputs())["outputs"][-1]["name"]
    found = [
        each["name"] for each in server.infer(server.inputs(), outputs=[{"name": last}])["outputs"]
    ]
    check(found == [last], f"asked for {last}, returned {found}")


@passes_if("Parameters that the server does not know are no error")
def _unknown_parameters(server: Server) -> None:
    inputs = [{**each, "parameters": {"x_conformance": 1}} for each in server.inputs()]
    server.infer(inputs, parameters={"x_conformance": "y"})


@passes_if("A body that is not JSON is an error")
def _not_json(server: Server) -> None:
    refused(server.post(b'{"inputs": ['))


@passes_if("A request without inputs is an error")
def _without_inputs(server: Server) -> None:
    refused(server.post({"id": "1"}))


@passes_if("Data that do not fill their shape are an error")
def _wrong_count(server: Server) -> None:
    first, *rest = server.inputs()
    refused(server.post({"inputs": [{**first, "data": first["data"][:-1]}, *rest]}))


# The text says what a shape is, but not that a server refuses another one.
@passes_if("A negative shape is an error", is_demanded=False)
def _negative_shape(server: Server) -> None:
    first, *rest = server.inputs()
    shape = [-1, *first["shape"][1:]]
    refused(server.post({"inputs": [{**first, "shape": shape}, *rest]}))


@passes_if("A datatype that there is not is an error")
def _unknown_datatype(server: Server) -> None:
    first, *rest = server.inputs()
    refused(server.post({"inputs": [{**first, "datatype": "FP13"}, *rest]}))


@passes_if("Inputs that the model does not have are an error", is_demanded=False)
def _unknown_input(server: Server) -> None:
    named = [{**each, "name": f"x_{each['name']}"} for each in server.inputs()]
    refused(server.post({"inputs": named}))


@passes_if("An output that the model does not have is an error")
def _unknown_output(server: Server) -> None:
    refused(server.post({"inputs": server.inputs(), "outputs": [{"name": "x_conformance"}]}))


def _has_binary(server: Server) -> None:
    if "binary_tensor_data" not in server.json("/v2")["extensions"]:
        raise NotOffered("binary_tensor_data is not among the extensions of the server")


@passes_if("Inputs as bytes are answered as those in JSON")
def _binary_inputs(server: Server) -> None:
    _has_binary(server)
    inputs = server.inputs()
    found = server.infer_binary(inputs, [True] * len(inputs))
    check(found["outputs"] == server.infer(inputs)["outputs"], "the answers differ")


@passes_if("Some inputs as bytes and some in JSON are answered as those in JSON")
def _mixed_inputs(server: Server) -> None:
    _has_binary(server)
    inputs = server.inputs()
    found = server.infer_binary(inputs, [n % 2 == 0 for n in range(len(inputs))])
    check(found["outputs"] == server.infer(inputs)["outputs"], "the answers differ")


def _without_size(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for each in outputs:
        parameters_of(each).pop("binary_data_size", None)
    return [
        {name: value for name, value in each.items() if value not in ({}, None)} for each in outputs
    ]


@passes_if("With binary_data_output, outputs come as bytes and are the same")
def _binary_outputs(server: Server) -> None:
    _has_binary(server)
    asked = {"binary_data_output": True}
    answer = server.post({"inputs": server.inputs(), "parameters": asked})
    check(LENGTH in answer.headers, f"the header {LENGTH} is missing")
    kind = answer.headers.get("content-type")
    check(kind == "application/octet-stream", f"the answer says that it is {kind}")
    found = _without_size(server.answered(answer)["outputs"])
    wanted = _without_size(server.infer(server.inputs())["outputs"])
    check(found == wanted, "the answers differ")


@passes_if("With binary_data, one output comes as bytes")
def _one_binary_output(server: Server) -> None:
    _has_binary(server)
    first = server.infer(server.inputs())["outputs"][0]
    outputs = [{"name": first["name"], "parameters": {"binary_data": True}}]
    found = server.infer(server.inputs(), outputs=outputs)["outputs"]
    check("binary_data_size" in parameters_of(found[0]), "it does not")
    check(_without_size(found) == _without_size([first]), "the answers differ")


@passes_if("A binary_data_size beyond the end of the body is an error")
def _binary_size_that_lies(server: Server) -> None:
    _has_binary(server)
    first, *rest = server.inputs()
    bare = {name: value for name, value in first.items() if name != "data"}
    inputs = [{**bare, "parameters": {"binary_data_size": 10**9}}, *rest]
    refused(server.post({"inputs": inputs}))


@passes_if("A length of the JSON beyond the end of the body is an error")
def _header_length_that_lies(server: Server) -> None:
    _has_binary(server)
    refused(server.post({"inputs": server.inputs()}, **{LENGTH: "1000000000"}))
