"""What the tests of remote models ask, of which endpoints."""

import json
from typing import Any

from app.models.endpoint import EndpointSpec
from app.protocol.requests import PredictionInputs
from tests.support.endpoints import Stranger

TOKEN = "t0ken-of-the-test-suite"  # a secret
ROW = {"a": 1.5, "b": None}
ONE = PredictionInputs(input_data=ROW)
TWO = PredictionInputs(input_data=[ROW, {"a": 2.5}])

# The forms in which an answer may show a secret.
WRITTEN = {
    "plainly": lambda secret: secret,
    "in JSON": lambda secret: json.dumps(secret)[1:-1],
    "with escaped slashes": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "in JSON in JSON": lambda secret: json.dumps(json.dumps(secret)[1:-1])[1:-1],
    "as Python shows it": lambda secret: repr(secret)[1:-1],
}


def at(peer: Stranger, path: str, **changes: Any) -> EndpointSpec:
    """The endpoint that a path of the stand-in is."""
    return EndpointSpec.model_validate({"kind": "endpoint", "url": f"{peer.url}/{path}", **changes})


def sagemaker(peer: Stranger, name: str, **changes: Any) -> EndpointSpec:
    """The endpoint of SageMaker's that the stand-in plays."""
    model = {"endpoint_name": name, "endpoint_url": peer.url, "credentials": "aws"}
    return EndpointSpec.model_validate({"kind": "endpoint", "sagemaker": {**model, **changes}})
