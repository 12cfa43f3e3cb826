"""Read an AsyncAPI document, as a tool would that knows nothing of Warren."""

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

_SCHEMA = Path(__file__).parents[1] / "vendor/asyncapi/3.1.0.json.gz"


@cache
def specification() -> Draft7Validator:
    """Return the validator of AsyncAPI documents, by the specification's own schema."""
    return Draft7Validator(json.loads(gzip.decompress(_SCHEMA.read_bytes())))


def resolved(document: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Follow the references of an object to what they lead to."""
    while "$ref" in value:
        found: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft7Validator:
    """Return the validator of a schema that the document holds."""
    return Draft7Validator({"allOf": [schema], "components": document["components"]})


def matching(document: dict[str, Any], reply: dict[str, Any], body: Any) -> list[str]:
    """Return the names of a reply's messages whose schema a body meets."""
    messages = [resolved(document, each) for each in reply["messages"]]
    return [
        each["name"] for each in messages if validator(document, each["payload"]).is_valid(body)
    ]
