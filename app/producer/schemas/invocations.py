"""OpenAPI's description of `POST /invocations`, with examples that run."""

import json
from typing import Any

from pydantic.config import JsonDict

from app.producer.schemas.requests import InvocationTarget
from app.protocol.examples import ROW
from app.protocol.types import (
    CSV_MEDIA_TYPE,
    JSON_MEDIA_TYPE,
    LATEST,
    SAGEMAKER_LINES_MEDIA_TYPE,
)

_NAMES, _VALUES = list(ROW), list(ROW.values())
_LINE = ",".join(map(str, _VALUES))
_CSV = f"{','.join(_NAMES)}\n{_LINE}\n{_LINE}\n"

_FORMS: dict[str, tuple[str, Any]] = {
    "input_data": ("The form of `/predict`, with `image_data` for images", {"input_data": ROW}),
    "row": ("A row, or a list of rows", ROW),
    "lists": ("Lists of values, in the model's order", [_VALUES, _VALUES]),
    "instances": ("SageMaker, MLflow, TensorFlow Serving", {"instances": [ROW, _VALUES]}),
    "features": ("SageMaker's own algorithms", {"instances": [{"features": _VALUES}]}),
    "inputs": (
        "MLflow, by column or by row",
        {"inputs": {name: [value, value] for name, value in ROW.items()}},
    ),
    "dataframe_split": (
        "MLflow: `DataFrame.to_dict('split')`",
        {"dataframe_split": {"columns": _NAMES, "index": [0], "data": [_VALUES]}},
    ),
    "dataframe_records": (
        "MLflow: `DataFrame.to_dict('records')`",
        {"dataframe_records": [ROW, ROW]},
    ),
    "columns": (
        "MLflow 1: `DataFrame.to_json(orient='split')`",
        {"columns": _NAMES, "data": [_VALUES]},
    ),
}
_TARGET = InvocationTarget.model_json_schema(ref_template="#/components/schemas/{model}")
_ANY_ROWS = {
    "anyOf": [
        {
            "type": "object",
            "title": "Rows",
            "description": "A row, or rows in one of the wrappers of the examples.",
            "properties": _TARGET["properties"],
        },
        {"type": "array", "items": {}, "title": "Rows"},
    ]
}


ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


def describe_invocation(images: tuple[str, ...]) -> dict[str, Any]:
    """Return the description of the body and the header; `images` are media types."""
    examples = {name: {"summary": said, "value": value} for name, (said, value) in _FORMS.items()}
    text = {"type": "string"}
    lines = {"schema": text, "example": f"{json.dumps(ROW)}\n{json.dumps(_VALUES)}\n"}
    content: dict[str, Any] = {
        JSON_MEDIA_TYPE: {"schema": _ANY_ROWS, "examples": examples},
        CSV_MEDIA_TYPE: {"schema": text, "example": _CSV},
        SAGEMAKER_LINES_MEDIA_TYPE: lines,
    }
    content |= {kind: {"schema": {"type": "string", "format": "binary"}} for kind in images}
    header = {
        "name": ATTRIBUTES,
        "in": "header",
        "schema": {"type": "string", "examples": [f"model_id={LATEST}"]},
        "description": "model_id=ID, perhaps with more attributes after commas",
    }
    return {"requestBody": {"required": True, "content": content}, "parameters": [header]}


ANSWERS: dict[int | str, JsonDict] = {
    200: {
        "description": "The predictions, in the form that `Accept` names",
        "content": {
            CSV_MEDIA_TYPE: {"schema": {"type": "string"}, "example": "208.6\n208.6\n"},
            SAGEMAKER_LINES_MEDIA_TYPE: {
                "schema": {"type": "string"},
                "example": '{"prediction":208.6,"pred_proba":208.6}\n',
            },
        },
    }
}
