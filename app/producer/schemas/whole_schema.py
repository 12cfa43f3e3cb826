"""The schemas of bodies that FastAPI does not read, and so does not put among the components."""

from typing import Any

from pydantic import BaseModel
from pydantic.config import JsonDict


def whole_schema(kind: type[BaseModel]) -> JsonDict:
    """Return the schema of a body, with its references resolved."""
    found = kind.model_json_schema()
    definitions: dict[str, Any] = found.pop("$defs", {})

    def resolved(value: Any) -> Any:
        if isinstance(value, list):
            return [resolved(each) for each in value]
        if not isinstance(value, dict):
            return value
        beside = {key: resolved(each) for key, each in value.items() if key != "$ref"}
        if "$ref" not in value:
            return beside
        return resolved(definitions[value["$ref"].rpartition("/")[2]]) | beside

    return dict(resolved(found))
