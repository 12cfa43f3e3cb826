"""A server of the Open Inference Protocol, as a client sees it."""

import json
from dataclasses import dataclass
from typing import Any

import httpx2

from examples.oip_conformance.tensors import Tensor, example_inputs, flat, pack, unpack

LENGTH = "Inference-Header-Content-Length"


class Wrong(Exception):
    """What the server does is not what the protocol says."""


class NotOffered(Exception):
    """The server does not say that it has this extension of the protocol."""


def check(holds: bool, said: str) -> None:
    """Raise `Wrong` unless something holds."""
    if not holds:
        raise Wrong(said)


@dataclass(frozen=True)
class Server:
    """A server, and the model that it is asked about.

    `request` is an inference request that the model can answer; without one, the inputs of its
    metadata are filled with zeros.
    """

    http: httpx2.Client
    model: str
    request: dict[str, Any] | None = None

    @property
    def path(self) -> str:
        """Return the path of the model."""
        return f"/v2/models/{self.model}"

    def json(self, path: str) -> dict[str, Any]:
        """Return the JSON object of a path. Raises `Wrong` unless it is a 200 with one."""
        answer = self.http.get(path)
        check(answer.status_code == 200, f"GET {path} is a {answer.status_code}")
        return json_of(answer)

    def inputs(self) -> list[Tensor]:
        """Return inputs that the model can answer, as flat JSON."""
        if self.request is None:
            return example_inputs(self.json(self.path)["inputs"])
        return [{**each, "data": flat(each["data"])} for each in self.request["inputs"]]

    def post(self, body: Any, path: str | None = None, **headers: str) -> httpx2.Response:
        """Send an inference request: bytes, or what becomes JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json", **headers}
        return self.http.post(path or f"{self.path}/infer", content=content, headers=kind)

    def infer(self, inputs: list[Tensor], **more: Any) -> dict[str, Any]:
        """Return the answer to inputs as JSON. Raises `Wrong` unless it is a 200."""
        return self.answered(self.post({"inputs": inputs, **more}))

    def infer_binary(self, inputs: list[Tensor], binary: list[bool], **more: Any) -> dict[str, Any]:
        """Return the answer to inputs of which some are sent as bytes."""
        sent, raw = [], b""
        for each, is_binary in zip(inputs, binary, strict=True):
            if is_binary:
                data = pack(each["datatype"], each["data"])
                rest = {name: value for name, value in each.items() if name != "data"}
                sent.append({**rest, "parameters": {"binary_data_size": len(data)}})
                raw += data
            else:
                sent.append(each)
        header = json.dumps({"inputs": sent, **more}).encode()
        kind = {"Content-Type": "application/octet-stream", LENGTH: str(len(header))}
        return self.answered(self.post(header + raw, **kind))

    def answered(self, answer: httpx2.Response) -> dict[str, Any]:
        """Return an answer with the bytes of its outputs read. Raises `Wrong`."""
        said = f"the answer is a {answer.status_code}: {answer.text[:200]}"
        check(answer.status_code == 200, said)
        length = answer.headers.get(LENGTH)
        whole = answer.content
        found: dict[str, Any] = json.loads(whole if length is None else whole[: int(length)])
        raw = b"" if length is None else whole[int(length) :]
        for each in found["outputs"]:
            if (size := parameters_of(each).get("binary_data_size")) is not None:
                check("data" not in each, "an output has data in JSON and as bytes")
                each["data"], raw = unpack(each["datatype"], raw[:size]), raw[size:]
            each["data"] = flat(each["data"])
        check(not raw, f"{len(raw)} bytes belong to no output")
        return found


def json_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object of an answer. Raises `Wrong` for anything else."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Wrong(f"the body of a {answer.status_code} is no JSON object: {answer.text[:60]!r}")
    return found


def parameters_of(tensor: Tensor) -> dict[str, Any]:
    """Return the parameters of a tensor; some servers send null for none."""
    return tensor.get("parameters") or {}


def refused(answer: httpx2.Response) -> None:
    """Check that a request is refused as the protocol says. Raises `Wrong`.

    It demands an HTTP error status, "typically 400", and the error object.
    """
    status = answer.status_code
    check(400 <= status < 600, f"the answer is a {status}, not an error")
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        raise Wrong(f'the body of a {status} is not {{"error": text}}') from None
    check(isinstance(error, str) and bool(error), "the error is no text")
