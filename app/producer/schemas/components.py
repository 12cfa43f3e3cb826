"""References to schemas that stand among the components of the OpenAPI document."""

from pydantic import BaseModel


def component(kind: type[BaseModel]) -> dict[str, str]:
    """Return the reference to the schema of a body."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
